"""Small images of known groups for the tests of this folder."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor


def stripes(count: int = 300, groups: int = 2, side: int = 8, seed: int = 0) -> tuple[Tensor, ...]:
    """Grey images of noise, brighter from group to group in their upper half, and the groups."""
    generator = torch.Generator().manual_seed(seed)
    codes = torch.arange(count) % groups
    images = 0.35 + 0.1 * torch.randn(count, 1, side, side, generator=generator)
    images[:, :, : side // 2] += 0.15 * codes.view(-1, 1, 1, 1)
    return images.clamp(0, 1), codes


def known_gaussians(count: int, weight: float, seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    """Rows of N(0, 1) and N(2, 1.5²), their groups, and where the barycenter maps take them."""
    draws = np.random.default_rng(seed)
    codes = (np.arange(count) < round((1 - weight) * count)).astype(np.int64)
    rows = draws.standard_normal(count)
    rows = np.where(codes == 1, 2 + 1.5 * rows, rows)[:, None]
    mean, spread = 2 * (1 - weight), weight + 1.5 * (1 - weight)
    known = np.where(codes[:, None] == 1, mean + spread * (rows - 2) / 1.5, mean + spread * rows)
    return tuple(torch.from_numpy(value) for value in (rows, codes, known))  # type: ignore[return-value]
