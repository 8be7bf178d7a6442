"""One table for all methods: numbers and category codes, the attribute's code last."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from infounlearn.data.tabular import TableData


@dataclass(frozen=True)
class Coded:
    """A table whose columns are numbers or codes; the last column codes the attribute.

    Attributes:
        X: (n, d + 1) float64.
        levels: of each column, 0 for numbers, else how many categories its codes count.
        y: (n,) target.
        sensitive: (n,) attribute in words.
    """

    X: np.ndarray
    levels: tuple[int, ...]
    y: np.ndarray
    sensitive: np.ndarray


def coded(table: TableData, attribute: str) -> Coded:
    """The columns of ``table`` and, last, its sensitive attribute."""
    X, names = table.matrix(one_hot=False)
    levels = [len(table.categories.get(name, ())) for name in names]
    words = table.sensitive[attribute].astype(str)
    groups, codes = np.unique(words, return_inverse=True)
    columns = np.column_stack([X, codes.astype(np.float64)])
    return Coded(columns, (*levels, len(groups)), table.target, words)


@dataclass(frozen=True)
class Encoder:
    """One-hot columns for codes, standard units for numbers, fitted on training rows."""

    levels: tuple[int, ...]
    mean: np.ndarray
    scale: np.ndarray

    @classmethod
    def fit(cls, X: np.ndarray, levels: tuple[int, ...]) -> Encoder:
        """Means and standard deviations of the numeric columns of (n, d) ``X``."""
        spread = X.std(axis=0)
        return cls(levels, X.mean(axis=0), np.where(spread > 0, spread, 1.0))

    def transform(self, X: np.ndarray) -> np.ndarray:
        """(n, e) matrix, the columns in order."""
        parts = []
        for column, count in enumerate(self.levels):
            values = X[:, column]
            if count == 0:
                parts.append(((values - self.mean[column]) / self.scale[column])[:, None])
            elif count == 2:
                parts.append(values[:, None])
            else:
                parts.append((values[:, None] == np.arange(count)).astype(np.float64))
        return np.concatenate(parts, axis=1)
