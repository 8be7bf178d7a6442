"""One answer per question, each with the numbers it rests on.

Retrained references vary among themselves. Where a number of theirs is compared, they *reach* from
their smallest value less their width to their largest plus their width: with K = 5 about 3.5
standard deviations, so that one more retrained model lies inside nearly always, with K = 2 in about
two cases of three. Inside, the answer is "forgotten"; outside, a model is accused only where one
more retrained model would hardly ever be (Student's prediction from K values), and what lies
between is inconclusive. Utilities are also allowed what single records change between references.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from scipy import special

from infounlearn.audit.case import Case
from infounlearn.audit.leakage_verdict import LEAKAGE, leakage_verdict
from infounlearn.audit.membership import Membership
from infounlearn.audit.reach import predicted, reach
from infounlearn.audit.retrain_gap import distance_name, gap_sets
from infounlearn.audit.utility import flip_spread, utility_name
from infounlearn.interface import Answer, Finding, Null, Verdict

BEHAVIOUR = "Does the model behave like one retrained without the forget set?"
MARGINAL = "Does the marginal information match that of a retrained model?"
UTILITY = "Is utility kept?"
QUESTIONS = (LEAKAGE, BEHAVIOUR, MARGINAL, UTILITY)

BLIND_SPOT = (
    "Blind spot: marginal information cannot see this forget set, before or now it lies inside its "
    "permutation null, so a small value says nothing about forgetting; read forget against held-out"
)

RATIO_LIMIT = 1.25
"""A model within this many floors of the retrained models counts as one of them."""

ACCURACY_LIMIT = 0.02
"""Gap of forget accuracy, in parts of one, that still counts as equal to retraining."""

UTILITY_LIMIT = 0.005
"""Loss of accuracy, in parts of one, that still counts as kept."""

ERROR_LIMIT = 0.05
"""The same for the mean squared error of a regressor, relative."""

WIDEST_RATIO = 1.0
"""Half width of the ratio's interval beyond which no ratio is called that of retraining."""

Found = Mapping[str, Finding]


def verdicts(
    case: Case, found: Found, member: Membership, nulls: Mapping[str, Null]
) -> tuple[Verdict, ...]:
    """The answers to :data:`QUESTIONS`.

    Args:
        case: the models.
        found: every finding by name.
        member: readings of the audited model.
        nulls: its permutation nulls.
    """
    return (
        leakage_verdict(case, found, member, nulls),
        _behaviour(case, found),
        _marginal(case, found),
        _utility(case, found),
    )


def _behaviour(case: Case, found: Found) -> Verdict:
    count = len(case.references)
    names = (
        distance_name(case, "forget"),
        "retrain_gap/ratio_forget",
        utility_name(case, "forget"),
    )
    ratio = found.get(names[1])
    if count < 2 or ratio is None or ratio.value is None:
        reason = (
            f"{count} retrained reference{'s' * (count != 1)} given: at least two that differ are "
            "needed, to know how much retrained models differ among themselves."
        )
        return Verdict(BEHAVIOUR, "inconclusive", reason)
    distance, utility = found[names[0]], found[names[2]]
    value, shown = ratio.value, utility.value or 0.0
    allowed = max(RATIO_LIMIT, *ratio.retrained)
    mean = sum(utility.retrained) / count
    limit = ACCURACY_LIMIT if case.task == "classification" else ERROR_LIMIT * mean
    limit = max(limit, _deviations(case) * flip_spread(case, "forget"))
    low, high = reach(utility.retrained)
    low, high = min(low, mean - limit), max(high, mean + limit)
    what = "accuracy" if case.task == "classification" else "squared error"
    told = (
        f"Distance {distance.value:.4f} on forget is {value:.2f} times the retrained models' own "
        f"{distance.floor:.4f} (allowed {allowed:.2f}); forget {what} {shown:.4g} against "
        f"{min(utility.retrained):.4g} to {max(utility.retrained):.4g} "
        f"(allowed {low:.4g} to {high:.4g}); {count} references"
    )
    start, end = ratio.interval or (0.0, math.inf)
    if value <= allowed and low <= shown <= high:
        if end - value > WIDEST_RATIO:
            reason = f"{told}: too few forget records to know the ratio better than ± 1."
            return Verdict(BEHAVIOUR, "inconclusive", reason, names)
        return Verdict(BEHAVIOUR, "forgotten", told + ".", names)
    # A truly retrained model must rarely be accused: few records or few references leave room.
    room = max(
        predicted(utility.retrained, case.settings.confidence),
        _deviations(case) * flip_spread(case, "forget", unseen=2),
    )
    if start <= allowed and min(low, mean - room) <= shown <= max(high, mean + room):
        reason = f"{told}: outside, but no farther than so few records and references leave open."
        return Verdict(BEHAVIOUR, "inconclusive", reason, names)
    worse = shown < low if case.task == "classification" else shown > high
    if worse:
        reason = f"{told}: worse on the forget set than retraining makes it."
        return Verdict(BEHAVIOUR, "over-forgotten", reason, names)
    return Verdict(BEHAVIOUR, "not forgotten", told + ".", names)


def _marginal(case: Case, found: Found) -> Verdict:
    name = "marginal/information"
    names = tuple(n for n in (name, "marginal/original_information") if n in found)
    now, before = found[name], found.get("marginal/original_information")
    if now.value is None or now.null is None:
        return Verdict(MARGINAL, "inconclusive", f"It was {now.note}.", names)
    null, value = now.null, now.value
    told = f"{value:.3g} nats (null mean {null.mean:.3g}, 95 % quantile {null.quantile95:.3g})"
    silent = value <= null.quantile95
    if before is not None and before.null is not None and before.value is not None:
        silent = silent and before.value <= before.null.quantile95
        told += f", original {before.value:.3g}"
    elif now.retrained:
        silent = silent and max(now.retrained) <= null.quantile95
    if silent and (before is not None or now.retrained):
        return Verdict(MARGINAL, "inconclusive", f"{BLIND_SPOT}: {told}.", names)
    if len(now.retrained) < 2:
        count = len(now.retrained)
        reason = f"{told}; {count} retrained references given, at least two are needed to compare."
        return Verdict(MARGINAL, "inconclusive", reason, names)
    low, high = reach(now.retrained)
    high = max(high, null.quantile95)
    told += f", retrained {min(now.retrained):.3g} to {max(now.retrained):.3g}"
    if low <= value <= high:
        return Verdict(MARGINAL, "forgotten", f"As in retrained models: {told}.", names)
    mean = sum(now.retrained) / len(now.retrained)
    if abs(value - mean) <= predicted(now.retrained, case.settings.confidence):
        reason = (
            f"Outside the retrained models, but no farther than {len(now.retrained)} of them leave "
            f"open: {told}; give five or more."
        )
        return Verdict(MARGINAL, "inconclusive", reason, names)
    # Seen from where the original stood: on the same side it has not come far enough, on the
    # other side it went past the retrained models.
    same_side = now.original is not None and (
        now.original > high if value > high else now.original < low
    )
    unknown_above = now.original is None and value > high
    answer: Answer = "not forgotten" if same_side or unknown_above else "over-forgotten"
    side = "below" if value < low else "above"
    return Verdict(MARGINAL, answer, f"{side.capitalize()} retrained models: {told}.", names)


def _utility(case: Case, found: Found) -> Verdict:
    """Retain and test (or held-out) against retraining, or the original where there is none."""
    if not case.references and case.original is None:
        reason = "Neither retrained references nor the original model were given to compare with."
        return Verdict(UTILITY, "inconclusive", reason)
    against = "the retrained mean" if case.references else "the original (no reference given)"
    lost: list[str] = []
    unsure: list[str] = []
    told: list[str] = []
    names: list[str] = []
    for name in gap_sets(case)[1:]:
        level = found[utility_name(case, name)]
        others = level.retrained or (level.original or 0.0,)
        mean, value = sum(others) / len(others), level.value or 0.0
        names.append(level.name)
        # As gains, so that larger is better for accuracy and error alike.
        sign = 1.0 if case.task == "classification" else -1.0
        limit = UTILITY_LIMIT if case.task == "classification" else ERROR_LIMIT * mean
        limit = max(limit, _deviations(case) * flip_spread(case, name))
        gain = sign * (value - mean)
        floor = min(-limit, *(sign * (other - mean) for other in others))
        half = _half_width(case, found, name)
        if gain < floor:
            # The retain records are all there are: no sampling error to allow for.
            (lost if name == "retain" or gain + half < floor else unsure).append(name)
        if case.task == "classification":
            told.append(f"{name} {gain:+.2%} (± {half:.2%})")
        else:
            told.append(f"{name} squared error {value:.4g} against {mean:.4g}")
    reason = f"Against {against}: {', '.join(told)}"
    if lost:
        return Verdict(UTILITY, "lost", f"{reason}; lost on {', '.join(lost)}.", tuple(names))
    if unsure:
        why = f"{reason}; too few records to tell on {', '.join(unsure)}."
        return Verdict(UTILITY, "inconclusive", why, tuple(names))
    return Verdict(UTILITY, "kept", f"{reason}.", tuple(names))


def _deviations(case: Case) -> float:
    """Standard deviations that a normal law leaves with probability 1 - confidence."""
    return float(special.ndtri((1 + case.settings.confidence) / 2))


def _half_width(case: Case, found: Found, name: str) -> float:
    """Half width of the paired gap's interval on set ``name``."""
    kind = "accuracy" if case.task == "classification" else "utility"
    key = f"retrain_gap/{kind}_gap_{name}" if case.references else f"utility/change_{name}"
    interval = found[key].interval
    return 0.0 if interval is None else 0.5 * (interval[1] - interval[0])
