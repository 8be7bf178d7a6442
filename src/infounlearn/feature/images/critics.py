"""Critics: small networks trained afresh to tell one group from the others, and their slopes."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional

from infounlearn.feature.images.networks import laid_out
from infounlearn.feature.images.seeds import own_randomness

WIDTH, HIDDEN = 16, 64
BATCH, RATE, DECAY = 64, 4e-3, 1e-2
ROWS, LEAST_STEPS = 4, 200
"""How often a critic sees each of its rows, and its least number of steps."""
NOISE = 0.05
"""Of the rows a critic learns from, in standard deviations of a pixel: it smooths its slopes."""
CHUNK = 256
"""Rows read at once."""


class Critic(nn.Module):
    """Strided convolutions and a linear layer; of vectors, two hidden layers.

    Args:
        shape: (c, h, w) or (d,) of a row.
        width: channels after the first layer, then twice and four times as many.
    """

    def __init__(self, shape: tuple[int, ...], width: int = WIDTH) -> None:
        super().__init__()
        if len(shape) == 1:
            hidden = (nn.Linear(shape[0], HIDDEN), nn.SiLU(), nn.Linear(HIDDEN, HIDDEN), nn.SiLU())
            self.layers = nn.Sequential(*hidden, nn.Linear(HIDDEN, 1))
            return
        layers: list[nn.Module] = []
        count, height, wide = shape
        for turn, size in enumerate((5, 3, 3) if max(shape[1:]) <= 32 else (5, 3, 3, 3)):
            channels = width * 2 ** min(turn, 2)
            convolution = nn.Conv2d(count, channels, size, 2, size // 2, bias=False)
            layers += [convolution, nn.BatchNorm2d(channels), nn.ReLU()]
            count, height, wide = channels, -(-height // 2), -(-wide // 2)
        end = nn.Linear(count * height * wide, 1)
        self.layers = nn.Sequential(*layers, nn.Flatten(), nn.Dropout(0.2), end)

    def forward(self, rows: Tensor) -> Tensor:
        """(n,) log odds of the group against the others."""
        return self.layers(rows)[:, 0]


def trained_critic(rows: Tensor, is_group: Tensor, seed: int) -> Critic:
    """A critic of log-loss that has seen these rows alone.

    Args:
        rows: (n, ...) standardised rows, on the device of the critic.
        is_group: (n,) whether each row is of the group.
        seed: of weights, order and noise.

    Returns:
        In evaluation, without gradients of its weights.
    """
    labels, size = is_group.to(rows.dtype), min(BATCH, len(rows))
    steps = max(ROWS * len(rows) // size, LEAST_STEPS)
    with own_randomness(rows.device, seed):
        net: Critic = laid_out(Critic(tuple(rows.shape[1:])), tuple(rows.shape[1:]))
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
