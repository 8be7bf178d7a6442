"""How the runs went: for each method a small drawing of its accuracies as its cost grows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from infounlearn.report import comparison_svg as svg
from infounlearn.report.comparison import ComparedCase, ComparedMethod, ComparedRun
from infounlearn.report.comparison_ranking import Results
from infounlearn.report.comparison_statements import percent

WIDTH, HEIGHT = 208, 118
_LEFT, _RIGHT, _TOP, _BOTTOM = 40, 8, 6, 20
# History's name of a set, the page's colour of it, and the yardstick its end is compared with.
_LINES = (
    ("retain", "retain", "retain"),
    ("holdout", "holdout", "test"),
    ("forget", "forget", "forget"),
)
_MOST = 40


@dataclass(frozen=True)
class Trajectory:
    """One small drawing: which method, at which budget; no drawing where nothing was followed."""

    method: ComparedMethod
    budget: str
    svg: Markup | None
    note: str


def trajectories(results: Results, index: int, case: ComparedCase) -> tuple[Trajectory, ...]:
    """Every method on one case at the dearest budget where it ran; all drawings share their axes.

    Empty where no run of the case was followed.
    """
    chosen = {m.name: _dearest(results, case, m) for m in results.comparison.methods}
    every = [run for _, runs in chosen.values() for run in runs]
    followed = [rows for run in every if (rows := _rows(run))]
    # Where runs begin and end sets the scale; a dip between lies on the lower edge.
    values = [v for rows in followed for row in (rows[0], rows[-1]) for v in row[1:]]
    values = [value for value in values if math.isfinite(value)]
    costs = [row[0] for rows in followed for row in rows]
    if not values or max(costs) <= 0:
        return ()
    ends = _ends(case)
    low, high = min([*values, *ends.values()]), max([*values, *ends.values()])
    margin = 0.04 * (high - low) or 0.5
    x = svg.Axis(0.0, max(costs), _LEFT, WIDTH - _RIGHT, log=False)
    y = svg.Axis(low - margin, high + margin, HEIGHT - _BOTTOM, _TOP, log=False)
    drawn = []
    for place, method in enumerate(results.comparison.methods):
        budget, runs = chosen[method.name]
        if any(_rows(run) for run in runs):
            picture = _draw(f"run-{index}-{place}", method, case, runs, ends, x, y)
            drawn.append(Trajectory(method, percent(budget), picture, ""))
        else:
            entry = results.entry(case.name, method.name, max(results.comparison.budgets))
            note = "not followed" if runs else f"{entry.status}: {entry.reason}"
            drawn.append(Trajectory(method, "", None, note))
    return tuple(drawn)


def _dearest(
    results: Results, case: ComparedCase, method: ComparedMethod
) -> tuple[float, tuple[ComparedRun, ...]]:
    budgets = sorted(results.comparison.budgets, reverse=True)
    for budget in budgets:
        runs = results.runs(case.name, method.name, budget)
        if runs:
            return budget, runs
    return budgets[0], ()


def _rows(run: ComparedRun) -> list[tuple[float, ...]]:
    """Cost and the values of ``_LINES``, missing ones not a number; thinned where many."""
    rows = [
        (float(row["cost"]), *(float(row.get(name, math.nan)) for name, _, _ in _LINES))
        for row in run.history
        if "cost" in row and math.isfinite(row["cost"])
    ]
    step = math.ceil(len(rows) / _MOST) if rows else 1
    return [row for i, row in enumerate(rows) if i % step == 0 or i == len(rows) - 1]


def _ends(case: ComparedCase) -> dict[str, float]:
    """Where each line should end: the mean of the retrained networks, as far as it is known."""
    means = {
        yardstick.name: math.fsum(yardstick.retrained) / len(yardstick.retrained)
        for yardstick in case.yardsticks
        if yardstick.retrained
    }
    found = {role: means.get(f"{case.followed}/{name}") for _, role, name in _LINES}
    return {role: value for role, value in found.items() if value is not None}


def _draw(
    key: str,
    method: ComparedMethod,
    case: ComparedCase,
    runs: Sequence[ComparedRun],
    ends: dict[str, float],
    x: svg.Axis,
    y: svg.Axis,
) -> Markup:
    share = case.followed == "accuracy"
    parts = []
    for tick in y.ticks(3):
        parts.append(svg.line(x.start, y.place(tick), x.end, y.place(tick), "grid"))
        label = percent(tick) if share else svg.number(tick)
        parts.append(svg.text(_LEFT - 5, y.place(tick) + 4, label, role="tick", anchor="end"))
    for tick in x.ticks(3):
        words = percent(tick) if tick else "0"
        parts.append(svg.text(x.place(tick), HEIGHT - 5, words, role="tick", anchor="middle"))
    parts.append(svg.line(x.start, y.start, x.end, y.start, "frame"))
    for role, value in ends.items():
        parts.append(svg.line(x.start, y.place(value), x.end, y.place(value), f"aim {role}"))
    for column, (_, role, _) in enumerate(_LINES, start=1):
        for run in runs:
            points = [
                (x.place(row[0]), y.place(row[column]))
                for row in _rows(run)
                if math.isfinite(row[column])
            ]
            if points:
                parts.append(svg.path(points, f"course {role}"))
    seeds = "one seed" if len(runs) == 1 else f"{len(runs)} seeds"
    title = f"{method.title} on {case.title}: {case.followed} against cost, {seeds}"
    return svg.drawing(parts, WIDTH, HEIGHT, key=key, title=title)
