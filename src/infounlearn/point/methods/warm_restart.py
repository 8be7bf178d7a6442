"""Warm restart: weaken the weights, add fresh ones, heal on the retain set."""

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
    rows_of,
)
from infounlearn.point.methods.task import Batch, Sweep, Task
from infounlearn.point.restart import STATISTICS_ROWS, Restart, measure_statistics
from infounlearn.point.utility import Utility


@dataclass(frozen=True)
class WarmRestart:
    """Weights become ``keep * weights + noise * fresh``; then min L(D_r), the step falling to 0.

    Batch-norm statistics are measured anew on retain rows: those of the old weights fit no more.

    Attributes:
        epochs: passes over the retain set; need not be whole.
        lr: first step size; step i of n takes ``lr * (1 - i / n)``.
        keep: share of the trained weights that stays, from 0 to 1.
        noise: share of a fresh initialisation that is added, from 0 to 1.
        fidelity: share f of the divergence to the original model in the loss of a retain row,
            (1 - f) * task loss + f * KL(original, model); squared distance for regressions.
        batch_size: retain rows per step.
        optimizer: "sgd" (momentum 0.9), "adam" or "adamw".
        weight_decay: of the optimizer.

    References: shrink and perturb, Ash & Adams (2020), arXiv:1910.08475, there to train on; as
    unlearning with these settings in docs/method.md.
    """

    epochs: float = 3.0
    lr: float = 2e-3
    keep: float = 0.5
    noise: float = 1.0
    fidelity: float = 0.0
    batch_size: int = 128
    optimizer: OptimizerName = "adam"
    weight_decay: float = 0.0

    name: ClassVar[str] = "warm-restart"
    title: ClassVar[str] = "warm restart"
    paper: ClassVar[str] = "Ash & Adams 2020, arXiv:1910.08475, for shrink and perturb"
    needs: ClassVar[frozenset[Need]] = frozenset({"fresh"})
    reads_forget: ClassVar[bool] = False
    space: ClassVar[Space] = {
        "lr": Range(1e-5, 0.1),
        "keep": Range(0.0, 1.0, log=False),
        "noise": Range(0.0, 1.0, log=False),
        "fidelity": Range(0.0, 1.0, log=False),
        "optimizer": Choice(("sgd", "adam")),
    }

    def check(self, problems: Problems) -> None:
        """See :class:`Method`."""
        check_optimizer(self, problems)
        check_numbers(self, problems, shares=("keep", "noise", "fidelity"))

    def start(self, task: Task) -> Training:
        """See :class:`Method`."""
        assert task.fresh is not None  # Method.needs
        if self._restarts:
            Restart(self.keep, self.noise).apply(task.model, task.fresh)
            measured = measure_statistics(task.model, task.sets.retain, task.seed, task.device)
            task.cost["rows_forward"] += measured
        utility = Utility(task=1 - self.fidelity, fidelity=self.fidelity)

        def loss(rows: Batch) -> Tensor:
            taught = task.look(rows, task.original) if self.fidelity else None
            return utility.rows(task.show(rows), rows.targets, taught, task.loss).mean()

        optimizer = build_optimizer(self.optimizer, task.model, self.lr, self.weight_decay)
        retain = Sweep(task, "retain", self.batch_size, loss)
        return Training(
            retain.passes(self.epochs),
            optimizer,
            lr_at=lambda step, steps: self.lr * (1 - step / steps),
        )

    def cost(self, sizes: Sizes) -> float:
        """See :class:`Method`."""
        shown = rows_of(sizes.retain, self.batch_size, self.epochs)
        measured = min(sizes.retain, STATISTICS_ROWS) if sizes.batch_norm and self._restarts else 0
        return (3 + (self.fidelity > 0)) * shown + measured

    @property
    def _restarts(self) -> bool:
        return self.keep < 1 or self.noise > 0
