"""Networks of the saddle: maps that begin at the closed form, potentials that begin at its dual.

    T_z(x) = x + D_z(x) + g(x, z)          D_z: affine, of the latent Gaussian barycenter, or 0
    f_z(y) = q_z(y) + h(y)_z               ∇q_z(y) = y - T_z^{-1}(y) of that affine map, or 0

The last layers of g and h are 0 at first, so training starts where the Gaussian answer is optimal
for both players. No layer mixes the images of a batch. All values are standardised pixels, costs
are means per pixel value, so that f and its learning rate know no image size.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

MULTIPLE = 8
"""Images are padded to sides of this multiple inside the networks: three halvings."""


class MapNet(nn.Module):
    """g of images: a small U-Net on 2 x 2 blocks of pixels, the group set by scale and shift.

    Args:
        shape: (c, h, w) of an image.
        groups: number of groups.
        width: channels at half resolution; twice as many below.
    """

    def __init__(self, shape: tuple[int, ...], groups: int, width: int = 24) -> None:
        super().__init__()
        channels = 4 * shape[0]
        self.groups, self.sides = groups, (shape[1], shape[2])
        self.stem = nn.Conv2d(channels, width, 3, padding=1)
        self.first = _Block(width, groups)
        self.down = nn.Conv2d(width, 2 * width, 3, stride=2, padding=1)
        self.second = _Block(2 * width, groups)
        self.further = nn.Conv2d(2 * width, 2 * width, 3, stride=2, padding=1)
        self.third = _Block(2 * width, groups)
        self.rise = nn.Conv2d(2 * width, 2 * width, 1)
        self.fourth = _Block(2 * width, groups)
        self.back = nn.Conv2d(2 * width, width, 1)
        self.fifth = _Block(width, groups)
        self.head = _zero(nn.Conv2d(width, channels, 3, padding=1))

    def forward(self, x: Tensor, codes: Tensor) -> Tensor:
        """(n, c, h, w) change of images, for (n,) groups."""
        z = functional.one_hot(codes, self.groups).to(x.dtype)
        high = self.first(self.stem(functional.pixel_unshuffle(padded(x), 2)), z)
        middle = self.second(self.down(high), z)
        low = self.third(self.further(middle), z)
        middle = self.fourth(middle + functional.interpolate(self.rise(low), scale_factor=2.0), z)
        high = self.fifth(high + functional.interpolate(self.back(middle), scale_factor=2.0), z)
        out = functional.pixel_shuffle(self.head(functional.silu(high)), 2)
        return out[..., : self.sides[0], : self.sides[1]]


class Potential(nn.Module):
    """h of images: a small convolutional network with one output per group.

    Args:
        shape: (c, h, w) of an image.
        groups: number of groups.
        width: channels at half resolution; twice and four times as many below.
    """

    def __init__(self, shape: tuple[int, ...], groups: int, width: int = 32) -> None:
        super().__init__()
        blocks = [-(-side // MULTIPLE) for side in shape[1:]]
        self.layers = nn.Sequential(
            nn.Conv2d(4 * shape[0], width, 3, padding=1),
            nn.SiLU(),
            nn.Conv2d(width, 2 * width, 3, stride=2, padding=1),
            nn.SiLU(),
            nn.Conv2d(2 * width, 2 * width, 3, padding=1),
            nn.SiLU(),
            nn.Conv2d(2 * width, 4 * width, 3, stride=2, padding=1),
            nn.SiLU(),
            nn.Flatten(),
            nn.Linear(4 * width * blocks[0] * blocks[1], 4 * width),
            nn.SiLU(),
            _zero(nn.Linear(4 * width, groups)),
        )

    def forward(self, y: Tensor) -> Tensor:
        """(n, groups) values."""
        return self.layers(functional.pixel_unshuffle(padded(y), 2))


class MapMLP(nn.Module):
    """g of vectors: two hidden layers.

    Args:
        shape: (d,) of a row.
        groups: number of groups.
        width: of the hidden layers.
    """

    def __init__(self, shape: tuple[int, ...], groups: int, width: int = 64) -> None:
        super().__init__()
        self.groups = groups
        self.layers = _perceptron(shape[0] + groups, width, shape[0])

    def forward(self, x: Tensor, codes: Tensor) -> Tensor:
        """(n, d) change of rows, for (n,) groups."""
        z = functional.one_hot(codes, self.groups).to(x.dtype)
        return self.layers(torch.cat([x, z], 1))


class PotentialMLP(nn.Module):
    """h of vectors: two hidden layers; arguments as :class:`MapMLP`."""

    def __init__(self, shape: tuple[int, ...], groups: int, width: int = 64) -> None:
        super().__init__()
        self.layers = _perceptron(shape[0], width, groups)

    def forward(self, y: Tensor) -> Tensor:
        """(n, groups) values."""
        return self.layers(y)


class NoChange(nn.Module):
    """g = 0, for maps that are the closed form alone."""

    def forward(self, x: Tensor, codes: Tensor) -> Tensor:
        """Zeros like ``x``."""
        return torch.zeros_like(x)


class GroupMap(nn.Module):
    """T: rows and their groups to the common law."""

    def __init__(self, net: nn.Module, start: nn.Module | None = None, scale: float = 1.0) -> None:
        super().__init__()
        self.net, self.start, self.scale = net, start, scale

    def forward(self, x: Tensor, codes: Tensor) -> Tensor:
        """(n, ...) T_z(x) of (n, ...) x for (n,) z."""
        moved = x + self.scale * self.net(x, codes)
        return moved if self.start is None else moved + self.start(x, codes)


class GroupPotential(nn.Module):
    """f before it is made congruent: one value per group."""

    def __init__(self, net: nn.Module, start: nn.Module | None = None, scale: float = 1.0) -> None:
        super().__init__()
        self.net, self.start, self.scale = net, start, scale

    def forward(self, y: Tensor, learned: bool = False) -> Tensor:
        """(n, groups) values; ``learned``: of the network alone."""
        values = self.scale * self.net(y)
        return values if learned or self.start is None else values + self.start(y)


def laid_out(net: Any, shape: tuple[int, ...]) -> Any:
    """Networks of images with channels last, which convolutions on the CPU are faster with."""
    return net.to(memory_format=torch.channels_last) if len(shape) == 3 else net


def padded(x: Tensor) -> Tensor:
    """Images with sides of a multiple of eight, their last row and column repeated."""
    height, width = x.shape[-2:]
    if height % MULTIPLE == 0 and width % MULTIPLE == 0:
        return x
    return functional.pad(x, (0, -width % MULTIPLE, 0, -height % MULTIPLE), mode="replicate")


class _Block(nn.Module):
    """Two convolutions beside the identity; the group scales and shifts what is between them."""

    def __init__(self, width: int, groups: int) -> None:
        super().__init__()
        self.inner = nn.Conv2d(width, width, 3, padding=1)
        self.outer = nn.Conv2d(width, width, 3, padding=1)
        self.set = nn.Linear(groups, 2 * width)

    def forward(self, x: Tensor, z: Tensor) -> Tensor:
        scale, shift = self.set(z)[..., None, None].chunk(2, 1)
        inner = self.inner(functional.silu(x)) * (1 + scale) + shift
        return x + self.outer(functional.silu(inner))


def _perceptron(inputs: int, width: int, outputs: int) -> nn.Sequential:
    last = _zero(nn.Linear(width, outputs))
    hidden = (nn.Linear(inputs, width), nn.SiLU(), nn.Linear(width, width), nn.SiLU())
    return nn.Sequential(*hidden, last)


def _zero(layer: Any) -> Any:
    """The layer with all parameters 0."""
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer
