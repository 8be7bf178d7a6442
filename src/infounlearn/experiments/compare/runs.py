"""One method on one case within a budget: a request, or one request after another."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from time import perf_counter
from typing import Any

import torch
from torch import nn

from infounlearn.errors import DivergenceError, InputError, Problems
from infounlearn.experiments.cases import Case
from infounlearn.experiments.compare import ours
from infounlearn.experiments.compare.cells import Status
from infounlearn.experiments.compare.gold import requests_of, steps_of
from infounlearn.experiments.recipe import one_thread
from infounlearn.point import Unlearned, unlearn
from infounlearn.point.batches import RecordSet
from infounlearn.point.holdout import cut_holdout
from infounlearn.point.methods import METHODS
from infounlearn.point.methods.base import Method, Sizes, within
from infounlearn.point.methods.task import has_statistics
from infounlearn.point.plan import BlindSpotWarning

FEWEST_STEPS = 10
"""Batches are made smaller than published where the budget would leave fewer steps than this."""


@dataclass(frozen=True, eq=False)
class Ran:
    """What became of a run.

    Attributes:
        status: see :data:`~infounlearn.experiments.compare.cells.Status`.
        reason: why there is no model.
        model: the result, or None.
        rows: forward rows, a backward counting as two more; of a sequence the sum.
        seconds: wall time on one thread.
        history: ``rows`` spent so far, and accuracies, at each evaluation.
        remarks: what the run itself says.
    """

    status: Status
    reason: str = ""
    model: nn.Module | None = None
    rows: float = 0.0
    seconds: float = 0.0
    history: Sequence[Mapping[str, float]] = ()
    remarks: tuple[str, ...] = ()


def sizes_of(case: Case, seed: int) -> Sizes:
    """Of a run that is given all of ``case.holdout`` and no audit part."""
    problems = Problems("compare")
    parts = cut_holdout(RecordSet(case.holdout, "holdout"), 0.0, seed, problems)
    problems.raise_if_any()
    return Sizes(
        len(case.forget),
        len(case.retain),
        len(parts["targets"]),
        len(parts["validation"]),
        batch_norm=has_statistics(case.factory(0)),
    )


def settings_of(method: Method) -> dict[str, Any]:
    """Settings of a method by name."""
    return {one.name: getattr(method, one.name) for one in fields(method)}  # type: ignore[arg-type]


def build(name: str, settings: Mapping[str, Any]) -> Method:
    """The method of that name with these settings."""
    own = {key: tuple(one) if isinstance(one, list) else one for key, one in settings.items()}
    made: Method = METHODS[name](**own)
    return made


def fit(method: Method, rows: float, sizes: Sizes) -> Method | None:
    """The method cut to ``rows``; None where even its shortest run costs more.

    A method of many epochs takes smaller batches where its own would leave fewer than ten steps.
    Others keep theirs: in a method without epochs the batch size is part of its definition, and
    one whose batch size is None chooses it by itself.
    """
    own = getattr(method, "batch_size", None)
    if hasattr(method, "epochs") and own is not None:
        largest = max(1, int(rows / (3 * FEWEST_STEPS)))
        method = replace(method, batch_size=min(own, largest))  # type: ignore[type-var]
    return within(method, rows, sizes)


def run(
    name: str,
    settings: Mapping[str, Any] | None,
    case: Case,
    original: nn.Module,
    rows: float,
    seed: int,
) -> Ran:
    """Run a method request after request, each with an equal share of ``rows``.

    Args:
        name: of a published method, or "ours", which takes no settings.
        settings: of the method; None are the published ones.
        case: with the held-out records that the method may use.
        original: the network to unlearn from; never changed.
        rows: forward rows that may be spent in all.
        seed: of the run.
    """
    requests = requests_of(case)
    model, spent, seconds = original, 0.0, 0.0
    history: list[dict[str, float]] = []
    # The first optimizer of a process makes torch import its compiler: no cost of this method.
    torch.optim.SGD([torch.zeros(1, requires_grad=True)], 0.1)
    remarks: dict[str, None] = {}
    for number, step in enumerate(steps_of(case)):
        share = rows / len(requests)
        started = perf_counter()
        try:
            done = _one(name, settings, step, model, share, seed * len(requests) + number)
        except InputError as error:
            return Ran("not applicable", str(error))
        # A system that cannot be solved is numbers that stopped being finite, said otherwise.
        except (DivergenceError, ArithmeticError, torch.linalg.LinAlgError) as error:
            return Ran("diverged", str(error), rows=spent, seconds=seconds)
        seconds += perf_counter() - started
        if done is None:
            return Ran("over budget", f"its shortest run costs more than {share:,.0f} rows")
        cost = cost_of(done)
        # Also a test of every method's own account of its cost.
        if cost > share * (1 + 1e-9):
            reason = f"{cost:,.0f} rows counted where {share:,.0f} are allowed"
            return Ran("over budget", reason, rows=spent + cost, seconds=seconds)
        history += _trajectory(done, spent, cost)
        remarks.update(dict.fromkeys(done.warnings))
        spent, model = spent + cost, done.model
    if not all(bool(torch.isfinite(weight).all()) for weight in model.parameters()):
        return Ran("diverged", "weights are not finite", rows=spent, seconds=seconds)
    return Ran("done", "", model, spent, seconds, history, tuple(remarks))


def cost_of(done: Unlearned) -> float:
    """Forward rows of a run, a backward counting as two more."""
    cost = done.summary.cost
    return float(cost["rows_forward"] + 3 * cost["rows_backward"])


def _one(
    name: str,
    settings: Mapping[str, Any] | None,
    case: Case,
    model: nn.Module,
    rows: float,
    seed: int,
) -> Unlearned | None:
    with one_thread(), warnings.catch_warnings():
        # Blindness to a forget set is part of what is compared.
        warnings.simplefilter("ignore", BlindSpotWarning)
        if name == ours.NAME:
            return ours.run_ours(model, case, rows, seed)
        method = fit(build(name, settings or {}), rows, sizes_of(case, seed))
        if method is None:
            return None
        return unlearn(
            model,
            forget=case.forget,
            retain=case.retain,
            holdout=case.holdout,
            method=method,
            fresh=case.factory,
            audit_share=0.0,  # records for the audit are set aside by the comparison
            seed=seed,
            progress=False,
        )


def _trajectory(done: Unlearned, spent: float, cost: float) -> list[dict[str, float]]:
    """Accuracies (of a regression, losses) at each evaluation, by rows.

    Steps of a run are taken to cost the same.
    """
    last = max((row["step"] for row in done.history), default=0) or 1
    what = "accuracy" if any("retain_accuracy" in row for row in done.history) else "loss"
    return [
        {"rows": spent + cost * row["step"] / last}
        | {
            part: row[f"{part}_{what}"]
            for part in ("forget", "retain", "holdout")
            if f"{part}_{what}" in row
        }
        for row in done.history
    ]
