"""Training of a network probe, afresh, on images it is not judged on.

Weights are averaged over the last steps, without which weak leaks drown in what is learned by
heart. A tenth of the training images stop some designs early, and say of all how far to trust what
was learned, down to not at all, as for probes of tables. Images are mirrored with probability ¼,
not ½: half of them would hide a mark whose side tells the group.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from scipy import special
from torch import Tensor, nn

from infounlearn.audit.feature.probes import log_prior, tempered, to_learn
from infounlearn.audit.images.designs import FIRST, Design
from infounlearn.errors import DivergenceError

BATCH = 64
RATE = 4e-3
DECAY = 1e-2
MIRROR = 0.25
AVERAGE = 0.97
"""Share that the mean of the weights keeps at each step."""
LEAST_STEPS, MOST_STEPS = 360, 6000
"""Few images are shown more often; of very many, not all are needed."""
LOOK = 30
"""Least steps between two looks at the images that stop the training."""
READ = 0.005
"""Nats of loss below which there is nothing left to learn."""
CHUNK = 512
"""Images judged at once."""


@dataclass(frozen=True, eq=False)
class Fold:
    """One network to be trained: everything a process needs to know.

    Attributes:
        images: (n, c, h, w) float32.
        z: (n,) codes.
        folds: (n,) fold of each image.
        fold: which is held out.
        seed: of split, network and order.
        epochs: longest training.
        device: where.
        what: whose probe it is, for messages.
        mark: (n,) values painted on each image, for planted leaks; None for none.
        design: of the network.
    """

    images: np.ndarray
    z: np.ndarray
    folds: np.ndarray
    fold: int
    seed: tuple[int, ...]
    epochs: int
    device: str
    what: str
    mark: np.ndarray | None = None
    design: Design = FIRST


def held_out(task: Fold) -> np.ndarray:
    """(held, m) log beliefs about the held-out images, by a network that saw none of them.

    Raises:
        DivergenceError: the loss left the finite numbers.
    """
    train = task.folds != task.fold
    rng = np.random.default_rng([*task.seed, task.fold])
    prior = log_prior(task.z, None, train)
    check, learn = to_learn(task.z, train, rng)
    held = np.flatnonzero(~train)
    logits = train_and_read(task, learn, check, held, int(rng.integers(2**31)), prior.shape[1])
    ratio_check, ratio_held = (
        special.log_softmax(part, axis=1) - prior[index]
        for part, index in zip(logits, (check, held), strict=True)
    )
    return tempered(ratio_check, ratio_held, prior, check, held, task.z)


def train_and_read(
    task: Fold, learn: np.ndarray, check: np.ndarray, held: np.ndarray, seed: int, groups: int
) -> tuple[np.ndarray, np.ndarray]:
    """Float64 logits of the images ``check`` and ``held``; trained on ``learn`` alone."""
    device = torch.device(task.device)
    with alone(device, seed):
        images = _standardised(task, learn).to(device, memory_format=torch.channels_last)
        labels = torch.from_numpy(task.z).to(device)
        channels, height, width = images.shape[1:]
        model = task.design.build(channels, height, width, groups).to(device)
        model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        _train(model, images, labels, torch.from_numpy(learn), torch.from_numpy(check), task)
        return _logits(model, images, check), _logits(model, images, held)


def _train(
    model: nn.Module, images: Tensor, labels: Tensor, learn: Tensor, check: Tensor, task: Fold
) -> None:
    """One cycle of AdamW; of the averaged weights those of the best look are kept, or the last."""
    batch = min(BATCH, max(16, len(learn) // 10))
    per_epoch = max(1, len(learn) // batch)
    steps = min(max(task.epochs * per_epoch, LEAST_STEPS), MOST_STEPS)
    every = min(max(per_epoch, LOOK), steps)
    optimiser = torch.optim.AdamW(model.parameters(), lr=RATE, weight_decay=DECAY, fused=True)
    mean = copy.deepcopy(model)
    olds, news = (
        [part for part in one.state_dict().values() if part.is_floating_point()]
        for one in (mean, model)
    )
    patience = task.design.patience
    best, kept, late = math.inf, mean.state_dict(), 0
    order = learn[:0]
    for step in range(steps):
        if len(order) < batch:
            order = learn[torch.randperm(len(learn))]
        rows, order = order[:batch], order[batch:]
        seen = images[rows]
        mirrored = (torch.rand(len(rows)) < MIRROR).to(seen.device)
        seen = torch.where(mirrored[:, None, None, None], seen.flip(3), seen)
        for group in optimiser.param_groups:
            group["lr"] = RATE * _cycle((step + 1) / steps)
        model.train()
        loss = nn.functional.cross_entropy(model(seen), labels[rows])
        _check_finite(float(loss.detach()), task, f"step {step + 1} of {steps}")
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        _average(olds, news, min(AVERAGE, step / (step + 5)))
        if (step + 1) % every and step + 1 < steps:
            continue
        logits = torch.from_numpy(_logits(mean, images, check.numpy()))
        found = float(nn.functional.cross_entropy(logits, labels[check].cpu()))
        _check_finite(found, task, f"step {step + 1} of {steps}")
        if found < best:
            best, late = found, 0
            kept = {name: value.clone() for name, value in mean.state_dict().items()}
        else:
            late += 1
        if late == patience or best < READ:
            break
    model.load_state_dict(mean.state_dict() if patience is None else kept)


def _average(olds: list[Tensor], news: list[Tensor], keep: float) -> None:
    """Move the mean of the weights, and of what batch-norm knows, towards those of now."""
    with torch.no_grad():
        for old, new in zip(olds, news, strict=True):
            old.lerp_(new, 1 - keep)


def _check_finite(loss: float, task: Fold, where: str) -> None:
    if not math.isfinite(loss):
        raise DivergenceError(
            f"audit_images: the probe for {task.what}, fold {task.fold}, left the finite numbers "
            f"at {where}: look for extreme values among the images"
        )


def _cycle(share: float) -> float:
    """Learning rate along the run: a fifth upwards, then half a cosine down."""
    return share / 0.2 if share < 0.2 else 0.5 * (1 + math.cos(math.pi * (share - 0.2) / 0.8))


def _logits(model: nn.Module, images: Tensor, rows: np.ndarray) -> np.ndarray:
    model.eval()
    with torch.no_grad():
        parts = [model(images[part]) for part in torch.from_numpy(rows).split(CHUNK)]
    return torch.cat(parts).double().cpu().numpy()


def _standardised(task: Fold, learn: np.ndarray) -> Tensor:
    """Images with their marks, each channel centred and scaled by the images to learn from."""
    images = task.images if task.mark is None else painted(task.images, task.mark)
    known = images[learn]
    mean = known.mean((0, 2, 3), dtype=np.float64)
    spread = known.std((0, 2, 3), dtype=np.float64)
    scale = np.where(spread > 0, spread, 1.0)
    centred = images - mean.astype(np.float32)[:, None, None]
    return torch.from_numpy(centred / scale.astype(np.float32)[:, None, None])


def painted(images: np.ndarray, mark: np.ndarray) -> np.ndarray:
    """Images with a square of an eighth of their side, at the top, in the brightness ``mark``."""
    height, width = images.shape[2:]
    size = max(2, min(height, width) // 8)
    left = (width - size) // 2
    shown = images.copy()
    shown[:, :, :size, left : left + size] = mark[:, None, None, None]
    return shown


@contextmanager
def alone(device: torch.device, seed: int) -> Iterator[None]:
    """Lend torch's generators, seeded, and one thread, so that numbers never depend on more."""
    threads = torch.get_num_threads()
    cuda = device.type == "cuda"
    with torch.random.fork_rng(devices=[device] if cuda else []):
        # torch.manual_seed would also seed devices that nothing puts back.
        torch.default_generator.manual_seed(seed)
        if cuda:
            with torch.cuda.device(device):
                torch.cuda.manual_seed(seed)
        torch.set_num_threads(1)
        try:
            yield
        finally:
            torch.set_num_threads(threads)
