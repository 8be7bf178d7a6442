"""Images moved to a Gaussian barycenter in a few directions of pixel space, in closed form.

Rows of orthonormal coordinates e(x) = Bᵀ(x - c) are moved by the affine maps A_z of
:func:`~infounlearn.math.gaussian_barycenter`, and what B does not see is kept:

    T_z(x) = x + B (A_z(e(x)) - e(x)).

The first directions of B span the differences of the group means, so that the means agree exactly
however few there are; the others are principal components within groups. With every direction this
is the Gaussian map of pixel space, with the first ones alone (``dims=0``) the mean shift.

The value is a lower bound of the least mean squared change of *any* law with these moments: a
projection shortens distances, and W2 is at least that of the Gaussians of the same moments
(Gelbrich 1990, "On a formula for the L2 Wasserstein metric between measures on Euclidean and
Hilbert spaces"). Affine maps match two moments: a network may still read Z.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from infounlearn.errors import InputError, Problems, is_number
from infounlearn.math.barycenter_gaussian import (
    BLOCK,
    GaussianBarycenter,
    gaussian_barycenter,
    tiled,
)
from infounlearn.math.moments import GroupMoments, checked_rows

__all__ = ["LatentGaussian", "fit_latent_gaussian"]

EXACT = 1024
"""Most pixel values at which all principal components are computed, instead of the first alone."""
SPARE, PASSES = 16, 4
"""Further directions and passes of the subspace iteration that finds the first components."""
ROWS_PER_DIRECTION = 2
"""A group needs so many rows per direction for a covariance worth moving by."""


@dataclass(frozen=True, eq=False)
class LatentGaussian:
    """The common Gaussian of m groups in r directions, and the map of each group to it.

    Attributes:
        centre: (d,) Σ w_z m_z, in the units of the rows.
        basis: (d, r) orthonormal directions; None for all of pixel space.
        barycenter: closed form in the coordinates Bᵀ(x - centre).
        explained: share of the variance of the rows, around their group means, that B sees.
    """

    centre: np.ndarray
    basis: np.ndarray | None
    barycenter: GaussianBarycenter
    explained: float

    @property
    def value(self) -> float:
        """V, the least mean squared change, per pixel value: a lower bound for any law."""
        return self.barycenter.value / len(self.centre)

    def transport(self, X: ArrayLike, codes: ArrayLike, *, amount: float = 1.0) -> np.ndarray:
        """Rows moved the share ``amount`` of their way; no row feels the others of its batch.

        Args:
            X: (n, d) rows of pixel values.
            codes: (n,) integer group of each row.
            amount: t in [0, 1]; 0 returns a copy of X bit for bit.

        Returns:
            (n, d) float64, not confined to the range of pixels.

        Raises:
            InputError: rows or groups that do not fit, or an amount outside [0, 1].
        """
        where = "LatentGaussian.transport"
        shape = (len(self.barycenter.weights), len(self.centre))
        rows, groups = checked_rows(where, X, codes, shape)
        if not (is_number(amount) and 0.0 <= amount <= 1.0):
            raise InputError(f"{where}: amount is {amount!r}: pass a number from 0 to 1")
        moved = rows.astype(np.float64)
        if amount == 0.0:
            return moved
        for start in range(0, len(rows), BLOCK):
            part = slice(start, start + BLOCK)
            inside = self._coordinates(moved[part])
            step = self.barycenter.transport(inside, groups[part]) - inside
            moved[part] += amount * (step if self.basis is None else tiled(step, self.basis.T))
        return moved

    def _coordinates(self, rows: np.ndarray) -> np.ndarray:
        own = rows - self.centre
        return own if self.basis is None else tiled(own, self.basis)


def fit_latent_gaussian(
    X: ArrayLike,
    codes: ArrayLike,
    *,
    dims: int | None = 128,
    share: float = 1.0,
    seed: int = 0,
) -> LatentGaussian:
    """Moments and barycenter of the groups in ``dims`` principal components.

    Args:
        X: (n, d) rows of pixel values.
        codes: (n,) integer group of each row, 0 ≤ code < m; their shares are the weights.
        dims: principal components beside the directions of the means; 0 for the mean shift, None
            for every pixel value (d² numbers per group: small images only).
        share: components beyond those that explain this share of the variance within groups are
            left out: what hardly varies has no covariance worth moving by.
        seed: of the start of the subspace iteration, used for more than 1,024 pixel values.

    Raises:
        InputError: rows, groups or ``dims`` that cannot be used; fewer than two groups, too few
            rows of one; a direction in which one group varies and another does not.
    """
    where = "fit_latent_gaussian"
    groups = np.asarray(codes)
    rows = np.asarray(X)
    width = rows.shape[1] if rows.ndim == 2 else 0
    whole = groups.dtype.kind in "iu" and groups.ndim == 1
    num_groups = int(groups.max(initial=0)) + 1 if whole else 1
    rows, groups = checked_rows(where, rows, groups, (num_groups, width))
    counts = np.bincount(groups, minlength=num_groups)
    _check(where, counts, width, dims, share)
    moments = np.stack([rows[groups == z].mean(0, dtype=np.float64) for z in range(num_groups)])
    centre = counts / counts.sum() @ moments
    own = rows - moments[groups]
    basis = None if dims is None else _directions(moments - centre, own, dims, share, seed)
    inside = rows - centre if basis is None else (rows - centre) @ basis
    latent = GroupMoments.empty(num_groups, inside.shape[1]).add(inside, groups)
    if dims == 0:
        latent = GroupMoments(latent.counts, latent.means, np.zeros_like(latent.scatters))
    spread = float(np.einsum("nd,nd->", own, own))
    seen = float(np.trace(latent.scatters, axis1=1, axis2=2).sum())
    explained = 1.0 if basis is None or spread == 0.0 else seen / spread
    return LatentGaussian(centre, basis, gaussian_barycenter(latent), explained)


def _directions(
    shifts: np.ndarray, own: np.ndarray, dims: int, share: float, seed: int
) -> np.ndarray:
    """(d, r) orthonormal: the span of the ``shifts`` of the means, then components of ``own``."""
    _, sizes, right = np.linalg.svd(shifts, full_matrices=False)
    means = right[sizes > 1e-9 * max(float(sizes.max(initial=0.0)), 1e-300)].T
    means = means[:, : len(shifts) - 1]
    if dims == 0:
        return means
    own = own - (own @ means) @ means.T
    width = own.shape[1]
    if width <= EXACT:
        components = np.linalg.eigh(own.T @ own)[1][:, ::-1][:, :dims]
    else:
        draws = np.random.default_rng(seed).standard_normal((width, dims + SPARE))
        components = np.linalg.qr(draws)[0]
        for _ in range(PASSES):
            components = np.linalg.qr(own.T @ (own @ components))[0]
        inside = own @ components
        components = (components @ np.linalg.eigh(inside.T @ inside)[1][:, ::-1])[:, :dims]
    if share < 1.0:
        parts = ((own @ components) ** 2).sum(0, dtype=np.float64)
        reached = np.cumsum(parts) < share * float(np.einsum("nd,nd->", own, own))
        components = components[:, : int(reached.sum()) + 1]
    return np.linalg.qr(np.hstack([means, components]))[0]


def _check(where: str, counts: np.ndarray, width: int, dims: int | None, share: float) -> None:
    """Collect what is wrong with the groups and the number of directions."""
    problems = Problems(where)
    problems.require(len(counts) > 1, "there is one group", fix="pass rows of two or more groups")
    empty = np.flatnonzero(counts == 0).tolist()
    problems.require(not empty, f"groups {empty} have no rows", fix="pass codes without gaps")
    most = width - len(counts) + 1
    problems.require(
        is_number(share) and 0 < share <= 1, f"share is {share!r}", fix="pass a number in (0, 1]"
    )
    fine = dims is None or (is_number(dims, whole=True) and 0 <= dims <= most)
    problems.require(
        fine, f"dims is {dims!r}", fix=f"pass a whole number from 0 to {most}, or None"
    )
    if fine and not empty:
        needed = ROWS_PER_DIRECTION * (width if dims is None else dims)
        few = [(z, int(count)) for z, count in enumerate(counts) if count < max(needed, 2)]
        problems.require(
            not few,
            f"(group, rows) {few} are too few for {needed // ROWS_PER_DIRECTION} directions",
            fix=f"pass {max(needed, 2)} rows of every group, or lower dims",
        )
    problems.raise_if_any()
