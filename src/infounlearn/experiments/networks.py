"""Small networks, each a frozen recipe for building one from a seed.

A factory is a value: ``Mlp((64, 128, 64, 10))(seed)`` builds the same network on every call and in
every process, has a text form that names it completely (a cache key needs that), and leaves the
global random state as it found it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn


class Factory(Protocol):
    """Builds a freshly initialised network from a seed, touching no global state."""

    def __call__(self, seed: int) -> nn.Module: ...


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Run a block with torch's global CPU generator at ``seed``, and put it back afterwards.

    ``nn.Linear`` and ``nn.Dropout`` draw from the global generator and take no other; this lends
    them one. Devices other than the CPU are left alone.
    """
    with torch.random.fork_rng(devices=[]):
        # torch.manual_seed would also reseed every other device, which nothing here restores.
        torch.default_generator.manual_seed(seed)
        yield


@dataclass(frozen=True)
class Mlp:
    """Flatten, then linear layers with ReLU between them, and dropout before the last.

    Attributes:
        sizes: width of input, hidden layers and output, e.g. (784, 128, 64, 10).
        dropout: probability of dropping a hidden unit, after each ReLU.
    """

    sizes: tuple[int, ...]
    dropout: float = 0.0

    def __call__(self, seed: int) -> nn.Sequential:
        with seeded(seed):
            layers: list[nn.Module] = [nn.Flatten()]
            for width, following in zip(self.sizes[:-2], self.sizes[1:-1], strict=True):
                layers += [nn.Linear(width, following), nn.ReLU()]
                if self.dropout > 0:
                    layers.append(nn.Dropout(self.dropout))
            return nn.Sequential(*layers, nn.Linear(self.sizes[-2], self.sizes[-1]))


@dataclass(frozen=True)
class Cnn:
    """Two strided 3 x 3 convolutions with batch-norm, mean over the picture, one linear layer.

    Attributes:
        channels: of the input images (n, channels, h, w).
        width: channels of the first convolution; the second has twice as many.
        classes: number of logits.
    """

    channels: int = 1
    width: int = 8
    classes: int = 10

    def __call__(self, seed: int) -> nn.Sequential:
        with seeded(seed):
            return nn.Sequential(
                nn.Conv2d(self.channels, self.width, 3, stride=2, padding=1, bias=False),
                nn.BatchNorm2d(self.width),
                nn.ReLU(),
                nn.Conv2d(self.width, 2 * self.width, 3, stride=2, padding=1, bias=False),
                nn.BatchNorm2d(2 * self.width),
                nn.ReLU(),
                nn.AdaptiveAvgPool2d(1),
                nn.Flatten(),
                nn.Linear(2 * self.width, self.classes),
            )


@dataclass(frozen=True)
class TokenClassifier:
    """Mean of token embeddings, then a linear layer.

    Attributes:
        vocabulary: number of tokens; inputs are (n, length) int64 below it.
        width: of an embedding.
        classes: number of logits.
    """

    vocabulary: int
    width: int = 16
    classes: int = 2

    def __call__(self, seed: int) -> nn.Sequential:
        with seeded(seed):
            return nn.Sequential(
                nn.Embedding(self.vocabulary, self.width),
                MeanOverTokens(),
                nn.Linear(self.width, self.classes),
            )


class MeanOverTokens(nn.Module):
    """(n, length, width) to (n, width)."""

    def forward(self, embedded: Tensor) -> Tensor:
        """Mean over the second dimension."""
        return embedded.mean(dim=1)


DIGITS_MLP = Mlp((64, 128, 64, 10))
MNIST_MLP = Mlp((784, 128, 64, 10))
"""The network of Xu & Strohmer (2025), arXiv:2502.05684."""
