"""Random labels: learn to be wrong on the forget set."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

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
    check_optimizer,
    fractions,
    rows_of,
    steps_of,
)
from infounlearn.point.methods.task import Batch, Sweep, Task

Variant = Literal["alternating", "amnesiac"]


@dataclass(frozen=True)
class RandomLabel:
    """Fit the forget set with random labels, and the retain set with its own.

    "alternating": each epoch first one pass over D_f, labels uniform over all classes and drawn
    anew for every batch, then one over D_r. "amnesiac": one pass per epoch over both sets mixed,
    each forget record with a label other than its own, uniform over the rest and drawn once.
    Retain and forget rows of a mixed batch are shown apart, so that batch-norm learns from retain
    rows alone.

    Attributes:
        epochs: passes; need not be whole.
        lr: step size.
        variant: "alternating" or "amnesiac"; :meth:`amnesiac` has the settings published for the
            latter.
        batch_size: rows per step.
        optimizer: "sgd" (momentum 0.9), "adam" or "adamw".
        weight_decay: of the optimizer.

    References: Golatkar, Achille & Soatto (2020), arXiv:1911.04933; amnesiac: Graves, Nagisetty &
    Ganesh (2021), arXiv:2010.10981.
    """

    epochs: float = 10.0
    lr: float = 0.013
    variant: Variant = "alternating"
    batch_size: int = 64
    optimizer: OptimizerName = "sgd"
    weight_decay: float = 0.0

    name: ClassVar[str] = "random-label"
    title: ClassVar[str] = "random labels"
    paper: ClassVar[str] = "Golatkar et al. 2020, arXiv:1911.04933"
    needs: ClassVar[frozenset[Need]] = frozenset({"labels"})
    reads_forget: ClassVar[bool] = True
    space: ClassVar[Space] = {
        "lr": Range(1e-5, 0.1),
        "optimizer": Choice(("sgd", "adam")),
    }

    @classmethod
    def amnesiac(cls, **settings: Any) -> RandomLabel:
        """The amnesiac variant as published: lr 1e-4, 3 epochs."""
        return cls(**{"variant": "amnesiac", "lr": 1e-4, "epochs": 3.0, **settings})

    def check(self, problems: Problems) -> None:
        """See :class:`Method`."""
        check_optimizer(self, problems)
        problems.require(
            self.variant in ("alternating", "amnesiac"),
            f"{self.name}: variant is {self.variant!r}",
            fix="choose alternating or amnesiac",
        )

    def start(self, task: Task) -> Training:
        """See :class:`Method`."""
        optimizer = build_optimizer(self.optimizer, task.model, self.lr, self.weight_decay)
        make = alternating if self.variant == "alternating" else mixed
        return Training(make(task, self.batch_size, self.epochs), optimizer)

    def cost(self, sizes: Sizes) -> float:
        """See :class:`Method`."""
        if self.variant == "alternating":
            return alternating_cost(sizes, self.batch_size, self.epochs)
        rows = sizes.retain + sizes.forget
        return 3 * rows_of(rows, self.batch_size, self.epochs)


def alternating(task: Task, batch_size: int, epochs: float) -> list[Pass]:
    """Each epoch a pass over D_f with labels drawn anew, then one over D_r."""

    def wrong(rows: Batch) -> Tensor:
        outputs = task.show(rows)
        generator = task.generator("random labels", rows.number)
        labels = any_label(rows.targets, outputs.shape[1], generator)
        return task.loss(outputs, labels).mean()

    forget = Sweep(task, "forget", batch_size, wrong)
    retain = Sweep(task, "retain", batch_size, task.training_loss)
    passes = []
    for share in fractions(epochs):
        passes += [forget.next(share, candidate=False), retain.next(share)]
    return passes


def alternating_cost(sizes: Sizes, batch_size: int, epochs: float) -> float:
    """Forward rows of :func:`alternating`."""
    return 3 * sum(rows_of(rows, batch_size, epochs) for rows in (sizes.forget, sizes.retain))


def mixed(task: Task, batch_size: int, epochs: float) -> list[Pass]:
    """Each epoch a pass over both sets, forget records with a wrong label drawn once."""
    total = task.sizes.retain + task.sizes.forget
    draws = torch.rand(
        task.sizes.forget, generator=task.generator("wrong labels"), dtype=torch.float64
    )
    first, passes = 0, []
    for share in fractions(epochs):
        steps = steps_of(total, batch_size, share)

        def loss(step: int, first: int = first) -> Tensor:
            parts = task.mixed(batch_size, first + step)
            lost = []
            for rows in parts:
                outputs, labels = task.show(rows), rows.targets
                if rows.part == "forget":
                    labels = other_label(labels, outputs.shape[1], draws[rows.index])
                lost.append(task.loss(outputs, labels))
            return torch.cat(lost).mean()

        passes.append(Pass("retain and forget", steps, loss))
        first += steps
    return passes


def any_label(labels: Tensor, classes: int, generator: torch.Generator) -> Tensor:
    """(n,) labels uniform over all classes; negative ones, which losses ignore, stay."""
    drawn = torch.randint(classes, labels.shape, generator=generator).to(labels.device)
    return torch.where(labels < 0, labels, drawn)


def other_label(labels: Tensor, classes: int, draws: Tensor) -> Tensor:
    """(n,) labels uniform over the other classes, by ``draws`` in [0, 1); negative ones stay."""
    shift = 1 + (draws.to(labels.device) * (classes - 1)).long()
    return torch.where(labels < 0, labels, (labels + shift) % classes)
