"""One answer per question, each with the numbers it rests on.

*Still visible* is said of a probe whose information, or balanced accuracy, is above its null, with
an interval above nothing. *Removed* is said only where a fresh network reads the feature on the
originals, finds a planted leak of the size of the limit, and no probe tells more on the audited
images than shuffled groups reach. A probe that cannot read the originals proves nothing.
"""

from __future__ import annotations

import math

from infounlearn.audit.feature.inference import gain_interval
from infounlearn.audit.feature.verdicts import VISIBLE
from infounlearn.audit.images.case import Case
from infounlearn.audit.images.findings import accuracy, margin_answer, percent
from infounlearn.audit.images.kept import KEPT, kept_verdict
from infounlearn.audit.images.probing import Probed, Probing
from infounlearn.audit.images.readings import seen
from infounlearn.interface import Finding, Verdict

IMAGE_QUESTIONS = (VISIBLE, KEPT)


def verdicts(case: Case, findings: list[Finding], probing: Probing) -> tuple[Verdict, ...]:
    """The answers; the second question is asked only where other attributes were given."""
    found = [_visible(case, findings, probing)]
    if probing.others:
        found.append(kept_verdict(case, probing))
    return tuple(found)


def _visible(case: Case, findings: list[Finding], probing: Probing) -> Verdict:
    s = case.settings
    probes = probing.probes
    wanted = [f"probes/{one.name}{part}" for one in probes for part in ("_accuracy", "", "_auc")]
    wanted += ["probes/within_margin", "probes/cnn_majority_gap", "probes/wide_majority_gap"]
    wanted += ["probes/cnn_power"]
    wanted += ["distance/between_groups"]
    wanted += ["distance/to_reference", "cost/transport", "cost/gaussian_bound"]
    known = {one.name for one in findings}
    names = tuple(name for name in wanted if name in known)
    told = "; ".join(
        [_told(case, one) for one in (probing.network, probing.wider, probing.line)]
        + [_short(one) for one in probing.marks]
    )
    found = [
        one for one in probes if seen(one.after, case.z, one.null, one.balanced_null, s.confidence)
    ]
    if found:
        most = max(one.after.information for one in found)
        reason = f"It can be recovered, up to {most:.4f} of {case.ceiling:.3f} nats"
        if most <= 0:
            reason = "It can be recovered, by accuracy, though no probe knows how sure to be"
        if margin_answer(case, probing)[1] <= s.margin:
            reason += (
                f", though accuracy is within the {100 * s.margin:g} points of the majority rate "
                "that were asked for"
            )
        return Verdict(VISIBLE, "still visible", f"{reason}: {told}.{_cheap(findings)}", names)
    network = probing.network
    # Less than nothing is no information, even where shuffled groups gave less still.
    above = [one.title for one in probes if one.after.information > max(one.reach, 0.0)]
    if above:
        reason = f"More than on shuffled groups, but not clearly so, by {' and '.join(above)}"
        return Verdict(VISIBLE, "inconclusive", f"{reason}: {told}.", names)
    if network.before is None:
        reason = (
            "Nothing was found, but the images before were not given: a probe that cannot read "
            f"them would find nothing anywhere. Pass before; {told}."
        )
        return Verdict(VISIBLE, "inconclusive", reason, names)
    low, _ = gain_interval(network.before.gains, network.before.folds, s.confidence)
    if not low > s.limit:
        reason = (
            "Nothing was found, but a fresh network cannot read the originals either "
            f"({network.before.information:.4f} nats, at least {low:.4f}; the limit is {s.limit:g})"
            f", so that it proves nothing: audit more images; {told}."
        )
        return Verdict(VISIBLE, "inconclusive", reason, names)
    if (probing.smallest or math.inf) > min(s.limit, case.ceiling):
        reason = (
            f"Nothing was found, but neither was a planted leak of the limit of {s.limit:g} nats: "
            f"{_blind(case, probing)}; {told}."
        )
        return Verdict(VISIBLE, "inconclusive", reason, names)
    if _cheap(findings):
        return Verdict(
            VISIBLE, "inconclusive", f"Nothing was found: {told}.{_cheap(findings)}", names
        )
    reason = (
        f"No probe tells more than on shuffled groups: {told}. The same network finds "
        f"{network.before.information:.4f} nats on the originals, and a planted leak of "
        f"{min(s.limit, case.ceiling):.3g} nats, a square that shows the group of some; weaker "
        f"leaks could not have been seen with {len(case.z)} images"
    )
    return Verdict(VISIBLE, "removed", f"{reason}.", names)


def _blind(case: Case, probing: Probing) -> str:
    """From where on leaks could be seen, and what helps."""
    if probing.smallest is None:
        return f"with {len(case.z)} images no leak could be seen. Audit more"
    return (
        f"with {len(case.z)} images leaks below {probing.smallest:.3g} nats could not be seen. "
        f"Audit more, or pass limit={probing.smallest:.3g} if that is what is asked for"
    )


def _told(case: Case, one: Probed) -> str:
    value, (low, high) = accuracy(case, one.after)
    before = "" if one.before is None else f", {percent(accuracy(case, one.before)[0])} before"
    return (
        f"{one.title}: accuracy {percent(value)} [{percent(low)}, {percent(high)}] (majority rate "
        f"{percent(case.majority)}{before}), {one.after.information:.4f} nats, where shuffled "
        f"groups reach {one.reach:.4f} ({one.null.permutations} refits)"
    )


def _short(one: Probed) -> str:
    return f"{one.title}: {one.after.information:.4f} nats ({one.reach:.4f} shuffled)"


def _cheap(findings: list[Finding]) -> str:
    """A sentence where the images moved less than any independent release must."""
    known = {one.name: one for one in findings}
    cost, bound = known.get("cost/transport"), known.get("cost/gaussian_bound")
    if cost is None or bound is None or cost.interval is None or bound.value is None:
        return ""
    floor = bound.floor or 0.0
    # As far below as the estimate of the bound may be off.
    if cost.interval[1] >= bound.value - floor:
        return ""
    return (
        f" The images moved by {cost.value:.3g} per pixel value, less than the {bound.value:.3g} "
        "that any release independent of the feature must"
    ) + "."
