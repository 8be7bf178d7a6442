"""Convolutional networks with batch-norm, cheap enough to train many times on a CPU.

They stand apart from :mod:`.networks` because the source of that file is part of the key of every
kept network (:func:`.ensemble.cache_keys`): a line more there would train them all again.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from torch import Tensor, nn

from infounlearn.experiments.networks import seeded


@dataclass(frozen=True)
class ConvNet:
    """Three strided 3 x 3 convolutions, each with batch-norm and ReLU, then one linear layer.

    The last layer sees every place of the last map, so that a few channels are enough.

    Attributes:
        side: of the input images (n, channels, side, side).
        channels: of these.
        width: channels of the first convolution; the others have twice and four times as many.
        classes: number of logits.
    """

    side: int
    channels: int = 1
    width: int = 16
    classes: int = 10

    def __call__(self, seed: int) -> nn.Sequential:
        widths = [self.channels, self.width, 2 * self.width, 4 * self.width]
        left = -(-self.side // 8)  # each convolution halves the side, rounding up
        with seeded(seed):
            layers: list[nn.Module] = []
            for channels, width in pairwise(widths):
                convolution = nn.Conv2d(channels, width, 3, stride=2, padding=1, bias=False)
                layers += [convolution, nn.BatchNorm2d(width), nn.ReLU()]
            return nn.Sequential(
                *layers, nn.Flatten(), nn.Linear(widths[-1] * left * left, self.classes)
            )


class Residual(nn.Module):
    """Two 3 x 3 convolutions with batch-norm, added to what came in (He et al. 2015).

    Args:
        channels: of the input.
        width: channels of the output.
        stride: of the first convolution.
    """

    def __init__(self, channels: int, width: int, stride: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(channels, width, 3, stride, padding=1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.Conv2d(width, width, 3, padding=1, bias=False),
            nn.BatchNorm2d(width),
        )
        self.shortcut = (
            nn.Identity()
            if channels == width and stride == 1
            else nn.Sequential(
                nn.Conv2d(channels, width, 1, stride, bias=False), nn.BatchNorm2d(width)
            )
        )

    def forward(self, inputs: Tensor) -> Tensor:
        """(n, channels, h, w) to (n, width, h / stride, w / stride), not negative."""
        added: Tensor = self.body(inputs) + self.shortcut(inputs)
        return added.relu()


@dataclass(frozen=True)
class ResNet:
    """A strided convolution, three residual blocks, mean over the picture, one linear layer.

    Halving the picture in the first layer already makes a step four times as cheap as in the
    networks published for 32 x 32 pixels, at the price of a few points of accuracy.

    Attributes:
        channels: of the input images (n, channels, h, w).
        width: channels of the first block; the others have twice and four times as many.
        classes: number of logits.
    """

    channels: int = 3
    width: int = 16
    classes: int = 10

    def __call__(self, seed: int) -> nn.Sequential:
        w = self.width
        with seeded(seed):
            return nn.Sequential(
                nn.Conv2d(self.channels, w, 3, stride=2, padding=1, bias=False),
                nn.BatchNorm2d(w),
                nn.ReLU(),
                Residual(w, w, stride=1),
                Residual(w, 2 * w, stride=2),
                Residual(2 * w, 4 * w, stride=2),
                nn.AdaptiveAvgPool2d(1),
                nn.Flatten(),
                nn.Linear(4 * w, self.classes),
            )
