"""Wasserstein barycenter of Gaussians: the affine change of least cost that hides the group.

Everything is done on factors C = F Fᵀ. The optimal map from F_a F_aᵀ to F_b F_bᵀ sends F_a to
F_b Q, Q the orthogonal polar factor of F_bᵀ F_a: no square root of a product is ever taken.

    bures²(C_a, C_b) = ‖F_a - F_b Q‖²
    two groups        F = w_0 F_0 + w_1 F_1 Q_1            (A_0 = w_0 I + w_1 T, S = A_0 C_0 A_0)
    more              F ← Σ_z w_z F_z Q_z, S = F Fᵀ        (S ← S^-½ (Σ w_z (S^½ C_z S^½)^½)² S^-½)

Those are the closed form and the iteration of the literature (Álvarez-Esteban et al. 2016,
arXiv:1511.05355; Agueh & Carlier 2011), and they keep their digits at condition 1e12. The step
F - Σ w_z F_z Q_z is also the gradient of Σ w_z W2²(·, μ_z), so its size is the residual reported.
Affine maps match two moments: other laws keep what their higher moments tell of the group.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from infounlearn.errors import InputError, Problems, is_number
from infounlearn.math.factors import factorised, is_covariance, polar, range_basis
from infounlearn.math.moments import GroupMoments, checked_rows

TILE = 256
"""Rows per matrix product: of one fixed shape, so that no row feels how many others came along."""
BLOCK = 16 * TILE
"""Rows in work at once: their copies stay in the cache."""


@dataclass(frozen=True, eq=False)
class GaussianBarycenter:
    """The common law N(mean, covariance) and the map of each of m groups to it.

    Attributes:
        weights: (m,) share of each group, P(Z = z).
        means: (m, d) mean of each group.
        maps: (m, d, d) symmetric positive A_z; the identity outside the range of Σ w_z C_z.
        mean: (d,) Σ w_z m_z.
        covariance: (d, d) covariance S of the barycenter.
        value: V = Σ w_z W2²(N(m_z, C_z), N(mean, S)), in squared units of X: the least E|X - X̂|² at
            which any X̂ is independent of Z (jittered covariances where ``jitter`` is set).
        rank: rank of Σ w_z C_z.
        jitter: variance of the Gaussian noise each row needs, in squared units of X; 0 for none.
        noise_projector: (d, d) projector on the range of Σ w_z C_z, where that noise lives.
        converged: whether ``residual`` came below the tolerance.
        iterations: steps taken; 0 for the closed form of two groups.
        residual: ‖F - Σ w_z F_z Q_z‖ / ‖F‖ (Frobenius); the fixed-point residual
            ‖S - Σ w_z (S^½ C_z S^½)^½‖ / ‖S‖ is at most √d times this.
        push_residual: largest ‖A_z C_z A_z - S‖ / ‖S‖ over the groups, from the maps as stored.
    """

    weights: np.ndarray
    means: np.ndarray
    maps: np.ndarray
    mean: np.ndarray
    covariance: np.ndarray
    value: float
    rank: int
    jitter: float
    noise_projector: np.ndarray
    converged: bool
    iterations: int
    residual: float
    push_residual: float

    def transport(
        self, X: ArrayLike, z: ArrayLike, *, amount: float = 1.0, noise: ArrayLike | None = None
    ) -> np.ndarray:
        """Rows moved the share ``amount`` of the way: (1 - t) x + t (mean + A_z (x - m_z)).

        E|X - X_t|² = t² V and the disparity Σ w_z W2²(law of X_t given z, barycenter) = (1 - t)² V
        (McCann 1997; without jitter). A row's output does not depend on the other rows.

        Args:
            X: (n, d) rows.
            z: (n,) integer group of each row.
            amount: t in [0, 1]; 0 returns a copy of X bit for bit.
            noise: (n, d) independent standard normal draws; needed where ``jitter`` is set, and the
                caller's, so that a row's noise is decided outside.

        Returns:
            (n, d) float64.

        Raises:
            InputError: as :func:`~infounlearn.math.moments.checked_rows`, an amount outside [0, 1],
                or noise that is missing, unwanted or does not fit.
        """
        where = "GaussianBarycenter.transport"
        rows, groups = checked_rows(where, X, z, self.means.shape)
        if not (is_number(amount) and 0.0 <= amount <= 1.0):
            raise InputError(f"{where}: amount is {amount!r}: pass a number from 0 to 1")
        draws = None if noise is None else np.asarray(noise, dtype=np.float64)
        if (draws is not None) != (self.jitter > 0.0):
            raise InputError(
                f"{where}: jitter is {self.jitter} and noise is "
                f"{'missing' if draws is None else 'given'}: pass (n, d) standard normal draws "
                "exactly where the barycenter was fitted with jitter"
            )
        if draws is not None and not (draws.shape == rows.shape and np.isfinite(draws).all()):
            raise InputError(f"{where}: noise does not fit: pass finite draws of the shape of X")
        if amount == 0.0:
            return rows.astype(np.float64)
        moved = np.empty(rows.shape)
        for group in range(len(self.weights)):
            members = np.flatnonzero(groups == group)
            for start in range(0, len(members), BLOCK):
                chosen = members[start : start + BLOCK]
                source = rows[chosen].astype(np.float64, copy=False)
                own = source - self.means[group]
                if draws is not None:
                    own += np.sqrt(self.jitter) * tiled(draws[chosen], self.noise_projector)
                target = tiled(own, self.maps[group])
                target += self.mean
                if amount != 1.0:
                    target = (1.0 - amount) * source + amount * target
                moved[chosen] = target
        return moved


def gaussian_barycenter(
    moments: GroupMoments,
    *,
    jitter: float = 0.0,
    tolerance: float = 1e-12,
    max_iterations: int = 2000,
) -> GaussianBarycenter:
    """W2 barycenter of the Gaussians N(m_z, C_z), weighed by the group shares.

    Args:
        moments: weights, means and covariances of the groups.
        jitter: variance λ added to every direction of the range of Σ w_z C_z, as noise that
            ``transport`` then really adds. Needed where a group does not vary in a direction in
            which another does: no deterministic map can create variance.
        tolerance: residual at which the iteration stops.
        max_iterations: cap on the steps; ``converged`` says whether it was enough.

    Raises:
        InputError: a group without weight, a covariance with a negative eigenvalue, a group of
            smaller rank than Σ w_z C_z while ``jitter`` is 0, or a setting out of range.
    """
    where = "gaussian_barycenter"
    _check(where, moments, jitter, tolerance, max_iterations)
    weights, covariances = moments.shares, moments.covariances
    num_groups, width = moments.means.shape
    basis = range_basis(np.tensordot(weights, covariances, 1))
    reduced = basis.T @ covariances @ basis + jitter * np.eye(basis.shape[1])
    pooled = np.tensordot(weights, reduced, 1)
    parts = [factorised(square, np.diag(pooled)) for square in reduced]
    problems = Problems(where)
    for group, (_, _, rank) in enumerate(parts):
        problems.require(
            rank == len(pooled),
            f"the covariance of group {group} has rank {rank}, that of all groups {len(pooled)}",
            why="no deterministic map gives it variance where it has none",
            fix="drop the columns that are constant or redundant in that group, give it more "
            "rows, or set jitter to a variance to be added as noise",
        )
    problems.raise_if_any()
    factors = np.stack([part[0] for part in parts])
    if num_groups == 2:
        start = weights[0] * factors[0] + weights[1] * factors[1] @ polar(factors[1], factors[0])
        max_iterations = 0
    else:
        start = factorised(pooled, np.diag(pooled))[0]
    factor, residual, iterations = _fixed_point(factors, weights, start, tolerance, max_iterations)

    aligned = factor @ polar(factor, factors)
    square = factor @ factor.T
    small = np.stack([end @ part[1] for end, part in zip(aligned, parts, strict=True)])
    small = (small + small.swapaxes(1, 2)) / 2
    scale = np.linalg.norm(square) if square.any() else 1.0
    pushed = np.linalg.norm(small @ reduced @ small - square, axis=(1, 2)) / scale
    mean = weights @ moments.means
    shifts = ((moments.means - mean) ** 2).sum(1)
    turns = ((factors - aligned) ** 2).sum((1, 2))
    projector = basis @ basis.T
    return GaussianBarycenter(
        weights=weights,
        means=moments.means,
        maps=(np.eye(width) - projector) + basis @ small @ basis.T,
        mean=mean,
        covariance=basis @ square @ basis.T,
        value=float(weights @ (shifts + turns)),
        rank=len(pooled),
        jitter=float(jitter),
        noise_projector=projector,
        # The closed form needs no step: what it leaves is rounding.
        converged=num_groups == 2 or residual < tolerance,
        iterations=iterations,
        residual=residual,
        push_residual=float(pushed.max()),
    )


def bures2(first: ArrayLike, second: ArrayLike) -> float:
    """Squared Bures distance tr C₀ + tr C₁ - 2 tr (C₀^½ C₁ C₀^½)^½, without its cancellation.

    W2² of two Gaussians is this plus the squared distance of their means. Singular matrices are
    allowed. Literature: Bhatia, Jain & Lim 2019, "On the Bures–Wasserstein distance".

    Args:
        first: (d, d) covariance.
        second: (d, d) covariance.

    Raises:
        InputError: shapes that do not fit, or a matrix that is no covariance.
    """
    squares = [np.asarray(value, dtype=np.float64) for value in (first, second)]
    shape = squares[0].shape
    if len(shape) != 2 or shape[0] != shape[1] or squares[1].shape != shape:
        shapes = [square.shape for square in squares]
        raise InputError(f"bures2: shapes are {shapes}: pass two covariances of shape (d, d)")
    moments = GroupMoments.of(np.ones(2), np.zeros((2, shape[0])), np.stack(squares))
    if not all(is_covariance(square) for square in moments.covariances):
        raise InputError("bures2: a matrix has a negative eigenvalue: pass covariances")
    left, right = (factorised(square, np.diag(square))[0] for square in moments.covariances)
    return float(((left - right @ polar(right, left)) ** 2).sum())


def _fixed_point(
    factors: np.ndarray, weights: np.ndarray, start: np.ndarray, tolerance: float, cap: int
) -> tuple[np.ndarray, float, int]:
    """Factor of the barycenter, its residual, and the steps taken from ``start``."""
    factor, shares = start, weights[:, None, None]
    for step in range(cap + 1):
        following = (shares * (factors @ polar(factors, factor))).sum(0)
        size = np.linalg.norm(factor)
        residual = float(np.linalg.norm(following - factor) / size) if size > 0 else 0.0
        if residual < tolerance or step == cap:
            break
        factor = following
    return factor, residual, step


def tiled(rows: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """rows @ matrix in tiles of one shape, the last padded: the same bits for any batch."""
    count, width = rows.shape
    if count % TILE == 0:
        padded = np.ascontiguousarray(rows).reshape(-1, TILE, width)
    else:
        padded = np.zeros((-(-count // TILE), TILE, width))
        padded.reshape(-1, width)[:count] = rows
    return (padded @ matrix).reshape(-1, matrix.shape[1])[:count]


def _check(
    where: str, moments: GroupMoments, jitter: float, tolerance: float, max_iterations: int
) -> None:
    """Collect what is wrong with the settings, the weights and the covariances."""
    problems = Problems(where)
    for name, value in (("jitter", jitter), ("tolerance", tolerance)):
        fine = is_number(value) and value >= 0
        problems.require(fine, f"{name} is {value!r}", fix="pass a finite number of at least 0")
    whole = is_number(max_iterations, whole=True) and max_iterations >= 1
    problems.require(whole, f"max_iterations is {max_iterations!r}", fix="pass a whole number ≥ 1")
    empty = np.flatnonzero(~(moments.counts > 0)).tolist()
    if empty or len(moments.counts) == 0:
        problems.add(f"groups {empty} have no rows", fix="pass rows of every group")
    for group, square in enumerate(moments.covariances):
        problems.require(
            is_covariance(square),
            f"the covariance of group {group} has a negative eigenvalue",
            fix="pass a covariance, for instance that of GroupMoments.add",
        )
    problems.raise_if_any()
