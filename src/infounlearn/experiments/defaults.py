"""How the default run is scaled to a built-in case: a fixed share of its training."""

from __future__ import annotations

from infounlearn.experiments.cases import Case
from infounlearn.point import Schedule

SHARE_OF_TRAINING = 0.07
"""Epochs of unlearning per epoch of training; with forget rows and evaluations below 10 %."""


def schedule_for(case: Case, share: float = SHARE_OF_TRAINING) -> Schedule:
    """The default schedule with the batches of the case's recipe and 1.5 times its step size."""
    recipe = case.recipe
    return Schedule(
        epochs=share * recipe.epochs,
        batch_size=recipe.batch_size,
        forget_batch_size=max(1, recipe.batch_size // 4),
        lr=1.5 * recipe.lr,
    )
