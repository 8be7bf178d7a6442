"""Any table as what probes read: real columns and coded categories."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from infounlearn.errors import Problems
from infounlearn.math.intervals import as_array

LEVELS = 64
"""Levels of a category that a linear probe gets a column for; the rarer ones share one."""
FAR = 5.0
"""Standard deviations beyond which a linear probe sees no difference."""
FILLED = 20
"""Values below which a column of numbers counts to trees by where it has any."""
NATIVE = 255
"""Levels that boosted trees can split in any way; more are ordered by how often they occur."""


@dataclass(frozen=True)
class Table:
    """Columns by kind.

    Attributes:
        numeric: (n, p) float64, NaN where missing.
        codes: (n, q) int64 category of each row, counted from the most frequent one.
        names: of the numeric, then of the categorical columns.
    """

    numeric: np.ndarray
    codes: np.ndarray
    names: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.numeric)

    @property
    def width(self) -> int:
        return self.numeric.shape[1] + self.codes.shape[1]

    def with_category(self, codes: np.ndarray) -> Table:
        """The same table beside one more categorical column of (n,) codes."""
        return Table(self.numeric, np.column_stack([self.codes, codes]), self.names)

    def for_trees(self) -> tuple[np.ndarray, np.ndarray]:
        """(n, p + q) float64, and which columns are categories that trees may split in any way."""
        few = np.array([int(column.max(initial=0)) < NATIVE - 1 for column in self.codes.T], bool)
        native = np.concatenate([np.zeros(self.numeric.shape[1], bool), few])
        absent = np.isnan(self.numeric)
        # Trees cannot bin a column that a training fold has no value of: its gaps say enough.
        hollow = (~absent).sum(axis=0) < FILLED
        numeric = np.where(hollow, absent.astype(np.float64), self.numeric)
        return np.column_stack([numeric, self.codes.astype(np.float64)]), native

    def for_lines(self) -> np.ndarray:
        """(n, d) float64 without gaps, every column of mean 0 and variance 1, cut at ±:data:`FAR`.

        A column per level, and one that marks missing values. Scaled on all rows, which uses no
        feature and treats them alike: permutations stay exact. Without the cut a level of one row
        lies √n deviations out, where a line fitted without that row may believe anything.
        """
        absent = np.isnan(self.numeric)
        parts = []
        for column, gap in zip(self.numeric.T, absent.T, strict=True):
            fill = float(np.median(column[~gap])) if not gap.all() else 0.0
            parts.append(np.where(gap, fill, column))
            if gap.any():
                parts.append(gap.astype(np.float64))
        for column in self.codes.T:
            shown = np.minimum(column, LEVELS - 1)
            parts += [(shown == level).astype(np.float64) for level in range(int(shown.max()) + 1)]
        if not parts:
            return np.zeros((len(self), 0))
        matrix = np.column_stack(parts)
        centred = matrix - matrix.mean(0)
        scale = np.sqrt((centred**2).mean(0))
        varies = scale > 1e-12 * np.maximum(np.abs(matrix).max(0), 1.0)
        return np.clip(centred[:, varies] / scale[varies], -FAR, FAR)


def is_missing(value: Any) -> bool:
    """None, NaN, and the missing markers of frames, which cannot be compared."""
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    return isinstance(value, float) and value != value


def read_table(
    problems: Problems, name: str, data: Any, categorical: Sequence[str | int] | None = None
) -> Table:
    """Table of an array, a mapping of columns, or a pandas, polars or pyarrow frame.

    Numbers and truth values are numeric unless named in ``categorical``; everything else is a
    category. Infinite numbers are a problem; missing ones are not.
    """
    columns = _named_columns(problems, name, data)
    lengths = {len(column) for column in columns.values()}
    if not problems.require(
        len(lengths) == 1, f"{name} has no columns of one length", fix="pass a table with rows"
    ):
        return Table(np.zeros((0, 0)), np.zeros((0, 0), dtype=np.int64))
    declared = {list(columns)[c] if isinstance(c, int) else c for c in categorical or ()}
    strange = sorted(str(c) for c in declared if c not in columns)
    problems.require(
        not strange, f"categorical names {strange}, not in {name}", fix="name its columns"
    )
    numeric: dict[str, np.ndarray] = {}
    codes: dict[str, np.ndarray] = {}
    for key, column in columns.items():
        numbers = None if key in declared else _numbers(column)
        if numbers is None:
            codes[key] = _category(column)
        else:
            numeric[key] = numbers
    endless = [key for key, column in numeric.items() if np.isinf(column).any()]
    problems.require(
        not endless, f"{name} has infinite values in {endless}", fix="repair or remove them"
    )
    rows = lengths.pop()
    return Table(
        np.column_stack([np.zeros((rows, 0)), *numeric.values()]),
        np.column_stack([np.zeros((rows, 0), dtype=np.int64), *codes.values()]),
        (*numeric, *codes),
    )


def frame_columns(data: Any) -> dict[str, np.ndarray] | None:
    """Columns of a frame or series of any library that narwhals reads; None of anything else."""
    if isinstance(data, np.ndarray | Sequence) or hasattr(data, "detach"):
        return None
    import narwhals as nw

    native = nw.from_native(data, eager_only=True, allow_series=True, pass_through=True)
    if isinstance(native, nw.Series):
        return {str(native.name): native.to_numpy()}
    if isinstance(native, nw.DataFrame):
        return {str(column): native[column].to_numpy() for column in native.columns}
    return None


def _named_columns(problems: Problems, name: str, data: Any) -> dict[str, np.ndarray]:
    if isinstance(data, Mapping):
        return {str(key): np.asarray(column) for key, column in data.items()}
    framed = frame_columns(data)
    if framed is not None:
        return framed
    array = as_array(data)
    if array.ndim == 1:
        array = array[:, None]
    if not problems.require(
        array.ndim == 2, f"{name} has shape {array.shape}", fix="pass rows by columns"
    ):
        return {}
    return {f"column {index}": column for index, column in enumerate(array.T)}


def _numbers(column: np.ndarray) -> np.ndarray | None:
    """float64 of numbers, truth values and gaps; None where anything else is there."""
    if column.dtype.kind in "biuf":
        return column.astype(np.float64)
    if column.dtype.kind != "O":
        return None
    plain = column.tolist()
    gaps = [is_missing(value) for value in plain]
    if all(gap or isinstance(value, int | float) for value, gap in zip(plain, gaps, strict=True)):
        pairs = zip(plain, gaps, strict=True)
        return np.array([np.nan if gap else float(value) for value, gap in pairs])
    return None


def _category(column: np.ndarray) -> np.ndarray:
    """(n,) codes by falling frequency, ties by text; a missing value is a level of its own."""
    texts = np.array(["" if is_missing(value) else f"={value}" for value in column.tolist()])
    _, inverse, counts = np.unique(texts, return_inverse=True, return_counts=True)
    rank = np.empty(len(counts), dtype=np.int64)
    rank[np.argsort(-counts, kind="stable")] = np.arange(len(counts))
    return rank[inverse.reshape(-1)]
