"""The default with one of its parts left out or exchanged, at the same cost."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import Any

from torch import nn

from infounlearn.experiments.cases import Case
from infounlearn.experiments.compare.runs import fit, sizes_of
from infounlearn.experiments.defaults import LR_OF_TRAINING, method_for, schedule_for
from infounlearn.experiments.recipe import one_thread
from infounlearn.point import Schedule, Unlearned, unlearn
from infounlearn.point.evaluation import RETAIN_SAMPLE
from infounlearn.point.methods import WarmRestart
from infounlearn.point.plan import BlindSpotWarning

DEFAULT = "default"
TEACHER, FORMER = "teacher alone", "former default"
VARIANTS = {
    DEFAULT: "all parts",
    "no rehearsal": "retain rows pass evenly; none is drawn by its loss",
    "no damping": "gradients are not damped along the inputs of retain rows",
    "no held-out records": "the teacher is as sure as its short training leaves it",
    "full steps": "steps are as long for a forget set that holds nothing as for a class",
    "teacher not heard": "its answers weigh nothing: the student trains on retain rows alone",
    TEACHER: "the whole budget heals the restarted copy, and it is the result",
    "fresh teacher": "its start keeps nothing of the original",
    "mild teacher": "its start keeps 0.75 of the original and adds 0.5 of a fresh network",
    FORMER: "the information engine with its own choice of restart and objective",
}
"""What each variant does, by name."""
_CHANGED: dict[str, dict[str, Any]] = {
    "no rehearsal": {"hard": 0.0},
    "no damping": {"damping": 1e9},
    "full steps": {"full_steps": True},
    "teacher not heard": {"strength": 0.0},
    "fresh teacher": {"keep": 0.0, "noise": 1.0},
    "mild teacher": {"keep": 0.75, "noise": 0.5},
}
_FEW_LOOKS = 1 / 3
"""Share of its budget that the engine may spend on looking; it looks less often where more."""


def run_variant(
    variant: str, built: Case, original: nn.Module, share: float, seed: int
) -> Unlearned:
    """Unlearn once, for at most ``share`` of the rows of retraining.

    Args:
        variant: one of :data:`VARIANTS`.
        built: the case; all its held-out records are for the method.
        original: the network to unlearn from; never changed.
        share: of the cost of retraining, evaluations that steer a run included.
        seed: of the run.
    """
    options = options_of(variant, built, share, seed)
    if variant == FORMER:
        # A restart alone shows no forget rows, and then there is room for a longer run.
        longest = {**options, "schedule": former_schedule(built, share, shows_forget=False)}
        done = _unlearn(variant, built, original, seed, longest)
        if share_spent(done, built) <= share:
            return done
    return _unlearn(variant, built, original, seed, options)


def _unlearn(
    variant: str, built: Case, original: nn.Module, seed: int, options: dict[str, Any]
) -> Unlearned:
    with one_thread(), warnings.catch_warnings():
        # The engine is run where its objective is blind, too: that is part of the comparison.
        warnings.simplefilter("ignore", BlindSpotWarning)
        return unlearn(
            original,
            forget=built.forget,
            retain=built.retain,
            holdout=None if variant == "no held-out records" else built.holdout,
            audit_share=0.0,
            fresh=built.factory,
            seed=seed,
            progress=False,
            **options,
        )


def share_spent(done: Unlearned, built: Case) -> float:
    """Rows of a run over those of retraining, a backward counting as two forwards."""
    cost = done.summary.cost
    spent = float(cost["rows_forward"] + 3 * cost["rows_backward"])
    return spent / (3 * built.recipe.epochs * len(built.retain))


def options_of(variant: str, built: Case, share: float, seed: int = 0) -> dict[str, Any]:
    """Arguments of :func:`infounlearn.unlearn` that make it run ``variant`` on a case."""
    if variant == FORMER:
        return {"method": None, "objective": "auto", "schedule": former_schedule(built, share)}
    if variant == TEACHER:
        return {"method": _teacher(built, share, seed)}
    return {"method": replace(method_for(built, share), **_CHANGED.get(variant, {}))}


def _teacher(built: Case, share: float, seed: int) -> WarmRestart:
    """The restart that the default would choose for a teacher of this many steps, and its batch."""
    sizes = sizes_of(built, seed)
    method = replace(method_for(built, share), teacher_share=0.999, sample_share=0.0)
    plan = method.plan(sizes)
    restart = method.restart(plan.teacher_steps)
    whole = WarmRestart(
        epochs=share * built.recipe.epochs,
        lr=LR_OF_TRAINING * built.recipe.lr,
        keep=restart.keep,
        noise=restart.noise,
        batch_size=plan.teacher_rows,
    )
    cut = fit(whole, 3 * share * built.recipe.epochs * sizes.retain, sizes)
    return cut if isinstance(cut, WarmRestart) else whole


def former_schedule(built: Case, share: float, *, shows_forget: bool = True) -> Schedule:
    """The longest schedule of the information engine that costs at most ``share``.

    Its evaluations count: they steer and end the run. With ``shows_forget`` so do the forget and
    held-out rows of each step, which a restart without an objective does not have.
    """
    rows = 3 * share * built.recipe.epochs * len(built.retain)
    low, high = 0.0, share
    for _ in range(30):
        middle = (low + high) / 2
        if _most_rows(_looking_less(built, middle, rows), built, shows_forget) <= rows:
            low = middle
        else:
            high = middle
    return _looking_less(built, max(low, 1e-9), rows)


def _looking_less(built: Case, share: float, rows: float) -> Schedule:
    schedule = schedule_for(built, share)
    while _look_rows(schedule, built) > _FEW_LOOKS * rows and schedule.evaluations_per_epoch > 0.01:
        schedule = replace(schedule, evaluations_per_epoch=schedule.evaluations_per_epoch / 2)
    return schedule


def _most_rows(schedule: Schedule, built: Case, shows_forget: bool) -> float:
    """Upper bound on the forward rows of a run: steps and looks."""
    retain = len(built.retain)
    rows = schedule.rows_per_step(retain)
    if shows_forget:
        rows += min(schedule.forget_batch_size, len(built.holdout))
        rows += min(schedule.forget_batch_size, len(built.forget))
    return 3 * schedule.steps(retain) * rows + _look_rows(schedule, built)


def _look_rows(schedule: Schedule, built: Case) -> float:
    """Rows of all looks at most: two before the run, one per interval, one at the end."""
    retain = len(built.retain)
    looks = 3 + schedule.steps(retain) // schedule.evaluate_every(retain)
    return looks * (len(built.forget) + len(built.holdout) + min(retain, RETAIN_SAMPLE))
