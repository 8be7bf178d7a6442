"""Distances between two models' predictions, record by record.

Arguments are logits or log-probabilities: both are normalised by a log-softmax, which leaves
log-probabilities as they are. Values are float64 and in nats.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from infounlearn.errors import InputError


class _JensenShannon(torch.autograd.Function):
    """JS of two laws per row; derivative ½ ln(p/m), ½ ln(q/m) with m = (p+q)/2."""

    @staticmethod
    def forward(ctx: Any, p: Tensor, q: Tensor) -> Tensor:
        # Terms m ψ(±δ)/2 of the mean law m; δ = (p-q)/(p+q) keeps the digits of a small difference.
        both, gap = p + q, p - q
        delta = torch.where(both > 0, gap / both, 0.0)
        by_p, by_q = _log_ratio(p, both, delta), _log_ratio(q, both, -delta)
        ctx.save_for_backward(by_p, by_q)
        # The gaps of p and q cancel exactly, so the terms need no correction for them.
        return 0.5 * (p * by_p + q * by_q).sum(-1)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor]:
        half = 0.5 * grad[..., None]
        by_p, by_q = ctx.saved_tensors
        return half * by_p, half * by_q


def _log_ratio(p: Tensor, both: Tensor, delta: Tensor) -> Tensor:
    """ln(p/m) for m = both/2 = p/(1+delta); 0 where p = 0, which only ever multiplies p."""
    # As in tables.pointwise: log1p for small differences, log for small probabilities.
    far = torch.log(torch.where(p > 0, 2.0 * p / both, 1.0))
    return torch.where(delta > -0.5, torch.log1p(delta), far)


def jensen_shannon(p_logits: Tensor, q_logits: Tensor) -> Tensor:
    """Jensen-Shannon divergence of each record, in nats.

    Args:
        p_logits: (..., c) logits or log-probabilities of one model; -inf is a probability of 0.
        q_logits: the same shape, of the other.

    Returns:
        (...,) float64 in [0, ln 2]: symmetric, 0 iff equal, ln 2 iff the supports are disjoint;
        differentiable once in both arguments, with finite gradients.

    Raises:
        InputError: shapes differ.
    """
    _check("jensen_shannon", p_logits, q_logits)
    p = torch.softmax(p_logits, -1, dtype=torch.float64)
    q = torch.softmax(q_logits, -1, dtype=torch.float64)
    value: Tensor = _JensenShannon.apply(p, q)
    return value


def kl(p_logits: Tensor, q_logits: Tensor) -> Tensor:
    """Kullback-Leibler divergence KL(p‖q) of each record, in nats.

    Args:
        p_logits: (..., c) logits or log-probabilities; the law that averages.
        q_logits: the same shape; the law that is compared with.

    Returns:
        (...,) float64, non-negative to rounding, inf where q misses an outcome of p;
        differentiable in both arguments.

    Raises:
        InputError: shapes differ.
    """
    _check("kl", p_logits, q_logits)
    log_p = torch.log_softmax(p_logits, -1, dtype=torch.float64)
    log_q = torch.log_softmax(q_logits, -1, dtype=torch.float64)
    p, q = log_p.exp(), log_q.exp()
    ratio = torch.where(p > 0, log_p - log_q, 0.0)
    # Terms p ln(p/q) - p + q ≥ 0: near equality their own small part, not a difference of 1s.
    near = (p > 0) & (ratio.abs() < 0.5)
    small = torch.where(near, ratio, 0.0)
    rest = torch.where(near, p * torch.expm1(-small), q - p)
    return (torch.where(p > 0, p * ratio, 0.0) + rest).sum(-1)


def total_variation_rows(p_logits: Tensor, q_logits: Tensor) -> Tensor:
    """Total variation ½ Σ|p - q| of each record: (..., c) logits to (...,) float64 in [0, 1].

    Raises:
        InputError: shapes differ.
    """
    _check("total_variation_rows", p_logits, q_logits)
    p = torch.softmax(p_logits, -1, dtype=torch.float64)
    q = torch.softmax(q_logits, -1, dtype=torch.float64)
    return 0.5 * (p - q).abs().sum(-1)


def _check(where: str, p: Tensor, q: Tensor) -> None:
    if p.shape != q.shape or p.dim() == 0:
        raise InputError(
            f"{where}: shapes {tuple(p.shape)} and {tuple(q.shape)} differ: "
            "pass two models' outputs for the same records"
        )
