"""What an auditor must not read into the numbers, said plainly and only where it applies."""

from __future__ import annotations

from collections.abc import Mapping

from scipy import special

from infounlearn.audit.case import Case
from infounlearn.audit.membership import Membership
from infounlearn.interface import Finding

AVERAGE = (
    "Mutual information is an average over the forget set: a few records may leak much more than "
    "it says. Read the rate of records caught at low false positives beside it."
)
RICHER = (
    "Numbers hold for the audited output (sampled label, score or loss). An attacker who sees the "
    "weights, gradients or the full output vector may know more."
)
REPEATED = (
    "They hold for one answer per record. Repeated or related queries can add up to more than the "
    "number of queries times the information of one."
)
DETERMINISTIC = (
    "Certified bounds hold for softly binned, randomised releases. No finite sample can certify a "
    "deterministic real-valued output."
)
SHIFT = (
    "Held-out records are taken to come from the population of the forget records. A shift between "
    "them shows up as leakage, or hides it."
)
EXACT = (
    "Marginal information is exact for these retain and forget records and says nothing about "
    "others."
)
NOT_REJECTED = (
    "Not finding a difference does not prove that there is none: the audit tells which difference "
    "it would have found."
)
REFERENCES_LEAK = (
    "Retrained references tell forget from held-out records themselves: either they were trained "
    "on forget records, or the two sets come from different populations. Agreement with them "
    "proves no forgetting."
)
PRIVACY = "Nothing here is a guarantee of differential privacy or of legal compliance."


def leaking_references(found: Mapping[str, Finding], member: Membership, confidence: float) -> bool:
    """Whether every reference ranks forget records above held-out ones beyond chance."""
    area = found.get("leakage/attack_auc")
    if area is None or not area.retrained:
        return False
    reach = float(special.ndtri((1 + confidence) / 2)) * member.null_variance() ** 0.5
    return min(area.retrained) > 0.5 + reach


def not_proved(case: Case, member: Membership, found: dict[str, Finding]) -> tuple[str, ...]:
    """Sentences that apply to this audit, most general first."""
    told = [AVERAGE, RICHER, REPEATED]
    if "leakage/score_information" in found:
        told += [DETERMINISTIC, SHIFT, NOT_REJECTED]
    if "marginal/information" in found and found["marginal/information"].value is not None:
        told.append(EXACT)
    if len(case.references) < 2:
        told.append(
            f"{len(case.references) or 'No'} retrained reference was given: whether the model "
            "behaves like one retrained without the forget set is unknown."
        )
    if case.copies:
        told.append(
            f"{case.copies} of the references given repeat the outputs of another one and were "
            "left out: copies are not repetitions."
        )
    if leaking_references(found, member, case.settings.confidence):
        told.append(REFERENCES_LEAK)
    if 2 <= len(case.references) < 5:
        told.append(
            f"{len(case.references)} retrained references tell their own spread only roughly; "
            "five or more are better."
        )
    if member.covered < 1:
        told.append(
            f"{1 - member.covered:.1%} of the forget records have no held-out record of their "
            "class; nothing is said about them."
        )
    if "validation" not in case.audited.sets:
        told.append(
            "Score bins were fixed on the retain set, for want of a validation set: valid, but "
            "coarse where held-out scores lie outside the retain scores."
        )
    if not all(name in case.audited.hashes for name in ("forget", "holdout")):
        told.append(
            "The records behind the saved outputs carry no hashes: that held-out records were "
            "never trained on is taken on trust."
        )
    if case.task == "regression":
        told.append(
            "For regression no label information and no Jensen-Shannon distance are computed; "
            "scores are minus the residual."
        )
    return (*told, PRIVACY)
