"""One answer per question, each with the numbers it rests on.

*Removed* is said only where every test lies inside its null, one of them by a probe that is more
than a line, a planted leak of the size of the limit was found, and every certified bound is below
the limit. *Still visible* is said of a probe above the 95 % point of its null whose interval lies
above zero, and of an outcome whose permutation p-value is below its share of the level. Everything
between is inconclusive.
"""

from __future__ import annotations

import math

from infounlearn.audit.feature.case import Case
from infounlearn.audit.feature.power import visible
from infounlearn.audit.feature.probes import EXACT, LOGISTIC, TREES
from infounlearn.audit.feature.visibility import Probed, change
from infounlearn.interface import Finding, Verdict

VISIBLE = "Can the feature still be read from what is shown?"
FINGERPRINT = "Did the transform leave a trace of the feature of its own?"
FEATURE_QUESTIONS = (VISIBLE, FINGERPRINT)


def verdicts(case: Case, findings: list[Finding], probed: list[Probed]) -> tuple[Verdict, ...]:
    """The answers; the second question is asked only where the rows before were given."""
    found = [_visible(case, findings, probed)]
    if any(one.before is not None for one in probed):
        found.append(_fingerprint(case, probed))
    return tuple(found)


def _visible(case: Case, findings: list[Finding], probed: list[Probed]) -> Verdict:
    settings = case.settings
    outcomes = [one for one in findings if one.name.startswith("information/") and one.null]
    names = tuple(
        [f"probes/{one.name}" for one in probed]
        + [one.name for one in outcomes]
        + [f"probes/{one.name}_power" for one in probed]
        + [one.name for one in findings if one.name.startswith("parity/")]
    )
    level = (1 - settings.confidence) / max(len(outcomes), 1)
    seen = [
        one
        for one in probed
        if visible(one.after.gains, one.after.folds, one.null, settings.confidence)
    ]
    told = [_told(one) for one in probed]
    told += [
        f"{_short(one)} {one.value:.4f} nats (p {one.null.p_value:.3g})"
        for one in outcomes
        if one.null
    ]
    measured = "; ".join(told)
    coarse = [one for one in outcomes if one.null and one.null.p_value <= level]
    if seen or coarse:
        strongest = max(
            [one.after.information for one in seen] + [one.value or 0 for one in coarse]
        )
        reason = f"It can be recovered, up to {strongest:.4f} of {case.ceiling:.3f} nats"
        if strongest <= settings.limit:
            reason += f", which is within the limit of {settings.limit:g} but not nothing"
        return Verdict(VISIBLE, "still visible", f"{reason}: {measured}.", names)
    if outcomes and 1 / (settings.permutations + 1) > level:
        reason = (
            f"{settings.permutations} permutations cannot reach the level {level:.3g} of each test:"
            f" ask for {math.ceil(1 / level) - 1} or more; measured {measured}."
        )
        return Verdict(VISIBLE, "inconclusive", reason, names)
    above = [one.title for one in probed if one.after.information > one.null.quantile95]
    if above:
        reason = f"More than on shuffled groups, but not clearly so, by {' and '.join(above)}"
        return Verdict(VISIBLE, "inconclusive", f"{reason}: {measured}.", names)
    if all(one.name in (LOGISTIC, EXACT) for one in probed) and probed:
        reason = f"Nothing was found, but by no trees, without which most is missed: {measured}"
        return Verdict(VISIBLE, "inconclusive", f"{reason}. Add {TREES!r} to probes.", names)
    blind = [one for one in probed if (one.power.smallest or math.inf) > settings.limit]
    if blind:
        reason = (
            f"Nothing was found, but a leak of the limit of {settings.limit:g} nats could have been"
            f" missed by {' and '.join(one.title for one in blind)}: audit more rows; {measured}."
        )
        return Verdict(VISIBLE, "inconclusive", reason, names)
    loose = [one for one in outcomes if one.bound is not None and one.bound > settings.limit]
    if loose:
        bounds = ", ".join(f"{_short(one)} ≤ {one.bound:.4f}" for one in loose)
        reason = (
            f"Nothing was found, but the certified bounds exceed the limit of {settings.limit:g} "
            f"nats ({bounds}): audit more rows; {measured}."
        )
        return Verdict(VISIBLE, "inconclusive", reason, names)
    power = [f"{one.title} {one.power.smallest:.4f}" for one in probed if one.power.smallest]
    reason = f"Every reader lies inside its null: {measured}"
    if power:
        reason += f". Planted leaks were found from these sizes on, in nats: {', '.join(power)}"
    return Verdict(VISIBLE, "removed", f"{reason}.", names)


def _told(one: Probed) -> str:
    return (
        f"{one.title} {one.after.information:.4f} nats against a null of {one.null.quantile95:.4f} "
        f"(95 % point, {one.null.permutations} refits, p {one.null.p_value:.3g})"
    )


def _short(finding: Finding) -> str:
    return finding.name.removeprefix("information/").replace("_", " ")


def _fingerprint(case: Case, probed: list[Probed]) -> Verdict:
    """Trees decide: they see atoms that a linear probe misses.

    Exact values may say yes as well, where they tell more than any probe could read before.
    """
    read = [one for one in probed if one.before is not None]
    others = [probe for probe in read if probe.name != EXACT] or read
    one = next((probe for probe in others if probe.name == TREES), others[-1])
    value, (low, high) = change(one, case.settings.confidence)
    before = one.before.information if one.before else 0.0
    names = tuple(f"fingerprint/{probe.name}" for probe in read)
    told = (
        f"By {one.title}: {before:.4f} nats before and {one.after.information:.4f} after, "
        f"a change of {value:+.4f} [{low:+.4f}, {high:+.4f}]"
    )
    if low > 0:
        reason = f"{told}: the transform marks rows with their group."
        return Verdict(FINGERPRINT, "fingerprint", reason, names)
    for marks in read:
        if marks.name != EXACT:
            continue
        earlier = [probe.before for probe in read if probe.before is not None]
        best = max(earlier, key=lambda reading: reading.information)
        added, ends = change(marks, case.settings.confidence, best)
        if ends[0] > 0:
            reason = (
                f"Exact values tell {marks.after.information:.4f} nats after, where no probe found "
                f"more than {best.information:.4f} before, a change of {added:+.4f} "
                f"[{ends[0]:+.4f}, {ends[1]:+.4f}]: the transform marks rows with their group."
            )
            return Verdict(FINGERPRINT, "fingerprint", reason, names)
    if one.name in (LOGISTIC, EXACT):
        reason = f"{told}. Without trees most marks are missed: add {TREES!r} to probes."
        return Verdict(FINGERPRINT, "inconclusive", reason, names)
    if value <= 0 or high <= case.settings.limit:
        return Verdict(FINGERPRINT, "no fingerprint", f"{told}.", names)
    return Verdict(FINGERPRINT, "inconclusive", f"{told}: audit more rows.", names)
