"""Group moments that merge: weight, mean and scatter of each group, from rows seen in any split.

A batch is centred by its own group means, and two sets of moments are joined by the parallel update

    M = M_a + M_b,   μ = μ_a + δ M_b/M,   S = S_a + S_b + δδᵀ M_a M_b/M,   δ = μ_b - μ_a,

which subtracts no two large numbers: a column at 1e8 keeps the digits of its variance. Literature:
Chan, Golub & LeVeque 1983, "Algorithms for computing the sample variance".
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from infounlearn.errors import InputError, Problems

_BLOCK = 2048
"""Rows in work at once: their copies stay in the cache."""


@dataclass(frozen=True, eq=False)
class GroupMoments:
    """Weight, mean and centred scatter of the rows of each of m groups.

    Attributes:
        counts: (m,) total weight of each group (its number of rows where rows weigh 1).
        means: (m, d) mean of each group, in the units of X; 0 for a group without rows.
        scatters: (m, d, d) Σ weight (x - mean)(x - mean)ᵀ of each group.
    """

    counts: np.ndarray
    means: np.ndarray
    scatters: np.ndarray

    @classmethod
    def empty(cls, num_groups: int, num_columns: int) -> GroupMoments:
        """Moments of no row at all: where :meth:`add` begins."""
        shape = (num_groups, num_columns)
        return cls(np.zeros(num_groups), np.zeros(shape), np.zeros((*shape, num_columns)))

    @classmethod
    def of(cls, weights: ArrayLike, means: ArrayLike, covariances: ArrayLike) -> GroupMoments:
        """Moments that are known already: weights (m,), means (m, d), covariances (m, d, d).

        Raises:
            InputError: shapes that do not fit, numbers that are not finite, negative weights, or a
                covariance that is not symmetric.
        """
        counts, centres, squares = (
            np.array(value, dtype=np.float64) for value in (weights, means, covariances)
        )
        problems = Problems("GroupMoments.of")
        fits = centres.ndim == 2 and counts.shape == centres.shape[:1]
        if problems.require(
            fits and squares.shape == (*centres.shape, centres.shape[1]),
            f"shapes {counts.shape}, {centres.shape}, {squares.shape} do not fit",
            fix="pass (m,), (m, d) and (m, d, d)",
        ):
            finite = all(np.isfinite(value).all() for value in (counts, centres, squares))
            problems.require(finite, "a moment is not finite", fix="pass finite numbers")
            problems.require(bool((counts >= 0).all()), "a weight is negative", fix="pass weights")
            flipped = squares.swapaxes(1, 2)
            if finite and np.abs(squares - flipped).max(initial=0) > 1e-12 * np.abs(squares).max():
                problems.add("a covariance is not symmetric", fix="pass (C + Cᵀ)/2")
        problems.raise_if_any()
        squares = (squares + squares.swapaxes(1, 2)) / 2
        return cls(counts, centres, squares * counts[:, None, None])

    @property
    def shares(self) -> np.ndarray:
        """(m,) share of each group, P(Z = z)."""
        return self.counts / self.counts.sum()

    @property
    def covariances(self) -> np.ndarray:
        """(m, d, d) scatter / weight, the maximum-likelihood covariance; 0 for an empty group."""
        return self.scatters / np.where(self.counts > 0, self.counts, 1.0)[:, None, None]

    def add(self, X: ArrayLike, z: ArrayLike, weights: ArrayLike | None = None) -> GroupMoments:
        """Moments of the rows seen so far and those of ``X``; this object stays as it is.

        Args:
            X: (n, d) rows.
            z: (n,) integer group of each row, 0 ≤ z < m.
            weights: optional (n,) weight of each row, ≥ 0; default 1.

        Raises:
            InputError: as :func:`checked_rows`, or weights that are negative or do not fit.
        """
        rows, groups = checked_rows("GroupMoments.add", X, z, self.means.shape)
        weight = None if weights is None else np.asarray(weights, dtype=np.float64)
        if weight is not None and not (weight.shape == groups.shape and (weight >= 0).all()):
            raise InputError(
                "GroupMoments.add: weights do not fit: pass (n,) numbers of at least 0"
            )
        if weight is not None and not np.isfinite(weight).all():
            raise InputError("GroupMoments.add: a weight is not finite: pass finite weights")
        batch = GroupMoments.empty(*self.means.shape)
        for group in range(len(self.counts)):
            members = np.flatnonzero(groups == group)
            if weight is not None:
                members = members[weight[members] > 0]
            if len(members):
                parts = _of_group(rows, members, weight)
                batch.counts[group], batch.means[group], batch.scatters[group] = parts
        return self.merge(batch)

    def merge(self, other: GroupMoments) -> GroupMoments:
        """Moments of the rows of both, as if they had been seen in one batch.

        Raises:
            InputError: different numbers of groups or columns.
        """
        if self.means.shape != other.means.shape:
            raise InputError(
                f"GroupMoments.merge: (groups, columns) are {self.means.shape} and "
                f"{other.means.shape}: merge moments of the same groups and columns"
            )
        counts = self.counts + other.counts
        share = other.counts / np.where(counts > 0, counts, 1.0)
        delta = other.means - self.means
        means = self.means + share[:, None] * delta
        spread = (self.counts * share)[:, None, None] * delta[:, :, None] * delta[:, None, :]
        return GroupMoments(counts, means, self.scatters + other.scatters + spread)


def _of_group(
    rows: np.ndarray, members: np.ndarray, weight: np.ndarray | None
) -> tuple[float, np.ndarray, np.ndarray]:
    """Weight, mean and scatter of some rows, a cache-full at a time.

    All is relative to the mean of the first few: near it, subtraction is exact, so that blocks are
    joined without the rounding of a mean far from 0.
    """
    centre = rows[members[:_BLOCK]].mean(0, dtype=np.float64)
    total, offset = 0.0, np.zeros(rows.shape[1])
    scatter = np.zeros((rows.shape[1], rows.shape[1]))
    for start in range(0, len(members), _BLOCK):
        some = members[start : start + _BLOCK]
        own = rows[some] - centre
        part = np.ones(len(some)) if weight is None else weight[some]
        size = float(part.sum())
        shift = part @ own / size
        own -= shift
        scatter += own.T @ (own if weight is None else own * part[:, None])
        delta = shift - offset
        scatter += np.outer(delta, delta * (total * size / (total + size)))
        total += size
        offset += delta * (size / total)
    return total, centre + offset, scatter


def checked_rows(
    where: str, X: ArrayLike, z: ArrayLike, shape: tuple[int, ...]
) -> tuple[np.ndarray, np.ndarray]:
    """``X`` as (n, d) floats and ``z`` as (n,) integers, for ``shape`` = (groups, columns).

    float32 rows stay as they are, for the caller to widen a part at a time; others are float64.

    Raises:
        InputError: wrong shape, a value that is not finite, or a group outside 0 ≤ z < m.
    """
    rows, groups = np.asarray(X), np.asarray(z)
    if rows.dtype != np.float32:
        rows = rows.astype(np.float64, copy=False)
    problems = Problems(where)
    problems.require(
        rows.ndim == 2 and rows.shape[1] == shape[1],
        f"X has shape {rows.shape}",
        fix=f"pass (n, {shape[1]}), one row per record",
    )
    if not all(np.isfinite(rows[i : i + _BLOCK]).all() for i in range(0, len(rows), _BLOCK)):
        problems.add("X has values that are not finite", fix="impute or drop those rows")
    if problems.require(
        groups.shape == rows.shape[:1] and (groups.dtype.kind in "iu" or groups.size == 0),
        f"z has shape {groups.shape} and type {groups.dtype}",
        fix=f"pass {rows.shape[:1]} integers, one per row of X",
    ):
        strange = np.unique(groups[(groups < 0) | (groups >= shape[0])]).tolist()
        if strange:
            problems.add(
                f"z holds groups {strange[:5]} that have no moments",
                fix=f"pass groups 0 to {shape[0] - 1}, those that were fitted",
            )
    problems.raise_if_any()
    return rows, groups
