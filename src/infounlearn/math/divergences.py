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
from infounlearn.math.tables import pointwise


class _JensenShannon(torch.autograd.Function):
    """JS of two laws per row; derivative ½ ln(p/m), ½ ln(q/m) with m = (p+q)/2."""

    @staticmethod
    def forward(ctx: Any, p: Tensor, q: Tensor) -> Tensor:
        half = 0.25 * (p - q)
        # The joint table of a fair coin Z and the outcome; independence expects (p+q)/4.
        table = 0.5 * torch.stack((p, q))
        terms, log_ratio = pointwise(table, 0.25 * (p + q), torch.stack((half, -half)))
        ctx.save_for_backward(log_ratio)
        return terms.sum((0, -1))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor]:
        (log_ratio,) = ctx.saved_tensors
        by_p, by_q = 0.5 * grad[..., None] * log_ratio
        return by_p, by_q


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
