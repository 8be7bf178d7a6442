"""What names a row: its content and, where there is one, its index or a key the caller gives.

A row draws its noise from its name, never from its place in a batch, so that a row released alone,
in a batch, or in another order is released alike. Rows of equal content and no other name share
their noise, and a copy of an atom is then no second draw: such tables need keys.

The noise hides the group only from those who cannot compute it: the seed is part of the estimator,
and neither may travel with the released table.
"""

from __future__ import annotations

from hashlib import blake2b

import numpy as np

from infounlearn.errors import Problems
from infounlearn.feature.columns import MixedTable
from infounlearn.feature.engine import Noise
from infounlearn.feature.sensitive_columns import distinct
from infounlearn.math import row_noise

__all__ = ["content_keys", "duplicate_share", "noise_source"]

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


def joined_keys(content: np.ndarray, names: np.ndarray) -> np.ndarray:
    """(n,) uint64 of the content of each row and its name (n,): a number, a text, anything."""
    if names.dtype.kind in "iu":
        numbers = names.astype(np.uint64)
    else:
        values, inverse = distinct(names)
        digests = [blake2b(repr(value).encode(), digest_size=8).digest() for value in values]
        hashed = np.array([int.from_bytes(digest, "little") for digest in digests], dtype=np.uint64)
        numbers = hashed[inverse]
    joined = (content ^ (numbers * FACTOR)) * FACTOR
    return joined ^ (joined >> SHIFT)


def duplicate_share(table: MixedTable, names: np.ndarray | None) -> float:
    """Share of rows that are not the first of their content and name."""
    content = content_keys(table)
    found = content if names is None else joined_keys(content, names)
    return 1.0 - len(np.unique(found)) / len(found) if len(found) else 0.0


def noise_source(seed: int, table: MixedTable, names: object, problems: Problems) -> Noise:
    """Uniforms per row and stream, from a seed, the content of the row and its name.

    Args:
        seed: of all streams.
        table: the rows.
        names: (n,) keys, or None.
        problems: collects keys that do not fit.
    """
    given = None if names is None else np.asarray(names)
    if given is not None:
        problems.require(
            given.shape == (len(table),),
            f"keys have shape {given.shape} for {len(table)} rows",
            fix="pass one key per row, such as its index",
        )
    found: list[np.ndarray] = []

    def noise(stream: int) -> np.ndarray:
        # Hashing costs a pass over the table: only engines that draw pay for it.
        if not found:
            content = content_keys(table)
            found.append(content if given is None else joined_keys(content, given))
        # Streams far apart in the seed: neighbouring seeds of a caller do not share any.
        return row_noise((seed + (stream + 2) * 0xD1B54A32D192ED03) % 2**64, found[0])

    return noise
