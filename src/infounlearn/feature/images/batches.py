"""Batches of images that are a function of a seed: every group has its share of each."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass
class Rows:
    """Training rows by group, standardised when they are taken."""

    pixels: Tensor
    codes: Tensor
    weights: Tensor
    shift: float = 0.0
    scale: float = 1.0

    def __post_init__(self) -> None:
        groups = range(len(self.weights))
        self.members = [torch.nonzero(self.codes == z)[:, 0] for z in groups]

    def batch(self, size: int, seed: int, flip: bool, device: torch.device) -> tuple[Tensor, ...]:
        """Equally many rows of every group, drawn with replacement, and their groups."""
        generator = torch.Generator().manual_seed(seed)
        each = max(1, size // len(self.members))
        draws = [torch.randint(len(own), (each,), generator=generator) for own in self.members]
        chosen = torch.cat([own[at] for own, at in zip(self.members, draws, strict=True)])
        rows = standardised(self.pixels[chosen], self.shift, self.scale)
        if flip:
            turned = torch.rand(len(rows), generator=generator) < 0.5
            rows = torch.where(turned.view(-1, *[1] * (rows.ndim - 1)), rows.flip(-1), rows)
        codes = torch.arange(len(self.members)).repeat_interleave(each)
        return _on(rows, device), codes.to(device)


def standardised(pixels: Tensor, shift: float, scale: float) -> Tensor:
    """Pixels as the networks see them: float32 in [0, 1], of bytes or not, then shifted, scaled."""
    rows = pixels.float() / 255 if pixels.dtype == torch.uint8 else pixels.float()
    return (rows - shift) / scale


def _on(rows: Tensor, device: torch.device) -> Tensor:
    rows = rows.to(device)
    return rows.contiguous(memory_format=torch.channels_last) if rows.ndim == 4 else rows
