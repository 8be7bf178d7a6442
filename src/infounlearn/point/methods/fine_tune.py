"""Fine-tuning: go on training on the retain set, and hope."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

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
from infounlearn.point.methods.task import Sweep, Task


@dataclass(frozen=True)
class FineTune:
    """min L(D_r) from the trained weights.

    Attributes:
        epochs: passes over the retain set; need not be whole.
        lr: step size.
        batch_size: retain rows per step.
        optimizer: "sgd" (momentum 0.9), "adam" or "adamw".
        weight_decay: of the optimizer.

    References: Golatkar, Achille & Soatto (2020), arXiv:1911.04933, as a baseline.
    """

    epochs: float = 10.0
    lr: float = 0.01
    batch_size: int = 64
    optimizer: OptimizerName = "sgd"
    weight_decay: float = 0.0

    name: ClassVar[str] = "fine-tune"
    title: ClassVar[str] = "fine-tuning"
    paper: ClassVar[str] = "Golatkar et al. 2020, arXiv:1911.04933"
    needs: ClassVar[frozenset[Need]] = frozenset()
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
        optimizer = build_optimizer(self.optimizer, task.model, self.lr, self.weight_decay)
        retain = Sweep(task, "retain", self.batch_size, task.training_loss)
        return Training(retain.passes(self.epochs), optimizer)

    def cost(self, sizes: Sizes) -> float:
        """See :class:`Method`."""
        return 3 * rows_of(sizes.retain, self.batch_size, self.epochs)
