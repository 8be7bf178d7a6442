"""The numbers of an image audit about the feature itself: information, accuracy, ranking, power."""

from __future__ import annotations

import numpy as np

from infounlearn.audit.feature.inference import gain_interval
from infounlearn.audit.feature.probes import Reading
from infounlearn.audit.feature.visibility import bits, odds
from infounlearn.audit.images.case import Case
from infounlearn.audit.images.probing import Probed, Probing
from infounlearn.audit.images.readings import accuracy_interval, hits
from infounlearn.interface import Finding
from infounlearn.math import auc, auc_interval

PERCENT = 100.0
PLANTED = (
    "In shuffled groups a square at the top of each image, an eighth of its side, the darkest or "
    "brightest there is, shows the group of some: the easiest form of a leak."
)


def percent(share: float) -> str:
    """``51.8 %``."""
    return f"{PERCENT * share:.1f} %"


def probe_findings(case: Case, probing: Probing) -> list[Finding]:
    """Of the network and of the line; then how small a leak would have been seen."""
    found: list[Finding] = []
    for one in probing.probes:
        found += [_accuracy(case, one), _gap(case, one), _information(case, one)]
        found.append(_ranking(case, one))
        if one.before is not None:
            found.append(_change(case, one, one.before))
    return [*found, _within(case, probing), _power(case, probing), _smallest(case)]


def accuracy(case: Case, reading: Reading) -> tuple[float, tuple[float, float]]:
    """Accuracy for the feature, and its interval."""
    right = hits(reading, case.z)
    interval = accuracy_interval(right, reading.folds, case.settings.confidence)
    return float(right.mean()), interval


def _accuracy(case: Case, one: Probed) -> Finding:
    value, interval = accuracy(case, one.after)
    s = case.settings
    refits = one.null.permutations
    price = s.folds * (refits + 1 + (one.before is not None))
    return Finding(
        name=f"probes/{one.name}_accuracy",
        title=f"Accuracy of {one.title} (majority rate {percent(case.majority)})",
        value=value,
        unit="accuracy",
        interval=interval,
        confidence=s.confidence,
        n=case.sizes,
        null=one.accuracy_null,
        floor=case.majority,
        ceiling=1.0,
        original=None if one.before is None else accuracy(case, one.before)[0],
        note=f"Always naming the largest group is right for {percent(case.majority)}. Every image "
        f"is judged by a probe that never saw it. The price: {price} trainings, of which "
        f"{s.folds * refits} on shuffled groups.",
    )


def margin_answer(case: Case, probing: Probing) -> tuple[str, float, tuple[float, float]]:
    """Whether every probe is within the margin of the majority rate; the largest gap, its ends.

    Yes where even the upper end of the interval of each is, no where the lower end of one is not.
    """
    gaps = [accuracy(case, one.after) for one in probing.probes]
    value = max(share for share, _ in gaps) - case.majority
    low = max(ends[0] for _, ends in gaps) - case.majority
    high = max(ends[1] for _, ends in gaps) - case.majority
    margin = case.settings.margin
    answer = "yes" if high <= margin else "no" if low > margin else "not clear"
    return answer, value, (low, high)


def _within(case: Case, probing: Probing) -> Finding:
    answer, value, ends = margin_answer(case, probing)
    points = percent(case.settings.margin).removesuffix(" %").removesuffix(".0")
    return Finding(
        name="probes/within_margin",
        title=f"Every fresh probe within {points} points of the majority rate: {answer}",
        value=value,
        unit="accuracy",
        interval=ends,
        confidence=case.settings.confidence,
        n=case.sizes,
        ceiling=1 - case.majority,
        note=f"Measured, the largest gap of {len(probing.probes)} probes: yes where no interval "
        f"reaches beyond {points} points, no where one lies beyond. Within is not removed: "
        "information is asked for beside it.",
    )


def _gap(case: Case, one: Probed) -> Finding:
    value, (low, high) = accuracy(case, one.after)
    before = None if one.before is None else accuracy(case, one.before)[0] - case.majority
    return Finding(
        name=f"probes/{one.name}_majority_gap",
        title=f"Accuracy of {one.title}, above the majority rate",
        value=value - case.majority,
        unit="accuracy",
        interval=(low - case.majority, high - case.majority),
        confidence=case.settings.confidence,
        n=case.sizes,
        ceiling=1 - case.majority,
        original=before,
        note=f"Up to {percent(case.settings.margin).removesuffix(' %')} points were asked for.",
    )


def _information(case: Case, one: Probed) -> Finding:
    value = one.after.information
    low, high = gain_interval(one.after.gains, one.after.folds, case.settings.confidence)
    return Finding(
        name=f"probes/{one.name}",
        title=f"Information about {case.feature}, recovered by {one.title}",
        value=value,
        unit="nats",
        interval=(low, high),
        confidence=case.settings.confidence,
        n=case.sizes,
        null=one.null,
        ceiling=case.ceiling,
        original=None if one.before is None else one.before.information,
        note=f"{bits(value)} [{bits(low)} to {bits(high)}] of {bits(case.ceiling)}: H(Z) less the "
        f"cross-entropy of probes trained anew in {case.settings.folds} folds, a lower bound on "
        "what the images tell, on average. Below 0 is the price of learning where nothing is "
        f"there. Null: {one.null.permutations} cross-fitted probes trained on shuffled groups.",
    )


def _ranking(case: Case, one: Probed) -> Finding:
    interval = None
    two = len(case.groups) == 2
    if two:
        inside, values = case.z == 1, odds(one.after, 1)
        interval = auc_interval(
            values[inside], values[~inside], confidence=case.settings.confidence
        )
    return Finding(
        name=f"probes/{one.name}_auc",
        title=f"Ranking of the groups by {one.title}",
        value=ranking(case, one.after),
        unit="AUC",
        interval=interval,
        confidence=case.settings.confidence if two else None,
        n=case.sizes,
        ceiling=1.0,
        original=None if one.before is None else ranking(case, one.before),
        note="One half is guessing."
        + ("" if two else " Mean over groups, each against all others."),
    )


def ranking(case: Case, reading: Reading) -> float:
    """Z-AUROC of out-of-fold beliefs; with several groups the mean of one against the rest."""
    areas = []
    for group in range(1 if len(case.groups) == 2 else 0, len(case.groups)):
        inside, values = case.z == group, odds(reading, group)
        areas.append(auc(values[inside], values[~inside]))
    return float(np.mean(areas))


def _change(case: Case, one: Probed, before: Reading) -> Finding:
    gains = one.after.gains - before.gains
    value = float(gains.mean())
    return Finding(
        name=f"probes/{one.name}_change",
        title=f"Information that the map added, by {one.title}",
        value=value,
        unit="nats",
        interval=gain_interval(gains, one.after.folds, case.settings.confidence),
        confidence=case.settings.confidence,
        n=case.sizes,
        note=f"{bits(value)}; negative is what it took away. Paired by image, on the same folds.",
    )


def _power(case: Case, probing: Probing) -> Finding:
    smallest = probing.smallest
    told = "; ".join(f"{size:.3g} planted, {found:.3g} found" for size, found in probing.planted)
    note = (
        f"{PLANTED} In nats: {told}. Weaker leaks of this form could not have been seen with "
        f"{len(case.z)} images, fainter or more complicated ones not at this size either."
    )
    if smallest is None:
        note += " Not even the group itself, painted on every image, was found: too few images."
    return Finding(
        name="probes/cnn_power",
        title="Smallest planted leak found by a fresh network",
        value=smallest,
        unit="nats",
        n=case.sizes,
        ceiling=case.ceiling,
        note=note,
    )


def _smallest(case: Case) -> Finding:
    return Finding(
        name="images/smallest_group",
        title="Images of the smallest group",
        value=float(case.groups.counts.min()),
        unit="rows",
        kind="exact",
        n=case.sizes,
        note=f"H(Z) is {case.ceiling:.4f} nats, {bits(case.ceiling)}: nothing can tell more.",
    )
