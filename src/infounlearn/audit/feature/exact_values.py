"""A probe that reads how numbers are written: exact values, decimals, last bits, repetitions.

Trees cut a number at no more than 255 places and a line at none, so both are blind to a mark that
lies in the exact value: whole numbers in one group and whole numbers and a quarter in the other, a
jitter far below the spacing of the cuts, a parity of last bits, rows or values that occur twice.
Here every column becomes such marks, none of which uses the feature; a mark counts for a group by
the training rows that bear it, and a ridge line weighs the marks. It does not combine them
otherwise, and sees no order: it stands beside trees, not in their place.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from infounlearn.audit.feature.columns import Table

PLACES = 16
"""Decimals that are told apart; a number with more counts as having all."""
BITS = 6
"""Last bits that are read, above those that are 0 in the whole column."""
INNER = 4
"""Parts of the training rows; the marks of each are weighed by what the others say of them."""


def marks_of(table: Table) -> np.ndarray:
    """(n, k) int64 codes of the marks of each row, from the table alone; constant ones left out."""
    found: list[np.ndarray] = []
    exact = []
    for column in table.numeric.T:
        # The bits themselves: they tell 0 from -0, which look alike and compare as equal.
        bits = np.ascontiguousarray(column).view(np.int64)
        code = _coded(bits)
        exact.append(code)
        found += [*_repeated(code), _decimals(column), _last_bits(bits)]
    for column in table.codes.T:
        exact.append(column)
        found.append(column)
    # Rows are told apart by a sum of their codes times odd numbers, modulo 2^64.
    odd = 2 * np.random.default_rng(0).integers(2**62, size=len(exact)) + 1
    row = np.zeros(len(table), dtype=np.int64)
    for code, factor in zip(exact, odd, strict=True):
        row += (code + 1) * factor
    if len(exact) > 1:
        found += _repeated(_coded(row))
    varied = [mark for mark in found if len(mark) and mark.min() < mark.max()]
    return np.column_stack([np.zeros((len(table), 0), dtype=np.int64), *varied])


def _coded(values: np.ndarray) -> np.ndarray:
    return np.unique(values, return_inverse=True)[1].reshape(-1).astype(np.int64)


def _repeated(code: np.ndarray) -> list[np.ndarray]:
    """Values that occur twice, all others sharing code 0, and how often each occurs (log2)."""
    times = np.bincount(code)[code]
    return [_coded(np.where(times > 1, code + 1, 0)), np.log2(times).astype(np.int64)]


def _decimals(column: np.ndarray) -> np.ndarray:
    """(n,) decimals that write the number exactly."""
    # From 2^53 on every float is a whole number, and tenths of it may overflow.
    large = np.abs(column) >= 2.0**53
    small = np.where(large, 0.0, column)
    places = np.full(len(column), PLACES)
    for place in range(PLACES - 1, -1, -1):
        places[np.round(small, place) == small] = place
    return places


def _last_bits(bits: np.ndarray) -> np.ndarray:
    """(n,) last bits, above those that no number of the column uses."""
    used = int(np.bitwise_or.reduce(bits)) if len(bits) else 0
    shift = (used & -used).bit_length() - 1 if used else 0
    return (bits >> shift) & (2**BITS - 1)


class ExactValues:
    """Classifier of the codes of :func:`marks_of`, in the manner of scikit-learn."""

    def fit(self, marks: np.ndarray, z: np.ndarray) -> ExactValues:
        """Weigh marks (n, k) by their groups z (n,)."""
        from sklearn.linear_model import LogisticRegression

        self.classes_, codes = np.unique(z, return_inverse=True)
        self._shares = np.bincount(codes) / len(codes)
        marks = np.asfortranarray(marks)  # they are read column by column
        width = 1 if len(self.classes_) == 2 else len(self.classes_)
        told = np.empty((len(marks), marks.shape[1] * width))
        part = np.arange(len(marks)) % INNER
        for held in range(INNER):
            self._count(marks[part != held], codes[part != held])
            told[part == held] = self._told(marks[part == held])
        self._count(marks, codes)
        self._line = LogisticRegression(solver="newton-cholesky", max_iter=100).fit(told, codes)
        return self

    def decision_function(self, marks: np.ndarray) -> np.ndarray:
        """Margins of rows (n, k): (n,) for two groups, else (n, m)."""
        return np.asarray(self._line.decision_function(self._told(marks)))

    def _count(self, marks: np.ndarray, codes: np.ndarray) -> None:
        self._counts = []
        for mark in marks.T:
            groups, size = len(self._shares), int(mark.max()) + 1
            counts = np.bincount(mark * groups + codes, minlength=size * groups)
            self._counts.append(counts.reshape(size, groups).astype(np.float64))

    def _told(self, marks: np.ndarray) -> np.ndarray:
        """(n, k · width) ln P(z | mark)/P(z), shrunk by one row; 0 for a mark never seen."""
        parts = []
        for mark, counts in zip(marks.T, self._counts, strict=True):
            seen = np.zeros((int(mark.max(initial=0)) + 1, len(self._shares)))
            seen[: len(counts)] = counts[: len(seen)]
            shares = (seen + self._shares) / (seen.sum(1, keepdims=True) + 1)
            ratio = np.log(shares / self._shares)
            ratio = ratio[:, 1:] - ratio[:, :1] if ratio.shape[1] == 2 else ratio
            parts.append(ratio[mark])
        return np.column_stack(parts)
