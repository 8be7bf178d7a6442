"""A continuous Z that is jointly Gaussian with X: the linear residual, exact and least change.

    X̄ = X - Σ_xz Σ_zz⁺ (Z - EZ)

Given Z, X is Gaussian with a mean that moves and one covariance, so X̄ has one law for every Z, and
no X̂ independent of Z is nearer: E|X - X̂|² ≥ V = tr Σ_xz Σ_zz⁺ Σ_zx, which X̄ attains (the maps of
the conditional laws to their barycenter are these translations). Without joint normality only the
covariance with Z is removed: a spread or a shape that moves with Z stays visible.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from infounlearn.errors import Problems, is_number
from infounlearn.math.barycenter_gaussian import BLOCK, tiled
from infounlearn.math.factors import factorised
from infounlearn.math.moments import GroupMoments

__all__ = ["GaussianResidual", "gaussian_residual"]


@dataclass(frozen=True, eq=False)
class GaussianResidual:
    """Linear part of d columns in k columns of Z; see :func:`gaussian_residual`.

    Attributes:
        mean: (k,) mean of Z.
        slope: (d, k) Σ_xz Σ_zz⁺; Z's own directions without variance have slope 0.
        rank: rank of Σ_zz.
        covariance: (d, d) of X̄.
        value: V, in squared units of X.
    """

    mean: np.ndarray
    slope: np.ndarray
    rank: int
    covariance: np.ndarray
    value: float

    def transport(self, X: ArrayLike, Z: ArrayLike, *, amount: float = 1.0) -> np.ndarray:
        """X - t Σ_xz Σ_zz⁺ (Z - EZ); E|X - X_t|² = t² V. Each row by its own numbers only.

        Args:
            X: (n, d) rows.
            Z: (n, k) their sensitive values, in the units of the fit.
            amount: t in [0, 1]; 0 returns a copy of X bit for bit.

        Returns:
            (n, d) float64.

        Raises:
            InputError: shapes that do not fit, values that are not finite, or an amount outside.
        """
        rows, z = np.asarray(X, dtype=np.float64), np.asarray(Z, dtype=np.float64)
        problems = Problems("GaussianResidual.transport")
        for name, values, width in (("X", rows, len(self.slope)), ("Z", z, len(self.mean))):
            problems.require(
                values.ndim == 2 and values.shape[1] == width and len(values) == len(rows),
                f"{name} has shape {values.shape}",
                fix=f"pass (n, {width}), as many rows of both",
            )
            problems.require(
                bool(np.isfinite(values).all()),
                f"{name} has values that are not finite",
                fix="drop",
            )
        problems.require(
            is_number(amount) and 0.0 <= amount <= 1.0,
            f"amount is {amount!r}",
            fix="pass a number from 0 to 1",
        )
        problems.raise_if_any()
        moved = rows.copy()
        for start in range(0, len(rows) if amount > 0.0 else 0, BLOCK):
            some = slice(start, start + BLOCK)
            moved[some] -= amount * tiled(z[some] - self.mean, self.slope.T)
        return moved


def gaussian_residual(moments: GroupMoments, num_columns: int) -> GaussianResidual:
    """The residual from moments of rows (X, Z), which stream and merge.

    Args:
        moments: of one group, over ``num_columns`` columns of X followed by those of Z.
        num_columns: d.

    Raises:
        InputError: not one group with rows, or no column left for X or for Z.
    """
    problems = Problems("gaussian_residual")
    groups, width = moments.means.shape
    problems.require(
        groups == 1 and bool(moments.counts[0] > 0),
        f"moments are of {groups} groups, or of no rows",
        fix="pass GroupMoments.empty(1, d + k).add(rows, zeros)",
    )
    problems.require(
        is_number(num_columns, whole=True) and 0 < num_columns < width,
        f"num_columns is {num_columns!r} of {width}",
        fix="pass the number of columns of X, and leave at least one for Z",
    )
    problems.raise_if_any()
    d = num_columns
    whole = moments.covariances[0]
    cross, own = whole[:d, d:], whole[d:, d:]
    # Ranks are judged on correlations: they do not depend on the units of Z.
    _, inverse, rank = factorised(own, np.diag(own))
    half = cross @ inverse.T
    return GaussianResidual(
        mean=moments.means[0, d:],
        slope=half @ inverse,
        rank=rank,
        covariance=whole[:d, :d] - half @ half.T,
        value=float((half**2).sum()),
    )
