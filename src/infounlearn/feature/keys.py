"""What names a row: its content and, where there is one, its index or a key the caller gives.

A row draws its noise from its name, never from its place in a batch, so that a row released alone,
in a batch, or in another order is released alike. Rows of equal content and no other name share
their noise, and a copy of an atom is then no second draw: such tables need keys.
"""

from __future__ import annotations

from hashlib import blake2b

import numpy as np

from infounlearn.errors import Problems
from infounlearn.feature.columns import MixedTable
from infounlearn.feature.engine import Noise
from infounlearn.feature.sensitive_columns import distinct
from infounlearn.math import row_noise

__all__ = ["content_keys", "duplicate_share", "joined_keys", "noise_source"]

FOLD = np.uint64(32)
SHIFT = np.uint64(29)
FACTOR = np.uint64(0x9E3779B97F4A7C15)
"""2⁶⁴ divided by the golden ratio, odd: multiplying by it loses no bit."""


def content_keys(table: MixedTable) -> np.ndarray:
    """(n,) uint64 hash of the cells of each row; 0 and −0 are the same cell."""
    total = np.zeros(len(table), dtype=np.uint64)
    for column in range(table.numeric.shape[1]):
        bits = (np.ascontiguousarray(table.numeric[:, column]) + 0.0).view(np.uint64)
        # Small whole numbers differ in their high bits only: fold them down before multiplying.
        total = (total ^ bits ^ (bits >> FOLD)) * FACTOR
        total ^= total >> SHIFT
    for column in range(table.codes.shape[1]):
        total = (total ^ table.codes[:, column].astype(np.uint64)) * FACTOR
        total ^= total >> SHIFT
    return total


def joined_keys(content: np.ndarray, names: object, problems: Problems) -> np.ndarray:
    """(n,) uint64 of the content of each row and a key per row.

    Args:
        content: of :func:`content_keys`.
        names: (n,) whole numbers, texts or anything whose ``repr`` names it.
        problems: collects keys that do not fit.
    """
    given = np.asarray(names)
    if not problems.require(
        given.shape == content.shape,
        f"keys have shape {given.shape} for {len(content)} rows",
        fix="pass one key per row, such as its index",
    ):
        return content
    if given.dtype.kind in "iu":
        numbers = given.astype(np.uint64)
    else:
        values, inverse = distinct(given)
        digests = [blake2b(repr(value).encode(), digest_size=8).digest() for value in values]
        hashed = np.array([int.from_bytes(digest, "little") for digest in digests], dtype=np.uint64)
        numbers = hashed[inverse]
    joined = (content ^ (numbers * FACTOR)) * FACTOR
    return joined ^ (joined >> SHIFT)


def duplicate_share(content: np.ndarray) -> float:
    """Share of rows that are not the first of their content."""
    return 1.0 - len(np.unique(content)) / len(content) if len(content) else 0.0


def noise_source(seed: int, keys: np.ndarray) -> Noise:
    """Uniforms per row and stream, from a seed and the name of the row."""

    def noise(stream: int) -> np.ndarray:
        # Streams far apart in the seed: neighbouring seeds of a caller do not share any.
        return row_noise((seed + (stream + 2) * 0xD1B54A32D192ED03) % 2**64, keys)

    return noise
