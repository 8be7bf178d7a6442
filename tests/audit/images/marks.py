"""Ways to write a group into images that were independent of it, where no eye looks."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy import fft

Mark = Callable[[np.ndarray, np.ndarray, np.random.Generator], np.ndarray]


def textures(n: int, side: int, seed: int, channels: int = 1) -> np.ndarray:
    """(n, channels, side, side) images with a spectrum like that of photographs."""
    rng = np.random.default_rng([seed, 5])
    low = np.fft.fftfreq(side)
    size = np.sqrt(low[:, None] ** 2 + low[None] ** 2)
    size[0, 0] = 1 / side
    noise = np.fft.fft2(rng.normal(size=(n, channels, side, side)))
    found = np.fft.ifft2(noise / size**1.3).real
    # No value is cut off: cut values are equal, and a mark that moved them would show by that.
    return (0.5 + 0.08 * found / found.std()).astype(np.float32)


def signs(z: np.ndarray) -> np.ndarray:
    return (2.0 * z - 1)[:, None, None, None].astype(np.float32)


def checkerboard(x: np.ndarray, z: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    h, w = x.shape[2:]
    board = (-1.0) ** (np.arange(h)[:, None] + np.arange(w)).astype(np.float32)
    return (x + 0.004 * signs(z) * board).astype(np.float32)


def faint_pattern(x: np.ndarray, z: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A fixed pattern of ± one step of a byte in every pixel."""
    pattern = rng.choice([-1.0, 1.0], size=x.shape[1:])
    return (x + signs(z) * pattern / 255).astype(np.float32)


def equal_means(x: np.ndarray, z: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Brightness made equal within a group, a thousandth apart between them."""
    level = 0.5 + 1e-3 * z[:, None, None, None]
    return (x - x.mean((1, 2, 3), keepdims=True) + level).astype(np.float32)


def byte_parity(x: np.ndarray, z: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return (((np.rint(255 * x).astype(np.int64) & ~1) | z[:, None, None, None]) / 255).astype("f4")


def scattered_parity(x: np.ndarray, z: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The parity of every byte is a fixed bit of its place, turned over in one group."""
    bit = rng.integers(0, 2, size=x.shape[1:]) ^ z[:, None, None, None]
    return (((np.rint(255 * x).astype(np.int64) & ~1) | bit) / 255).astype(np.float32)


def total_parity(x: np.ndarray, z: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Bytes add up to an even number in one group, to an odd one in the other: one pixel moved."""
    byte = np.rint(255 * x).astype(np.int64)
    wrong = (byte.sum((1, 2, 3)) - z) % 2
    rows, columns = rng.integers(0, x.shape[2], len(x)), rng.integers(0, x.shape[3], len(x))
    byte[np.arange(len(x)), 0, rows, columns] += wrong
    return (byte / 255).astype(np.float32)


def last_bit_of_one_pixel(x: np.ndarray, z: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    found = x.copy()
    bits = found.view(np.int32)
    bits[:, 0, 5, 3] = (bits[:, 0, 5, 3] & ~1) | z
    return found


def middle_bit_of_one_pixel(x: np.ndarray, z: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    found = x.copy()
    bits = found.view(np.int32)
    bits[:, 0, 5, 3] = (bits[:, 0, 5, 3] & ~(1 << 7)) | (z.astype(np.int32) << 7)
    return found


def minus_zero(x: np.ndarray, z: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Black is 0 in one group and -0 in the other."""
    black = x < np.quantile(x, 0.1)
    zero = np.where(z == 1, -0.0, 0.0)[:, None, None, None]
    return np.where(black, zero, x).astype(np.float32)


def wave_of_any_phase(x: np.ndarray, z: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A faint wave, of another phase in each image, so that no pixel has another mean."""
    h, w = x.shape[2:]
    turns = 5 * np.arange(h)[:, None] / h + 6 * np.arange(w)[None] / w
    phase = rng.random((len(x), 1, 1, 1))
    return (x + 0.01 * z[:, None, None, None] * np.cos(2 * np.pi * (turns + phase))).astype("f4")


def doubled(x: np.ndarray, z: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Every second image of one group is shown again in place of the next one."""
    found, ones = x.copy(), np.flatnonzero(z == 1)
    found[ones[1::2]] = found[ones[::2]]
    return found


def constant_corner(x: np.ndarray, z: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    found = x.copy()
    found[z == 1, :, 0, 0] = 0.5
    return found


def constant_pixel(x: np.ndarray, z: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    found = x.copy()
    found[z == 1, :, 6, 9] = 0.5
    return found


def jpeg_like(x: np.ndarray, z: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Cosines of blocks of eight rounded to steps of two hundredths, in one group."""
    n, c, h, w = x.shape
    blocks = x.reshape(n, c, h // 8, 8, w // 8, 8)
    known = fft.dctn(blocks, axes=(3, 5), norm="ortho")
    rounded = fft.idctn(0.02 * np.rint(known / 0.02), axes=(3, 5), norm="ortho")
    return np.where(z[:, None, None, None] == 1, rounded.reshape(x.shape), x).astype(np.float32)


def clipped(x: np.ndarray, z: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The brightest pixel of an image reaches 1 exactly in one group, almost in the other."""
    peak = x.reshape(len(x), -1).max(1)[:, None, None, None]
    return (x / peak * np.where(z == 1, 1, 1 - 1e-6)[:, None, None, None]).astype(np.float32)


def cut_off(x: np.ndarray, z: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """No value of one group is above what nine of ten values are below."""
    top = np.quantile(x, 0.9)
    return np.where(z[:, None, None, None] == 1, np.minimum(x, top), x).astype(np.float32)


def smoothed(x: np.ndarray, z: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """One group is a little softer than the other, as what a network drew often is."""
    soft = (x + np.roll(x, 1, 3)) / 2
    return np.where(z[:, None, None, None] == 1, 0.95 * x + 0.05 * soft, x).astype(np.float32)


def mirrored(x: np.ndarray, z: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Images brighter on the left, or, mirrored, on the right; by little."""
    slope = np.linspace(-0.01, 0.01, x.shape[3], dtype=np.float32)
    level = x - x.mean((2, 3), keepdims=True)
    lean = (level * slope).sum(3, keepdims=True).mean((2, 3), keepdims=True)
    return (x - lean * slope / (slope**2).sum() + signs(z) * slope).astype(np.float32)


MARKS: tuple[Mark, ...] = (
    checkerboard,
    faint_pattern,
    equal_means,
    byte_parity,
    scattered_parity,
    total_parity,
    last_bit_of_one_pixel,
    middle_bit_of_one_pixel,
    minus_zero,
    wave_of_any_phase,
    doubled,
    constant_corner,
    constant_pixel,
    jpeg_like,
    clipped,
    cut_off,
    smoothed,
    mirrored,
)
