"""Intervals and nulls of cross-validated information."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import special, stats

from infounlearn.interface import Null


def deviation(gains: np.ndarray, folds: np.ndarray, confidence: float) -> float:
    """Half width of the interval of a mean of out-of-fold gains.

    Rows give the normal interval for the probes as they were trained (Bayle et al. 2020); folds,
    as clusters, Student's, which also sees that each fold's probe learned from other rows. The
    wider of the two. Both are asymptotic: training sets overlap, so neither is exact.
    """
    rows = special.ndtri((1 + confidence) / 2) * gains.std(ddof=1) / np.sqrt(len(gains))
    means = np.array([gains[folds == fold].mean() for fold in np.unique(folds)])
    if len(means) < 2:
        return float(rows)
    student = stats.t.ppf((1 + confidence) / 2, len(means) - 1)
    return float(max(rows, student * means.std(ddof=1) / np.sqrt(len(means))))


def gain_interval(gains: np.ndarray, folds: np.ndarray, confidence: float) -> tuple[float, float]:
    """Interval of the mean of ``gains`` (n,), each measured in one of ``folds`` (n,)."""
    mean, half = float(gains.mean()), deviation(gains, folds, confidence)
    return mean - half, mean + half


def null_of(observed: float, shuffled: Sequence[float]) -> Null:
    """Permutation law of a statistic; p is never below 1/(B + 1)."""
    values = np.array(shuffled)
    return Null(
        mean=float(values.mean()),
        quantile95=float(np.quantile(values, 0.95, method="higher")),
        p_value=(int((values >= observed).sum()) + 1) / (len(values) + 1),
        permutations=len(values),
    )
