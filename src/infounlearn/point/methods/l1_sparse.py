"""L1-sparse unlearning: fine-tuning that prunes on the way."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import Tensor, nn

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
    rows_of,
)
from infounlearn.point.methods.task import Sweep, Task


@dataclass(frozen=True)
class L1Sparse:
    """min L(D_r) + a_e * sum of abs(weights), a_e = alpha * (1 - e / (epochs - free_epochs)).

    Epochs e count from 0; in the last ``free_epochs`` a_e is 0.

    Attributes:
        epochs: passes over the retain set; need not be whole.
        lr: step size.
        alpha: first strength of the penalty; 0 is fine-tuning.
        free_epochs: last epochs, without a penalty.
        batch_size: retain rows per step.
        optimizer: "sgd" (momentum 0.9), "adam" or "adamw".
        weight_decay: of the optimizer.

    References: Jia, Liu, Ram, Yao, Liu, Liu, Sharma & Liu (2023), arXiv:2304.04934.
    """

    epochs: float = 10.0
    lr: float = 0.01
    alpha: float = 3e-4
    free_epochs: float = 0.0
    batch_size: int = 64
    optimizer: OptimizerName = "sgd"
    weight_decay: float = 0.0

    name: ClassVar[str] = "l1-sparse"
    title: ClassVar[str] = "L1-sparse"
    paper: ClassVar[str] = "Jia et al. 2023, arXiv:2304.04934"
    needs: ClassVar[frozenset[Need]] = frozenset()
    reads_forget: ClassVar[bool] = False
    space: ClassVar[Space] = {
        "lr": Range(1e-5, 0.1),
        "alpha": Range(1e-6, 1e-2),
        "optimizer": Choice(("sgd", "adam")),
    }

    def check(self, problems: Problems) -> None:
        """See :class:`Method`."""
        before = len(problems.found)
        check_optimizer(self, problems)
        check_numbers(self, problems, zero_or_more=("alpha", "free_epochs"))
        if len(problems.found) == before:
            problems.require(
                self.free_epochs < self.epochs or self.alpha == 0,
                f"l1-sparse: free_epochs is {self.free_epochs!r}, epochs {self.epochs!r}",
                why="no epoch would have the penalty",
                fix="pass fewer free_epochs",
            )

    def start(self, task: Task) -> Training:
        """See :class:`Method`."""
        optimizer = build_optimizer(self.optimizer, task.model, self.lr, self.weight_decay)
        retain = Sweep(task, "retain", self.batch_size, task.training_loss)
        passes = [
            penalised(one, task.model, self.strength(epoch))
            for epoch, one in enumerate(retain.passes(self.epochs))
        ]
        return Training(passes, optimizer)

    def strength(self, epoch: int) -> float:
        """a_e of an epoch, counted from 0."""
        length = self.epochs - self.free_epochs
        return self.alpha * (1 - epoch / length) if epoch < length else 0.0

    def cost(self, sizes: Sizes) -> float:
        """See :class:`Method`."""
        return 3 * rows_of(sizes.retain, self.batch_size, self.epochs)


def penalised(one: Pass, model: nn.Module, strength: float) -> Pass:
    """The same pass with ``strength`` x the L1 norm of the trainable weights in its loss."""
    own, weights = one.loss, [weight for weight in model.parameters() if weight.requires_grad]
    assert own is not None  # a pass of a sweep has one
    if strength == 0:
        return one

    def loss(step: int) -> Tensor:
        return own(step) + strength * torch.stack([w.abs().sum() for w in weights]).sum()

    return replace(one, loss=loss)
