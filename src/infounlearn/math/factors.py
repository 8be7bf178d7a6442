"""Factors C = F Fᵀ of covariances, ranks that do not depend on units, and polar factors.

Eigenvalues are those of the correlations: a column measured in millimetres instead of kilometres
changes neither a rank nor the relative accuracy of a factor. Literature: Demmel & Veselić 1992,
"Jacobi's method is more accurate than QR" (scaled condition numbers).
"""

from __future__ import annotations

import numpy as np


def factorised(square: np.ndarray, scale: np.ndarray) -> tuple[np.ndarray, np.ndarray, int]:
    """(d, d) F with F Fᵀ = C, its (pseudo-)inverse, and the rank of C.

    Args:
        square: (d, d) covariance C.
        scale: (d,) variances beside which a variance of C can be rounding, and then counts as 0.
    """
    spread, correlations = _correlations(square, scale)
    values, vectors = np.linalg.eigh(correlations)
    roots = np.sqrt(np.where(values > _floor(values), values, 0.0))
    factor = spread[:, None] * vectors * roots
    inverse = _inverse(roots)[:, None] * vectors.T * _inverse(spread)
    return factor, inverse, int((roots > 0).sum())


def is_covariance(square: np.ndarray) -> bool:
    """Whether a symmetric matrix has no eigenvalue, by unit diagonal, below rounding."""
    spread, correlations = _correlations(square, np.diag(square))
    values = np.linalg.eigvalsh(correlations)
    # A column without variance has no covariance either.
    lost = square[spread == 0]
    return bool((values >= -_floor(values)).all() and not lost.any())


def range_basis(square: np.ndarray) -> np.ndarray:
    """(d, rank) orthonormal basis of the range; columns of the identity where they span it."""
    spread, correlations = _correlations(square, np.diag(square))
    alive = np.flatnonzero(spread > 0)
    values, vectors = np.linalg.eigh(correlations[np.ix_(alive, alive)])
    kept = values > _floor(values)
    basis = np.eye(len(square))[:, alive]
    if kept.all():
        return basis
    return basis @ np.linalg.qr(spread[alive, None] * vectors[:, kept])[0]


def polar(to: np.ndarray, source: np.ndarray) -> np.ndarray:
    """Orthogonal Q with ``to`` @ Q nearest to ``source``; leading axes broadcast."""
    left, _, right = np.linalg.svd(to.swapaxes(-1, -2) @ source)
    return left @ right


def _correlations(square: np.ndarray, scale: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Standard deviations, 0 where they are rounding beside ``scale``, and correlations."""
    variances = np.diag(square)
    rounding = _share(len(square)) * scale
    spread = np.sqrt(np.where(variances > np.maximum(rounding, 0.0), variances, 0.0))
    inverse = _inverse(spread)
    return spread, inverse[:, None] * square * inverse


def _floor(values: np.ndarray) -> float:
    """Eigenvalue up to which one of ``values`` is rounding."""
    return _share(len(values)) * float(values.max(initial=0.0))


def _share(size: int) -> float:
    """Share of the largest eigenvalue that rounding can make of zero: a few ulps per column."""
    return 8.0 * max(size, 4) * float(np.finfo(np.float64).eps)


def _inverse(values: np.ndarray) -> np.ndarray:
    """1 / value, 0 for 0."""
    return np.divide(1.0, values, out=np.zeros_like(values), where=values > 0)
