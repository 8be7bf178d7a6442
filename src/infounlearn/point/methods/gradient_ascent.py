"""Gradient ascent: undo the training on the forget set by running it backwards."""

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
class GradientAscent:
    """min -L(D_f) from the trained weights; the retain set has no part in it.

    Attributes:
        epochs: passes over the forget set; need not be whole.
        lr: step size.
        batch_size: forget rows per step.
        optimizer: "sgd" (momentum 0.9), "adam" or "adamw".
        weight_decay: of the optimizer.

    References: Thudi, Deza, Chandrasekaran & Papernot (2022), arXiv:2109.13398.
    """

    epochs: float = 5.0
    lr: float = 1e-4
    batch_size: int = 64
    optimizer: OptimizerName = "sgd"
    weight_decay: float = 0.0

    name: ClassVar[str] = "gradient-ascent"
    title: ClassVar[str] = "gradient ascent"
    paper: ClassVar[str] = "Thudi et al. 2022, arXiv:2109.13398"
    needs: ClassVar[frozenset[Need]] = frozenset()
    reads_forget: ClassVar[bool] = True
    space: ClassVar[Space] = {
        "lr": Range(1e-6, 0.01),
        "optimizer": Choice(("sgd", "adam")),
    }

    def check(self, problems: Problems) -> None:
        """See :class:`Method`."""
        check_optimizer(self, problems)

    def start(self, task: Task) -> Training:
        """See :class:`Method`."""
        optimizer = build_optimizer(self.optimizer, task.model, self.lr, self.weight_decay)
        forget = Sweep(task, "forget", self.batch_size, lambda rows: -task.training_loss(rows))
        return Training(forget.passes(self.epochs), optimizer)

    def cost(self, sizes: Sizes) -> float:
        """See :class:`Method`."""
        return 3 * rows_of(sizes.forget, self.batch_size, self.epochs)
