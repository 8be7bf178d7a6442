"""Designs of the networks that probe images: two, that what one is blind to the other may see.

A map may be fitted against networks of one design, and then hides the feature from these alone.

- The first: three strided convolutions, batch-norm and ReLU, and a linear layer that sees every
  place of the last map; some 26,000 weights at 32 x 32. It stops early.
- The wider one: convolutions at full resolution, batch-norm and SiLU; squares of four pixels are
  pooled into their largest value beside their mean, so that single values that stand out (cut off
  at white, say) are passed on and not blurred; a linear layer sees every place of the last map, and
  the mean and the largest value over all places. It is trained to the end of its schedule: of
  weak traces a tenth of the images cannot tell when to stop.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

SMALL = 32
"""Pixels of a side up to which three scales are enough."""


@dataclass(frozen=True)
class Design:
    """A kind of network.

    Attributes:
        name: in names of findings.
        title: what a person reads.
        build: from (channels, height, width, groups) to a network of logits.
        patience: looks without progress after which training ends; None for never.
    """

    name: str
    title: str
    build: Callable[[int, int, int, int], nn.Module]
    patience: int | None


def _strided(channels: int, height: int, width: int, groups: int) -> nn.Module:
    layers: list[nn.Module] = []
    count, h, w = channels, height, width
    sizes = [5, 3, 3] + ([3] if max(height, width) > SMALL else [])
    for index, size in enumerate(sizes):
        wide = 16 * 2 ** min(index, 2)
        layers += [
            nn.Conv2d(count, wide, size, stride=2, padding=size // 2, bias=False),
            nn.BatchNorm2d(wide),
            nn.ReLU(),
        ]
        count, h, w = wide, -(-h // 2), -(-w // 2)
    return nn.Sequential(*layers, nn.Flatten(), nn.Dropout(0.3), nn.Linear(count * h * w, groups))


class Pooled(nn.Module):
    """Squares of 2 x 2: the largest value of each, then the mean of each."""

    def forward(self, x: Tensor) -> Tensor:
        parts = [
            pool(x, 2, ceil_mode=True) for pool in (functional.max_pool2d, functional.avg_pool2d)
        ]
        return torch.cat(parts, 1)


class Everywhere(nn.Module):
    """Every place, then the mean and the largest value over all."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([x.flatten(1), x.mean((2, 3)), x.amax((2, 3))], 1)


def _pooled(channels: int, height: int, width: int, groups: int) -> nn.Module:
    layers: list[nn.Module] = []
    count, h, w = channels, height, width
    for wide in [16, 32, 64] + ([64] if max(height, width) > SMALL else []):
        layers += [nn.Conv2d(count, wide, 3, padding=1), nn.BatchNorm2d(wide), nn.SiLU(), Pooled()]
        count, h, w = 2 * wide, -(-h // 2), -(-w // 2)
    end = nn.Linear(count * (h * w + 2), groups)
    return nn.Sequential(*layers, Everywhere(), nn.Dropout(0.4), end)


FIRST = Design("cnn", "a fresh network", _strided, 4)
WIDER = Design("wide", "a wider fresh network", _pooled, None)
DESIGNS = (FIRST, WIDER)
