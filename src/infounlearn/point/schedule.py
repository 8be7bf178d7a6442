"""How long, how large and how fast: the optimisation of one unlearning run."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any, Literal

import torch
from torch import Tensor

from infounlearn.errors import Problems, is_number

OptimizerFactory = Callable[[Iterable[Tensor], float], torch.optim.Optimizer]


@dataclass(frozen=True)
class Schedule:
    """Length, batches and step size of a run.

    The step size falls linearly from ``lr`` to ``final_lr * lr``. The defaults follow our first
    study (see docs/method.md): 1.5 times the step that trained the original network, over 7 % of
    its epochs.

    Attributes:
        epochs: passes over the retain set, at most; need not be whole.
        batch_size: retain rows per step, over all processes.
        forget_batch_size: forget rows per step (as many held-out rows where an objective needs
            them); the whole forget set where it is smaller.
        lr: first step size.
        final_lr: last step size as a share of ``lr``.
        optimizer: "adam", "adamw", "sgd" (momentum 0.9), or ``callable(parameters, lr)``.
        weight_decay: of the named optimizers.
        evaluations_per_epoch: how often the run is looked at, steered and saved.
        batch_norm: "frozen" keeps running statistics, "update" learns them from retain rows
            alone; "auto" measures them anew on retain rows where weights are restarted, and then
            updates them only where no objective is: retain rows seen through their batch's
            statistics and forget rows through running ones pull the weights apart.
        max_grad_norm: clip the gradient to this norm; None does not.
    """

    epochs: float = 7.0
    batch_size: int = 128
    forget_batch_size: int = 32
    lr: float = 1.5e-3
    final_lr: float = 0.05
    optimizer: Literal["adam", "adamw", "sgd"] | OptimizerFactory = "adam"
    weight_decay: float = 0.0
    evaluations_per_epoch: float = 2.0
    batch_norm: Literal["auto", "frozen", "update"] = "auto"
    max_grad_norm: float | None = None

    def check(self, problems: Problems) -> None:
        """Collect settings that cannot be used."""
        for name in ("epochs", "batch_size", "forget_batch_size", "lr", "evaluations_per_epoch"):
            value, whole = getattr(self, name), name.endswith("batch_size")
            problems.require(
                is_number(value, whole=whole) and value > 0,
                f"schedule.{name} is {value!r}",
                fix=f"pass a {'whole ' if whole else ''}number above 0",
            )
        problems.require(
            is_number(self.final_lr) and 0 <= self.final_lr <= 1,
            f"schedule.final_lr is {self.final_lr!r}",
            why="it is a share of lr",
            fix="pass a number from 0 to 1",
        )
        problems.require(
            is_number(self.weight_decay) and self.weight_decay >= 0,
            f"schedule.weight_decay is {self.weight_decay!r}",
            fix="pass a number of 0 or more",
        )
        problems.require(
            self.max_grad_norm is None
            or (is_number(self.max_grad_norm) and self.max_grad_norm > 0),
            f"schedule.max_grad_norm is {self.max_grad_norm!r}",
            fix="pass a number above 0, or None not to clip",
        )
        problems.require(
            callable(self.optimizer) or self.optimizer in ("adam", "adamw", "sgd"),
            f"schedule.optimizer is {self.optimizer!r}",
            fix="choose adam, adamw, sgd, or pass callable(parameters, lr)",
        )
        problems.require(
            self.batch_norm in ("auto", "frozen", "update"),
            f"schedule.batch_norm is {self.batch_norm!r}",
            fix="choose auto, frozen or update",
        )

    def rows_per_step(self, retain_rows: int) -> int:
        """Retain rows of a step: the whole set where it is smaller than a batch."""
        return min(self.batch_size, retain_rows)

    def steps(self, retain_rows: int) -> int:
        """Number of steps of the whole run."""
        return max(1, round(self.epochs * retain_rows / self.rows_per_step(retain_rows)))

    def epoch(self, step: int, retain_rows: int) -> float:
        """Passes over the retain set after ``step`` steps."""
        return step * self.rows_per_step(retain_rows) / retain_rows

    def evaluate_every(self, retain_rows: int) -> int:
        """Steps between two looks at the model."""
        per_epoch = retain_rows / self.rows_per_step(retain_rows)
        return max(1, round(per_epoch / self.evaluations_per_epoch))

    def lr_at(self, step: int, steps: int) -> float:
        """Step size of step ``step`` (from 0) of ``steps``."""
        left = 1.0 - step / steps
        return self.lr * (self.final_lr + (1.0 - self.final_lr) * left)

    def build(self, parameters: Iterable[Tensor]) -> torch.optim.Optimizer:
        """The optimizer over ``parameters``."""
        if callable(self.optimizer):
            return self.optimizer(parameters, self.lr)
        options: dict[str, Any] = {"lr": self.lr, "weight_decay": self.weight_decay}
        if self.optimizer == "sgd":
            return torch.optim.SGD(parameters, momentum=0.9, **options)
        # One fused kernel per step: on small networks the step would otherwise cost most of all.
        kind = torch.optim.Adam if self.optimizer == "adam" else torch.optim.AdamW
        return kind(parameters, fused=True, **options)


FEWEST_STEPS = 250
"""Steps of the shortest default run: fewer move a network too little to forget anything."""


def default_schedule(retain_rows: int) -> Schedule:
    """The schedule of a caller who names none: small sets get smaller batches and more passes."""
    schedule = Schedule()
    if schedule.steps(retain_rows) >= FEWEST_STEPS:
        return schedule
    small = Schedule(batch_size=32, forget_batch_size=8)
    epochs = max(small.epochs, FEWEST_STEPS * small.rows_per_step(retain_rows) / retain_rows)
    # As many looks as a run of the usual length.
    looks = small.epochs * small.evaluations_per_epoch
    return replace(small, epochs=epochs, evaluations_per_epoch=looks / epochs)
