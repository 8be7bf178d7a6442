"""Critics: small networks trained afresh to tell one group from the others, and their slopes."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional

from infounlearn.feature.images.networks import laid_out
from infounlearn.feature.images.seeds import own_randomness

DESIGNS = ("fine", "places", "tones")
"""One critic after the other."""
HIDDEN = 64
"""Of the perceptrons that read vectors."""
WIDTH, FINE_WIDTH, TONES = 32, 12, 24
"""Channels of each design."""
BATCH, RATE, DECAY = 64, 4e-3, 1e-2
ROWS, LEAST_STEPS = 5, 200
"""How often a critic sees each of its rows, and its least number of steps."""
NOISE = 0.05
"""Of the rows a critic learns from, in standard deviations of a pixel: it smooths its slopes."""
NEAR = 0.06
"""Part of the range next to each limit that counts as near black or near white."""
TINY = 1e-4
"""Added to mean squares before their root, whose slope has no end at 0."""
CHUNK = 256
"""Rows read at once."""


class Critic(nn.Module):
    """Log odds of a group; what a design does not see, the next may.

    "fine": convolutions of every pixel and the largest of what they find nearby, so that a small
    bright spot counts. "places": wide strided convolutions and a linear layer, which sees what is
    where. "tones": how much there is, over the whole image, of every colour and small pattern, and
    of what is near black and near white. Of vectors, two hidden layers whatever the design.

    Args:
        shape: (c, h, w) or (d,) of a row.
        design: one of :data:`DESIGNS`.
        limits: least and largest value of a row; infinite ones are near nothing.
    """

    def __init__(
        self,
        shape: tuple[int, ...],
        design: str = "places",
        limits: tuple[float, float] = (-math.inf, math.inf),
    ) -> None:
        super().__init__()
        self.design = design
        if len(shape) == 1:
            hidden = (nn.Linear(shape[0], HIDDEN), nn.SiLU(), nn.Linear(HIDDEN, HIDDEN), nn.SiLU())
            self.layers: nn.Module = nn.Sequential(*hidden, nn.Linear(HIDDEN, 1))
        elif design == "tones":
            self.layers = _Tones(shape[0], limits)
        else:
            self.layers = _fine(shape) if design == "fine" else _places(shape)

    def forward(self, rows: Tensor) -> Tensor:
        """(n,) log odds of the group against the others."""
        return self.layers(rows)[:, 0]


def _places(shape: tuple[int, ...]) -> nn.Sequential:
    layers: list[nn.Module] = []
    count, height, wide = shape
    for turn in range(3 if max(height, wide) <= 32 else 4):
        channels = WIDTH * 2 ** min(turn, 2)
        layers += _convolution(count, channels, 3, stride=2)
        count, height, wide = channels, -(-height // 2), -(-wide // 2)
    end = nn.Linear(count * height * wide, 1)
    return nn.Sequential(*layers, nn.Flatten(), nn.Dropout(0.4), end)


def _fine(shape: tuple[int, ...]) -> nn.Sequential:
    count, height, wide = shape
    layers: list[nn.Module] = []
    for more in (FINE_WIDTH, 32) if max(height, wide) <= 32 else (FINE_WIDTH, 24, 32):
        layers += [*_convolution(count, more, 3), nn.MaxPool2d(2, ceil_mode=True)]
        count, height, wide = more, -(-height // 2), -(-wide // 2)
    layers += _convolution(count, 64, 3, stride=2)
    height, wide = -(-height // 2), -(-wide // 2)
    end = nn.Linear(64 * height * wide, 1)
    return nn.Sequential(*layers, nn.Flatten(), nn.Dropout(0.4), end)


class _Tones(nn.Module):
    """Means, sizes and largest values, over the image, of small patterns."""

    limits: Tensor

    def __init__(self, channels: int, limits: tuple[float, float]) -> None:
        super().__init__()
        self.register_buffer("limits", torch.tensor(limits))
        half = TONES // 2
        self.patterns = nn.Sequential(
            nn.BatchNorm2d(3 * channels),
            *_convolution(3 * channels, half, 3),
            *_convolution(half, TONES, 1),
        )
        self.end = nn.Sequential(
            nn.BatchNorm1d(3 * TONES), nn.Linear(3 * TONES, 32), nn.ReLU(), nn.Dropout(0.2)
        )
        self.last = nn.Linear(32, 1)

    def forward(self, rows: Tensor) -> Tensor:
        low, high = self.limits
        wide = NEAR * (high - low)
        dark, bright = torch.zeros_like(rows), torch.zeros_like(rows)
        if bool(torch.isfinite(wide)):
            dark = functional.relu(low + wide - rows) / wide
            bright = functional.relu(rows - high + wide) / wide
        found = self.patterns(torch.cat([rows, dark, bright], 1)).flatten(2)
        sizes = ((found**2).mean(2) + TINY).sqrt()
        return self.last(self.end(torch.cat([found.mean(2), sizes, found.amax(2)], 1)))


def _convolution(before: int, after: int, size: int, stride: int = 1) -> list[nn.Module]:
    return [
        nn.Conv2d(before, after, size, stride, size // 2, bias=False),
        nn.BatchNorm2d(after),
        nn.ReLU(),
    ]


def trained_critic(
    rows: Tensor,
    is_group: Tensor,
    seed: int,
    design: str = "places",
    limits: tuple[float, float] = (-math.inf, math.inf),
) -> Critic:
    """A critic of log-loss that has seen these rows alone.

    Args:
        rows: (n, ...) standardised rows, on the device of the critic.
        is_group: (n,) whether each row is of the group.
        seed: of weights, order and noise.
        design: one of :data:`DESIGNS`.
        limits: least and largest value of a row.

    Returns:
        In evaluation, without gradients of its weights.
    """
    labels, size = is_group.to(rows.dtype), min(BATCH, len(rows))
    steps = max(ROWS * len(rows) // size, LEAST_STEPS)
    with own_randomness(rows.device, seed):
        shape = tuple(rows.shape[1:])
        net: Critic = laid_out(Critic(shape, design, limits), shape)
        net.to(rows.device)
        optimizer = torch.optim.AdamW(net.parameters(), lr=RATE, weight_decay=DECAY, fused=True)
        for step, chosen in zip(range(steps), _orders(len(rows), size), strict=False):
            for group in optimizer.param_groups:
                group["lr"] = RATE * _cycle((step + 1) / steps)
            part = rows[chosen.to(rows.device)]
            logits = net(part + NOISE * torch.randn_like(part))
            loss = functional.binary_cross_entropy_with_logits(logits, labels[chosen])
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
    return net.eval().requires_grad_(False)


def read(net: nn.Module, rows: Tensor) -> tuple[Tensor, Tensor]:
    """(n,) log odds of rows, and (n, ...) their slopes in the rows."""
    with torch.enable_grad():
        own = rows.detach().requires_grad_(True)
        scores = net(own)
        (slopes,) = torch.autograd.grad(scores.sum(), own)
    return scores.detach(), slopes


def information(scores: Tensor, is_group: Tensor) -> float:
    """Nats that log odds tell of the group: entropy of its share less their log-loss."""
    share = float(is_group.double().mean())
    entropy = -sum(p * math.log(p) for p in (share, 1.0 - share) if p > 0)
    labels = is_group.double()
    loss = functional.binary_cross_entropy_with_logits(scores.double().cpu(), labels.cpu())
    return entropy - float(loss)


def _orders(count: int, size: int) -> Iterator[Tensor]:
    """Whole batches of shuffled rows, without end."""
    while True:
        order = torch.randperm(count)
        yield from (part for part in order.split(size) if len(part) == size)


def _cycle(share: float) -> float:
    """Learning rate along the run: a third upwards, then half a cosine down."""
    return 3 * share if share < 1 / 3 else 0.5 * (1 + math.cos(math.pi * (1.5 * share - 0.5)))
