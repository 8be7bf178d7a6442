"""The answer to the first question: tests of forget against held-out records, and retraining.

The tests share the level equally, so that a model that shows both sets alike is accused with at
most probability 1 - confidence. Beside retrained references a test only counts where they do not
show the same.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from infounlearn.audit.case import Case
from infounlearn.audit.leakage import tests
from infounlearn.audit.membership import Membership
from infounlearn.audit.not_proved import REFERENCES_LEAK, leaking_references
from infounlearn.audit.reach import reach
from infounlearn.interface import Finding, Null, Verdict

LEAKAGE = "Can forget records be told from held-out records?"

POWERLESS = 0.7
"""An audit whose smallest detectable AUC exceeds this has too few records to say "forgotten"."""

TESTS = {
    "area": "leakage/attack_auc",
    "score": "leakage/score_information",
    "label": "leakage/label_information",
    "ends": "leakage/ends",
    "calibrated": "leakage/calibrated_auc",
}
"""What the verdict on leakage tests, each at an equal part of the level: a shift of all records,
any other change of the margin, a change of labels at equal margins, a few records at one end, and,
with references, a shift against what they show of each record.
The loss is left out: it is a function of the margin."""

COVERAGE = 0.95
"""Share of forget records that must have held-out records of their class."""


def leakage_verdict(
    case: Case, found: Mapping[str, Finding], member: Membership, nulls: Mapping[str, Null]
) -> Verdict:
    """Whether forget records can be told from held-out ones; arguments as of ``verdicts``."""
    if member.covered < COVERAGE:
        reason = (
            f"Only {member.covered:.1%} of the forget records have held-out records of their class:"
            " add held-out records of every class of the forget set."
        )
        return Verdict(LEAKAGE, "inconclusive", reason, ("leakage/covered_share",))
    asked = {key: name for key, name in TESTS.items() if name in found}
    names = (*asked.values(), "leakage/detectable_auc")
    area, score = found[TESTS["area"]], found[TESTS["score"]]
    smallest = found["leakage/detectable_auc"].value or 1.0
    auc, level = area.value or 0.0, (1 - case.settings.confidence) / tests(case)
    interval = area.interval or (0.0, 1.0)
    p = {key: nulls[key].p_value for key in asked}
    others = ", ".join(f"{key} p {p[key]:.3g}" for key in asked if key not in ("area", "score"))
    told = (
        f"AUC {auc:.3f} [{interval[0]:.3f}, {interval[1]:.3f}] (p {p['area']:.3g}), score "
        f"information {score.value:.4f} nats against a null mean of {nulls['score'].mean:.4f} "
        f"(p {p['score']:.3g}), {others}"
    )
    if 1 / (case.settings.permutations + 1) > level:
        reason = (
            f"{case.settings.permutations} permutations cannot reach the level {level:.3g} of each "
            f"test: ask for {math.ceil(1 / level) - 1} or more; measured {told}."
        )
        return Verdict(LEAKAGE, "inconclusive", reason, names)
    different = {key for key in asked if p[key] <= level}
    alarms = different
    beside = ""
    if area.retrained:
        beside = (
            f"; retrained models show AUC {min(area.retrained):.3f} to {max(area.retrained):.3f}"
            f" and up to {max(score.retrained):.4f} nats"
        )
        alarms = {key for key in different if _beyond(key, found[asked[key]])}
    # Judged against the retrained models where there are any, else against a fair coin.
    middle = sum(area.retrained) / len(area.retrained) if area.retrained else 0.5
    top, bottom = member.excess()
    fewer = ("area" in alarms and auc < min(middle, 0.5)) or (
        "ends" in alarms and bottom > top and auc <= 0.5
    )
    if "calibrated" in alarms and (found[TESTS["calibrated"]].value or 0.0) < 0.5:
        fewer = fewer or auc <= 0.5
        alarms = alarms - {"calibrated"}  # less than retraining shows: nothing to attack
    # Where some records look less trained on but others more, these are what matters.
    if fewer and top <= nulls["ends"].quantile95:
        reason = f"Forget records look less trained on than held-out ones: {told}{beside}."
        return Verdict(LEAKAGE, "over-forgotten", reason, names)
    if "area" in alarms and auc < middle:
        alarms = alarms - {"area"}  # nearer to a fair coin than retraining: nothing to attack
    if alarms:
        reason = f"Forget records still stand out from held-out ones: {told}{beside}."
        return Verdict(LEAKAGE, "not forgotten", reason, names)
    power = f"at these sizes an AUC of {smallest:.3f} would be found with 80 % probability"
    if smallest > POWERLESS:
        reason = f"Too few records: {power}; measured {told}{beside}."
        return Verdict(LEAKAGE, "inconclusive", reason, names)
    if "area" in different and leaking_references(found, member, case.settings.confidence):
        reason = f"{REFERENCES_LEAK} Measured {told}{beside}."
        return Verdict(LEAKAGE, "inconclusive", reason, names)
    same = "differ, but no more than for retrained models" if different else "are not told apart"
    reason = f"Forget and held-out records {same}: {told}{beside}; {power}."
    return Verdict(LEAKAGE, "forgotten", reason, names)


def _beyond(key: str, finding: Finding) -> bool:
    """Whether the statistic of a test lies beyond where retrained models reach."""
    value, others = finding.value or 0.0, finding.retrained
    if key == "calibrated":  # holds its level against the retrained models already
        return True
    low, high = reach(others)
    if key == "area":
        return not low <= value <= high
    return not low <= value <= high if key == "ends" else value > high
