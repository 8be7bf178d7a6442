"""What an auditor must not read into the numbers of a feature audit, only where it applies."""

from __future__ import annotations

from infounlearn.audit.feature.case import Case
from infounlearn.interface import Finding

STRONGER = (
    "A probe that finds nothing proves nothing about stronger probes: its information is a lower "
    "bound. Only a certified bound limits every reader."
)
WRITTEN = (
    "Marks in the order of rows, or in a pattern of digits that no probe was made for, are not "
    "looked for."
)
RAW = (
    "Columns and scores of real numbers carry no certificate: any finite sample of them can look "
    "clean and still show the feature. To certify, release finitely many values, or draw from "
    "known probabilities, and pass these as release."
)
BINNED = (
    "Certified bounds of a score hold for its softly binned, randomised release, not for the score "
    "itself; the Kolmogorov-Smirnov interval holds for every threshold on it."
)
FRESH = (
    "That the audited rows are fresh is taken on trust: rows that were used to fit or to choose "
    "the transform, the model or its settings make every number too kind."
)
AVERAGE = (
    "Information is an average over rows: of a few rows the feature may be plain to see while the "
    "average is small."
)
JOINED = (
    "Who can join these rows with other tables, see them repeatedly, or read the model's weights "
    "may know more."
)
PARITY = (
    "Small gaps between groups are no proof of fair treatment of any person, nor of legal "
    "compliance."
)
CONDITIONAL = (
    "Every claim is within strata: between them the feature may be plain to see, as was asked for."
)


def not_proved(case: Case, findings: list[Finding]) -> tuple[str, ...]:
    """Sentences that apply to this audit, most general first."""
    names = {finding.name for finding in findings}
    told = [FRESH]
    if case.interface != "decisions":
        told += [STRONGER, WRITTEN]
        if "information/release" not in names:
            told.append(RAW)
    if case.after.scores is not None:
        told.append(BINNED)
    if case.given is not None:
        told.append(CONDITIONAL)
    if case.settings.refits < 99 and case.interface != "decisions":
        told.append(
            f"Each probe's null rests on {case.settings.refits} refits, so its p-value cannot fall "
            f"below {1 / (case.settings.refits + 1):.2g}."
        )
    if case.before is None and case.interface == "table":
        told.append(
            "The rows before were not given: whether the transform added a trace of its own is "
            "unknown."
        )
    return (*told, AVERAGE, JOINED, PARITY)
