"""Fast permutation forms: shuffling who is "forget" needs only sums over random subsets."""

from __future__ import annotations

import numpy as np

from infounlearn.interface import Null


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
    observed: float, shuffled: np.ndarray, *, two_sided_about: float | None = None
) -> Null:
    """:class:`Null` of shuffled statistics (draws,); p is never zero.

    With ``two_sided_about`` the p-value counts deviations from it of either sign.
    """
    seen, null = observed, shuffled
    if two_sided_about is not None:
        seen, null = abs(observed - two_sided_about), np.abs(shuffled - two_sided_about)
    # Ties must count although a shuffled sum is added up in another order: allow for rounding.
    slack = 1e-12 * max(abs(seen), 1e-12)
    reached = int((null >= seen - slack).sum())
    return Null(
        mean=float(shuffled.mean()),
        quantile95=float(np.quantile(shuffled, 0.95)),
        p_value=(reached + 1) / (len(shuffled) + 1),
        permutations=len(shuffled),
    )
