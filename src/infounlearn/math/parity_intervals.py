"""Confidence intervals of parity gaps, for a decider fixed before these rows were seen.

A gap is a maximum over pairs of groups (and outcomes, and classes), so its plug-in value is biased
upwards and a bootstrap of it undercovers near 0. Here every rate gets its own interval, at levels
that hold for all of them at once (Bonferroni), and the gap is enclosed by what they allow:

    max(0, max L_a - U_b)  <=  gap  <=  max U_a - L_b   over a != b,

which is true on the event that all intervals hold, hence with at least the stated confidence.

``exact``: Clopper & Pearson (1934) for labels; for probabilities of decisions the Chernoff bound of
Hoeffding (1963, theorem 1), n kl(mean, p) <= ln(2/a), valid for means of any variables in [0, 1].
Certified: holds at every n, given the number of rows in each cell, for independent rows (no person
in several of them). ``newcombe``: the hybrid score interval of each
difference (Newcombe 1998, method 10), Bonferroni over differences. Shorter, but asymptotic:
measured. For probabilities it is conservative, their variance being at most p(1-p).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy import special, stats

from infounlearn.errors import Problems
from infounlearn.math.intervals import clopper_pearson
from infounlearn.math.line_laws import checked
from infounlearn.math.parity import (
    decision_table,
    group_codes,
    ks_distance,
    mean_by,
)

__all__ = [
    "GapInterval",
    "demographic_parity_interval",
    "equalized_odds_interval",
    "ks_interval",
]

Method = Literal["exact", "newcombe"]


@dataclass(frozen=True)
class GapInterval:
    """A gap between groups on fresh rows, and where the gap of the population lies.

    Attributes:
        value: gap of the rows passed.
        low: lower end, at least 0.
        high: upper end, at most 1.
        confidence: probability that [low, high] holds the gap of the population.
        certified: whether that is proved at every sample size; else it is measured.
        smallest: number of rows in the smallest cell (group, or class and group) compared.
    """

    value: float
    low: float
    high: float
    confidence: float
    certified: bool
    smallest: int


def demographic_parity_interval(
    decisions: ArrayLike, z: ArrayLike, *, confidence: float = 0.95, method: Method = "exact"
) -> GapInterval:
    """Interval of the demographic parity difference; see the module for methods.

    Args:
        decisions: (n,) labels, or (n, K) probabilities of each decision.
        z: (n,) group of each row.
        confidence: two-sided level. For an upper bound at level 1 - a pass 1 - a: it is valid,
            and conservative.
        method: "exact" (certified) or "newcombe" (measured).

    Raises:
        InputError: as :func:`infounlearn.math.parity.decision_rates`, or an unknown setting.
    """
    problems = Problems("parity interval")
    table = decision_table(problems, decisions)
    names, codes = group_codes(problems, z, len(table))
    _check(problems, confidence, method)
    problems.raise_if_any()
    return _enclose([mean_by(table, codes, len(names))], _binary(decisions), confidence, method)


def equalized_odds_interval(
    decisions: ArrayLike,
    z: ArrayLike,
    y: ArrayLike,
    *,
    confidence: float = 0.95,
    method: Method = "exact",
) -> GapInterval:
    """Interval of the equalized odds difference: a rate for each class, group and outcome.

    A group without a row of some class has no rate there in the value; in the interval that rate
    may be anything, since the population may well have such rows. Drop the class where it cannot.

    Args:
        decisions: (n,) labels, or (n, K) probabilities of each decision.
        z: (n,) group of each row.
        y: (n,) true class of each row.
        confidence: two-sided level.
        method: as in :func:`demographic_parity_interval`.

    Raises:
        InputError: as :func:`demographic_parity_interval`.
    """
    problems = Problems("odds interval")
    table = decision_table(problems, decisions)
    names, codes = group_codes(problems, z, len(table))
    classes, truth = group_codes(problems, y, len(table), "y")
    _check(problems, confidence, method)
    problems.raise_if_any()
    cells = [
        mean_by(table[truth == number], codes[truth == number], len(names))
        for number in range(len(classes))
    ]
    return _enclose(cells, _binary(decisions), confidence, method)


def ks_interval(scores: ArrayLike, z: ArrayLike, *, confidence: float = 0.95) -> GapInterval:
    """Interval of the largest Kolmogorov distance between groups; certified.

    Every group's distribution function lies within e_z = sqrt(ln(2m/a)/(2n_z)) of its empirical
    one, all at once (Massart 1990, and Bonferroni), so that the distance of a pair moves by at most
    e_a + e_b.

    Args:
        scores: (n,) finite numbers.
        z: (n,) group of each row.
        confidence: two-sided level.

    Raises:
        InputError: as :func:`infounlearn.math.parity.ks_distance`, or a bad confidence.
    """
    problems = Problems("ks interval")
    _check(problems, confidence, "exact")
    values, labels = checked(problems, scores, z)
    problems.raise_if_any()
    value = ks_distance(values, labels)
    names, codes, sizes = np.unique(labels, return_inverse=True, return_counts=True)
    half = np.sqrt(np.log(2 * len(names) / (1 - confidence)) / (2 * sizes))
    low = high = 0.0
    for a, b in combinations(range(len(names)), 2):
        pair = (codes == a) | (codes == b)
        apart = value if len(names) == 2 else ks_distance(values[pair], labels[pair])
        low = max(low, apart - half[a] - half[b])
        high = max(high, apart + half[a] + half[b])
    return GapInterval(value, float(low), float(min(high, 1.0)), confidence, True, int(sizes.min()))


def _enclose(
    cells: list[tuple[np.ndarray, np.ndarray]], hard: bool, confidence: float, method: Method
) -> GapInterval:
    """Interval of the largest gap within any class, from its groups' rates and sizes."""
    certified = method == "exact"
    # The rate of the second of two outcomes is 1 minus that of the first: one interval for both.
    cells = [(rates[:, :1] if rates.shape[1] == 2 else rates, sizes) for rates, sizes in cells]
    smallest = min(int(sizes.min()) for _, sizes in cells)
    if len(cells[0][1]) < 2:
        return GapInterval(0.0, 0.0, 0.0, confidence, certified, smallest)
    # A cell without rows is known to lie in [0, 1], which needs no share of the error.
    held = [(rates, sizes, sizes > 0) for rates, sizes in cells]
    count = sum(rates[full].size for rates, _, full in held)
    pairs = sum(rates.shape[1] * full.sum() * (full.sum() - 1) // 2 for rates, _, full in held)
    miss = (1 - confidence) / max(count if certified else pairs, 1)
    value = low = high = 0.0
    for rates, sizes, full in held:
        lower, upper = np.zeros(rates.shape), np.ones(rates.shape)
        bound = (_exact if hard else _chernoff) if certified else _wilson
        lower[full], upper[full] = bound(rates[full], sizes[full, None], miss)
        value = max(value, float(np.ptp(rates[full], axis=0).max()))
        for a, b in combinations(range(len(sizes)), 2):
            if certified or not (full[a] and full[b]):
                down, up = lower[a] - upper[b], upper[a] - lower[b]
            else:
                apart = rates[a] - rates[b]
                down = apart - np.hypot(rates[a] - lower[a], upper[b] - rates[b])
                up = apart + np.hypot(upper[a] - rates[a], rates[b] - lower[b])
            low = max(low, float(down.max()), float((-up).max()))
            high = max(high, float(up.max()), float((-down).max()))
    return GapInterval(value, low, min(high, 1.0), confidence, certified, smallest)


def _exact(rates: np.ndarray, sizes: np.ndarray, miss: float) -> tuple[np.ndarray, np.ndarray]:
    # Rates of labels are whole counts over the size.
    return clopper_pearson(np.rint(rates * sizes).astype(np.int64), sizes, 1 - miss)


def _chernoff(rates: np.ndarray, sizes: np.ndarray, miss: float) -> tuple[np.ndarray, np.ndarray]:
    """All p with n kl(rate, p) <= ln(2/miss), by bisection from outside: ends are conservative."""
    allowed = np.log(2 / miss) / sizes
    ends = []
    for outer in (np.zeros_like(rates), np.ones_like(rates)):
        inner = rates.copy()
        for _ in range(60):
            middle = (inner + outer) / 2
            far = special.rel_entr(rates, middle) + special.rel_entr(1 - rates, 1 - middle)
            inside = far <= allowed
            inner = np.where(inside, middle, inner)
            outer = np.where(inside, outer, middle)
        ends.append(outer)
    return ends[0], ends[1]


def _wilson(rates: np.ndarray, sizes: np.ndarray, miss: float) -> tuple[np.ndarray, np.ndarray]:
    """Score interval of a proportion (Wilson 1927)."""
    q = stats.norm.isf(miss / 2)
    center = (rates + q**2 / (2 * sizes)) / (1 + q**2 / sizes)
    half = q / (1 + q**2 / sizes) * np.sqrt(rates * (1 - rates) / sizes + (q / (2 * sizes)) ** 2)
    # The rate lies inside but for rounding, which must not turn a length negative.
    return np.minimum(center - half, rates), np.maximum(center + half, rates)


def _binary(decisions: ArrayLike) -> bool:
    """Whether every row is one certain decision, so that counts are whole."""
    given = np.asarray(decisions)
    return given.ndim == 1 or bool(((given == 0) | (given == 1)).all())


def _check(problems: Problems, confidence: float, method: str) -> None:
    fits = isinstance(confidence, float) and 0.0 < confidence < 1.0
    problems.require(fits, f"confidence is {confidence!r}", fix="pass a level such as 0.95")
    problems.require(
        method in ("exact", "newcombe"), f"method is {method!r}", fix="pass 'exact' or 'newcombe'"
    )
