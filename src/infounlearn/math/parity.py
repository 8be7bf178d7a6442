"""Gaps between groups: of decisions (demographic parity, equalized odds) and of score laws.

Names and meaning are fairlearn's. Decisions are labels, or per row the probability of each decision
(a randomised decider): gaps are then those of the expected rates, free of the noise of one draw.
With more than two outcomes a gap is the largest over the outcomes; with two this is the usual one.

A gap compares the groups that are present. One group alone, or a class that one group alone has,
compares nothing and counts 0: a gap of 0 is no evidence without the counts beside it. These are
numbers of the rows passed; intervals are in :mod:`infounlearn.math.parity_intervals`.
"""

from __future__ import annotations

from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike

from infounlearn.errors import Problems
from infounlearn.math.line_laws import checked, family

__all__ = [
    "decision_rates",
    "demographic_parity_difference",
    "equal_opportunity_difference",
    "equalized_odds_difference",
    "ks_distance",
    "wasserstein_gap",
]


def decision_rates(decisions: ArrayLike, z: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """P(decision = k | Z = z), the expected rate of each decision in each group.

    Args:
        decisions: (n,) labels, or (n, K) probabilities of each decision whose rows sum to 1.
        z: (n,) group of each row: truth values, integers, finite numbers or texts.

    Returns:
        (m,) names of the groups, sorted, and (m, K) rates; columns are the sorted labels, or the
        columns passed.

    Raises:
        InputError: no rows, lengths differ, labels missing, or rows that are no distributions.
    """
    problems = Problems("decision rates")
    table = decision_table(problems, decisions)
    names, codes = group_codes(problems, z, len(table))
    problems.raise_if_any()
    return names, mean_by(table, codes, len(names))[0]


def demographic_parity_difference(decisions: ArrayLike, z: ArrayLike) -> float:
    """max_k (max_z - min_z) P(decision = k | Z = z), in [0, 1].

    Args:
        decisions: (n,) labels, or (n, K) probabilities of each decision.
        z: (n,) group of each row.

    Raises:
        InputError: as :func:`decision_rates`.
    """
    _, rates = decision_rates(decisions, z)
    return float(np.ptp(rates, axis=0).max())


def equalized_odds_difference(decisions: ArrayLike, z: ArrayLike, y: ArrayLike) -> float:
    """max_y max_k (max_z - min_z) P(decision = k | Y = y, Z = z), in [0, 1].

    With two outcomes this is the larger of the gaps in true and in false positive rate.

    Args:
        decisions: (n,) labels, or (n, K) probabilities of each decision.
        z: (n,) group of each row.
        y: (n,) true class of each row.

    Raises:
        InputError: as :func:`decision_rates`; y of another length or with missing labels.
    """
    table, codes, classes, truth, names = _with_truth(decisions, z, y)
    gaps = [
        np.ptp(_present(table, codes, truth == number, len(names)), axis=0).max()
        for number in range(len(classes))
    ]
    return float(max(gaps))


def equal_opportunity_difference(
    decisions: ArrayLike, z: ArrayLike, y: ArrayLike, *, positive: object = None
) -> float:
    """(max_z - min_z) P(decision = positive | Y = positive, Z = z), in [0, 1].

    Args:
        decisions: (n,) labels, or (n, K) probabilities of each decision, whose columns are then
            the sorted classes of y.
        z: (n,) group of each row.
        y: (n,) true class of each row.
        positive: the class that is the opportunity; by default the last of two sorted classes.

    Raises:
        InputError: as :func:`equalized_odds_difference`; decisions and classes that cannot be
            matched; ``positive`` is no class, or is not passed with more than two classes.
    """
    table, codes, classes, truth, names = _with_truth(decisions, z, y)
    problems = Problems("equal opportunity")
    known = classes.tolist()
    if positive is None:
        problems.require(
            len(known) == 2,
            f"there are {len(known)} classes",
            fix="pass positive=, the class that is the opportunity",
        )
        positive = known[-1]
    found = problems.require(
        positive in known, f"positive is {positive!r}", fix=f"pass one of {known[:9]}"
    )
    hard = np.ndim(decisions) == 1
    labels = np.unique(np.asarray(decisions)) if hard else classes
    problems.require(
        hard or table.shape[1] == len(known),
        f"{table.shape[1]} columns of decisions for {len(known)} classes",
        fix="pass one column per sorted class of y",
    )
    problems.require(
        not hard or family(labels) == family(classes),
        f"decisions are {labels.dtype}, classes {classes.dtype}",
        fix="use labels of one type",
    )
    problems.raise_if_any()
    column = np.flatnonzero(labels == positive)
    if not found or not len(column):
        return 0.0
    own = _present(table, codes, truth == known.index(positive), len(names))
    return float(np.ptp(own[:, column[0]]))


def ks_distance(scores: ArrayLike, z: ArrayLike) -> float:
    """Largest Kolmogorov distance sup_s |F_a(s) - F_b(s)| over pairs of groups, in [0, 1].

    It bounds the demographic parity difference of every threshold. O(n (log n + m)).

    Args:
        scores: (n,) finite numbers.
        z: (n,) group of each row.

    Raises:
        InputError: no rows, lengths differ, scores not finite, or labels missing.
    """
    values, codes, count = _scored("ks distance", scores, z)
    order = np.argsort(values, kind="stable")
    ordered, owner = values[order], codes[order]
    ends = np.flatnonzero(np.concatenate((ordered[1:] != ordered[:-1], [True])))
    high = np.zeros(len(ends))
    low = np.ones(len(ends))
    for number in range(count):
        # The largest gap over pairs is that of the highest and the lowest function at one place.
        below = np.cumsum(owner == number)
        share = below[ends] / below[-1]
        np.maximum(high, share, out=high)
        np.minimum(low, share, out=low)
    return float((high - low).max())


def wasserstein_gap(scores: ArrayLike, z: ArrayLike) -> float:
    """Largest Wasserstein-1 distance ∫ |F_a - F_b| ds over pairs of groups, in units of the score.

    Args:
        scores: (n,) finite numbers.
        z: (n,) group of each row.

    Raises:
        InputError: as :func:`ks_distance`.
    """
    values, codes, count = _scored("wasserstein gap", scores, z)
    laws = [np.sort(values[codes == number]) for number in range(count)]
    largest = 0.0
    for first, second in combinations(laws, 2):
        grid = np.sort(np.concatenate((first, second)), kind="stable")
        own = np.searchsorted(first, grid[:-1], side="right") / len(first)
        other = np.searchsorted(second, grid[:-1], side="right") / len(second)
        largest = max(largest, float(np.abs(own - other) @ np.diff(grid)))
    return largest


def decision_table(problems: Problems, decisions: ArrayLike) -> np.ndarray:
    """(n, K) probabilities; labels become rows of 0 and 1."""
    given = np.asarray(decisions)
    if given.ndim == 2:
        fits = given.dtype.kind in "biuf" and given.size > 0
        table = given.astype(np.float64) if fits else np.empty((0, 1))
        # Rows of float32 probabilities miss 1 by a few units of their last place per class.
        fits = fits and bool((table >= 0).all()) and bool((abs(table.sum(1) - 1) < 1e-5).all())
        problems.require(
            fits,
            f"decisions of shape {given.shape} and type {given.dtype} are no probabilities",
            fix="pass (n, K) numbers >= 0 whose rows sum to 1",
        )
        return table if fits else np.empty((0, 1))
    labels = _labels(problems, given, "decisions")
    whole = labels.dtype.kind != "f" or bool((labels == np.floor(labels)).all())
    problems.require(
        whole,
        "decisions are fractions",
        fix="pass labels, or (n, K) probabilities such as np.column_stack((1 - p, p))",
    )
    names, codes = np.unique(labels, return_inverse=True)
    return (codes[:, None] == np.arange(max(len(names), 1))).astype(np.float64)


def group_codes(
    problems: Problems, z: ArrayLike, size: int, name: str = "z"
) -> tuple[np.ndarray, np.ndarray]:
    """Sorted names of the groups and the number of each row's group."""
    labels = _labels(problems, np.asarray(z), name)
    problems.require(
        bool(problems.found) or len(labels) == size,
        f"{name} has {len(labels)} rows, decisions {size}",
        fix="pass one label per row",
    )
    names, codes = np.unique(labels, return_inverse=True)
    return names, codes


def mean_by(table: np.ndarray, codes: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """(m, K) mean rows of each group (NaN where it is empty) and (m,) sizes."""
    sizes = np.bincount(codes, minlength=count)
    sums = np.stack([np.bincount(codes, column, count) for column in table.T], axis=1)
    means = np.full(sums.shape, np.nan)
    np.divide(sums, sizes[:, None], out=means, where=sizes[:, None] > 0)
    return means, sizes


def _labels(problems: Problems, values: np.ndarray, name: str) -> np.ndarray:
    own = Problems(name)
    _, labels = checked(own, np.zeros(values.shape[0] if values.ndim else 0), values)
    own.require(labels.ndim != 1 or len(labels) > 0, "there are no rows", fix="pass some rows")
    for problem in own.found:
        problems.found.append(problem.replace("groups", name, 1))
    return labels if not own.found else np.zeros(0, dtype=np.int64)


def _present(table: np.ndarray, codes: np.ndarray, kept: np.ndarray, count: int) -> np.ndarray:
    """Rates of the groups that have rows among those kept."""
    means, sizes = mean_by(table[kept], codes[kept], count)
    return means[sizes > 0]


def _with_truth(
    decisions: ArrayLike, z: ArrayLike, y: ArrayLike
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    problems = Problems("equalized odds")
    table = decision_table(problems, decisions)
    names, codes = group_codes(problems, z, len(table))
    classes, truth = group_codes(problems, y, len(table), "y")
    problems.raise_if_any()
    return table, codes, classes, truth, names


def _scored(where: str, scores: ArrayLike, z: ArrayLike) -> tuple[np.ndarray, np.ndarray, int]:
    problems = Problems(where)
    values, labels = checked(problems, scores, z)
    problems.require(len(values) > 0 or bool(problems.found), "there are no rows", fix="pass some")
    problems.raise_if_any()
    names, codes = np.unique(labels, return_inverse=True)
    return values, codes, len(names)
