"""The short table that console, card and page print alike."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from infounlearn.interface import Finding, Record
from infounlearn.report import numbers

NOT_COMPUTED = "could not be computed"
NO_ORIGINAL = "no original model"
NO_RETRAINED = "no retrained model"
NO_FLOOR = "not known"
NOT_MEASURED = "not measured"


@dataclass(frozen=True)
class SummaryRow:
    """One quantity, ready to print; an em dash stands for every number that does not exist.

    Attributes:
        name: of the finding, for example ``leakage/attack_auc``.
        title: what a person reads.
        unit: as in the finding.
        kind: what the number under ``after`` is: an estimate beside a certified bound is measured.
        bound: the certified bound beside the estimate, in words; empty where there is none.
        before, after, retrained, floor: numbers with their unit; ``retrained`` is mean and range.
        missing: why a number is absent, by column name; empty where all four exist.
    """

    name: str
    title: str
    unit: str
    kind: str
    before: str
    after: str
    retrained: str
    floor: str
    bound: str
    missing: dict[str, str]


def summary_rows(record: Record) -> tuple[SummaryRow, ...]:
    """The findings on which the verdicts rest, in reading order; all of them if none is cited."""
    return tuple(summary_row(finding, record) for finding in main_findings(record))


def main_findings(record: Record) -> tuple[Finding, ...]:
    """The findings that :func:`summary_rows` prints."""
    cited = {name for verdict in record.audit.verdicts for name in verdict.findings}
    chosen = tuple(finding for finding in record.audit.findings if finding.name in cited)
    return chosen or record.audit.findings


def summary_row(finding: Finding, record: Record) -> SummaryRow:
    """``finding`` of ``record`` as one printed row."""
    unit, gap, beside = finding.unit, is_gap(finding), bounds_beside(finding)
    level = "" if finding.confidence is None else f" at {100 * finding.confidence:g} %"
    missing = {}
    if finding.original is None:
        missing["before"] = NOT_MEASURED if has_original(record) else NO_ORIGINAL
    if finding.value is None:
        missing["after"] = finding.note or NOT_COMPUTED
    if not finding.retrained:
        missing["retrained"] = NOT_MEASURED if retrained_models(record) else NO_RETRAINED
    if finding.floor is None:
        missing["floor"] = NO_FLOOR
    return SummaryRow(
        name=finding.name,
        title=finding.title,
        unit=unit,
        kind="measured" if beside else finding.kind,
        before=numbers.quantity(finding.original, unit, gap=gap),
        after=numbers.quantity(finding.value, unit, gap=gap),
        retrained=numbers.spread(finding.retrained, unit, gap=gap),
        # A floor is a size, without direction.
        floor=numbers.quantity(finding.floor, unit, gap=gap).removeprefix("+"),
        bound=f"certified ≤ {numbers.quantity(finding.bound, unit, gap=gap)}{level}"
        if beside
        else "",
        missing=missing,
    )


def bounds_beside(finding: Finding) -> bool:
    """Whether a certified bound stands beside an estimate, which it does not make certified."""
    return finding.kind == "certified" and finding.bound not in (None, finding.value)


_DIFFERENCES = ("gap", "change", "difference")


def is_gap(finding: Finding) -> bool:
    """Whether an accuracy is a difference of two, printed in points and with its sign."""
    words_of_it = f"{finding.name.rsplit('/', 1)[-1]} {finding.title}".lower()
    return finding.unit == "accuracy" and any(word in words_of_it for word in _DIFFERENCES)


def room(finding: Finding) -> str:
    """The part of the finding's name before the slash: the group it is shown in."""
    return finding.name.split("/", 1)[0] if "/" in finding.name else "other"


def has_original(record: Record) -> bool:
    """Whether the audit saw the model before unlearning."""
    return any(finding.original is not None for finding in record.audit.findings)


def retrained_models(record: Record) -> int:
    """How many retrained references the audit saw."""
    return max((len(finding.retrained) for finding in record.audit.findings), default=0)


def feature(record: Record) -> str | None:
    """What the audited feature is called; None where records, not a feature, were forgotten."""
    settings = record.audit.settings
    if settings.get("subject") != "feature":
        return None
    return str(settings.get("feature", "the feature"))


def finite(values: Sequence[float | None]) -> list[float]:
    """The numbers among ``values`` that can be drawn."""
    return [value for value in values if value is not None and math.isfinite(value)]


def words(name: str) -> str:
    """An identifier as a heading: ``forget_accuracy`` becomes ``Forget accuracy``."""
    text = name.replace("_", " ").strip()
    for short, long in (("auc", "AUC"), ("kl", "KL"), ("js", "JS"), ("roc", "ROC"), ("tpr", "TPR")):
        text = " ".join(long if word.lower() == short else word for word in text.split(" "))
    return text[:1].upper() + text[1:]
