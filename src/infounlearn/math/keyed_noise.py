"""Randomness that belongs to a row, not to its batch: a hash of a seed and the row's key."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from infounlearn.errors import Problems, is_number

__all__ = ["row_noise"]


def row_noise(seed: int, keys: ArrayLike) -> np.ndarray:
    """One number in [0, 1) per row, a function of the seed and of that row's key alone.

    A counter-based generator (the mixing function of Steele, Lea & Flood 2014): it can be evaluated
    anywhere, in any order, in any batch. Not meant to keep secrets.

    Args:
        seed: an integer; use another one for each column of a table.
        keys: (n,) integers; equal keys give equal numbers.

    Raises:
        InputError: seed or keys are not integers.
    """
    problems = Problems("row_noise")
    names = np.asarray(keys)
    problems.require(
        is_number(seed, whole=True), f"seed is {seed!r}", fix="pass an integer of Python"
    )
    problems.require(
        names.ndim == 1 and (names.dtype.kind in "iu" or not names.size),
        f"keys have shape {names.shape} and type {names.dtype}",
        fix="pass one integer per row, such as its index",
    )
    problems.raise_if_any()
    start = _mix(np.array([seed % 2**64], dtype=np.uint64))
    mixed = _mix(_mix(names.astype(np.uint64)) ^ start)
    return (mixed >> np.uint64(11)) * 2.0**-53


def noise_of_rows(
    problems: Problems, size: int, noise: ArrayLike | None, seed: int | None, keys: ArrayLike | None
) -> np.ndarray:
    """ξ of each row, passed or drawn from seed and keys."""
    if noise is None:
        ready = problems.require(
            seed is not None and keys is not None and np.shape(keys) == (size,),
            f"there is no noise, nor a seed with {size} keys",
            why="atoms keep their group unless each row draws a number of its own",
            fix="pass seed and keys=an integer per row, or noise in [0, 1)",
        )
        if ready and seed is not None and keys is not None:
            return row_noise(seed, keys)
        return np.zeros(size)
    problems.require(
        seed is None and keys is None, "noise and seed or keys are passed", fix="pass one of them"
    )
    xi = np.asarray(noise)
    fits = xi.dtype.kind in "iuf" and xi.shape in ((), (size,))
    fits = fits and bool(((xi >= 0.0) & (xi < 1.0)).all())
    problems.require(
        fits,
        f"noise of shape {xi.shape} and type {xi.dtype} for {size} rows",
        fix="pass one number in [0, 1) per row",
    )
    return np.broadcast_to(xi, (size,)) if fits else np.zeros(size)


def _mix(state: np.ndarray) -> np.ndarray:
    state = state + np.uint64(0x9E3779B97F4A7C15)
    state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return state ^ (state >> np.uint64(31))
