"""The paper's MNIST protocol: what was published, and the loop itself.

:func:`unlearn_by_hand` is also this package's example of the direct way: a plain training loop
whose loss is ``task_loss + gamma * marginal_information(...)``, with one forward of all rows.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from infounlearn.data.records import Records, concatenate
from infounlearn.experiments.cases import Case, CaseName, case
from infounlearn.experiments.recipe import epoch_batches, one_thread
from infounlearn.math.information import marginal_information


class Published(NamedTuple):
    """One line of the authors' log: accuracies in per cent, information in nats, standard
    deviations where they were given."""

    forget: float
    forget_sd: float | None
    remain: float
    test: float
    test_sd: float | None
    information: float | None


BASELINES = {
    "original": Published(99.98, None, 99.89, 97.81, None, None),
    "retrained": Published(94.48, None, 99.94, 97.62, None, None),
    "fine-tuned": Published(97.24, None, 99.96, 97.97, None, None),
}
"""Of one network each, as far as is known; the length of the fine-tuning is not."""

TRAJECTORIES = {
    (1.5, 1): Published(98.41, 0.65, 99.87, 97.85, None, 0.0484),
    (1.5, 20): Published(94.38, 1.54, 99.85, 97.52, 0.15, 0.0459),
    (3.5, 1): Published(94.32, 3.38, 99.73, 97.40, None, 0.0474),
    (3.5, 5): Published(90.39, 4.83, 99.74, 97.22, 0.31, 0.0446),
    (3.5, 10): Published(62.53, 9.83, 99.19, 94.80, None, 0.0338),
    (3.5, 20): Published(15.14, 2.95, 98.26, 90.12, 0.45, 0.0112),
    (5.0, 1): Published(93.71, 5.34, 99.74, 97.38, None, 0.0471),
    (5.0, 2): Published(86.92, 7.83, 99.56, 96.68, 0.84, 0.0449),
}
"""(gamma, epoch): 10 repeats, mean and one standard deviation."""
SECOND_LOG = Published(88.52, 3.72, 99.70, 96.95, None, 0.0443)
"""The authors' second log of (3.5, 5): how far two runs of the same 10 repeats differ."""


@dataclass(frozen=True)
class Protocol:
    """What is unlearned and how.

    Attributes:
        data: the built-in data set.
        quick: its small form.
        gammas: weights of the information; 0 is plain fine-tuning.
        epochs: passes over the forget set; each step also draws ``retain_batch`` rows to keep.
        looks: epochs at which all records are looked at, which costs as much as an epoch; epoch 0
            and the last one are always among them.
        repeats: originals, each of its own initialisation, and one run of each gamma from each.
        forget_batch, retain_batch: rows of a step.
        alpha: design share of forget rows in the pool, 16 / (64 + 16) as the batches had it. It
            is declared, so a short last batch does not change what is measured.
        prior: probabilities of pool and retain alone, as 80 and 64 rows had it.
        lr: of Adam. Not published; ours is that of the original training.
    """

    data: CaseName = "mnist"
    quick: bool = False
    gammas: tuple[float, ...] = (0.0, 1.5, 3.5, 5.0)
    epochs: int = 20
    looks: tuple[int, ...] = (1, 2, 3, 4, 5, 6, 8, 10, 12, 14, 16, 18)
    repeats: int = 10
    forget_batch: int = 16
    retain_batch: int = 64
    alpha: float = 0.2
    prior: tuple[float, float] = (80 / 144, 64 / 144)
    lr: float = 1e-3

    def case(self, seed: int) -> Case:
        """75% of the 3s are to be forgotten."""
        return case(self.data, forget_class=3, forget_fraction=0.75, seed=seed, quick=self.quick)


def unlearn_by_hand(
    model: nn.Module, gamma: float, how: Protocol, retain: Records, forget: Records, seed: int
) -> Iterator[float]:
    """Unlearn ``forget`` from ``model`` in place, epoch by epoch.

    An epoch is one pass over ``forget`` (288 steps for 4,598 records in batches of 16). Batches of
    ``retain`` come from one shuffled stream that runs on through the epochs: an epoch draws a third
    of the records to keep, three epochs all of them.

    Yields:
        Mean over the epoch of the information of its batches, in nats.
    """
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.Adam(model.parameters(), how.lr, fused=True)
    stream = _forever(len(retain), how.retain_batch, generator)
    for _ in range(how.epochs):
        model.train()
        seen = []
        for f in epoch_batches(len(forget), how.forget_batch, generator):
            r = next(stream)
            is_forget = torch.arange(len(r) + len(f)) >= len(r)

            optimizer.zero_grad()
            logits = model(torch.cat([retain.inputs[r], forget.inputs[f]]))  # each row once
            task = nn.functional.cross_entropy(logits[: len(r)], retain.targets[r])
            nats = marginal_information(logits, is_forget, alpha=how.alpha, prior=how.prior)
            (task + gamma * nats).backward()
            optimizer.step()

            seen.append(nats.detach())
        yield float(torch.stack(seen).mean())


def trajectory(job: tuple[Protocol, int, int, float, dict[str, Tensor], int]) -> list[dict]:
    """One run: protocol, seed of the case, repeat, gamma, weights to start from, seed of the run.

    Returns:
        One row per look, epoch 0 (before unlearning) included.
    """
    how, case_seed, repeat, gamma, weights, seed = job
    with one_thread():
        built, unseen = _loaded(how, case_seed)
        model = built.factory(0)
        model.load_state_dict(weights)
        common = {"gamma": gamma, "repeat": repeat}
        rows = [{**common, "epoch": 0, **look(model, how, built, unseen), "batch": float("nan")}]
        run = unlearn_by_hand(model, gamma, how, built.retain, built.forget, seed)
        for epoch, nats in enumerate(run, 1):
            if epoch in how.looks or epoch == how.epochs:
                seen = look(model, how, built, unseen)
                rows.append({**common, "epoch": epoch, **seen, "batch": nats})
    return rows


def baseline(model: nn.Module, how: Protocol, case_seed: int) -> dict[str, float]:
    """What :func:`look` sees of an original or retrained network."""
    built, unseen = _loaded(how, case_seed)
    return look(copy.deepcopy(model), how, built, unseen)


def look(model: nn.Module, how: Protocol, built: Case, unseen: Records) -> dict[str, float]:
    """Accuracies, and the exact information of the whole forget and retain set, in nats."""
    model.eval()
    with torch.no_grad():
        logits = {
            name: torch.cat([model(part) for part in records.inputs.split(4096)])
            for name, records in (
                ("forget", built.forget),
                ("remain", built.retain),
                ("test", unseen),
            )
        }
        targets = {
            "forget": built.forget.targets,
            "remain": built.retain.targets,
            "test": unseen.targets,
        }
        both = torch.cat([logits["remain"], logits["forget"]])
        is_forget = torch.arange(len(both)) >= len(logits["remain"])
        nats = marginal_information(both, is_forget, alpha=how.alpha, prior=how.prior)
    seen: dict[str, Any] = {
        name: float((logits[name].argmax(1) == targets[name]).double().mean()) for name in logits
    }
    return {**seen, "information": float(nats)}


@lru_cache(maxsize=1)
def _loaded(how: Protocol, seed: int) -> tuple[Case, Records]:
    """The case, once per process, and all records no network learned: the published test set."""
    built = how.case(seed)
    return built, concatenate(built.holdout, built.test, name="test")


def _forever(rows: int, batch: int, generator: torch.Generator) -> Iterator[Tensor]:
    """Full batches of a shuffled stream: what an epoch leaves over begins the next."""
    left = torch.empty(0, dtype=torch.int64)
    while True:
        left = torch.cat([left, torch.randperm(rows, generator=generator)])
        while len(left) >= batch:
            yield left[:batch]
            left = left[batch:]


def mean_sd(values: list[float]) -> tuple[float, float]:
    """Mean and one standard deviation (n - 1; 0 for a single value)."""
    array = np.asarray(values, dtype=float)
    return float(array.mean()), float(array.std(ddof=1)) if len(array) > 1 else 0.0
