"""Retraining: what every other method is measured against."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import torch

from infounlearn.errors import Problems
from infounlearn.point.methods.base import (
    Choice,
    Need,
    OptimizerName,
    Range,
    Sizes,
    Space,
    Training,
    build_optimizer,
    check_optimizer,
    rows_of,
)
from infounlearn.point.methods.renew import renew
from infounlearn.point.methods.task import Sweep, Task


@dataclass(frozen=True)
class Retrain:
    """Train anew on the retain set: fresh weights and buffers, the original recipe.

    The result owes nothing to the given weights. Only weights that the caller has frozen stay, and
    a remark names them.

    Attributes:
        epochs: passes over the retain set; need not be whole. Pass those of the original recipe,
            as all else: the defaults are the recipe of Xu & Strohmer (2025) on MNIST.
        lr: step size.
        batch_size: retain rows per step.
        optimizer: "sgd" (momentum 0.9), "adam" or "adamw".
        weight_decay: of the optimizer.

    References: exact unlearning as in Cao & Yang (2015), "Towards Making Systems Forget"; Bourtoule
    et al. (2021), arXiv:1912.03817.
    """

    epochs: float = 100.0
    lr: float = 1e-3
    batch_size: int = 64
    optimizer: OptimizerName = "adam"
    weight_decay: float = 0.0

    name: ClassVar[str] = "retrain"
    title: ClassVar[str] = "retraining"
    paper: ClassVar[str] = "the gold standard: Bourtoule et al. 2021, arXiv:1912.03817"
    needs: ClassVar[frozenset[Need]] = frozenset({"fresh"})
    reads_forget: ClassVar[bool] = False
    space: ClassVar[Space] = {
        "lr": Range(1e-5, 0.1),
        "optimizer": Choice(("sgd", "adam")),
    }

    def check(self, problems: Problems) -> None:
        """See :class:`Method`."""
        check_optimizer(self, problems)

    def start(self, task: Task) -> Training:
        """See :class:`Method`."""
        assert task.fresh is not None  # Method.needs
        renew(task.model, task.fresh)
        optimizer = build_optimizer(self.optimizer, task.model, self.lr, self.weight_decay)
        retain = Sweep(task, "retain", self.batch_size, task.training_loss)
        passes = retain.passes(self.epochs)
        return Training(passes, optimizer, remarks=tuple(leftovers(task)))

    def cost(self, sizes: Sizes) -> float:
        """See :class:`Method`."""
        return 3 * rows_of(sizes.retain, self.batch_size, self.epochs)


def leftovers(task: Task) -> Iterator[str]:
    """What a freshly initialised model still has of the given one."""
    frozen = [name for name, one in task.model.named_parameters() if not one.requires_grad]
    if frozen:
        yield f"{len(frozen)} frozen weights stay as given, among them {frozen[:3]}"
    given = dict(task.original.named_buffers())
    # Counters and statistics of no row are constants; a table of positions is not, nor is what a
    # module of one's own has learned.
    kept = [
        name
        for name, one in task.model.named_buffers()
        if one.dtype.is_floating_point
        and torch.equal(one, given[name])
        and one.unique().numel() > 1
    ]
    if kept:
        yield f"buffers {kept[:3]} are as given: if training changes them, pass fresh"
