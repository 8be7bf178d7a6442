"""Logits that tell two groups apart, and a penalty that has seen many of them."""

from __future__ import annotations

import torch
from torch import Tensor

from infounlearn.feature.penalty import InformationPenalty


def world(rows: int, seed: int, *, leak: float = 1.0, classes: int = 3) -> tuple[Tensor, Tensor]:
    """Logits that tell two unequal groups apart by ``leak``, and the groups."""
    generator = torch.Generator().manual_seed(seed)
    z = (torch.rand(rows, generator=generator) < 0.3).long()
    logits = torch.randn(rows, classes, generator=generator, dtype=torch.float64)
    logits[:, 0] += leak * z
    return logits, z


def primed(level: str = "label") -> InformationPenalty:
    """A penalty that has seen a large sample of ``world``, in eval mode."""
    penalty = InformationPenalty(1.0, level=level)  # type: ignore[arg-type]
    logits, z = world(50_000, 99)
    penalty(logits, z)
    return penalty.eval()


def gradient(penalty: InformationPenalty, logits: Tensor, z: Tensor) -> Tensor:
    """Slope of the penalty in each logit."""
    shown = logits.clone().requires_grad_()
    penalty(shown, z).backward()
    assert shown.grad is not None
    return shown.grad
