"""Tables of any library, read as columns and written back as they came.

Frames go through narwhals, so that neither pandas nor polars is imported here. A plain array stays
one matrix: numbers are not taken apart into columns and put together again.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from infounlearn.errors import InputError, Problems
from infounlearn.feature.sensitive_columns import is_missing

__all__ = ["Frame", "check_fitted_columns", "read_frame", "resolve"]


@dataclass(frozen=True, eq=False)
class Frame:
    """A table as it came: one matrix, or a frame of some library.

    Attributes:
        names: of the columns; ``x0, x1, ...`` for a plain array.
        matrix: (n, d) array of numbers, truth values or objects; None for a frame.
        native: narwhals frame; None for an array.
        index: (n,) row labels of a pandas frame; None elsewhere.
        labels: of the columns, where pandas has other names than texts; None elsewhere.
    """

    names: tuple[str, ...]
    matrix: np.ndarray | None
    native: Any
    index: np.ndarray | None
    labels: tuple[Any, ...] | None = None

    def __len__(self) -> int:
        return len(self.native) if self.matrix is None else len(self.matrix)

    def column(self, at: int) -> np.ndarray:
        """(n,) cells of one column, missing ones None or NaN."""
        if self.matrix is not None:
            return self.matrix[:, at]
        return self.native[self.names[at]].to_numpy()

    def is_number(self, at: int) -> bool:
        """Whether the type of a column is one of numbers (truth values are none)."""
        if self.matrix is not None:
            return self.matrix.dtype.kind in "iuf" or (
                self.matrix.dtype.kind == "O" and _all_numbers(self.matrix[:, at])
            )
        if self.native[self.names[at]].dtype.is_numeric():
            return True
        column = self.column(at)
        return column.dtype.kind == "O" and _all_numbers(column)

    def levels(self, at: int) -> list[Any] | None:
        """Declared levels of a column of an ordered or fixed category type, in their order."""
        import narwhals.stable.v1 as nw

        if self.matrix is not None:
            return None
        series = self.native[self.names[at]]
        if series.dtype == nw.Enum:
            return series.cat.get_categories().to_list()
        if series.dtype == nw.Categorical and nw.is_ordered_categorical(series):
            return series.cat.get_categories().to_list()
        return None

    def numbers(self, columns: Sequence[int]) -> np.ndarray:
        """(n, k) float64 of columns of numbers or truth values, missing ones NaN.

        A whole float64 matrix is not copied: do not write into the result.
        """
        if self.matrix is not None:
            whole = list(columns) == list(range(self.matrix.shape[1]))
            chosen = self.matrix if whole else self.matrix[:, list(columns)]
            return np.asarray(chosen, dtype=np.float64)
        import narwhals.stable.v1 as nw

        names = [self.names[at] for at in columns]
        frame = self.native.select(names)
        plain = all(dtype == nw.Float64 for dtype in frame.schema.values())
        if not plain:
            frame = frame.with_columns([self.native[name].cast(nw.Float64) for name in names])
        return np.ascontiguousarray(frame.to_numpy(), dtype=np.float64)

    def write(self, keep: Sequence[int], cells: dict[int, np.ndarray], moved: np.ndarray) -> Any:
        """The table without the columns not in ``keep``, some cells replaced, as it came.

        Args:
            keep: positions of the columns that stay.
            cells: new (n,) cells by position. Their type decides: whole numbers of a column stay
                whole only if whole numbers replace them, whatever the values of this batch.
            moved: (n,) whether a row is changed; other rows keep their cells bit for bit.
        """
        kept = list(keep)
        if self.matrix is not None:
            out = self.matrix[:, kept].copy()
            broken = any(values.dtype.kind == "f" for values in cells.values())
            if out.dtype.kind in "biu" and broken:
                out = out.astype(np.float64)
            for place, at in enumerate(kept):
                if at in cells and moved.all():
                    out[:, place] = cells[at]  # faster than chosen rows
                elif at in cells:
                    out[moved, place] = cells[at][moved]
            return out
        frame = self.native.select([self.names[at] for at in kept])
        fresh = [self._series(at, cells[at], moved) for at in kept if at in cells]
        native = (frame.with_columns(fresh) if fresh else frame).to_native()
        if self.labels is not None:
            native = native.set_axis([self.labels[at] for at in kept], axis=1)
        return native.copy() if hasattr(native, "iloc") else native

    def _series(self, at: int, values: np.ndarray, moved: np.ndarray) -> Any:
        """One column of the frame with some cells replaced, in its own type where that holds."""
        import narwhals.stable.v1 as nw

        name, own = self.names[at], self.native[self.names[at]]
        plain = values.dtype == np.float64 and own.dtype == nw.Float64 and moved.all()
        if plain and not np.isnan(values).any():
            return nw.new_series(name, values, backend=self.native.implementation)
        breaks = values.dtype.kind == "f" and own.dtype.is_numeric() and not own.dtype.is_float()
        if breaks and bool(own.is_null().any()):
            breaks = False  # whole numbers with gaps reach us as floats
        dtype = nw.Float64() if breaks else own.dtype
        old = own.to_numpy()
        kind = np.result_type(old, values) if own.dtype.is_numeric() else np.dtype(object)
        merged = np.where(moved, values.astype(kind), old.astype(kind))
        if hasattr(own.to_native(), "iloc"):
            # Categories of pandas come back as they were declared, used or not.
            plain = nw.new_series(name, merged, backend=self.native.implementation).to_native()
            native = plain.astype("float64" if breaks else own.to_native().dtype)
            return nw.from_native(native, series_only=True)
        cells = [None if is_missing(cell) else cell for cell in merged.tolist()]
        if dtype.is_integer():
            cells = [None if cell is None else int(cell) for cell in cells]
        series = nw.new_series(name, cells, dtype, backend=self.native.implementation)
        native = own.to_native()
        if hasattr(native, "combine_chunks") and not breaks:
            # Arrow has several types of text; narwhals knows one.
            cast = series.to_native().cast(native.type)
            series = nw.from_native(cast, series_only=True).alias(name)
        return series


def read_frame(X: object, problems: Problems) -> Frame | None:
    """Columns of an array, a list of rows or an eager frame; None where it is none of them."""
    import narwhals.stable.v1 as nw
    import scipy.sparse as sp

    if sp.issparse(X):
        problems.add("X is a sparse matrix", fix="pass a dense table: X.toarray()")
        return None
    try:
        native = nw.from_native(X, pass_through=True, eager_only=True)
    except nw.exceptions.DuplicateError:
        problems.add("X has columns of the same name", fix="rename them")
        return None
    if isinstance(native, nw.DataFrame):
        labels = tuple(native.columns)
        names = tuple(map(str, labels))
        if len(set(names)) < len(names):
            problems.add("X has columns of the same name", fix="rename them")
            return None
        if names != labels:
            # Only pandas names columns by numbers; narwhals asks for texts.
            frame: Any = native.to_native()
            native = nw.from_native(frame.set_axis(list(names), axis=1))
        index = nw.maybe_get_index(native)
        rows = None if index is None else np.asarray(index)
        return Frame(names, None, native, rows, None if names == labels else labels)
    if hasattr(X, "detach"):
        X = X.detach().cpu().numpy()
    matrix = np.asarray(X)
    if matrix.dtype.kind == "U" and not isinstance(X, np.ndarray):
        matrix = np.array(X, dtype=object)  # a list of mixed rows is not a list of texts
    if matrix.dtype.kind == "c":
        problems.add("Complex data not supported: X is complex", fix="pass real numbers")
        return None
    if matrix.ndim != 2:
        problems.add(
            f"Expected 2D array, got an array of shape {matrix.shape}",
            fix="Reshape your data: X.reshape(-1, 1) for one column, X.reshape(1, -1) for one row",
        )
        return None
    names = tuple(f"x{at}" for at in range(matrix.shape[1]))
    return Frame(names, matrix, None, None)


def resolve(frame: Frame, columns: object, what: str, problems: Problems) -> tuple[int, ...]:
    """Positions of columns given by name or position, or a list of them."""
    listed = list(columns) if isinstance(columns, list | tuple | np.ndarray) else [columns]
    found: list[int] = []
    width = len(frame.names)
    for column in listed:
        if isinstance(column, str) and column in frame.names:
            found.append(frame.names.index(column))
        elif (
            isinstance(column, int | np.integer)
            and not isinstance(column, bool)
            and -width <= column < width
        ):
            found.append(int(column) % width)
        else:
            problems.add(
                f"{what} names a column {column!r} that X does not have",
                fix=_instead(frame.names, column),
            )
    repeated = len(set(found)) < len(found)
    problems.require(not repeated, f"{what} names a column twice", fix="name each column once")
    return tuple(dict.fromkeys(found))


def check_fitted_columns(estimator: Any, X: Any, where: str) -> None:
    """Check that X has the columns of fit.

    Raises:
        InputError: in the words of scikit-learn, with a remedy.
    """
    from sklearn.utils.validation import validate_data

    try:
        validate_data(estimator, X, reset=False, skip_check_array=True)
    except ValueError as error:
        told = str(error).rstrip()
        remedy = "pass the columns of fit, in their order"
        raise InputError(f"{where}: {told}\nRemedy: {remedy}") from None


def _instead(names: tuple[str, ...], column: object) -> str:
    """The names closest to one that X does not have, or those it has."""
    near = difflib.get_close_matches(column, names) if isinstance(column, str) else []
    if near:
        return f"did you mean {' or '.join(map(repr, near))}?"
    more = ", ..." if len(names) > 20 else ""
    return f"one of {', '.join(map(repr, names[:20]))}{more}, or a position below {len(names)}"


def _all_numbers(column: np.ndarray) -> bool:
    cells = column.tolist()
    kinds = {type(cell) for cell in cells if cell is not None}
    return bool(kinds) and all(
        issubclass(kind, int | float | np.integer | np.floating) and kind is not bool
        for kind in kinds
    )
