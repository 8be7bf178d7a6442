"""Maps applied to images in tiles of one shape: no image feels how many others came along."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from infounlearn.feature.images.batches import Rows, standardised

TILE = 32
"""Images per pass; the last pass is filled up with zeros. Vectors go one by one, because narrow
products of matrices add up in an order that depends on the row."""


@torch.no_grad()
def push(maps: nn.Module, pixels: Tensor, codes: Tensor, rows: Rows, pairwise: bool) -> Tensor:
    """X̄ of images, float32 in their own units, not confined to the range of pixels.

    Args:
        maps: T in standardised units.
        pixels: (n, ...) uint8 or float32.
        codes: (n,) groups.
        rows: what the maps were trained on: weights, shift and scale.
        pairwise: T leads to the other group, and X̄ = w_z x + (1 - w_z) T_z(x).

    Returns:
        (n, ...) on the CPU.
    """
    device = next(iter([*maps.parameters(), *maps.buffers()])).device
    weights = rows.weights.to(torch.float32)
    size = TILE if pixels.ndim == 4 else 1
    moved = []
    for start in range(0, len(pixels), size):
        part, group = pixels[start : start + size], codes[start : start + size]
        x = standardised(part, rows.shift, rows.scale)
        tile = torch.zeros(size, *x.shape[1:])
        places = torch.zeros(size, dtype=torch.long)
        tile[: len(x)], places[: len(x)] = x, group
        if tile.ndim == 4:
            tile = tile.contiguous(memory_format=torch.channels_last)
        ends = maps(tile.to(device), places.to(device)).cpu()[: len(x)]
        step = (ends - x) * rows.scale
        if pairwise:
            step *= (1.0 - weights[group]).view(-1, *[1] * (step.ndim - 1))
        own = part.float() / 255 if part.dtype == torch.uint8 else part
        moved.append((own + step).contiguous())
    return torch.cat(moved)


def figures_of(
    pixels: Tensor,
    codes: Tensor,
    rows: Rows,
    pairwise: bool,
    probe: Callable[..., dict[str, float]],
) -> Callable[[nn.Module], dict[str, float]]:
    """What training looks at now and then: cost and probe of images it does not learn from."""
    own = standardised(pixels, 0.0, 1.0)

    def look(maps: nn.Module) -> dict[str, float]:
        moved = push(maps, pixels, codes, rows, pairwise)
        cost = float(((moved - own) ** 2).mean(dtype=torch.float64))
        return {"held_out_cost": cost, **probe(standardised(moved, rows.shift, rows.scale))}

    return look
