"""Tables of ``figure default-parts``: one line per run, and one column per case."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from infounlearn.experiments.compare.gold import PARTS
from infounlearn.experiments.figures.default_parts_variants import DEFAULT

Rows = Sequence[Mapping[str, Any]]


def mean_se(values: Sequence[float]) -> str:
    """Mean ± standard error as text, in two digits and a half; of one value, the value."""
    mean = math.fsum(values) / len(values)
    shown = _number(mean)
    if len(values) == 1:
        return shown
    variance = math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1)
    return f"{shown} ± {_number(math.sqrt(variance / len(values)))}"


def _number(value: float) -> str:
    return f"{value:.2f}" if value < 10 else f"{value:.1f}" if value < 100 else f"{value:.0f}"


def select(rows: Rows, **wanted: Any) -> list[Mapping[str, Any]]:
    """Rows with these values."""
    return [row for row in rows if all(row[key] == value for key, value in wanted.items())]


def values(rows: Rows, *names: str) -> list[tuple[Any, ...]]:
    """The combinations of these columns that occur, in their order."""
    return list(dict.fromkeys(tuple(row[name] for name in names) for row in rows))


def times(rows: Rows, variant: str, **wanted: Any) -> float:
    """Geometric mean over runs of the worst distance, over that of the default there."""
    own, default = select(rows, variant=variant, **wanted), select(rows, variant=DEFAULT, **wanted)
    keys = ("data", "case", "budget", "seed")
    usual = {tuple(row[key] for key in keys): float(row["worst"]) for row in default}
    logs = [math.log(row["worst"] / usual[tuple(row[key] for key in keys)]) for row in own]
    return math.exp(math.fsum(logs) / len(logs))


def table(rows: Rows) -> list[tuple[str, ...]]:
    """One line per data set, case, budget and variant."""
    head = ("data", "case", "budget", "variant", "worst", *PARTS, "times", "cost %")
    lines: list[tuple[str, ...]] = [head]
    for data, name, budget, variant in values(rows, "data", "case", "budget", "variant"):
        where = {"data": data, "case": name, "budget": budget}
        own = select(rows, variant=variant, **where)
        spent = math.fsum(float(row["row_share"]) for row in own) / len(own)
        lines.append(
            (
                data,
                name,
                f"{budget:.0%}",
                variant,
                *(mean_se([float(row[key]) for row in own]) for key in ("worst", *PARTS)),
                _number(times(rows, variant, **where)),
                f"{100 * spent:.1f}",
            )
        )
    return lines


def summary(rows: Rows, budget: float) -> list[tuple[str, ...]]:
    """The worst distance at one budget: a line per variant, a column per case."""
    places = values(rows, "data", "case")
    lines: list[tuple[str, ...]] = [
        ("variant", "times", *(f"{data}, {name}" for data, name in places))
    ]
    for (variant,) in values(rows, "variant"):
        cells = [
            mean_se(
                [
                    float(row["worst"])
                    for row in select(rows, variant=variant, data=data, case=name, budget=budget)
                ]
            )
            for data, name in places
        ]
        lines.append((variant, _number(times(rows, variant, budget=budget)), *cells))
    return lines


def as_markdown(rows: Rows, variants: Mapping[str, str], notes: Iterable[str]) -> str:
    """What the variants are, the summary of each budget, and the whole table."""
    used = [variant for (variant,) in values(rows, "variant")]
    parts = [_pipes([("variant", "what it does"), *((one, variants[one]) for one in used)], 2)]
    for (budget,) in values(rows, "budget"):
        parts.append(f"## Worst distance at {budget:.0%} of retraining, in floors")
        parts.append(_pipes(summary(rows, budget), 1))
    parts += ["## All three distances", _pipes(table(rows), 4)]
    parts.append("\n".join(f"* {note}" for note in notes))
    return "\n\n".join(parts) + "\n"


def _pipes(lines: Sequence[Sequence[str]], left: int) -> str:
    """A Markdown table: so many columns to the left, the others to the right."""
    rules = ["---" if column < left else "---:" for column in range(len(lines[0]))]
    return "\n".join(f"| {' | '.join(line)} |" for line in [lines[0], rules, *lines[1:]])
