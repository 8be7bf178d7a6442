"""How well a score tells members from non-members: ROC, AUC, low false-positive operating points.

A score is large where membership is suspected; ``positive`` holds the scores of members (forget
records), ``negative`` those of non-members (held-out records). Ties count one half throughout.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import special, stats

from infounlearn.errors import Problems
from infounlearn.math.intervals import as_vector, check_confidence, clopper_pearson

__all__ = ["OperatingPoint", "auc", "auc_interval", "roc_curve", "tpr_at_fpr"]


@dataclass(frozen=True)
class OperatingPoint:
    """True-positive rate of an attack at a low false-positive rate.

    Attributes:
        tpr: share of positives above the threshold.
        interval: Clopper-Pearson interval of the true-positive rate *of this threshold*. It is
            exact: the threshold was chosen on the negatives alone.
        fpr: false-positive rate asked for.
        fpr_interval: interval of the threshold's own false-positive rate, Beta law of order
            statistics; its upper end also holds with ties.
        threshold: a record is called a member where its score is strictly above this value.
        resolved: whether the negatives are numerous enough to see this rate (n_negative fpr >= 1).
        confidence: level of both intervals, each on its own.
        n_positive, n_negative: sample sizes.
    """

    tpr: float
    interval: tuple[float, float]
    fpr: float
    fpr_interval: tuple[float, float]
    threshold: float
    resolved: bool
    confidence: float
    n_positive: int
    n_negative: int


def _two_samples(where: str, positive: object, negative: object) -> tuple[np.ndarray, np.ndarray]:
    problems = Problems(where)
    both = tuple(
        as_vector(problems, name, values)
        for name, values in (("positive", positive), ("negative", negative))
    )
    problems.raise_if_any()
    return both[0], both[1]


def auc(positive: object, negative: object) -> float:
    """Area under the ROC curve: P(positive > negative) + P(tie) / 2, by midranks.

    Args:
        positive: (n1,) scores of members.
        negative: (n0,) scores of non-members.
    Raises:
        InputError: a sample is empty, not one-dimensional or not finite.
    References:
        Mann & Whitney (1947).
    """
    pos, neg = _two_samples("auc", positive, negative)
    return float(_placements(pos, neg)[0].mean())


def _placements(pos: np.ndarray, neg: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Share of negatives below each positive, and of positives above each negative."""
    ordered_pos, ordered_neg = np.sort(pos), np.sort(neg)
    below = np.searchsorted(ordered_neg, pos, "left") + np.searchsorted(ordered_neg, pos, "right")
    under = np.searchsorted(ordered_pos, neg, "left") + np.searchsorted(ordered_pos, neg, "right")
    return below / (2 * len(neg)), 1 - under / (2 * len(pos))


def auc_interval(
    positive: object, negative: object, *, confidence: float = 0.95
) -> tuple[float, float]:
    """Interval of the AUC: DeLong's variance, read as a Wilson interval.

    DeLong's variance V needs no model of the scores, but A ± z√V has zero width when the samples
    separate and poor coverage near it. We turn V into the sample size ν = A(1-A)/V of a proportion
    and return Wilson's interval. ν stays between its value at the largest variance there is,
    min(n1, n0) (Birnbaum & Klose 1957), and 3 n1 n0/(n1 + n0 + 1), its value when nothing is
    there; at A in {0, 1} or V = 0 the cautious end is used.

    Args:
        positive: (n1,) scores of members; records must be independent.
        negative: (n0,) scores of non-members.
        confidence: two-sided level; asymptotic, not a certified bound.
    Raises:
        InputError: bad samples or confidence.
    References:
        DeLong, DeLong & Clarke-Pearson (1988); Wilson (1927).
    """
    check_confidence("auc_interval", confidence)
    pos, neg = _two_samples("auc_interval", positive, negative)
    above, below = _placements(pos, neg)
    area, n1, n0 = float(above.mean()), len(pos), len(neg)
    cautious = float(min(n1, n0))
    variance = _variance(above) / n1 + _variance(below) / n0
    size = cautious
    if variance > 0 and 0 < area < 1:
        widest = max(cautious, 3 * n1 * n0 / (n1 + n0 + 1))
        size = min(max(area * (1 - area) / variance, cautious), widest)
    z2 = special.ndtri((1 + confidence) / 2) ** 2
    centre = (area + z2 / (2 * size)) / (1 + z2 / size)
    half = np.sqrt(z2 * area * (1 - area) / size + z2**2 / (4 * size**2)) / (1 + z2 / size)
    return float(max(0.0, centre - half)), float(min(1.0, centre + half))


def _variance(values: np.ndarray) -> float:
    return float(values.var(ddof=1)) if len(values) > 1 else 0.25


def roc_curve(
    positive: object, negative: object, *, points: int | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """ROC curve: (false-positive rate, true-positive rate, threshold), from (0, 0) to (1, 1).

    Args:
        positive: (n1,) scores of members.
        negative: (n0,) scores of non-members.
        points: keep at most about this many corners, spread over the logarithm of the
            false-positive rate (what a log-log drawing shows); None keeps all.
    Returns:
        Three float arrays of equal length; a record is called a member where its score is >= the
        threshold, the first threshold is infinite.
    Raises:
        InputError: bad samples or ``points`` below 2.
    """
    pos, neg = _two_samples("roc_curve", positive, negative)
    problems = Problems("roc_curve")
    problems.require(
        points is None or points >= 2, f"points is {points}", fix="pass at least 2, or None"
    )
    problems.raise_if_any()
    thresholds = np.concatenate([[np.inf], np.unique(np.concatenate([pos, neg]))[::-1]])
    tpr = (len(pos) - np.searchsorted(np.sort(pos), thresholds, "left")) / len(pos)
    fpr = (len(neg) - np.searchsorted(np.sort(neg), thresholds, "left")) / len(neg)
    if points is not None and len(fpr) > points:
        place = np.log(np.maximum(fpr, 0.5 / len(neg)))
        wanted = np.linspace(place[0], place[-1], points)
        keep = np.searchsorted(place, wanted, "right") - 1
        keep = np.unique(np.concatenate([[0], keep, [len(fpr) - 1]]))
        tpr, fpr, thresholds = tpr[keep], fpr[keep], thresholds[keep]
    return fpr, tpr, thresholds


def tpr_at_fpr(
    positive: object, negative: object, fpr: float, *, confidence: float = 0.95
) -> OperatingPoint:
    """True-positive rate at a false-positive rate, with the threshold's uncertainty stated.

    The threshold is the lowest score of a negative that leaves at most a share ``fpr`` of the
    negatives strictly above it. It is chosen on the negatives alone, so that the Clopper-Pearson
    interval of its true-positive rate is exact; how far its own false-positive rate may lie from
    the one asked for is told by ``fpr_interval``.

    Args:
        positive: (n1,) scores of members.
        negative: (n0,) scores of non-members.
        fpr: rate in (0, 1).
        confidence: level of each interval.
    Raises:
        InputError: bad samples, rate or confidence.
    References:
        Carlini et al. (2022) for the quantity; David & Nagaraja (2003) for order statistics.
    """
    check_confidence("tpr_at_fpr", confidence)
    pos, neg = _two_samples("tpr_at_fpr", positive, negative)
    problems = Problems("tpr_at_fpr")
    problems.require(
        0 < fpr < 1, f"fpr is {fpr}", fix="pass a rate strictly between 0 and 1, such as 0.01"
    )
    problems.raise_if_any()
    # floor() with a guard: 0.001 * 1000 is exactly 1, but 0.07 * 100 is 7.000000000000001.
    allowed = min(int(np.floor(fpr * len(neg) * (1 + 1e-12))), len(neg) - 1)
    threshold = float(np.sort(neg)[len(neg) - 1 - allowed])
    hits = int(np.count_nonzero(pos > threshold))
    tail = (1 - confidence) / 2
    law = stats.beta(allowed + 1, len(neg) - allowed)
    low, high = clopper_pearson(hits, len(pos), confidence)
    return OperatingPoint(
        tpr=hits / len(pos),
        interval=(float(low), float(high)),
        fpr=float(fpr),
        fpr_interval=(float(law.ppf(tail)), float(law.ppf(1 - tail))),
        threshold=threshold,
        resolved=bool(fpr * len(neg) * (1 + 1e-12) >= 1),
        confidence=confidence,
        n_positive=len(pos),
        n_negative=len(neg),
    )
