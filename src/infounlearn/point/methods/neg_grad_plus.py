"""NegGrad+: down on the retain set and up on the forget set, in one step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

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
    check_numbers,
    check_optimizer,
    fractions,
    steps_of,
)
from infounlearn.point.methods.task import Batch, Sweep, Task


@dataclass(frozen=True)
class NegGradPlus:
    """min alpha * L(retain batch) - (1 - alpha) * L(forget batch), over D_r, cycling D_f.

    Attributes:
        epochs: passes over the retain set; need not be whole.
        lr: step size.
        alpha: weight of the retain loss, from 0 to 1; 1 is fine-tuning.
        batch_size: retain rows per step.
        forget_batch_size: forget rows per step.
        optimizer: "sgd" (momentum 0.9), "adam" or "adamw".
        weight_decay: of the optimizer.

    References: Kurmanji, Triantafillou, Hayes & Triantafillou (2023), arXiv:2302.09880.
    """

    epochs: float = 10.0
    lr: float = 0.01
    alpha: float = 0.95
    batch_size: int = 64
    forget_batch_size: int = 64
    optimizer: OptimizerName = "sgd"
    weight_decay: float = 0.0

    name: ClassVar[str] = "neg-grad-plus"
    title: ClassVar[str] = "NegGrad+"
    paper: ClassVar[str] = "Kurmanji et al. 2023, arXiv:2302.09880"
    needs: ClassVar[frozenset[Need]] = frozenset()
    reads_forget: ClassVar[bool] = True
    space: ClassVar[Space] = {
        "lr": Range(1e-5, 0.1),
        "alpha": Range(0.5, 1.0, log=False),
        "optimizer": Choice(("sgd", "adam")),
    }

    def check(self, problems: Problems) -> None:
        """See :class:`Method`."""
        check_optimizer(self, problems)
        check_numbers(self, problems, shares=("alpha",), whole=("forget_batch_size",))

    def start(self, task: Task) -> Training:
        """See :class:`Method`."""

        def loss(kept: Batch) -> Tensor:
            lost = task.batch("forget", self.forget_batch_size, kept.number)
            # Retain rows first: they move batch-norm statistics, which the forget rows are seen
            # through.
            down = task.mean_loss(kept, task.show(kept))
            up = task.mean_loss(lost, task.show(lost))
            return self.alpha * down - (1 - self.alpha) * up

        optimizer = build_optimizer(self.optimizer, task.model, self.lr, self.weight_decay)
        retain = Sweep(task, "retain", self.batch_size, loss)
        return Training(retain.passes(self.epochs), optimizer)

    def cost(self, sizes: Sizes) -> float:
        """See :class:`Method`."""
        steps = sum(steps_of(sizes.retain, self.batch_size, f) for f in fractions(self.epochs))
        rows = min(self.batch_size, sizes.retain) + min(self.forget_batch_size, sizes.forget)
        return 3 * steps * rows
