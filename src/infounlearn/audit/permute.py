"""Fast permutation forms: shuffling who is "forget" needs only sums over random subsets."""

from __future__ import annotations

import numpy as np
from scipy import stats

from infounlearn.interface import Null


def end_scores(values: np.ndarray) -> np.ndarray:
    """(n, 2) Savage scores minus one, of high and of low ranks; ties share their mean.

    The i-th smallest of n values has 1/n + ... + 1/(n-i+1): the mean of the i-th smallest of n unit
    exponentials. A few values at one end count much, where an AUC would hardly move. Savage (1956).
    """
    n = len(values)
    ladder = np.cumsum(1 / np.arange(n, 0, -1.0)) - 1
    total = np.concatenate([[0.0], np.cumsum(ladder)])
    low, high = (stats.rankdata(values, kind).astype(int) for kind in ("min", "max"))
    up = (total[high] - total[low - 1]) / (high - low + 1)
    down = (total[n + 1 - low] - total[n - high]) / (high - low + 1)
    return np.stack([up, down], axis=1)


def subset_sums(rows: np.ndarray, size: int, draws: int, rng: np.random.Generator) -> np.ndarray:
    """(draws, k) sums over random subsets of ``size`` of the rows (n, k), without replacement.

    One statistic of shuffled groups is a function of such sums alone (the other group is what is
    left), so that a permutation costs one gather instead of a pass over all records.
    """
    n = len(rows)
    total = rows.sum(axis=0)
    small = min(size, n - size)
    sums = np.empty((draws, rows.shape[1]))
    for draw in range(draws):
        picked = rng.choice(n, small, replace=False, shuffle=False)
        sums[draw] = rows[picked].sum(axis=0)
    return sums if small == size else total - sums


def summarise(
    observed: float,
    shuffled: np.ndarray,
    *,
    two_sided_about: float | None = None,
    rounding: float = 1e-20,
) -> Null:
    """:class:`Null` of shuffled statistics (draws,); p is never zero.

    With ``two_sided_about`` the p-value counts deviations from it of either sign. Statistics no
    more than ``rounding`` apart are ties: information has the square of the rounding of its laws.
    """
    seen, null = observed, shuffled
    if two_sided_about is not None:
        seen, null = abs(observed - two_sided_about), np.abs(shuffled - two_sided_about)
    # Ties must count although a shuffled sum is added up in another order: allow for rounding.
    slack = 1e-12 * abs(seen) + rounding
    reached = int((null >= seen - slack).sum())
    return Null(
        mean=float(shuffled.mean()),
        quantile95=float(np.quantile(shuffled, 0.95)),
        p_value=(reached + 1) / (len(shuffled) + 1),
        permutations=len(shuffled),
    )
