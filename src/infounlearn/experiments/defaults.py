"""How the default run is scaled to a built-in case: a fixed share of its training."""

from __future__ import annotations

from dataclasses import replace

from infounlearn.experiments.cases import Case
from infounlearn.point import Schedule
from infounlearn.point.methods import RestartTeacher
from infounlearn.point.restart import shortness

SHARE_OF_TRAINING = 0.065
"""Epochs of unlearning per epoch of training; with forget rows and evaluations below 10 %."""
SHARE_OF_DEFAULT = 0.07
"""Cost of the default run, as a share of retraining."""
MANY_RECORDS = 10_000
"""Retain records from which two evaluations per epoch cost little; below, one."""


def schedule_for(case: Case, share: float = SHARE_OF_TRAINING) -> Schedule:
    """The default schedule with the batches of the case's recipe.

    The step size is 1.5 times that of the recipe, and more where the run has few steps to heal in.
    """
    recipe, rows = case.recipe, len(case.retain)
    schedule = Schedule(
        epochs=share * recipe.epochs,
        batch_size=recipe.batch_size,
        forget_batch_size=max(1, recipe.batch_size // 4),
        lr=1.5 * recipe.lr,
        evaluations_per_epoch=2.0 if rows >= MANY_RECORDS else 1.0,
    )
    return replace(schedule, lr=schedule.lr * shortness(schedule.steps(rows)))


LR_OF_TRAINING = 3.5
"""First step size of the restarted teacher, in steps of the original training."""


def method_for(case: Case, share: float = SHARE_OF_DEFAULT) -> RestartTeacher:
    """The default for a built-in case, at a share of the cost of retraining."""
    return RestartTeacher(epochs=share * case.recipe.epochs, lr=LR_OF_TRAINING * case.recipe.lr)
