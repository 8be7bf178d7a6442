"""The rows of the comparison's tables, every cell already a text."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from markupsafe import Markup

from infounlearn.report import numbers
from infounlearn.report.comparison import (
    DISTANCES,
    ComparedCase,
    ComparedMethod,
    ComparedRun,
    Entry,
    Yardstick,
)
from infounlearn.report.comparison_frontier import looks, strip, strip_axis
from infounlearn.report.comparison_ranking import Estimate, Results, Standing, estimate
from infounlearn.report.comparison_statements import ordinal, percent
from infounlearn.report.tables import flatten

COLUMNS = 6
_AIMS = {"retrained": "as retrained", "lower": "lower is better", "higher": "higher is better"}


@dataclass(frozen=True)
class Cell:
    """A number, what stands small below it, its class and what a pointer shows."""

    text: str
    small: str = ""
    tone: str = ""
    title: str = ""


@dataclass(frozen=True)
class RankRow:
    """One method at one budget: over all cases, and case by case."""

    rank: str
    method: ComparedMethod
    role: str
    distance: Cell
    behind: Cell
    strip: Markup
    cells: tuple[Cell, ...]
    note: str


@dataclass(frozen=True)
class RankTable:
    """All methods at one budget."""

    budget: str
    cases: tuple[str, ...]
    rows: tuple[RankRow, ...]


@dataclass(frozen=True)
class Table:
    """Any other table: heads, and rows of a name and cells; reference rows are not methods."""

    title: str
    heads: tuple[tuple[str, str], ...]
    rows: tuple[tuple[str, str, tuple[Cell, ...]], ...]


def rank_tables(results: Results) -> tuple[RankTable, ...]:
    """One table per budget, smallest first, its rows in the order of the median over cases."""
    return tuple(_rank_table(results, b) for b in sorted(results.comparison.budgets))


def _rank_table(results: Results, budget: float) -> RankTable:
    cases = results.comparison.cases
    overall = results.overall(budget)
    by_case = [{s.method.name: s for s in results.standings(c, budget)} for c in cases]
    networks = list(zip(*(sorted(c.retrained_worst) for c in cases), strict=False))
    retrained = [median(values) for values in networks]
    original = median([case.original_worst for case in cases])
    axis = strip_axis(overall, retrained, original)
    styles = looks(results)
    rows = []
    for one in overall:
        role = styles[one.method.name][0]
        rows.append(
            RankRow(
                rank=numbers.MISSING if one.rank is None else str(one.rank),
                method=one.method,
                role=role,
                distance=_distance(one),
                behind=_behind(one),
                strip=strip(one, axis, retrained, original, role),
                cells=tuple(_case_cell(found[one.method.name]) for found in by_case),
                note=one.note,
            )
        )
    return RankTable(percent(budget), tuple(case.title for case in cases), tuple(rows))


def _distance(one: Standing) -> Cell:
    if one.rank is None or one.distance is None:
        return Cell(numbers.MISSING, "", "none")
    return Cell(numbers.significant(one.distance.mean), _interval(one.distance), _tone(one))


def _tone(one: Standing) -> str:
    """The class of a ranked method's cells."""
    if one.rank == 1:
        return "nearest"
    return "scattered" if one.scattered else "tied" if one.tied else ""


def _behind(one: Standing) -> Cell:
    if one.rank is None:
        return Cell(numbers.MISSING, "", "none")
    if one.behind is None:
        return Cell("nearest", "", "nearest")
    text = f"+{numbers.significant(one.behind.mean)}"
    return Cell(text, _interval(one.behind) or "one seed", _tone(one))


def _case_cell(one: Standing) -> Cell:
    if one.rank is None:
        if one.distance is None:
            return Cell(one.note, "", "none")
        return Cell(f"({numbers.significant(one.distance.mean)})", one.note, "none")
    tone = _tone(one)
    mean = numbers.significant(one.distance.mean) if one.distance else numbers.MISSING
    if one.behind is None:
        return Cell(mean, "nearest", tone)
    below = f"{ordinal(one.rank)} · +{numbers.significant(one.behind.mean)}"
    told = f"paired difference to the nearest: {_interval(one.behind) or 'one seed'}"
    return Cell(mean, below, tone, told)


def _interval(found: Estimate) -> str:
    if found.low is None or found.high is None:
        return ""
    return f"{numbers.significant(found.low)} to {numbers.significant(found.high)}"


def case_tables(results: Results, case: ComparedCase, budget: float) -> tuple[Table, ...]:
    """Cost and distances, then every other measure, each with floor and retrained value."""
    level = results.comparison.confidence
    methods = [standing.method for standing in results.standings(case, budget)]
    tables = [_costs(results, case, budget, methods, level)]
    for first in range(0, len(case.yardsticks), COLUMNS):
        some = case.yardsticks[first : first + COLUMNS]
        rows = [
            ("Retrained, mean", "reference", tuple(_retrained(y) for y in some)),
            ("Floor", "reference", tuple(_plain(y.floor, y.unit) for y in some)),
            ("Original", "reference", tuple(_plain(y.original, y.unit) for y in some)),
        ]
        for method in methods:
            entry = results.entry(case.name, method.name, budget)
            runs = results.runs(case.name, method.name, budget)
            if runs:
                cells = tuple(_measure(y, entry, runs, level) for y in some)
                rows.append((method.title, "ours" if method.ours else "", cells))
        heads = tuple((y.title, _aim(y)) for y in some)
        tables.append(Table("Further measures" if not first else "", heads, tuple(rows)))
    return tuple(tables)


def _costs(
    results: Results,
    case: ComparedCase,
    budget: float,
    methods: Sequence[ComparedMethod],
    level: float,
) -> Table:
    heads = (
        ("Rows", "share of retraining"),
        ("Seconds", "share of retraining"),
        *((f"{name.capitalize()}", "floors") for name in DISTANCES),
        ("Worst", "floors"),
        ("Tuning", "trials, those diverged"),
    )
    unknown = Cell(numbers.MISSING, "", "none")
    retrained = [case.retrained[name] for name in DISTANCES]
    spent = case.retraining.get("rows")
    rows_told = "" if spent is None else f"{numbers.bare(spent, 'rows')} rows"
    rows = [
        (
            "Retrained networks",
            "reference",
            (
                Cell("100\u202f%", rows_told),
                Cell("100\u202f%", numbers.duration(case.retraining.get("seconds"))),
                *(_range(values) for values in (*retrained, case.retrained_worst)),
                unknown,
            ),
        ),
        (
            "Floor, in " + ("nats" if case.followed == "accuracy" else "units of the distance"),
            "reference",
            (unknown, unknown,
             *(_plain(case.floors.get(name), "") for name in DISTANCES), unknown, unknown),
        ),
        (
            "Original",
            "reference",
            (unknown, unknown, *(_plain(case.original[name], "") for name in DISTANCES),
             _plain(case.original_worst, ""), unknown),
        ),
    ]  # fmt: skip
    for method in methods:
        entry = results.entry(case.name, method.name, budget)
        runs = results.runs(case.name, method.name, budget)
        if not runs:
            why = Cell(entry.status, entry.reason, "none wide")
            rows.append((method.title, "ours" if method.ours else "", (why,)))
            continue
        lost = len(case.seeds) - len(runs)
        seconds = [run.seconds for run in runs if run.seconds is not None]
        worst = _mean([run.worst for run in runs], "", level)
        if lost:
            worst = Cell(f"({worst.text})", results.lost(case, method.name, budget), "none")
        cells = (
            _mean([run.cost for run in runs], "rate", level),
            _mean(seconds, "rate", level) if seconds else unknown,
            *(_mean([run.distances[name] for run in runs], "", level) for name in DISTANCES),
            worst,
            Cell(entry.source, f"{entry.trials}, {entry.diverged_trials}" if entry.trials else ""),
        )
        rows.append((method.title, "ours" if method.ours else "", cells))
    return Table("Cost and distance", heads, tuple(rows))


def _measure(yardstick: Yardstick, entry: Entry, runs: Sequence[ComparedRun], level: float) -> Cell:
    if yardstick.name in entry.pooled:
        pooled = entry.pooled[yardstick.name]
        return _plain(pooled, yardstick.unit) if pooled is None else Cell(
            numbers.quantity(pooled, yardstick.unit), "all seeds at once")  # fmt: skip
    found = [run.measures.get(yardstick.name) for run in runs]
    known = [value for value in found if value is not None]
    if not known:
        return Cell(numbers.MISSING, "", "none")
    cell = _mean(known, yardstick.unit, level)
    fewer = f"{len(known)} of {len(runs)} seeds" if len(known) < len(runs) else ""
    gap = ""
    if yardstick.unit == "accuracy" and yardstick.retrained:
        reference = math.fsum(yardstick.retrained) / len(yardstick.retrained)
        gap = numbers.bare(math.fsum(known) / len(known) - reference, "accuracy", gap=True)
    small = f"{gap} {cell.small}".strip()
    return Cell(cell.text, " · ".join(filter(None, (small, fewer))), cell.tone)


def _mean(values: Sequence[float], unit: str, level: float) -> Cell:
    """The mean, and half the width of its interval."""
    if not all(map(math.isfinite, values)):
        return Cell(numbers.quantity(math.fsum(values) / len(values), unit), "not finite", "none")
    found = estimate(values, level)
    half = "" if found.high is None else "± " + numbers.bare(found.high - found.mean, unit)
    return Cell(numbers.quantity(found.mean, unit), half)


def _aim(yardstick: Yardstick) -> str:
    gap = yardstick.unit == "accuracy" and yardstick.retrained
    return "gap to retrained" if gap else _AIMS[yardstick.better]


def _plain(value: float | None, unit: str) -> Cell:
    return Cell(numbers.quantity(value, unit), "", "none" if value is None else "")


def _range(values: Sequence[float]) -> Cell:
    return Cell(numbers.mean(values, ""), numbers.extent(values, ""))


def _retrained(yardstick: Yardstick) -> Cell:
    if not yardstick.retrained:
        return Cell(numbers.MISSING, "", "none")
    unit = yardstick.unit
    return Cell(numbers.mean(yardstick.retrained, unit), numbers.extent(yardstick.retrained, unit))


def settings_table(results: Results, case: ComparedCase) -> Table:
    """What was run on one case, as tuned for every budget."""
    budgets = sorted(results.comparison.budgets)
    rows = []
    for method in results.comparison.methods:
        cells = []
        for budget in budgets:
            entry = results.entry(case.name, method.name, budget)
            told = ", ".join(f"{name} {value}" for name, value in flatten(entry.settings))
            if entry.status != "ok":
                cells.append(Cell(entry.status, entry.reason, "none"))
            else:
                cells.append(Cell(told or "defaults", entry.source))
        rows.append((method.title, "ours" if method.ours else "", tuple(cells)))
    return Table("Settings", tuple((percent(b), "") for b in budgets), tuple(rows))
