"""Orthonormal coordinates of images in which groups are compared one number at a time.

A frame turns the colours of every pixel, then takes cosines of blocks of pixels, along columns and
along rows: values themselves (blocks of 1), differences of neighbours (blocks of 2), patterns of
larger patches. Lengths stay as they are, so that what is moved least in a frame is moved least.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from infounlearn.feature.images.seeds import stream_seed

EVEN = 8
"""Rows of images are filled up to a multiple of it."""


@dataclass(frozen=True)
class Plan:
    """Which frame.

    Attributes:
        block: pixels of a side of a block.
        opponent: brightness and differences of colours, instead of the channels themselves.
        ahead: pixels by which the blocks begin earlier.
    """

    block: int = 1
    opponent: bool = False
    ahead: int = 0


ROUNDS: tuple[tuple[Plan, ...], ...] = (
    (Plan(), Plan(2, True)),
    (Plan(opponent=True), Plan(2, True, 1)),
    (Plan(), Plan(4, True)),
    (Plan(opponent=True), Plan(8)),
    (Plan(), Plan(4, True, 2), Plan(2, True)),
)
"""Frames of one round after the other; further rounds begin again."""


class Frame(nn.Module):
    """(n, c, h, w) <-> its coordinates, shaped alike; vectors are images of one row.

    Args:
        colours: (c, c) orthonormal.
        rows: (h, h) orthonormal.
        columns: (w, w) orthonormal.
    """

    colours: Tensor
    rows: Tensor
    columns: Tensor

    def __init__(self, colours: Tensor, rows: Tensor, columns: Tensor) -> None:
        super().__init__()
        for name, value in (("colours", colours), ("rows", rows), ("columns", columns)):
            self.register_buffer(name, value.to(torch.float32))

    @property
    def shape(self) -> tuple[int, int, int]:
        """(c, h, w)."""
        return len(self.colours), len(self.rows), len(self.columns)

    def forward(self, x: Tensor) -> Tensor:
        """(n, c h w) coordinates of (n, ...) rows."""
        turned = self._mixed(self.colours, x.reshape(-1, *self.shape))
        return self._turned(self.rows, turned, self.columns.T).flatten(1)

    def back(self, coordinates: Tensor, shape: torch.Size) -> Tensor:
        """(n, ...) rows of ``shape`` that have these coordinates."""
        grid = coordinates.reshape(-1, *self.shape)
        turned = self._turned(self.rows.T, grid, self.columns)
        return self._mixed(self.colours.T, turned).reshape(shape)

    @staticmethod
    def _turned(left: Tensor, grid: Tensor, right: Tensor) -> Tensor:
        # Products of matrices with odd columns add up in an order that depends on the row.
        width, spare = len(right), -len(right) % EVEN
        if spare == 0:
            return left @ grid @ right
        wide = functional.pad(grid, (0, spare)), functional.pad(right, (0, spare, 0, spare))
        return (left @ wide[0] @ wide[1])[..., :width]

    @staticmethod
    def _mixed(colours: Tensor, x: Tensor) -> Tensor:
        if len(colours) == 1:
            return x
        # A sum of channels, not a product of matrices, whose order would depend on the row.
        terms = [
            sum(colours[i, j] * x[:, j] for j in range(len(colours))) for i in range(len(colours))
        ]
        return torch.stack([torch.as_tensor(term) for term in terms], 1)


def frames_of(shape: tuple[int, ...], turn: int, seed: int) -> list[Frame]:
    """Frames of one round.

    Args:
        shape: (c, h, w) of an image, or (d,) of a vector, whose frames are turns at random.
        turn: which round, from 0.
        seed: of the turns.
    """
    if len(shape) == 1:
        one = torch.ones(1, 1)
        plain = torch.eye(shape[0])
        return [Frame(one, one, plain), Frame(one, one, _turned(shape[0], seed, turn))]
    channels, height, width = shape
    found = []
    for plan in ROUNDS[turn % len(ROUNDS)]:
        colours = _opponent(channels) if plan.opponent else torch.eye(channels)
        sides = (_cosines(side, plan.block, plan.ahead) for side in (height, width))
        found.append(Frame(colours, *sides))
    return found


def _opponent(channels: int) -> Tensor:
    """(c, c) Helmert's: the mean of the channels, then each against the mean of those before it."""
    rows = [np.ones(channels)]
    for i in range(1, channels):
        rows.append(np.concatenate([np.ones(i), [-i], np.zeros(channels - i - 1)]))
    return torch.from_numpy(np.stack([row / np.linalg.norm(row) for row in rows]))


def _cosines(side: int, block: int, ahead: int) -> Tensor:
    """(side, side) cosines of blocks; those at the ends may be shorter."""
    from scipy.fft import dct

    ends = [0, *range(block - ahead % block, side, block), side]
    grid = np.zeros((side, side))
    for start, stop in pairwise(ends):
        grid[start:stop, start:stop] = dct(np.eye(stop - start), axis=0, norm="ortho")
    return torch.from_numpy(grid)


def _turned(size: int, seed: int, turn: int) -> Tensor:
    """(d, d) a turn at random."""
    draws = np.random.default_rng(stream_seed(seed, "frame", turn)).standard_normal((size, size))
    return torch.from_numpy(np.linalg.qr(draws)[0])
