"""One column of a table file: its type, and its values as arrow and as numpy hold them.

The numpy type of a column is settled when its file is scanned and is the same in every batch:
int64, float64 with NaN for a missing cell, bool, or objects (strings, True, False) with None.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from infounlearn.errors import Problems

Type = Literal["integer", "number", "boolean", "text"]

EXACT = 2**53
"""Beyond it float64 does not hold every integer."""


@dataclass(frozen=True)
class TableColumn:
    """A column of a table file.

    Attributes:
        name: without the spaces around it.
        type: "integer", "number", "boolean" or "text".
        missing: cells without a value, or None where nobody counted.
    """

    name: str
    type: Type
    missing: int | None = None

    @property
    def dtype(self) -> np.dtype[Any]:
        """The numpy type of every batch of the column."""
        whole = {"integer": np.int64, "boolean": bool} if self.missing == 0 else {}
        other = {"integer": np.float64, "number": np.float64}
        return np.dtype(whole.get(self.type, other.get(self.type, object)))


def to_numpy(values: Any, column: TableColumn) -> np.ndarray:
    """(n,) array of ``column.dtype`` from an arrow array of strings, numbers or booleans."""
    import pyarrow as pa

    types = {
        "integer": pa.int64(),
        "number": pa.float64(),
        "boolean": pa.bool_(),
        "text": pa.string(),
    }
    exact = values.cast(types[column.type], safe=column.type != "number")
    found: np.ndarray = exact.to_numpy(zero_copy_only=False)
    if column.type == "integer" and exact.null_count and found.size:
        problems = Problems(f"column {column.name!r}")
        problems.require(
            bool(np.nanmax(np.abs(found), initial=0) <= EXACT),
            "it has missing cells beside integers beyond 2**53",
            why="float64, which marks a missing cell by NaN, does not hold them",
            fix="store the column as text",
        )
        problems.raise_if_any()
    return found.astype(column.dtype, copy=False)


def to_arrow(values: Any, column: TableColumn, problems: Problems) -> Any:
    """An arrow array of the column's type; collects what does not fit it. NaN and None are missing.

    Args:
        values: (n,) array or sequence.
        column: what is to be written.
        problems: collects a value of another type.
    """
    import pyarrow as pa

    array = np.asarray(values)
    if column.type == "integer" and array.dtype.kind == "f":
        whole = np.isnan(array) | ((array == np.round(array)) & (np.abs(array) <= EXACT))
        if not problems.require(
            bool(whole.all()),
            f"column {column.name!r} is of type integer and got {array[~whole][:1].tolist()}",
            fix="declare it: TableWriter(..., like=scan.changed(numeric=[...]))",
        ):
            return None
        gaps = np.isnan(array)
        return pa.array(np.where(gaps, 0, array).astype(np.int64), mask=gaps)
    types = {
        "integer": (pa.int64(), "iu"),
        "number": (pa.float64(), "iuf"),
        "boolean": (pa.bool_(), "bO"),
        "text": (pa.string(), "OU"),
    }
    wanted, kinds = types[column.type]
    error = ""
    if array.dtype.kind in kinds and array.ndim == 1:
        try:
            return pa.array(array, wanted, from_pandas=True)
        except (pa.ArrowInvalid, pa.ArrowTypeError) as caught:
            error = f": {caught}"
    problems.add(
        f"column {column.name!r} is of type {column.type} and got {array.dtype} of shape "
        f"{array.shape}{error}",
        fix="pass (n,) values of the type the scan names",
    )
    return None
