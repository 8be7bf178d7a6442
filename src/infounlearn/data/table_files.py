"""A user's own table, CSV or Parquet, of any size: scanned once, then read batch by batch.

    scan = scan_table("people.csv")
    with TableWriter("out.csv", like=scan.changed(numeric=["age"], without=["sex"])) as writer:
        for batch in scan.batches():
            writer.write({"age": ..., "job": batch["job"]})

No more than one batch is held. The types of the columns are settled by the scan and are those of
every batch; where the rules differ between CSV and Parquet, their own modules state them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from infounlearn.data.table_columns import TableColumn, to_numpy
from infounlearn.data.table_csv import scan_csv, stream_csv, trimmed
from infounlearn.data.table_parquet import decoded, scan_parquet, stream_parquet
from infounlearn.data.table_writer import TableForm, TableWriter
from infounlearn.errors import Problems

__all__ = ["TableColumn", "TableForm", "TableScan", "TableWriter", "scan_table"]


@dataclass(frozen=True)
class TableScan:
    """What a table file holds, without its rows.

    Attributes:
        path: of the file.
        format: "csv" or "parquet".
        columns: in the order of the file.
        rows: how many there are.
        delimiter: between the cells of a CSV file.
        stamp: size in bytes and time of the last change, to notice that the file has changed.
    """

    path: Path
    format: Literal["csv", "parquet"]
    columns: tuple[TableColumn, ...]
    rows: int
    delimiter: str = ","
    stamp: tuple[int, int] = (0, 0)

    @property
    def names(self) -> list[str]:
        """Names of the columns, in order."""
        return [column.name for column in self.columns]

    def batches(
        self, rows: int = 65_536, columns: Sequence[str] | None = None
    ) -> Iterator[dict[str, np.ndarray]]:
        """All rows in order, as dictionaries of (n,) arrays: n is ``rows``, but for the last.

        Args:
            rows: of a batch; they are what is held in memory.
            columns: names to be read, in this order; all by default.

        Yields:
            Arrays of the numpy types of :attr:`TableColumn.dtype`, the same in every batch.

        Raises:
            InputError: an unknown column, rows below 1, or the file is not the one scanned.
        """
        problems = Problems(str(self.path))
        wanted = self.names if columns is None else list(columns)
        unknown = [name for name in wanted if name not in self.names]
        problems.require(not unknown, f"columns {unknown} are absent", fix=f"use {self.names}")
        problems.require(rows >= 1, f"rows is {rows}", fix="pass a positive number")
        problems.require(
            self.path.is_file() and _stamp(self.path) == self.stamp,
            "the file has changed since it was scanned",
            fix="scan it again",
        )
        problems.raise_if_any()
        return self._read([self.names.index(name) for name in wanted], rows)

    def changed(self, *, numeric: Sequence[str] = (), without: Sequence[str] = ()) -> TableForm:
        """The same table after a transform, as :class:`TableWriter` is to write it.

        Args:
            numeric: columns that hold real numbers then, whatever they held before.
            without: columns that are left out.

        Raises:
            InputError: a name is not a column.
        """
        problems = Problems("TableScan.changed")
        unknown = [name for name in (*numeric, *without) if name not in self.names]
        problems.require(not unknown, f"columns {unknown} are absent", fix=f"use {self.names}")
        problems.raise_if_any()
        columns = tuple(
            TableColumn(column.name, "number") if column.name in numeric else column
            for column in self.columns
            if column.name not in without
        )
        return TableForm(columns, self.delimiter, self.path)

    def _read(self, places: list[int], rows: int) -> Iterator[dict[str, np.ndarray]]:
        chosen = [self.columns[place] for place in places]
        for batch in _of_size(self._arrow(places, rows), rows):
            yield {
                column.name: to_numpy(values, column)
                for column, values in zip(chosen, batch.columns, strict=True)
            }

    def _arrow(self, places: list[int], rows: int) -> Iterator[Any]:
        """Record batches of the columns at ``places``, ready to cast."""
        import pyarrow as pa

        names = [str(place) for place in range(len(places))]
        if self.format == "parquet":
            for batch in stream_parquet(self.path, places, rows):
                yield pa.record_batch([decoded(values) for values in batch.columns], names=names)
            return
        for batch in stream_csv(self.path, self.delimiter, self.names):
            cells = [
                trimmed(batch.column(place), text=self.columns[place].type == "text")
                for place in places
            ]
            yield pa.record_batch(cells, names=names)


def _of_size(batches: Iterator[Any], rows: int) -> Iterator[Any]:
    """Record batches of ``rows`` rows each, but for the last, from batches of any size."""
    import pyarrow as pa

    held: list[Any] = []
    count = 0
    for batch in batches:
        held.append(batch)
        count += batch.num_rows
        if count < rows:
            continue
        whole = pa.Table.from_batches(held).combine_chunks().to_batches()[0]
        full = count - count % rows
        for start in range(0, full, rows):
            yield whole.slice(start, rows)
        held, count = [whole.slice(full)], count - full
    if count:
        yield from pa.Table.from_batches(held).combine_chunks().to_batches()


def scan_table(path: str | Path, *, delimiter: str | None = None) -> TableScan:
    """What a CSV or Parquet file holds; a CSV file is read through once, a Parquet file hardly.

    A file is Parquet by its content, whatever its name. CSV is UTF-8 with a first line of column
    names; it may be packed (.gz), and cells in double quotes may hold delimiters and line breaks.

    Args:
        path: of the file.
        delimiter: one character; by default a tab for .tsv and a comma for any other name.

    Raises:
        InputError: the file is absent, empty, damaged, not UTF-8, has rows of unequal length, or
            columns without a name of their own; the message names the file and the line.
    """
    path = Path(path)
    problems = Problems("scan_table")
    problems.require(path.is_file(), f"there is no file {path}", fix="pass a CSV or Parquet file")
    problems.require(
        delimiter is None or (len(delimiter) == 1 and delimiter not in '"\r\n'),
        f"delimiter is {delimiter!r}",
        fix="pass one character",
    )
    problems.raise_if_any()
    stamp = _stamp(path)
    with open(path, "rb") as file:
        magic = file.read(4)
    if magic == b"PAR1":
        return TableScan(path, "parquet", *scan_parquet(path), stamp=stamp)
    names = [suffix.lower() for suffix in path.suffixes]
    mark = delimiter or ("\t" if ".tsv" in names else ",")
    return TableScan(path, "csv", *scan_csv(path, mark), mark, stamp)


def _stamp(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_size, status.st_mtime_ns
