"""SCRUB: a student that disobeys its teacher on the forget set and obeys it on the rest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from infounlearn.errors import Problems
from infounlearn.point.methods.base import (
    Choice,
    Need,
    OptimizerName,
    Pass,
    Range,
    Sizes,
    Space,
    Training,
    build_optimizer,
    check_numbers,
    check_optimizer,
    fractions,
    rows_of,
)
from infounlearn.point.methods.distill import distance_rows
from infounlearn.point.methods.task import Batch, Sweep, Task
from infounlearn.point.objective import Look, Shown, loss_score


@dataclass(frozen=True)
class Scrub:
    """The teacher is the trained network, frozen; d = T² KL(teacher || student) at temperature T.

    Each of the first ``msteps`` epochs begins with a pass that ascends d on the forget set. Every
    epoch has a pass over the retain set that descends gamma · loss + alpha · d. The defaults are
    the paper's small setting, :meth:`large` gives its large one. Between real targets d is the
    squared distance.

    At the start d and its gradient are 0: the first ascent does nothing but let the optimizer's
    weight decay act, and later ones ascend from where the retain pass left the student. The paper
    also lowers lr to a tenth "after a number of steps" that it does not give; here lr is constant.

    Attributes:
        epochs: passes over the retain set; need not be whole.
        msteps: epochs that begin with an ascent, from the first on.
        gamma: weight of the task loss on the retain set.
        alpha: weight of the distance to the teacher there.
        temperature: T, of both softmaxes.
        lr: step size.
        batch_size: retain rows per step.
        forget_batch_size: forget rows per step.
        optimizer: "sgd" (momentum 0.9), "adam" or "adamw".
        weight_decay: of the optimizer, in ascents too.
        rewind: SCRUB+R: of the states at the ends of epochs, return the one whose error on the
            forget set is nearest to the error of the last one on held-out records of the same
            classes. Between real targets the error is the squared error.

    References: Kurmanji, Triantafillou, Hayes & Triantafillou (2023), arXiv:2302.09880.
    """

    epochs: float = 10.0
    msteps: int = 3
    gamma: float = 1.0
    alpha: float = 0.5
    temperature: float = 2.0
    lr: float = 5e-4
    batch_size: int = 32
    forget_batch_size: int = 64
    optimizer: OptimizerName = "adam"
    weight_decay: float = 0.1
    rewind: bool = False

    name: ClassVar[str] = "scrub"
    title: ClassVar[str] = "SCRUB"
    paper: ClassVar[str] = "Kurmanji et al. 2023, arXiv:2302.09880"
    reads_forget: ClassVar[bool] = True
    space: ClassVar[Space] = {
        "lr": Range(1e-5, 1e-2),
        "msteps": Range(1, 10, log=False, whole=True),
        "gamma": Range(0.1, 10.0),
        "alpha": Range(1e-3, 10.0),
        "temperature": Range(1.0, 8.0),
        "optimizer": Choice(("sgd", "adam")),
        "weight_decay": Range(1e-5, 0.3),
    }

    @classmethod
    def large(cls, **changed: Any) -> Scrub:
        """The paper's large setting: SGD, three epochs, nearly no distance on the retain set."""
        setting = {
            "epochs": 3.0, "msteps": 2, "gamma": 0.99, "alpha": 0.001, "temperature": 4.0,
            "optimizer": "sgd", "weight_decay": 5e-4,
        }  # fmt: skip
        return cls(**{**setting, **changed})

    @property
    def needs(self) -> frozenset[Need]:
        """Held-out records for rewinding, else nothing."""
        return frozenset({"holdout"}) if self.rewind else frozenset()

    def check(self, problems: Problems) -> None:
        """See :class:`Method`."""
        check_optimizer(self, problems)
        check_numbers(
            self, problems, above_zero=("temperature",), zero_or_more=("gamma", "alpha"),
            whole=("forget_batch_size",),
        )  # fmt: skip
        if self.msteps != 0:
            check_numbers(self, problems, whole=("msteps",))
        problems.require(
            isinstance(self.rewind, bool),
            f"{self.name}: rewind is {self.rewind!r}",
            fix="pass True or False",
        )

    def start(self, task: Task) -> Training:
        """See :class:`Method`."""
        optimizer = build_optimizer(self.optimizer, task.model, self.lr, self.weight_decay)

        def distance(rows: Batch, outputs: Tensor) -> Tensor:
            teacher = task.look(rows, task.original)
            return distance_rows(
                outputs, teacher, self.temperature, is_classification=task.is_classification
            ).mean()

        def descend(rows: Batch) -> Tensor:
            outputs = task.show(rows)
            total = self.gamma * task.mean_loss(rows, outputs)
            return total + self.alpha * distance(rows, outputs) if self.alpha else total

        forget = Sweep(
            task, "forget", self.forget_batch_size, lambda rows: -distance(rows, task.show(rows))
        )
        retain = Sweep(task, "retain", self.batch_size, descend)
        passes: list[Pass] = []
        for epoch, share in enumerate(fractions(self.epochs), start=1):
            if epoch <= self.msteps:
                passes.append(forget.next(share, candidate=False))
            passes.append(retain.next(share))
        return Training(passes, optimizer, rewind=_errors if self.rewind else None)

    def cost(self, sizes: Sizes) -> float:
        """See :class:`Method`. Looks that rewinding chooses by are evaluations, and left out."""
        total = 0.0
        for epoch, share in enumerate(fractions(self.epochs), start=1):
            if epoch <= self.msteps:
                total += 4 * rows_of(sizes.forget, self.forget_batch_size, share)
            per_row = 4 if self.alpha else 3
            total += per_row * rows_of(sizes.retain, self.batch_size, share)
        return total


def _errors(look: Look) -> tuple[float, float]:
    """Error on the forget set, and on validation records weighted to the same class shares."""
    forget, held = look.forget, look.validation
    assert held is not None  # checked before the run: needs
    ours, theirs = _wrong(forget), _wrong(held)
    if not forget.is_classification:
        return float(ours.mean()), float(theirs.mean())
    wanted = 0.0
    for label, count in zip(*torch.unique(forget.targets, return_counts=True), strict=True):
        wanted += float(count) / len(forget) * float(theirs[held.targets == label].mean())
    return float(ours.mean()), wanted


def _wrong(shown: Shown) -> Tensor:
    """(n,) 1 where the most likely label is wrong; squared error of a regression."""
    if shown.is_classification:
        return (shown.outputs.argmax(1) != shown.targets).double()
    return loss_score(shown)
