"""Solving with a Hessian too large to write down: exactly by few gradients, or step by step."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from infounlearn.errors import DivergenceError

_COLUMNS = 1 << 16
"""Columns multiplied at a time in float64, so that no second copy of the gradients is made."""
_STRIP = 64
"""Rows multiplied at a time with those that are held."""


def woodbury_solve(
    row: Callable[[int], Tensor], count: int, vector: Tensor, *, damping: float, held: int
) -> Tensor:
    """(damping I + GᵀG/N)⁻¹ v for the N rows of G, by the N x N matrix GGᵀ.

    Equal to (v - Gᵀ (N damping I + GGᵀ)⁻¹ G v) / damping. All products keep every row: the
    recursion over rows that carries the vector alone along, as some published code does, solves
    another system (its error on normal gradients is .17).

    Args:
        row: row i of G, (P,), the same whenever it is asked for; see :func:`rows_asked`.
        count: N.
        vector: (P,) float64.
        damping: above 0.
        held: rows of G held in memory at a time, beside a strip of 64.

    Returns:
        (P,) float64.

    References: Woodbury (1950); WoodFisher: Singh & Alistarh (2020), arXiv:2004.14340.
    """
    gram = torch.zeros(count, count, dtype=torch.float64, device=vector.device)
    shown = torch.zeros(count, dtype=torch.float64, device=vector.device)
    block = vector.new_zeros(0)
    for first in range(0, count, held):
        size = min(held, count - first)
        block = torch.stack([row(first + i) for i in range(size)])
        gram[first : first + size, first : first + size] = _times(block, block.T)
        shown[first : first + size] = _times(block, vector[:, None])[:, 0]
        for start in range(first + size, count, _STRIP):
            end = min(start + _STRIP, count)
            part = _times(block, torch.stack([row(i) for i in range(start, end)]).T)
            gram[first : first + size, start:end] = part
            gram[start:end, first : first + size] = part.T
    gram.diagonal().add_(count * damping)
    weights = torch.cholesky_solve(shown[:, None], torch.linalg.cholesky(gram))[:, 0]
    found = vector.clone()
    for i, weight in enumerate(weights.tolist()):
        found.sub_(block[i] if count <= held else row(i), alpha=weight)
    return found / damping


def rows_asked(count: int, held: int) -> int:
    """How often :func:`woodbury_solve` asks for a row."""
    asked = sum(count - first for first in range(0, count, held))
    return asked if count <= held else asked + count


def conjugate_gradient(
    product: Callable[[Tensor], Tensor], vector: Tensor, *, iterations: int, tolerance: float
) -> Tensor:
    """H⁻¹ v for a positive definite H of which only products are known.

    Args:
        product: H times a vector, (P,) to (P,).
        vector: (P,) float64.
        iterations: products at most; in exact arithmetic P are enough.
        tolerance: of the residual's length, relative to that of ``vector``.

    Raises:
        DivergenceError: H is not positive definite.

    References: Hestenes & Stiefel (1952).
    """
    found, residual = torch.zeros_like(vector), vector.clone()
    direction, length = residual.clone(), float(residual @ residual)
    enough = length * tolerance**2
    for _ in range(iterations):
        if length <= enough:
            break
        image = product(direction)
        curvature = float(direction @ image)
        if not curvature > 0:
            raise DivergenceError(
                f"influence: the Hessian is not positive definite (curvature {curvature:.3g}), so "
                "no step leads to a minimum: raise damping, or use hessian='woodfisher'"
            )
        step = length / curvature
        found.add_(direction, alpha=step)
        residual.sub_(image, alpha=step)
        before, length = length, float(residual @ residual)
        direction.mul_(length / before).add_(residual)
    return found


def _times(first: Tensor, second: Tensor) -> Tensor:
    """(n, P) times (P, m) in float64."""
    total = first.new_zeros(len(first), second.shape[1], dtype=torch.float64)
    for start in range(0, first.shape[1], _COLUMNS):
        end = start + _COLUMNS
        total.addmm_(first[:, start:end].double(), second[start:end].double())
    return total
