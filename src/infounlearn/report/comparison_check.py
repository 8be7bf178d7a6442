"""What a comparison must hold so that nothing in it can be left out unnoticed."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable

from infounlearn.errors import Problems
from infounlearn.report.comparison import (
    BETTERS,
    DISTANCES,
    SOURCES,
    STATUSES,
    ComparedCase,
    ComparedRun,
    Comparison,
    Entry,
)

_SHOWN = 5


def check(comparison: Comparison, problems: Problems) -> None:
    """Collect everything in which ``comparison`` departs from its contract."""
    _some(comparison, problems)
    cases = {case.name: case for case in comparison.cases}
    methods = {method.name for method in comparison.methods}
    _unique("case", [case.name for case in comparison.cases], problems)
    _unique("method", [method.name for method in comparison.methods], problems)
    _unique("budget", comparison.budgets, problems)
    for case in comparison.cases:
        _case(case, problems)
    if cases and not set.intersection(*(set(case.seeds) for case in cases.values())):
        problems.add(
            "no seed was run in every case",
            fix="give all cases at least one seed in common",
            why="the median over cases is taken seed by seed",
        )
    items: list[Entry | ComparedRun] = [*comparison.entries, *comparison.runs]
    known = [
        item
        for item in items
        if problems.require(
            item.case in cases and item.method in methods and item.budget in comparison.budgets,
            f"{_where(item)} is not among the cases, methods and budgets",
            fix="name cases and methods by their ``name``, budgets as in ``budgets``",
        )
    ]
    _complete(comparison, cases, known, problems)
    for item in known:
        names = {yardstick.name for yardstick in cases[item.case].yardsticks}
        given = item.pooled if isinstance(item, Entry) else item.measures
        _list(
            [name for name in given if name not in names],
            f"{_where(item)} gives measures without a yardstick",
            "add them to the case's yardsticks",
            problems,
        )


def _some(comparison: Comparison, problems: Problems) -> None:
    for name in ("cases", "methods", "budgets"):
        problems.require(
            len(getattr(comparison, name)) > 0, f"{name} is empty", fix="pass at least one"
        )
    for budget in comparison.budgets:
        problems.require(budget > 0, f"budget {budget!r}", fix="pass shares above 0")
    problems.require(
        0 < comparison.confidence < 1,
        f"confidence is {comparison.confidence!r}",
        fix="pass a level between 0 and 1, such as 0.95",
    )


def _case(case: ComparedCase, problems: Problems) -> None:
    where = f"case {case.name!r}"
    problems.require(len(case.seeds) > 0, f"{where} has no seed", fix="name its seeds")
    _unique(f"seed of {where}", case.seeds, problems)
    _unique(f"yardstick of {where}", [one.name for one in case.yardsticks], problems)
    for name in ("retrained", "original"):
        problems.require(
            set(getattr(case, name)) == set(DISTANCES),
            f"{where}: {name} has the sets {sorted(getattr(case, name))}",
            fix=f"give exactly {', '.join(DISTANCES)}",
        )
    for values in (case.original.values(), *case.retrained.values()):
        problems.require(
            all(math.isfinite(value) and value >= 0 for value in values),
            f"{where}: original or retrained gives the distances {list(values)}",
            fix="give finite ones; a floor of 0 cannot be a unit: take more or other records",
        )
    problems.require(
        len({len(values) for values in case.retrained.values()}) == 1 and case.references > 0,
        f"{where}: retrained gives {[len(v) for v in case.retrained.values()]} networks",
        fix="give the distance of every retrained network on every set",
    )
    for yardstick in case.yardsticks:
        problems.require(
            yardstick.better in BETTERS,
            f"{where}: yardstick {yardstick.name!r} is better {yardstick.better!r}",
            fix=f"use one of {', '.join(BETTERS)}",
        )


def _complete(
    comparison: Comparison,
    cases: dict[str, ComparedCase],
    known: list[Entry | ComparedRun],
    problems: Problems,
) -> None:
    entries = [item for item in known if isinstance(item, Entry)]
    runs = [item for item in known if isinstance(item, ComparedRun)]
    _unique("entry", [_where(entry) for entry in entries], problems)
    _unique("run", [f"{_where(run)}, seed {run.seed}" for run in runs], problems)
    found = {(entry.case, entry.method, entry.budget): entry for entry in entries}
    wanted = [
        (case, method.name, budget)
        for case in cases
        for method in comparison.methods
        for budget in comparison.budgets
    ]
    _list(
        [f"{case}, {method}, {budget:g}" for case, method, budget in wanted
         if (case, method, budget) not in found],
        "entries are missing",
        'write an Entry for each, with status "diverged", "over budget", "needs" or "not run" '
        "where there is no result",
        problems,
    )  # fmt: skip
    seeds: dict[tuple[str, str, float], set[int]] = {}
    for run in runs:
        seeds.setdefault((run.case, run.method, run.budget), set()).add(run.seed)
        _run(run, problems)
    for entry in entries:
        _entry(entry, problems)
        have = seeds.get((entry.case, entry.method, entry.budget), set())
        expected = set(cases[entry.case].seeds) if entry.status == "ok" else have
        problems.require(
            have == expected,
            f"{_where(entry)} has runs of the seeds {sorted(have)}",
            fix=f"give one run of each of {sorted(expected)}",
        )


def _entry(entry: Entry, problems: Problems) -> None:
    problems.require(
        entry.status in STATUSES,
        f"{_where(entry)} has status {entry.status!r}",
        fix=f"use one of {', '.join(STATUSES)}",
    )
    problems.require(
        entry.status == "ok" or bool(entry.reason),
        f"{_where(entry)} is {entry.status!r} without a reason",
        fix="say why in ``reason``",
    )
    problems.require(
        entry.source in SOURCES,
        f"{_where(entry)} has source {entry.source!r}",
        fix=f"use one of {', '.join(SOURCES)}",
    )


def _run(run: ComparedRun, problems: Problems) -> None:
    where = f"{_where(run)}, seed {run.seed}"
    problems.require(
        run.status in ("ok", "diverged"),
        f"{where} has status {run.status!r}",
        fix='a run is "ok" or "diverged"',
    )
    problems.require(
        run.status != "ok"
        or (set(run.distances) == set(DISTANCES)
            and all(value >= 0 or math.isnan(value) for value in run.distances.values())),
        f"{where} has the distances {dict(run.distances)}",
        fix=f'give those of {", ".join(DISTANCES)}, or status "diverged"',
    )  # fmt: skip
    problems.require(
        run.cost > 0, f"{where} costs {run.cost!r}", fix="give its share of the cost of retraining"
    )


def _where(item: Entry | ComparedRun) -> str:
    return f"{type(item).__name__} {item.case}, {item.method}, {item.budget:g}"


def _unique(what: str, names: Iterable[object], problems: Problems) -> None:
    twice = [str(name) for name, count in Counter(names).items() if count > 1]
    _list(twice, f"{what} given twice", "give each once", problems)


def _list(found: list[str], problem: str, fix: str, problems: Problems) -> None:
    """One problem for however many of a kind, the first few by name."""
    if found:
        more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
        problems.add(f"{problem}: {'; '.join(found[:_SHOWN])}{more}", fix=fix)
