"""Sums over all entries but one, without subtracting: nothing cancels."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def logsumexp_of_others(values: Tensor, dim: int) -> Tensor:
    """ln Σ_{j≠k} exp v_j along ``dim``, for each k: shape of ``values``; -inf where all are -inf.

    The sum of all less one's own would lose every digit where that one dominates: a confident
    network in an ensemble, a confident class in a law.

    Args:
        values: floating point, of any shape; -inf is allowed.
        dim: the entries that are summed.
    """
    before = torch.logcumsumexp(values, dim)
    after = torch.logcumsumexp(values.flip(dim), dim).flip(dim)
    return torch.logaddexp(*_shifted(before, after, dim, -math.inf))


def sum_of_others(values: Tensor, dim: int) -> Tensor:
    """Σ_{j≠k} v_j along ``dim``, for each k: the shape of ``values``."""
    before = values.cumsum(dim)
    after = values.flip(dim).cumsum(dim).flip(dim)
    left, right = _shifted(before, after, dim, 0.0)
    return left + right


def _shifted(before: Tensor, after: Tensor, dim: int, empty: float) -> tuple[Tensor, Tensor]:
    """Running sums up to the entry before k, and from the entry after k."""
    length = before.shape[dim]
    nothing = torch.full_like(before.narrow(dim, 0, 1), empty)
    left = torch.cat([nothing, before.narrow(dim, 0, length - 1)], dim)
    right = torch.cat([after.narrow(dim, 1, length - 1), nothing], dim)
    return left, right
