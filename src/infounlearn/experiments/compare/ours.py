"""This project's own default, cut to a budget. It is never tuned."""

from __future__ import annotations

import warnings
from dataclasses import replace

from torch import nn

from infounlearn.experiments.cases import Case
from infounlearn.experiments.defaults import schedule_for
from infounlearn.point import Unlearned, unlearn
from infounlearn.point.evaluation import RETAIN_SAMPLE
from infounlearn.point.plan import BlindSpotWarning
from infounlearn.point.restart import STATISTICS_ROWS
from infounlearn.point.schedule import Schedule

NAME = "ours"
TITLE = "ours (default)"
MODULES = ("infounlearn.point.verb", __name__, "infounlearn.experiments.defaults")
"""Whose code decides what a run gives; see ``cells.code_of``."""


def run_ours(model: nn.Module, case: Case, rows_budget: float, seed: int) -> Unlearned:
    """``unlearn`` without any setting but a schedule of at most ``rows_budget`` forward rows.

    Evaluations count, since they steer and end the run; so do rows that measure batch-norm.
    """
    with warnings.catch_warnings():
        # A blind spot is part of what is compared.
        warnings.simplefilter("ignore", BlindSpotWarning)
        return unlearn(
            model,
            forget=case.forget,
            retain=case.retain,
            holdout=case.holdout,
            audit_share=0.0,  # records for the audit are set aside by the comparison
            stop=() if len(case.forget) == 1 else "auto",  # one record calibrates nothing
            schedule=schedule_within(case, _has_norms(model), rows_budget),
            seed=seed,
            progress=False,
        )


def schedule_within(case: Case, has_norms: bool, rows_budget: float) -> Schedule:
    """The longest schedule of the default that costs at most ``rows_budget``.

    Where looking would take more than a third of the budget, it looks less often.
    """
    low, high = 0.0, rows_budget / (3 * case.recipe.epochs * len(case.retain))
    for _ in range(30):
        middle = (low + high) / 2
        if most_rows(_schedule(case, middle, rows_budget), case, has_norms) <= rows_budget:
            low = middle
        else:
            high = middle
    # Nothing fits: the shortest run there is, which the comparison will find over budget.
    return _schedule(case, max(low, 1e-9), rows_budget)


def _schedule(case: Case, share: float, rows_budget: float) -> Schedule:
    schedule = schedule_for(case, share=share)
    for _ in range(10):
        if looks(schedule, case) * look_rows(case) <= rows_budget / 3:
            break
        schedule = replace(schedule, evaluations_per_epoch=schedule.evaluations_per_epoch / 2)
    return schedule


def most_rows(schedule: Schedule, case: Case, has_norms: bool) -> float:
    """Upper bound on the forward rows of a run: steps, looks, and batch-norm statistics."""
    rows = len(case.retain)
    forget = min(schedule.forget_batch_size, len(case.forget))
    held = min(schedule.forget_batch_size, len(case.holdout))
    steps = schedule.steps(rows) * 3 * (schedule.rows_per_step(rows) + forget + held)
    statistics = min(rows, STATISTICS_ROWS) if has_norms else 0
    return steps + looks(schedule, case) * look_rows(case) + statistics


def looks(schedule: Schedule, case: Case) -> int:
    """Evaluations of a run at most: two before it, one per interval, one at the end."""
    rows = len(case.retain)
    return 3 + schedule.steps(rows) // schedule.evaluate_every(rows)


def look_rows(case: Case) -> int:
    """Rows of one evaluation."""
    return len(case.forget) + len(case.holdout) + min(len(case.retain), RETAIN_SAMPLE)


def _has_norms(model: nn.Module) -> bool:
    return any(isinstance(one, nn.modules.batchnorm._BatchNorm) for one in model.modules())
