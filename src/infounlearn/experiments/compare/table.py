"""The comparison as plain tables: one for people (Markdown), one for programs (CSV)."""

from __future__ import annotations

import csv
import io
import math
from pathlib import Path
from statistics import median

from infounlearn.files import write_atomically
from infounlearn.report import numbers
from infounlearn.report.comparison import DISTANCES, Comparison
from infounlearn.report.comparison_ranking import Results, Standing
from infounlearn.report.comparison_statements import failures, statements

TABLE, RUNS = "table.md", "runs.csv"
OVERALL = 4
"""Columns of :func:`rank_rows` before those of single cases."""


def write_tables(comparison: Comparison, folder: Path) -> list[Path]:
    """Write ``table.md`` and ``runs.csv`` and return their paths."""
    found = []
    for name, text in ((TABLE, as_markdown(comparison)), (RUNS, as_csv(comparison))):
        write_atomically(folder / name, text.encode())
        found.append(folder / name)
    return found


def rank_rows(comparison: Comparison, budget: float) -> list[list[str]]:
    """One budget: a row of heads, then methods from the nearest on.

    Distances are the worst of forget, retain and test, in floors: over all cases the median, then
    each case; "behind" is the paired difference to the nearest method with its interval. "Tied" is
    a method whose interval holds 0, but for those that scatter: see ``Standing``. The last row is
    the original network.
    """
    results = Results(comparison)
    cases = [
        {one.method.name: one for one in results.standings(case, budget)}
        for case in comparison.cases
    ]
    heads = ["rank", "method", "distance", "behind", *(case.title for case in comparison.cases)]
    rows = [
        [
            "-" if one.rank is None else str(one.rank),
            one.method.title,
            _distance(one),
            _behind(one),
            *(_distance(found[one.method.name]) for found in cases),
        ]
        for one in results.overall(budget)
    ]
    return [heads, *rows, _untouched(comparison)]


def _untouched(comparison: Comparison) -> list[str]:
    """The row of doing nothing: the worst distance of the original network, case by case."""
    worst = [max(case.original.values()) for case in comparison.cases]
    shown = [numbers.significant(one) for one in worst]
    return ["-", "the original, untouched", numbers.significant(median(worst)), "-", *shown]


def sentences(comparison: Comparison) -> list[str]:
    """Who is nearest at each budget, or that nothing separates; and who has no result, and why."""
    results = Results(comparison)
    said = [f"{one.question}: {one.answer}. {one.text}" for one in statements(results)]
    return [*said, *failures(results)]


def as_markdown(comparison: Comparison) -> str:
    """All rank tables and sentences."""
    lines = [f"# {comparison.title}", ""]
    for budget in sorted(comparison.budgets):
        lines += [f"## {100 * budget:g}% of the cost of retraining", ""]
        heads, *rows = rank_rows(comparison, budget)
        lines += ["| " + " | ".join(heads) + " |", "|" + " --- |" * len(heads)]
        lines += ["| " + " | ".join(row) + " |" for row in rows] + [""]
    lines += ["Distances in floors: what retrained networks show among themselves is 1.", ""]
    lines += [f"- {one}" for one in sentences(comparison)]
    return "\n".join(lines) + "\n"


def as_csv(comparison: Comparison) -> str:
    """One row per run, with all its measures, and one per combination without any run."""
    measures = list(dict.fromkeys(one.name for case in comparison.cases for one in case.yardsticks))
    out = io.StringIO()
    heads = ["case", "method", "budget", "seed", "status", "reason", "cost", "seconds", "worst"]
    heads += [f"distance/{name}" for name in DISTANCES] + measures
    writer = csv.DictWriter(out, heads, restval="", lineterminator="\n")
    writer.writeheader()
    ran = set()
    for run in comparison.runs:
        ran.add((run.case, run.method, run.budget))
        writer.writerow(
            {
                "case": run.case, "method": run.method, "budget": run.budget, "seed": run.seed,
                "status": run.status, "reason": run.reason, "cost": run.cost,
                "seconds": run.seconds,
                "worst": run.worst if math.isfinite(run.worst) else "",
                **{f"distance/{name}": value for name, value in run.distances.items()},
                **{name: value for name, value in run.measures.items() if name in measures},
            }
        )  # fmt: skip
    for entry in comparison.entries:
        if (entry.case, entry.method, entry.budget) not in ran:
            writer.writerow(
                {
                    "case": entry.case, "method": entry.method, "budget": entry.budget,
                    "status": entry.status, "reason": entry.reason,
                }
            )  # fmt: skip
    return out.getvalue()


def _distance(one: Standing) -> str:
    if one.distance is None:
        return one.note or "-"
    text = numbers.significant(one.distance.mean)
    if one.distance.error is not None:
        text += f" ± {numbers.significant(one.distance.error, 2)}"
    return f"{text} ({one.note})" if one.note else text


def _behind(one: Standing) -> str:
    if one.rank is None:
        return "-"
    if one.behind is None:
        return "nearest"
    text = f"+{numbers.significant(one.behind.mean, 2)}"
    if one.behind.low is not None and one.behind.high is not None:
        low, high = (numbers.significant(end, 2) for end in (one.behind.low, one.behind.high))
        text += f" [{low}, {high}]"
    return f"{text} tied" if one.tied and not one.scattered else text
