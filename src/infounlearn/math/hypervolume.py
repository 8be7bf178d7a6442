"""How good a whole trade-off is, as one number per fold, and whether two of them differ.

A method with a dial is a set of points (gap, utility). What it offers at a permitted gap d is the
best utility among its points with a gap of at most d, and its area is the mean of that over all d
from 0 to a limit D: the hypervolume of the points, divided by D, in the unit of the utility.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from infounlearn.errors import Problems, is_number

__all__ = ["PairedDifference", "best_utility", "frontier_area", "paired_difference"]


@dataclass(frozen=True)
class PairedDifference:
    """Mean difference of two methods over the same folds, with what folds do to its error.

    Attributes:
        mean: of first minus second.
        standard_error: sqrt of (1/J + n_test/n_train) times the sample variance: training sets of
            different folds overlap, so the plain 1/J is too small.
        interval: of the mean, by Student's t with J - 1 degrees of freedom.
        confidence: of the interval.
        folds: J.
    """

    mean: float
    standard_error: float
    interval: tuple[float, float]
    confidence: float
    folds: int


def best_utility(
    gaps: ArrayLike, utilities: ArrayLike, allowed: ArrayLike, *, constant: float
) -> np.ndarray:
    """A(d): the best utility on offer with a gap of at most d.

    Args:
        gaps: (k,) gap of each point, 0 or more.
        utilities: (k,) its utility, larger is better.
        allowed: (m,) values of d, 0 or more.
        constant: utility of the predictor that ignores its input, whose gap is 0; always on offer.

    Returns:
        (m,) best utilities, non-decreasing in d and at least ``constant``.

    Raises:
        InputError: shapes differ, or a number is not finite or a gap is negative.
    """
    left, height = _staircase(gaps, utilities, constant, "best_utility")
    asked = np.asarray(allowed, dtype=np.float64)
    problems = Problems("best_utility")
    problems.require(
        bool((asked >= 0).all()), "allowed holds a negative number or NaN", fix="pass 0 or more"
    )
    problems.raise_if_any()
    best: np.ndarray = height[np.searchsorted(left, asked, side="right") - 1]
    return best


def frontier_area(
    gaps: ArrayLike,
    utilities: ArrayLike,
    *,
    limit: float,
    constant: float,
    mixtures: bool = False,
) -> float:
    """(1/D) ∫₀ᴰ A(d) dd, exactly: A is a staircase, or with mixtures its concave majorant.

    Args:
        gaps: (k,) gap of each point, 0 or more.
        utilities: (k,) its utility, larger is better.
        limit: D, for example the gap of the plain model.
        constant: utility of the predictor that ignores its input (see :func:`best_utility`).
        mixtures: also on offer are coins between two points, or one and the constant predictor.
            Their utility is the mean of both, and their gap at most that (for gaps that are convex,
            as all differences of rates and distances of laws are).

    Raises:
        InputError: as :func:`best_utility`; or the limit is not a positive number.
    """
    problems = Problems("frontier_area")
    problems.require(
        is_number(limit) and limit > 0, f"limit is {limit!r}", fix="pass a positive number"
    )
    problems.raise_if_any()
    left, height = _staircase(gaps, utilities, constant, "frontier_area")
    if mixtures:
        from scipy.integrate import trapezoid

        at, corners = _majorant(left, height)
        inside = np.append(at[at < limit], limit)
        return float(trapezoid(np.interp(inside, at, corners), inside) / limit)
    edges = np.append(np.minimum(left, limit), limit)
    return float(height @ np.diff(edges) / limit)


def paired_difference(
    first: ArrayLike,
    second: ArrayLike,
    *,
    test_to_train: float,
    confidence: float = 0.95,
) -> PairedDifference:
    """Whether the first method is better than the second over the same folds.

    Args:
        first: (J,) areas (or other figures) of one method, fold by fold.
        second: (J,) of the other, on the same folds in the same order.
        test_to_train: n_test / n_train of a fold: 1/4 for five folds.
        confidence: of the interval.

    Raises:
        InputError: fewer than two folds, lengths that differ, a number that is not finite, or a
            ratio or confidence out of range.

    References:
        Nadeau & Bengio (2003), Machine Learning 52: the variance of a cross-validated mean.
    """
    a, b = (np.asarray(values, dtype=np.float64) for values in (first, second))
    problems = Problems("paired_difference")
    if problems.require(
        a.ndim == 1 and a.shape == b.shape and len(a) >= 2,
        f"first has shape {a.shape}, second {b.shape}",
        fix="pass one number per fold, of two or more folds",
    ):
        problems.require(
            bool(np.isfinite(a).all() and np.isfinite(b).all()),
            "a number is not finite",
            fix="leave out methods that failed on a fold",
        )
    problems.require(
        is_number(test_to_train) and test_to_train > 0,
        f"test_to_train is {test_to_train!r}",
        fix="pass n_test / n_train",
    )
    problems.require(
        is_number(confidence) and 0 < confidence < 1,
        f"confidence is {confidence!r}",
        fix="pass a number between 0 and 1",
    )
    problems.raise_if_any()
    from scipy.stats import t as student

    difference, folds = a - b, len(a)
    mean = float(difference.mean())
    error = math.sqrt((1 / folds + test_to_train) * float(difference.var(ddof=1)))
    reach = float(student.ppf((1 + confidence) / 2, folds - 1)) * error
    return PairedDifference(mean, error, (mean - reach, mean + reach), confidence, folds)


def _majorant(left: np.ndarray, height: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Corners of the least concave function above a rising staircase, which ends flat."""
    corners: list[tuple[float, float]] = []
    for x, y in zip(left.tolist(), height.tolist(), strict=True):
        while corners and (corners[-1][0] == x or _below(corners, x, y)):
            corners.pop()
        corners.append((x, y))
    at, top = np.array(corners).T
    return at, top


def _below(corners: list[tuple[float, float]], x: float, y: float) -> bool:
    """Whether the last corner is on or below the line from the one before it to (x, y)."""
    if len(corners) < 2:
        return False
    (first, low), (last, high) = corners[-2:]
    return (high - low) * (x - first) <= (y - low) * (last - first)


def _staircase(
    gaps: ArrayLike, utilities: ArrayLike, constant: float, where: str
) -> tuple[np.ndarray, np.ndarray]:
    """Ascending left ends of the steps, the first 0, and the height of each."""
    x, y = (np.asarray(values, dtype=np.float64) for values in (gaps, utilities))
    problems = Problems(where)
    if problems.require(
        x.ndim == 1 and x.shape == y.shape,
        f"gaps have shape {x.shape}, utilities {y.shape}",
        fix="pass one of each per point",
    ):
        problems.require(
            bool(np.isfinite(x).all() and np.isfinite(y).all() and (x >= 0).all()),
            "a gap is negative, or a number is not finite",
            fix="leave out points that failed",
        )
    problems.require(is_number(constant), f"constant is {constant!r}", fix="pass a finite number")
    problems.raise_if_any()
    order: Sequence[int] | np.ndarray = np.argsort(x, kind="stable")
    left = np.concatenate([[0.0], x[order]])
    height = np.maximum.accumulate(np.concatenate([[float(constant)], y[order]]))
    return left, height
