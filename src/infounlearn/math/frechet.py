"""Fréchet distance of two sets of feature rows: W2² of the Gaussians fitted to them.

    d² = |m₀ - m₁|² + tr C₀ + tr C₁ - 2 tr (C₀^½ C₁ C₀^½)^½        (Dowson & Landau 1982)

On images of one set it is known by the features it was computed from: with a pooling layer of one
Inception network it is the FID (Heusel et al. 2017), with any others it is not. By Gelbrich (1990)
it is a lower bound of W2² of the two laws of features, whatever these are.

C = F Fᵀ is taken from the centred rows themselves, F from their QR factor, and the second term is
‖F₀ - F₁ Q‖², Q the polar factor of F₁ᵀ F₀: no product of covariances is formed, none is inverted,
and singular ones (fewer rows than features) need no ridge. Sample covariances make d² too large, by
about (2d + d(d + 1)/2)/n for two samples of n rows from one standard normal law, n much above d: a
number means nothing beside its floor, :func:`frechet_floor`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from infounlearn.errors import Problems, is_number
from infounlearn.math.factors import polar
from infounlearn.math.intervals import as_array

__all__ = ["FrechetFloor", "frechet_distance", "frechet_floor"]


@dataclass(frozen=True)
class FrechetFloor:
    """What the distance shows between two random parts of one set, where nothing is there.

    Attributes:
        mean: over the splits.
        largest: of the splits.
        values: (splits,) each of them.
        sizes: rows of the two parts; the floor falls as one over these.
    """

    mean: float
    largest: float
    values: np.ndarray
    sizes: tuple[int, int]


def frechet_distance(first: object, second: object) -> float:
    """d² between Gaussians fitted to two sets of rows, with unbiased covariances (divisor n - 1).

    Args:
        first: (n, d) features; arrays or tensors.
        second: (m, d) features.

    Returns:
        The squared distance, in squared units of the features; at least 0, and 0 to rounding for
        equal rows.

    Raises:
        InputError: shapes that do not fit, fewer than two rows, or numbers that are not finite.
    """
    rows = _checked("frechet_distance", first=first, second=second)
    return _distance(*(_fitted(part) for part in rows))


def frechet_floor(
    rows: object, *, sizes: tuple[int, int] | None = None, splits: int = 19, seed: int = 0
) -> FrechetFloor:
    """The distance between two random, disjoint parts of one set.

    Args:
        rows: (n, d) features.
        sizes: rows of the two parts, together at most n; halves where absent. Take the sizes of
            the two samples whose distance is to be read: the floor depends on them.
        splits: how many random splits.
        seed: of the splits; no global random state is touched.

    Raises:
        InputError: as :func:`frechet_distance`, sizes below 2 or above n, or a bad count or seed.
    """
    problems = Problems("frechet_floor")
    for name, value, least in (("splits", splits, 1), ("seed", seed, 0)):
        fits = is_number(value, whole=True) and value >= least
        problems.require(fits, f"{name} is {value!r}", fix=f"pass a whole number ≥ {least}")
    problems.raise_if_any()
    (table,) = _checked("frechet_floor", rows=rows)
    parts = (len(table) // 2, len(table) // 2) if sizes is None else sizes
    problems.require(
        len(parts) == 2 and min(parts) >= 2 and sum(parts) <= len(table),
        f"sizes are {parts} of {len(table)} rows",
        fix="pass two sizes of at least 2 that the rows suffice for",
    )
    problems.raise_if_any()
    rng = np.random.default_rng(seed)
    values = np.empty(splits)
    for split in range(splits):
        order = rng.permutation(len(table))[: sum(parts)]
        values[split] = _distance(
            _fitted(table[order[: parts[0]]]), _fitted(table[order[parts[0] :]])
        )
    return FrechetFloor(float(values.mean()), float(values.max()), values, (parts[0], parts[1]))


def _checked(where: str, **given: object) -> list[np.ndarray]:
    """Each argument as (n, d) float64, n ≥ 2, all of one d."""
    problems = Problems(where)
    found = []
    for name, value in given.items():
        array = as_array(value)
        if problems.require(
            array.ndim == 2 and len(array) >= 2 and array.dtype.kind in "fiub",
            f"{name} has shape {array.shape} and type {array.dtype}",
            fix="pass (n, d) numbers, two rows or more",
        ):
            array = array.astype(np.float64)
            bad = int(np.count_nonzero(~np.isfinite(array)))
            problems.require(
                bad == 0, f"{name} has {bad} values that are not finite", fix="mend it"
            )
        found.append(array)
    problems.raise_if_any()
    widths = [array.shape[1] for array in found]
    problems.require(
        len(set(widths)) == 1,
        f"the sets have {' and '.join(map(str, widths))} features",
        fix="pass features of one extractor",
    )
    problems.raise_if_any()
    return found


def _fitted(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean (d,) and (d, r) factor F of the covariance F Fᵀ, r = min(n, d)."""
    mean = rows.mean(0)
    triangle = np.asarray(np.linalg.qr(rows - mean, mode="r"))
    return mean, triangle.T / np.sqrt(len(rows) - 1)


def _distance(first: tuple[np.ndarray, np.ndarray], second: tuple[np.ndarray, np.ndarray]) -> float:
    columns = max(first[1].shape[1], second[1].shape[1])
    left, right = (
        np.pad(part[1], ((0, 0), (0, columns - part[1].shape[1]))) for part in (first, second)
    )
    turn = ((left - right @ polar(right, left)) ** 2).sum()
    return float(((first[0] - second[0]) ** 2).sum() + turn)
