"""Statistics of each image in which a map may leave the group where networks do not look.

Exact means, extremes and saturated values; parity of bytes and last bits of floats; repetitions of
values; checkerboards, stripes and the lowest cosines; energy of edges by scale and by their place
in blocks of eight, as JPEG leaves it; corners; differences of colours. No statistic uses the group.
Boosted trees read the sizes of all, exact values the way in which those are written that sums of
many pixels do not blur.
"""

from __future__ import annotations

import numpy as np

from infounlearn.audit.feature.columns import Table

CHUNK = 256
"""Images of which statistics are computed at once."""
BLOCK = 8
"""Period of the blocks of JPEG."""
LOW = 4
"""Lowest cosines of each side."""
TINY = 1e-12
"""Added to energies before their logarithm: far below that of one last bit of one byte."""
ON_GRID = 1e-3
"""Steps of a byte within which a float counts as a byte."""


def traces(images: np.ndarray) -> tuple[Table, Table]:
    """Statistics of (n, c, h, w) float32 images: all, for trees, and those for exact values."""
    chunks = [images[start : start + CHUNK] for start in range(0, len(images), CHUNK)]
    exact = np.concatenate([_written(chunk) for chunk in chunks])
    columns = np.column_stack([exact, np.concatenate([_sizes(chunk) for chunk in chunks])])
    nothing = np.zeros((len(images), 0), dtype=np.int64)
    return Table(columns, nothing), Table(exact, nothing)


def bit(images: np.ndarray, place: int) -> np.ndarray:
    """A bit of each float32, counted from the last one that any of them uses; shaped alike.

    At place 0 a minus zero, which compares as equal to zero, counts as odd.
    """
    bits = np.ascontiguousarray(images, dtype=np.float32).view(np.int32)
    used = int(np.bitwise_or.reduce(bits, axis=None)) & 0x7FFFFFFF
    shift = (used & -used).bit_length() - 1 if used else 0
    found = (bits >> min(shift + place, 30)) & 1
    if place == 0:
        found = found | ((images == 0) & np.signbit(images))
    return np.asarray(found)


def _written(images: np.ndarray) -> np.ndarray:
    """(n, k) means, extremes, shares, parities and corners."""
    x = images.astype(np.float64)
    n = len(x)
    steps = 255 * x
    byte = np.rint(steps)
    odd = byte.astype(np.int64) & 1
    ordered = np.sort(x.reshape(n, -1), axis=1)
    own = images.view(np.int32) & 1
    found = [
        *(stat(x, axis=(2, 3)) for stat in (np.mean, np.std, np.min, np.max)),
        *(_share(x == end) for end in (0.0, 1.0)),
        *(_share(outside) for outside in (np.signbit(x), x > 1)),
        _share(ordered[:, 1:] == ordered[:, :-1]),  # how few different values there are
        *(_share(np.diff(x, axis=axis) == 0) for axis in (2, 3)),
        odd.mean((2, 3)),
        odd.sum((1, 2, 3)) % 2,
        byte.sum((1, 2, 3)) % 4,
        np.abs(steps - byte).mean((1, 2, 3)),
        _share(np.abs(steps - byte) < ON_GRID),
        own.mean((1, 2, 3)),
        own.sum((1, 2, 3)) % 2,
        x[:, :, [0, 0, -1, -1], [0, -1, 0, -1]],
    ]
    return _columns(found)


def _sizes(images: np.ndarray) -> np.ndarray:
    """(n, k) edges, blocks, alternating signs, low cosines and colours."""
    x = images.astype(np.float64)
    c, h, w = x.shape[1:]
    odd = np.rint(255 * x) % 2
    across, down = np.diff(x, axis=3), np.diff(x, axis=2)
    found = [
        *(_logged(part) for part in (across, down, np.diff(across, axis=2))),
        *(_logged(np.diff(part, axis=axis)) for part, axis in ((across, 3), (down, 2))),
        *_blocks(across, 3),
        *_blocks(down, 2),
        *(_signed(x, rows, columns) for rows, columns in ((1, 0), (0, 1), (1, 1))),
        *(_signed(odd, *signs) for signs in ((1, 0), (0, 1), (1, 1))),
        _cosines(h) @ x.mean(1) @ _cosines(w).T,
        *(np.abs(x[:, first] - x[:, first - 1]).mean((1, 2)) for first in range(1, c)),
    ]
    return _columns(found)


def _columns(parts: list[np.ndarray]) -> np.ndarray:
    return np.column_stack([part.reshape(len(part), -1).astype(np.float64) for part in parts])


def _share(which: np.ndarray) -> np.ndarray:
    return which.reshape(len(which), -1).mean(1)


def _logged(differences: np.ndarray) -> np.ndarray:
    return np.log((differences**2).reshape(len(differences), -1).mean(1) + TINY)


def _blocks(differences: np.ndarray, axis: int) -> list[np.ndarray]:
    """Size of the steps at each place of a block of eight, beside that of all."""
    size = np.abs(differences).mean(tuple({1, 2, 3} - {axis}))  # (n, steps)
    whole = size.mean(1) + TINY
    places = min(BLOCK, size.shape[1])
    return [np.log(size[:, place::BLOCK].mean(1) / whole + TINY) for place in range(places)]


def _signed(x: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """(n, c) mean with signs that alternate along rows, along columns, or along both."""
    h, w = x.shape[2:]
    signs = (-1.0) ** (rows * np.arange(h)[:, None] + columns * np.arange(w)[None])
    return np.asarray((x * signs).mean((2, 3)))


def _cosines(size: int) -> np.ndarray:
    """(LOW, size) lowest cosines, rows of mean square 1 over ``size`` squared."""
    return np.cos(np.pi * np.arange(LOW)[:, None] * (np.arange(size) + 0.5) / size) / size
