"""One answer per question, each with the numbers it rests on.

Retrained references vary among themselves. Where a number of theirs is compared, they *reach* from
their smallest value less their width to their largest plus their width: with K = 5 about 3.5
standard deviations, so that one more retrained model lies inside nearly always, with K = 2 in about
two cases of three. Utilities are also allowed what single records change between references.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from scipy import special

from infounlearn.audit.case import Case
from infounlearn.audit.membership import Membership
from infounlearn.audit.retrain_gap import distance_name, flip_spread, gap_sets
from infounlearn.audit.utility import utility_name
from infounlearn.interface import Answer, Finding, Null, Verdict

LEAKAGE = "Can forget records be told from held-out records?"
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

POWERLESS = 0.7
"""An audit whose smallest detectable AUC exceeds this has too few records to say "forgotten"."""

COVERAGE = 0.95
"""Share of forget records that must have held-out records of their class."""

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
        _leakage(case, found, member, nulls),
        _behaviour(case, found),
        _marginal(found),
        _utility(case, found),
    )


def reach(values: Sequence[float]) -> tuple[float, float]:
    """Where one more value like these is expected: their range, widened by itself."""
    low, high = min(values), max(values)
    return low - (high - low), high + (high - low)


def _leakage(case: Case, found: Found, member: Membership, nulls: Mapping[str, Null]) -> Verdict:
    names = ("leakage/attack_auc", "leakage/score_information", "leakage/detectable_auc")
    if member.covered < COVERAGE:
        reason = (
            f"Only {member.covered:.1%} of the forget records have held-out records of their class:"
            " add held-out records of every class of the forget set."
        )
        return Verdict(LEAKAGE, "inconclusive", reason, ("leakage/covered_share",))
    area, score = found[names[0]], found[names[1]]
    smallest = found[names[2]].value or 1.0
    auc, level = area.value or 0.0, (1 - case.settings.confidence) / 2
    interval = area.interval or (0.0, 1.0)
    p_area, p_score = nulls["area"].p_value, nulls["score"].p_value
    told = (
        f"AUC {auc:.3f} [{interval[0]:.3f}, {interval[1]:.3f}] (p {p_area:.3g}), score information "
        f"{score.value:.4f} nats against a null mean of {nulls['score'].mean:.4f} (p {p_score:.3g})"
    )
    by_area, by_score = p_area <= level, p_score <= level
    beside = ""
    if area.retrained:
        low, high = reach(area.retrained)
        top = reach(score.retrained)[1]
        beside = (
            f"; retrained models show AUC {min(area.retrained):.3f} to {max(area.retrained):.3f}"
            f" and up to {max(score.retrained):.4f} nats"
        )
        by_area = by_area and not low <= auc <= high
        by_score = by_score and (score.value or 0.0) > top
    if by_area or by_score:
        # Judged against the retrained models where there are any, else against a fair coin.
        middle = sum(area.retrained) / len(area.retrained) if area.retrained else 0.5
        if by_area and auc < middle and auc < 0.5:
            reason = f"Forget records look less trained on than held-out ones: {told}{beside}."
            return Verdict(LEAKAGE, "over-forgotten", reason, names)
        if by_area and auc < middle:
            by_area = False  # nearer to a fair coin than retraining: nothing to attack
    if by_area or by_score:
        reason = f"Forget records still stand out from held-out ones: {told}{beside}."
        return Verdict(LEAKAGE, "not forgotten", reason, names)
    power = f"at these sizes an AUC of {smallest:.3f} would be found with 80 % probability"
    if smallest > POWERLESS:
        reason = f"Too few records: {power}; measured {told}{beside}."
        return Verdict(LEAKAGE, "inconclusive", reason, names)
    same = "are not told apart"
    if min(p_area, p_score) <= level:
        same = "differ, but no more than for retrained models"
    reason = f"Forget and held-out records {same}: {told}{beside}; {power}."
    return Verdict(LEAKAGE, "forgotten", reason, names)


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
    if value <= allowed and low <= shown <= high:
        return Verdict(BEHAVIOUR, "forgotten", told + ".", names)
    worse = shown < low if case.task == "classification" else shown > high
    if worse:
        reason = f"{told}: worse on the forget set than retraining makes it."
        return Verdict(BEHAVIOUR, "over-forgotten", reason, names)
    return Verdict(BEHAVIOUR, "not forgotten", told + ".", names)


def _marginal(found: Found) -> Verdict:
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
        unit = f"{gain:+.2%} (± {half:.2%})" if case.task == "classification" else f"{gain:+.4g}"
        told.append(f"{name} {unit}")
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
