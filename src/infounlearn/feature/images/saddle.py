"""The two saddle problems, as pure functions of tensors.

(B) barycenter of K groups by congruent potentials (Kolesov et al. 2024, arXiv:2402.03828):

    max_{f: Σ w_z f_z = 0} min_T  Σ_z w_z E_z[ c(x, T_z(x)) - f_z(T_z(x)) ],   c = mean |x - y|²/2

(A) optimal transport between two groups, both directions at once (Fan et al. 2021; Korotin et al.
2022, arXiv:2201.12220), f_z the potential on the law of group z:

    max_f min_T  Σ_z E_z[ c(x, T_z(x)) - f_{1-z}(T_z(x)) ] + E_{1-z} f_{1-z}(y)

Its optimum is half the least mean squared change, per pixel value. At the optimum d ∇f_z(T_z(x)) is
the way T_z(x) - x (the first-order condition of the maps), so

    λ/2 Σ_z w_z E_z mean |d ∇f_z(T_z(x)) - (T_z(x) - x)|²

takes nothing away there: it is a proximal step, which lets f change as fast as the maps follow and
makes the game strongly concave in f. Without the way it would leave λ/(1 + λ) of the distance of
two means.
"""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = [
    "congruent",
    "gradient_penalty",
    "group_mean",
    "own_values",
    "pairwise_targets",
    "pairwise_values",
    "transport_cost",
]


def group_mean(values: Tensor, codes: Tensor, weights: Tensor) -> Tensor:
    """Σ_z w_z mean over the rows of group z, whatever the shares of the groups in the batch.

    Args:
        values: (n,).
        codes: (n,) group of each row; every group occurs.
        weights: (K,) w_z.
    """
    counts = torch.bincount(codes, minlength=len(weights)).to(weights.dtype)
    return values @ (weights / counts)[codes]


def transport_cost(x: Tensor, moved: Tensor) -> Tensor:
    """(n,) half the mean squared change per pixel value."""
    return ((moved - x) ** 2).flatten(1).mean(1) / 2


def congruent(values: Tensor, weights: Tensor) -> Tensor:
    """(n, K) potentials with Σ w_z f_z = 0, from K free ones."""
    return values - (values @ weights)[:, None]


def own_values(values: Tensor, codes: Tensor, weights: Tensor) -> Tensor:
    """(n,) f_z(T_z(x)) of objective B, from (n, K) free values at T_z(x)."""
    return congruent(values, weights).gather(1, codes[:, None])[:, 0]


def pairwise_values(values: Tensor, codes: Tensor) -> Tensor:
    """(n,) f_{1-z}(T_z(x)) of objective A, from (n, 2) values at T_z(x)."""
    return values.gather(1, 1 - codes[:, None])[:, 0]


def pairwise_targets(values: Tensor, codes: Tensor) -> Tensor:
    """(n,) f_z(x) of objective A, from (n, 2) values at rows x of the groups themselves."""
    return values.gather(1, codes[:, None])[:, 0]


def gradient_penalty(
    own: Tensor, moved: Tensor, codes: Tensor, weights: Tensor, way: Tensor | None = None
) -> Tensor:
    """Σ_z w_z E_z mean (d ∇f_z - way)² / 2, in the units of the cost.

    Args:
        own: (n,) values that were computed from ``moved``, which requires a gradient.
        moved: (n, ...) places.
        codes, weights: as :func:`group_mean`.
        way: (n, ...) T_z(x) - x, which d ∇f_z is at the optimum; None: 0.
    """
    (slope,) = torch.autograd.grad(own.sum(), moved, create_graph=True)
    size = moved[0].numel()
    gap = size * slope if way is None else size * slope - way
    return group_mean((gap**2).flatten(1).mean(1) / 2, codes, weights)
