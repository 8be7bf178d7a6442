"""One trial of the paper's MNIST protocol, ours and the naive way, end to end."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from torch import Tensor, nn

from benchmarks.timing import Line, interleave, lines_of
from infounlearn.data import Records, load_mnist
from infounlearn.data.sources import data_folder
from infounlearn.experiments.figures.mnist_protocol import Protocol, unlearn_by_hand
from infounlearn.experiments.networks import MNIST_MLP

TARGET = 5.0
MEAN, SD = 0.1307, 0.3081
"""Of MNIST's pixels, as is customary."""
Pixels = tuple[Tensor, Tensor]
"""(n, 28, 28) bytes and (n,) labels."""


class Seen(NamedTuple):
    """What a trial ends with."""

    forget: float
    remain: float
    test: float
    information: float


@dataclass(frozen=True)
class Trial:
    """Data as it comes from disk, and the protocol.

    Attributes:
        retain, forget, test: bytes and labels.
        epochs: of unlearning, 288 steps each.
        evaluate: whether the trial ends with the accuracies of all three sets.
    """

    retain: Pixels
    forget: Pixels
    test: Pixels
    epochs: int = 1
    evaluate: bool = True
    gamma: float = 3.5
    forget_batch: int = 16
    retain_batch: int = 64
    prior: tuple[float, float] = (80 / 144, 64 / 144)
    lr: float = 1e-3

    @property
    def looked_at(self) -> tuple[Pixels, Pixels, Pixels]:
        """The sets of the final look: forget, retain, test; empty ones where there is none."""
        parts = (self.forget, self.retain, self.test)
        return parts if self.evaluate else tuple((a[:0], b[:0]) for a, b in parts)  # type: ignore[return-value]


def ours(trial: Trial, model: nn.Module) -> Seen:
    """Bytes to tensors once, batches by index, one forward of 80 rows a step."""
    sets = [
        Records(
            images.float().div_(255).sub_(MEAN).div_(SD).flatten(1),
            labels,
            torch.arange(len(labels)),
        )
        for images, labels in (trial.forget, trial.retain, trial.test)
        if len(labels)
    ]
    how = Protocol(
        epochs=trial.epochs,
        forget_batch=trial.forget_batch,
        retain_batch=trial.retain_batch,
        lr=trial.lr,
    )
    nats = 0.0
    for nats in unlearn_by_hand(model, trial.gamma, how, sets[1], sets[0], seed=0):  # noqa: B007
        pass
    if not trial.evaluate:
        return Seen(0.0, 0.0, 0.0, nats)
    model.eval()
    with torch.no_grad():
        shares = [
            float((model(part.inputs).argmax(1) == part.targets).double().mean()) for part in sets
        ]
    return Seen(shares[0], shares[1], shares[2], nats)


def mnist_or_noise(rows: int | None = None) -> tuple[Trial, str]:
    """The real files where they lie at hand (nothing is downloaded), else noise of their shape."""
    if (data_folder() / "mnist").is_dir():
        train, test = load_mnist()
        kind = "MNIST"
        images = [(part.inputs[:, 0] * 255).round().to(torch.uint8) for part in (train, test)]
        labels = [part.targets for part in (train, test)]
    else:
        generator = torch.Generator().manual_seed(0)
        kind = "noise of MNIST's shape"
        sizes = (60_000, 10_000)
        images = [
            torch.randint(256, (n, 28, 28), generator=generator, dtype=torch.uint8) for n in sizes
        ]
        labels = [torch.randint(10, (n,), generator=generator) for n in sizes]
    images[0], labels[0] = images[0][:rows], labels[0][:rows]
    images[1], labels[1] = images[1][:rows], labels[1][:rows]
    threes = torch.nonzero(labels[0] == 3).flatten()
    chosen = threes[torch.randperm(len(threes), generator=torch.Generator().manual_seed(0))]
    is_forget = torch.zeros(len(labels[0]), dtype=torch.bool)
    is_forget[chosen[: round(0.75 * len(threes))]] = True
    trial = Trial(
        (images[0][~is_forget], labels[0][~is_forget]),
        (images[0][is_forget], labels[0][is_forget]),
        (images[1], labels[1]),
    )
    return trial, kind


def run(*, rounds: int, epochs: int, rows: int | None = None) -> list[Line]:
    """Both ways in turn, with the final look at all 70,000 pictures and without it."""
    from benchmarks import naive

    trial, kind = mnist_or_noise(rows)
    model = MNIST_MLP(0)
    lines = []
    for evaluate in (True, False):
        how = replace(trial, epochs=epochs, evaluate=evaluate)

        def call(way: Callable[[Trial, nn.Module], Seen], how: Trial = how) -> Callable[[], Seen]:
            return lambda: way(how, copy.deepcopy(model))

        timing = interleave({"naive": call(naive.run), "ours": call(ours)}, rounds=rounds)
        steps = epochs * -(-len(trial.forget[1]) // trial.forget_batch)
        what = "steps and final look" if evaluate else "steps alone"
        prefix = f"{kind}, {steps:,} steps, {what}: "
        target = TARGET if evaluate else None
        lines += lines_of(timing, "one trial", prefix, target=target, is_speedup=True)
    return lines
