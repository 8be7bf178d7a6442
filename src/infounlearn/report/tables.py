"""The rows of the page's tables, every cell already a text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from infounlearn.interface import Finding, Record, RunSummary
from infounlearn.report import numbers, summary
from infounlearn.report.summary import words

_COST_NAMES = (
    ("seconds", "retrain_seconds", "Time"),
    ("rows_forward", "retrain_rows_forward", "Records read forward"),
    ("rows_backward", "retrain_rows_backward", "Records learned from (backward)"),
)


@dataclass(frozen=True)
class FindingRow:
    """One finding of the full table, every cell a text."""

    finding: Finding
    row: summary.SummaryRow
    mean: str
    extent: str
    interval: str
    bound: str
    null: str
    p_value: str
    ceiling: str
    confidence: str
    n: str


@dataclass(frozen=True)
class CostRow:
    """What the run spent, beside what retraining spends."""

    title: str
    spent: str
    retraining: str
    share: str


def set_sizes(record: Record) -> dict[str, str]:
    """Records per set, as far as the findings say."""
    sizes: dict[str, int] = {}
    for finding in record.audit.findings:
        for name, count in finding.n.items():
            sizes[name] = max(count, sizes.get(name, 0))
    return {name: numbers.significant(count) for name, count in sizes.items()}


def cost_rows(run: RunSummary | None) -> list[CostRow]:
    """Time and records spent, with the share of retraining where that is known."""
    if run is None:
        return []
    rows = []
    for name, reference, title in _COST_NAMES:
        spent, whole = run.cost.get(name), run.cost.get(reference)
        if spent is None and whole is None:
            continue
        show = numbers.duration if name == "seconds" else _count
        rows.append(CostRow(title, show(spent), show(whole), numbers.share(spent, whole)))
    named = {name for names in _COST_NAMES for name in names[:2]}
    for name, value in run.cost.items():
        if name not in named:
            rows.append(CostRow(words(name), _count(value), numbers.MISSING, numbers.MISSING))
    return rows


def flatten(mapping: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Nested settings as ``a.b`` and text, in the order given."""
    for key, value in mapping.items():
        if isinstance(value, Mapping) and value:
            yield from flatten(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", show(value)


def show(value: object) -> str:
    """A setting as text; floats are given in full, for they are inputs."""
    if value is None or value == () or value == {} or value == "":
        return numbers.MISSING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (list, tuple)):
        return ", ".join(show(item) for item in value)
    return str(value)


def _count(value: float | None) -> str:
    if value is None:
        return numbers.MISSING
    return numbers.significant(int(value) if float(value).is_integer() else float(value))


def rooms(record: Record) -> dict[str, list[FindingRow]]:
    """The findings by the part of their name before the slash, in reading order."""
    grouped: dict[str, list[FindingRow]] = {}
    for finding in record.audit.findings:
        grouped.setdefault(words(summary.room(finding)), []).append(finding_row(finding, record))
    return grouped


def finding_row(finding: Finding, record: Record) -> FindingRow:
    """Every cell of ``finding`` of ``record``."""
    unit, gap, null = finding.unit, summary.is_gap(finding), finding.null
    return FindingRow(
        finding=finding,
        row=summary.summary_row(finding, record),
        mean=numbers.mean(finding.retrained, unit, gap=gap),
        extent=numbers.extent(finding.retrained, unit, gap=gap),
        interval=numbers.interval(finding.interval, unit, gap=gap),
        bound=numbers.quantity(finding.bound, unit, gap=gap),
        null=numbers.MISSING if null is None else numbers.quantity(null.quantile95, unit, gap=gap),
        p_value=numbers.MISSING if null is None else numbers.significant(float(null.p_value)),
        ceiling=numbers.quantity(finding.ceiling, unit, gap=gap),
        confidence=""
        if finding.confidence is None
        else f"{100 * finding.confidence:g}{numbers.NARROW_SPACE}%",
        n=", ".join(f"{name} {numbers.significant(count)}" for name, count in finding.n.items()),
    )
