"""How far a map is from the optimal one that is known, and what moving to the barycenter costs.

L2-UVP (unexplained variance percentage): 100 E|T(x) - T*(x)|² / Var(target), 0 % for the optimal
map and 100 % for the constant one. Literature: Korotin et al. 2021, "Do neural optimal transport
solvers work?" (arXiv:2106.01954). Sums are float64 whatever comes in.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from infounlearn.errors import Problems

__all__ = ["l2_uvp", "map_cosine", "two_group_value"]


def l2_uvp(mapped: ArrayLike, optimal: ArrayLike, variance: float | None = None) -> float:
    """100 E|T(x) - T*(x)|² / Var(target) [%].

    Args:
        mapped: (n, ...) T(x) of rows x of the source.
        optimal: (n, ...) T*(x) of the same rows.
        variance: total variance of the target; None: that of the rows of ``optimal``.

    Raises:
        InputError: shapes that differ, fewer than two rows, values that are not finite, or a
            target without variance.
    """
    (ours, truth), problems = _read("l2_uvp", mapped=mapped, optimal=optimal)
    problems.raise_if_any()
    total = float(truth.var(0).sum()) if variance is None else float(variance)
    problems.require(
        np.isfinite(total) and total > 0, f"the target has variance {total}", fix="pass one above 0"
    )
    problems.raise_if_any()
    return 100.0 * float(((ours - truth) ** 2).sum(1).mean()) / total


def map_cosine(mapped: ArrayLike, optimal: ArrayLike, source: ArrayLike) -> float:
    """Cosine of the two displacement fields, <T - id, T* - id> / (‖T - id‖ ‖T* - id‖) in L2.

    Args:
        mapped, optimal: as :func:`l2_uvp`.
        source: (n, ...) rows x.

    Raises:
        InputError: as :func:`l2_uvp`, or a map that moves nothing.
    """
    parts, problems = _read("map_cosine", mapped=mapped, optimal=optimal, source=source)
    problems.raise_if_any()
    ours, truth = parts[0] - parts[2], parts[1] - parts[2]
    size = float(np.linalg.norm(ours) * np.linalg.norm(truth))
    problems.require(size > 0, "a map moves nothing", fix="pass maps other than the identity")
    problems.raise_if_any()
    return float((ours * truth).sum()) / size


def two_group_value(source: ArrayLike, optimal: ArrayLike, weight: float) -> float:
    """V = w₀ w₁ W2², the least mean squared change to a law common to two groups; total units.

    W2² is E|x - T*(x)|² over rows of one group, T* the optimal map to the other.

    Args:
        source: (n, ...) rows of one group.
        optimal: (n, ...) T*(x) of the same rows.
        weight: share of either group, in (0, 1).

    Raises:
        InputError: as :func:`l2_uvp`, or a weight outside (0, 1).
    """
    (rows, truth), problems = _read("two_group_value", source=source, optimal=optimal)
    problems.require(0.0 < weight < 1.0, f"weight is {weight!r}", fix="pass a number in (0, 1)")
    problems.raise_if_any()
    return weight * (1.0 - weight) * float(((rows - truth) ** 2).sum(1).mean())


def _read(where: str, **values: ArrayLike) -> tuple[list[np.ndarray], Problems]:
    """Each value as (n, d) float64, and what is wrong with them."""
    problems = Problems(where)
    arrays = {name: np.asarray(value, dtype=np.float64) for name, value in values.items()}
    shapes = {name: array.shape for name, array in arrays.items()}
    fits = len(set(shapes.values())) == 1 and len(next(iter(shapes.values()))) > 1
    problems.require(fits, f"shapes are {shapes}", fix="pass arrays of one shape (n, ...)")
    for name, array in arrays.items():
        problems.require(len(np.atleast_1d(array)) > 1, f"{name} has no two rows", fix="pass more")
        problems.require(
            bool(np.isfinite(array).all()), f"{name} is not finite", fix="pass finite values"
        )
    return [array.reshape(len(array), -1) if array.ndim else array for array in arrays.values()], (
        problems
    )
