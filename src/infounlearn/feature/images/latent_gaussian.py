"""Images moved to a Gaussian barycenter in a few directions of pixel space, in closed form.

Rows of orthonormal coordinates e(x) = Bᵀ(x - c) are moved by the affine maps A_z of
:func:`~infounlearn.math.gaussian_barycenter`, and what B does not see is kept:

    T_z(x) = x + B (A_z(e(x)) - e(x)).

The first directions of B span the differences of the group means, so that the means agree exactly
however few there are; the others are principal components within groups. With every direction this
is the Gaussian map of pixel space, with the first ones alone (``dims=0``) the mean shift.

Few rows bear the variance of many directions, and the covariances of few. ``dims="auto"`` keeps a
quarter of the rows, and takes the number of components whose covariances are matched, how far these
are trusted, and further components of which each variance is matched alone (the tail), from what
the dual says of these rows (:mod:`~infounlearn.feature.images.choosing`).

The value is a lower bound of the least mean squared change of *any* law with these moments: a
projection shortens distances, and W2 is at least that of the Gaussians of the same moments
(Gelbrich 1990, "On a formula for the L2 Wasserstein metric between measures on Euclidean and
Hilbert spaces"). Affine maps match two moments: a network may still read Z.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, cast

import numpy as np
from numpy.typing import ArrayLike

from infounlearn.errors import InputError, Problems, is_number
from infounlearn.feature.images.choosing import Choice, choose, pinched, shortfalls
from infounlearn.math.barycenter_gaussian import (
    BLOCK,
    GaussianBarycenter,
    gaussian_barycenter,
    tiled,
)
from infounlearn.math.moments import GroupMoments, checked_rows

__all__ = ["LatentGaussian", "fit_latent_gaussian"]

EXACT, SQUARE = 1024, 4096
"""Most pixel values at which all principal components are computed, instead of the first alone, and
at which their products are."""
SPARE, PASSES = 16, 4
"""Further directions and passes of the subspace iteration that finds the first components."""
ROWS_PER_DIRECTION = 2
"""A group needs so many rows per direction for a covariance worth moving by."""
MOST_DIMS = 768
"""Of dims="auto": most directions."""
KEPT, LEAST_KEPT = 4, 4
"""Of dims="auto": one row of so many is kept to choose by, at least so many of each group."""


@dataclass(frozen=True, eq=False)
class LatentGaussian:
    """The common Gaussian of m groups in r directions, and the map of each group to it.

    Attributes:
        centre: (d,) Σ w_z m_z, in the units of the rows.
        basis: (d, r) orthonormal directions; None for all of pixel space.
        barycenter: closed form in the coordinates Bᵀ(x - centre).
        explained: share of the variance of the rows, around their group means, that B sees.
        tail: how many of the directions, the last ones, have their variances matched alone.
        trust: share of the other covariances, between directions, that was taken for true.
        held_out: of dims="auto": the lower bound of V that the chosen maps have on rows that were
            kept from them, per pixel value; without the bias of ``value``, with noise and with that
            of the choice, the best of a few on these rows. None: no row was kept.
    """

    centre: np.ndarray
    basis: np.ndarray | None
    barycenter: GaussianBarycenter
    explained: float
    tail: int = 0
    trust: float = 1.0
    held_out: float | None = None

    @property
    def value(self) -> float:
        """V, the least mean squared change, per pixel value: a lower bound for any law.

        That of the rows that were fitted, whose covariances differ by chance too: over what the
        law costs by about (m - 1) r / (4 n) of the variance in r directions, less if they differ.
        """
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
    dims: int | Literal["auto"] | None = 128,
    share: float = 1.0,
    sides: int = 1,
    lenient: bool = False,
    seed: int = 0,
) -> LatentGaussian:
    """Moments and barycenter of the groups in ``dims`` principal components.

    Args:
        X: (n, d) rows of pixel values.
        codes: (n,) integer group of each row, 0 ≤ code < m; their shares are the weights.
        dims: principal components beside the directions of the means; 0 for the mean shift, None
            for every pixel value (small images only); "auto" for what rows that are kept for it
            speak for, among directions in which every group varies.
        share: components beyond those that explain this share of the variance within groups are
            left out: what hardly varies has no covariance worth moving by.
        sides: X holds so many versions of each image, all of the first ones, then all of the
            second: they are kept together.
        lenient: where a group does not vary, match variances alone, as "auto" does.
        seed: of the rows that are kept, and of the start of the subspace iteration, used for more
            than 1,024 pixel values.

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
    tail, trust, held, asked = 0, 1.0, None, lenient or dims == "auto"
    if dims == "auto":
        choice = _chosen(rows, groups, num_groups, sides, seed)
        dims, tail, trust = choice.dims, choice.tail, choice.trust
        held = None if np.isnan(choice.value) else choice.value / width
    centre, basis, latent, explained = _seen(
        rows, groups, num_groups, None if dims is None else dims + tail, share, seed
    )
    if dims == 0 and tail == 0:
        latent = GroupMoments(latent.counts, latent.means, np.zeros_like(latent.scatters))
    size = latent.means.shape[1]
    full = size - tail
    latent = pinched(latent, full, trust)
    while asked and full > 0 and shortfalls(latent):  # which the rows that were kept did not show
        full //= 2
        latent = pinched(latent, full)
    short = shortfalls(latent)
    if short:
        told = ", ".join(f"group {z} in {rank}" for z, rank, _ in short)
        raise InputError(
            f"{where}: dims is {dims!r}, and of {short[0][2]} directions in which images vary "
            f"{told} only, where no map gives it variance: pass fewer dims, or 'auto' (of "
            "NeuralBarycenter method='latent-gaussian'), which takes directions that all vary in"
        )
    known = gaussian_barycenter(latent)
    return LatentGaussian(centre, basis, known, explained, size - full, trust, held)


def _seen(
    rows: np.ndarray, groups: np.ndarray, num_groups: int, size: int | None, share: float, seed: int
) -> tuple[np.ndarray, np.ndarray | None, GroupMoments, float]:
    """Centre, basis, moments of the coordinates around it, and the share of the variance seen."""
    counts = np.bincount(groups, minlength=num_groups)
    moments = np.stack([rows[groups == z].mean(0, dtype=np.float64) for z in range(num_groups)])
    centre = counts / counts.sum() @ moments
    own = rows - moments.astype(rows.dtype)[groups]
    basis = None if size is None else _directions(moments - centre, own, size, share, seed)
    latent = GroupMoments.empty(num_groups, rows.shape[1] if basis is None else basis.shape[1])
    for start in range(0, len(rows), BLOCK):
        part = rows[start : start + BLOCK] - centre
        latent = latent.add(part if basis is None else part @ basis, groups[start : start + BLOCK])
    spread = sum(
        float(np.square(own[i : i + BLOCK], dtype=np.float64).sum())
        for i in range(0, len(own), BLOCK)
    )
    seen = float(np.trace(latent.scatters, axis1=1, axis2=2).sum())
    return centre, basis, latent, 1.0 if basis is None or spread == 0.0 else seen / spread


def _chosen(rows: np.ndarray, groups: np.ndarray, num_groups: int, sides: int, seed: int) -> Choice:
    """What rows that are kept speak for; few components, unasked, where there are too few rows."""
    images = len(rows) // sides
    kept = np.zeros(images, dtype=bool)
    draws = np.random.default_rng(seed)
    for z in range(num_groups):
        own = draws.permutation(np.flatnonzero(groups[:images] == z))
        kept[own[: len(own) // KEPT]] = True
    smallest = int(np.bincount(groups[:images][kept], minlength=num_groups).min())
    most = min(MOST_DIMS, rows.shape[1] - num_groups + 1)
    if smallest < LEAST_KEPT:
        return Choice(0, 0, 1.0, float("nan"))
    kept = np.tile(kept, sides)
    learned = rows[~kept]
    size = min(most, len(learned) // sides // ROWS_PER_DIRECTION)
    centre, basis, latent, _ = _seen(learned, groups[~kept], num_groups, size, 1.0, seed)
    del learned
    others = GroupMoments.empty(num_groups, latent.means.shape[1])
    others = others.add((rows[kept] - centre) @ cast("np.ndarray", basis), groups[kept])
    lead = latent.means.shape[1] - size
    return choose(latent, others, lead)


def _directions(
    shifts: np.ndarray, own: np.ndarray, dims: int, share: float, seed: int
) -> np.ndarray:
    """(d, r) orthonormal: the span of the ``shifts`` of the means, then components of ``own``."""
    _, sizes, right = np.linalg.svd(shifts, full_matrices=False)
    means = right[sizes > 1e-9 * max(float(sizes.max(initial=0.0)), 1e-300)].T
    means = means[:, : len(shifts) - 1]
    if dims == 0:
        return means
    width = own.shape[1]
    own = own - (own @ means.astype(own.dtype)) @ means.T.astype(own.dtype)
    square = None
    if width <= EXACT or width <= min(SQUARE, len(own)):  # one product instead of two per pass
        square = (own.T @ own).astype(np.float64)
    if width <= EXACT and square is not None:
        components = np.linalg.eigh(square)[1][:, ::-1][:, :dims]
    else:
        draws = np.random.default_rng(seed).standard_normal((width, min(dims + SPARE, width)))
        components = np.linalg.qr(draws)[0]
        for turn in range(PASSES + 1):
            ahead = (
                own.T @ (own @ components.astype(own.dtype))
                if square is None
                else square @ components
            )
            if turn < PASSES:
                components = np.linalg.qr(ahead.astype(np.float64))[0]
        inside = components.T @ ahead
        order = np.linalg.eigh((inside + inside.T) / 2)[1][:, ::-1]
        components = (components @ order)[:, :dims]
    if share < 1.0:
        parts = ((own @ components) ** 2).sum(0, dtype=np.float64)
        reached = np.cumsum(parts) < share * float(np.einsum("nd,nd->", own, own))
        components = components[:, : int(reached.sum()) + 1]
    return np.linalg.qr(np.hstack([means, components]))[0]


def _check(
    where: str,
    counts: np.ndarray,
    width: int,
    dims: int | Literal["auto"] | None,
    share: float,
) -> None:
    """Collect what is wrong with the groups and the number of directions."""
    problems = Problems(where)
    problems.require(len(counts) > 1, "there is one group", fix="pass rows of two or more groups")
    empty = np.flatnonzero(counts == 0).tolist()
    problems.require(not empty, f"groups {empty} have no rows", fix="pass codes without gaps")
    most = width - len(counts) + 1
    problems.require(
        is_number(share) and 0 < share <= 1, f"share is {share!r}", fix="pass a number in (0, 1]"
    )
    fine = dims is None or dims == "auto" or (is_number(dims, whole=True) and 0 <= dims <= most)
    problems.require(
        fine, f"dims is {dims!r}", fix=f"pass a whole number from 0 to {most}, 'auto', or None"
    )
    number = dims if isinstance(dims, int) else 0
    if fine and not empty:
        needed = ROWS_PER_DIRECTION * (width if dims is None else number)
        few = [(z, int(count)) for z, count in enumerate(counts) if count < max(needed, 2)]
        problems.require(
            not few,
            f"(group, rows) {few} are too few for {needed // ROWS_PER_DIRECTION} directions",
            fix=f"pass {max(needed, 2)} rows of every group, or lower dims",
        )
    problems.raise_if_any()
