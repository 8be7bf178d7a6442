"""A table file that appears whole or not at all, written batch by batch."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from infounlearn.data.table_columns import TableColumn, to_arrow
from infounlearn.errors import Problems

if TYPE_CHECKING:
    from infounlearn.data.table_files import TableScan

_PARQUET = (".parquet", ".pq")


@dataclass(frozen=True)
class TableForm:
    """What a table to be written looks like.

    Attributes:
        columns: in order.
        delimiter: between the cells of a CSV file.
        source: a file that must not be overwritten, because it is being read.
    """

    columns: tuple[TableColumn, ...]
    delimiter: str = ","
    source: Path | None = None


class TableWriter:
    """Writes CSV, or Parquet where the name ends in .parquet or .pq; a context manager.

    Rows go to a hidden file beside the target, which takes the target's place when the ``with``
    block ends well. After an error or Ctrl-C nothing is left, and a target that was there before
    is as it was. In CSV every text is quoted, and a missing cell is an unquoted empty one;
    numbers are written with the fewest digits that give them back. A name that ends in .gz is
    packed.

    Args:
        path: the target.
        like: whose columns are written, in that order: a scan, ``scan.changed(...)``, or a form
            of your own.

    Raises:
        InputError: the target cannot be written, or is the very file that ``like`` reads.
    """

    def __init__(self, path: str | Path, like: TableScan | TableForm) -> None:
        self.path = Path(path)
        self.columns = like.columns
        self.rows = 0
        self._delimiter = like.delimiter
        self._hidden = self.path.with_name(f".{self.path.name}.{secrets.token_hex(4)}")
        self._file: Any = None
        self._packed: Any = None
        self._writer: Any = None
        source = like.source if isinstance(like, TableForm) else like.path
        problems = Problems("TableWriter")
        problems.require(
            not (source and source.exists() and self.path.exists() and self.path.samefile(source)),
            f"{self.path} is the table that is read",
            fix="write to another file",
        )
        problems.require(not self.path.is_dir(), f"{self.path} is a folder", fix="name a file")
        problems.require(len(self.columns) > 0, "no column is left", fix="keep at least one")
        problems.raise_if_any()

    def __enter__(self) -> TableWriter:
        problems = Problems("TableWriter")
        try:
            self._open()
        except OSError as error:
            self._discard()
            problems.add(f"{self.path} cannot be written: {error}", fix="choose another folder")
        except BaseException:
            self._discard()
            raise
        problems.raise_if_any()
        return self

    def write(self, batch: Mapping[str, Sequence[Any] | Any]) -> None:
        """Append rows: a column name to (n,) values for each of the columns.

        Raises:
            InputError: a column is absent or unknown, lengths differ, or a value is not of the
                column's type. The columns are those the writer was made for.
        """
        import pyarrow as pa

        problems = Problems(f"TableWriter({self.path.name})")
        names = [column.name for column in self.columns]
        problems.require(
            self._writer is not None, "it is not open", fix="use it in a with statement"
        )
        problems.require(
            set(batch) == set(names), f"the batch has columns {sorted(batch)}", fix=f"pass {names}"
        )
        problems.raise_if_any()
        lengths = {name: len(batch[name]) for name in names}
        problems.require(
            len(set(lengths.values())) == 1,
            f"columns differ in length: {lengths}",
            fix="pass one value per row",
        )
        arrays = [to_arrow(batch[column.name], column, problems) for column in self.columns]
        problems.raise_if_any()
        part = pa.record_batch(arrays, schema=self._schema())
        self._writer.write_batch(part)
        self.rows += part.num_rows

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if kind is None:
                self._close()
                os.replace(self._hidden, self.path)
        finally:
            self._discard()

    def _open(self) -> None:
        # "x": the file is ours alone, and has the permissions that new files have here.
        self._file = open(self._hidden, "xb")  # noqa: SIM115 - __exit__ closes it
        if self.path.suffix.lower() in _PARQUET:
            import pyarrow.parquet as parquet

            self._writer = parquet.ParquetWriter(self._file, self._schema())
            return
        import pyarrow as pa
        import pyarrow.csv as csv

        sink = self._file
        if self.path.suffix.lower() == ".gz":
            sink = self._packed = pa.CompressedOutputStream(self._file, "gzip")
        options = csv.WriteOptions(delimiter=self._delimiter)
        self._writer = csv.CSVWriter(sink, self._schema(), write_options=options)

    def _schema(self) -> Any:
        import pyarrow as pa

        types = {
            "integer": pa.int64(),
            "number": pa.float64(),
            "boolean": pa.bool_(),
            "text": pa.string(),
        }
        return pa.schema([(column.name, types[column.type]) for column in self.columns])

    def _close(self) -> None:
        """Close what is open, each once; the last bytes are written here."""
        parts = self._file, self._packed, self._writer
        self._writer = self._packed = self._file = None
        with ExitStack() as stack:  # last in, first closed; and all of them, should one fail
            for part in parts:
                if part is not None:
                    stack.callback(part.close)

    def _discard(self) -> None:
        """Close what is open and remove the hidden file, if it still has that name."""
        try:
            # What cannot be written no longer matters, and must not hide the first error.
            with suppress(OSError, ValueError):
                self._close()
        finally:
            self._hidden.unlink(missing_ok=True)
