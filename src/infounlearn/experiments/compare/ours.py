"""This project's own default, cut to a budget. It is never tuned."""

from __future__ import annotations

from torch import nn

from infounlearn.experiments.cases import Case
from infounlearn.experiments.defaults import method_for
from infounlearn.point import Unlearned, unlearn
from infounlearn.point.methods import RestartTeacher

NAME = "ours"
METHOD = RestartTeacher.name
"""What the default is called where its settings are chosen by hand."""
TITLE = "ours (default)"
MODULES = (RestartTeacher.__module__, "infounlearn.experiments.defaults", __name__)
"""Whose code decides what a run gives, beside the engine; ``cells.code_of`` finds their parts."""


def run_ours(model: nn.Module, case: Case, rows_budget: float, seed: int) -> Unlearned:
    """The default of ``unlearn``, with no setting but the length that ``rows_budget`` buys."""
    share = rows_budget / (3 * case.recipe.epochs * len(case.retain))
    return unlearn(
        model,
        forget=case.forget,
        retain=case.retain,
        holdout=case.holdout,
        method=method_for(case, share),
        audit_share=0.0,  # records for the audit are set aside by the comparison
        fresh=case.factory,
        seed=seed,
        progress=False,
    )
