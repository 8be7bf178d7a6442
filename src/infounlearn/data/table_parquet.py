"""Parquet in bounded memory: types from the file's own schema, row groups read piece by piece.

Dates and times are read as text; decimals as float64, the nearest.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from infounlearn.data.table_columns import TableColumn, Type
from infounlearn.errors import Problems

_BUFFER = 1 << 20  # bytes of a column chunk held at a time


def scan_parquet(path: Path) -> tuple[tuple[TableColumn, ...], int]:
    """Columns and number of rows. Missing cells are counted where the numpy type depends on them:
    from the statistics of the file, or by reading the column where it has none.

    Raises:
        InputError: not a Parquet file, no rows, duplicate or empty names, or a column of lists,
            records or bytes.
    """
    problems = Problems(str(path))
    with _file(path) as file:
        schema, rows = file.schema_arrow, file.metadata.num_rows
        names = [name.strip() for name in schema.names]
        types = [_type(field.type) for field in schema]
        nested = {
            name: str(field.type)
            for name, kind, field in zip(names, types, schema, strict=True)
            if kind is None
        }
        problems.require(rows > 0, "it has no rows", fix="pass a table with rows")
        problems.require(all(names), "a column has no name", fix="name every column")
        twice = sorted({name for name in names if names.count(name) > 1})
        problems.require(not twice, f"{twice} name several columns", fix="rename them")
        problems.require(
            not nested,
            f"columns hold neither numbers nor text: {nested}",
            fix="leave them out of the file",
        )
        problems.raise_if_any()
        counts = {
            place: _missing(file, place, schema.names[place])
            for place, kind in enumerate(types)
            if kind in ("integer", "boolean")
        }
    columns = [
        TableColumn(name, kind, counts.get(place))
        for place, (name, kind) in enumerate(zip(names, types, strict=True))
        if kind is not None
    ]
    return tuple(columns), rows


def stream_parquet(path: Path, places: Sequence[int], rows: int) -> Iterator[Any]:
    """Arrow record batches of at most ``rows`` rows with the columns at ``places``.

    Raises:
        InputError: the file is damaged.
    """
    import pyarrow as pa

    problems = Problems(str(path))
    try:
        with _file(path) as file:
            names = [file.schema_arrow.names[place] for place in places]
            # No threads: one piece of one row group at a time is all that is held.
            yield from file.iter_batches(rows, columns=names, use_threads=False)
    except (pa.ArrowInvalid, OSError) as error:
        problems.add(f"it cannot be read: {error}", fix="write the file again")
        problems.raise_if_any()


def decoded(values: Any) -> Any:
    """Values of a Parquet column in a form that casts to one of our four types."""
    import pyarrow as pa

    if pa.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    return values


def _type(kind: Any) -> Type | None:
    """Our type for an arrow type, or None where there is none."""
    import pyarrow as pa

    types = pa.types
    if types.is_dictionary(kind):
        return _type(kind.value_type)
    if types.is_boolean(kind):
        return "boolean"
    if types.is_integer(kind):
        return "integer"
    if types.is_floating(kind) or types.is_decimal(kind):
        return "number"
    if types.is_string(kind) or types.is_large_string(kind) or types.is_null(kind):
        return "text"
    return "text" if types.is_temporal(kind) and not types.is_interval(kind) else None


def _missing(file: Any, place: int, name: str) -> int:
    """Cells without a value in one flat column."""
    groups = [
        file.metadata.row_group(group).column(place).statistics
        for group in range(file.metadata.num_row_groups)
    ]
    if all(group is not None and group.has_null_count for group in groups):
        return sum(group.null_count for group in groups)
    batches = file.iter_batches(columns=[name], use_threads=False)
    return sum(batch.column(0).null_count for batch in batches)


def _file(path: Path) -> Any:
    import pyarrow as pa
    import pyarrow.parquet as arrow

    problems = Problems(str(path))
    try:
        return arrow.ParquetFile(path, buffer_size=_BUFFER, pre_buffer=False)
    except (pa.ArrowInvalid, OSError) as error:
        problems.add(f"it is no Parquet file: {error}", fix="pass a whole Parquet or CSV file")
    problems.raise_if_any()
    return None
