"""A table as variables: a numeric block, coded categories, and the way back to its columns.

One variable may stand in several columns: a block of one-hot columns is one categorical variable,
because moving its columns one by one would leave the block, and name the group by how it is broken.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

__all__ = ["Kind", "Layout", "MixedTable", "Variable"]

Kind = Literal["numeric", "ordinal", "categorical"]

UNSEEN = -1
"""Code of a category that was not fitted: unlike every level."""


@dataclass(frozen=True)
class Variable:
    """One variable of a table.

    Attributes:
        name: of its column, or the common part of the names of its one-hot columns.
        kind: "numeric", "ordinal" (ordered levels) or "categorical".
        columns: positions of its columns in the feature table, the sensitive columns left out.
        at: its column in ``MixedTable.numeric``, or in ``MixedTable.codes``.
        levels: value of each code; empty for numbers. In order for an ordinal variable. None is
            the level of missing values, or "none of the columns" of a one-hot block.
        one_hot: whether its columns are 0 and 1, level by level.
        absent: for numbers with missing values: the column of ``codes`` that is 1 where missing.
        fill: what stands in ``numeric`` there.
        dtype: type of its cells: "float64", "int64", "bool" or "object".
    """

    name: str
    kind: Kind
    columns: tuple[int, ...]
    at: int
    levels: tuple[Any, ...] = ()
    one_hot: bool = False
    absent: int | None = None
    fill: float = 0.0
    dtype: str = "float64"


@dataclass(frozen=True)
class Layout:
    """The variables of a table, in the order of their first columns.

    Attributes:
        names: of the feature columns.
        variables: what stands in them.
    """

    names: tuple[str, ...]
    variables: tuple[Variable, ...]

    @property
    def numeric(self) -> tuple[Variable, ...]:
        """Variables of the numeric block, in its order."""
        return tuple(variable for variable in self.variables if variable.kind == "numeric")

    @property
    def sizes(self) -> tuple[int, ...]:
        """Number of levels of each column of codes; 2 for a column of missing marks."""
        found: dict[int, int] = {}
        for variable in self.variables:
            if variable.kind != "numeric":
                found[variable.at] = len(variable.levels)
            elif variable.absent is not None:
                found[variable.absent] = 2
        return tuple(found[at] for at in range(len(found)))

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """Kind of each column of codes; a column of missing marks is categorical."""
        found: dict[int, Kind] = {}
        for variable in self.variables:
            if variable.kind != "numeric":
                found[variable.at] = variable.kind
            elif variable.absent is not None:
                found[variable.absent] = "categorical"
        return tuple(found[at] for at in range(len(found)))


@dataclass(frozen=True, eq=False)
class MixedTable:
    """Rows of a table as numbers and codes.

    Attributes:
        numeric: (n, dn) float64, finite.
        codes: (n, dc) int64; column j holds 0 ≤ code < layout.sizes[j], or −1 for a category that
            was not fitted.
        layout: what the columns mean, and how they were written.
    """

    numeric: np.ndarray
    codes: np.ndarray
    layout: Layout

    def __len__(self) -> int:
        return len(self.numeric)

    def take(self, rows: np.ndarray) -> MixedTable:
        """The chosen rows, in the order of ``rows``."""
        return replace(self, numeric=self.numeric[rows], codes=self.codes[rows])

    def merge(self, other: MixedTable) -> MixedTable:
        """The rows of both; the layout with more levels holds for all."""
        layout = max(self.layout, other.layout, key=lambda layout: sum(layout.sizes))
        numeric = np.concatenate((self.numeric, other.numeric))
        return MixedTable(numeric, np.concatenate((self.codes, other.codes)), layout)

    def cells(self, variable: Variable) -> list[np.ndarray]:
        """(n,) cells of each column of one variable, of the type they were written in.

        Codes must be levels: a bank holds fitted rows only.
        """
        if variable.kind == "numeric":
            values = self.numeric[:, variable.at].astype(variable.dtype)
            if variable.absent is not None:
                missing = self.codes[:, variable.absent] == 1
                values = np.where(missing, np.nan, values)
            return [values]
        codes = self.codes[:, variable.at]
        if variable.one_hot:
            columns = range(len(variable.columns))
            return [(codes == level).astype(variable.dtype) for level in columns]
        lookup = np.empty(len(variable.levels), dtype=object)
        lookup[:] = variable.levels
        return [lookup[codes].astype(variable.dtype)]
