"""CSV in bounded memory: one pass that settles the type of every column, and batches after it.

Readers that guess types from the first block contradict themselves further down. So every cell is
read as text, once to settle the types and again for each reading, and a type is one that *all*
cells have:

- integer: decimal digits that int64 holds;
- number: decimal or scientific notation;
- text: anything else, and also what numbers would not keep: digits with a leading zero or plus
  sign (postal codes, telephone numbers), and integers too long for their numeric type.

A missing cell is empty; in columns of numbers, :data:`MISSING` lists what counts as missing too. A
word in a column of text is a value, "NA" included. Truth values are text, and stay as spelled.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infounlearn.data.table_columns import EXACT, TableColumn, Type
from infounlearn.errors import Problems

MISSING = ("", "NA", "N/A", "NaN", "nan", "NULL", "null", "None", "?")
"""Cells that hold no value in a column of numbers, spaces around them aside."""

_BLOCK = 1 << 20  # bytes read at a time; no row may be longer
_INTEGER = r"^(0|-?[1-9][0-9]*)$"
_SPELLED = r"^(\+[0-9]+|[-+]?0[0-9]+)$"


def read_header(path: Path, delimiter: str) -> list[str]:
    """Column names from the first line, without the spaces around them.

    Raises:
        InputError: the file is empty or not UTF-8, or names are missing, repeated or numbers.
    """
    problems = Problems(str(path))
    try:
        with _open(path) as file:
            first = next((row for row in csv.reader(_text(file), delimiter=delimiter) if row), [])
    except UnicodeDecodeError as error:
        _blame(path, delimiter, None, str(error))
    except csv.Error as error:
        problems.add(f"line 1 cannot be read: {error}", fix="write column names there")
        problems.raise_if_any()
    names = [name.strip() for name in first]
    if not problems.require(bool(names), "it is empty", fix="pass a table with column names"):
        problems.raise_if_any()
    nameless = [place for place, name in enumerate(names, 1) if not name]
    twice = sorted({name for name in names if name and names.count(name) > 1})
    problems.require(
        not nameless, f"line 1: columns {nameless} have no name", fix="name every column"
    )
    problems.require(not twice, f"line 1: {twice} name several columns", fix="rename them")
    problems.require(
        not all(_is_number(name) for name in names),
        f"line 1 holds numbers only: {', '.join(names[:5])}",
        fix="write a first line of column names",
    )
    problems.raise_if_any()
    return names


def scan_csv(path: Path, delimiter: str) -> tuple[tuple[TableColumn, ...], int]:
    """Columns and number of rows, from one pass over the whole file.

    Raises:
        InputError: see :func:`read_header`; no rows; a row with too few or too many cells, or
            bytes that are not UTF-8, with the number of the line.
    """
    names = read_header(path, delimiter)
    found = [_Evidence() for _ in names]
    rows, last = 0, ""
    for batch in stream_csv(path, delimiter, names):
        rows += batch.num_rows
        last = batch.columns[-1][-1].as_py() if batch.num_rows else last
        for evidence, values in zip(found, batch.columns, strict=True):
            evidence.see(values)
    problems = Problems(str(path))
    problems.require(rows > 0, "it has column names and no rows", fix="pass a table with rows")
    if "\n" in last:
        _require_closed(path, last, problems)
    if len(names) == 1:
        other = [mark for mark in ",;\t|" if mark in names[0]]
        problems.require(
            not other,
            f"line 1 is one column, {names[0][:40]!r}",
            why=f"columns are separated by {delimiter!r}",
            fix=f"pass delimiter={other[0] if other else ','!r}",
        )
    problems.raise_if_any()
    columns = (one.column(name) for one, name in zip(found, names, strict=True))
    return tuple(columns), rows


def stream_csv(path: Path, delimiter: str, names: Sequence[str]) -> Iterator[Any]:
    """Arrow record batches of text, of a few MiB each; the whole file once.

    Raises:
        InputError: as :func:`scan_csv`.
    """
    import pyarrow as pa
    import pyarrow.csv as arrow

    try:
        with arrow.open_csv(
            path,
            # One thread: with more, arrow reads ahead by as many blocks as there are cores.
            read_options=arrow.ReadOptions(
                use_threads=False, block_size=_BLOCK, column_names=names, skip_rows_after_names=1
            ),
            parse_options=arrow.ParseOptions(
                delimiter=delimiter,
                newlines_in_values=True,
                ignore_empty_lines=len(names) > 1,  # the only cell of a row may be missing
            ),
            convert_options=arrow.ConvertOptions(
                column_types={name: pa.string() for name in names}, strings_can_be_null=False
            ),
        ) as reader:
            yield from reader
    except pa.ArrowInvalid as error:
        _blame(path, delimiter, len(names), str(error))


def trimmed(values: Any, *, text: bool) -> Any:
    """Cells of an arrow array of strings, null where missing; numbers lose the spaces around."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if text:
        return pc.if_else(pc.equal(values, ""), pa.scalar(None, pa.string()), values)
    cells = pc.ascii_trim_whitespace(values)
    gaps = pc.is_in(cells, value_set=pa.array(MISSING))
    return pc.if_else(gaps, pa.scalar(None, pa.string()), cells)


@dataclass
class _Evidence:
    """What the cells of a column have shown so far."""

    numeric: bool = True
    integers: bool = True
    kept: bool = True  # numbers would keep the spelling of integers, and their digits
    fits: bool = True  # into int64
    largest: int = 0
    gaps: int = 0  # missing cells, if the column turns out to hold numbers
    empty: int = 0  # and if it turns out to be text
    rows: int = 0

    def see(self, values: Any) -> None:
        """Take in a batch of cells."""
        import pyarrow as pa
        import pyarrow.compute as pc

        self.rows += len(values)
        self.empty += pc.sum(pc.equal(values, "")).as_py() or 0
        if not self.numeric:
            return
        cells = trimmed(values, text=False)
        self.gaps += cells.null_count
        cells = cells.drop_null()
        whole = pc.match_substring_regex(cells, _INTEGER)
        all_whole = whole.true_count == len(cells)
        self.integers &= all_whole
        if not all_whole:
            odd = cells.filter(pc.invert(whole))
            self.kept &= pc.match_substring_regex(odd, _SPELLED).true_count == 0
            try:
                odd.cast(pa.float64())
            except pa.ArrowInvalid:
                self.numeric = False
        elif self.integers and self.fits and len(cells):
            try:
                ends = pc.min_max(cells.cast(pa.int64())).as_py()
                self.largest = max(self.largest, abs(ends["min"]), abs(ends["max"]))
            except pa.ArrowInvalid:
                self.fits = False

    def column(self, name: str) -> TableColumn:
        """The verdict."""
        held = self.fits and (self.largest <= EXACT or not self.gaps)
        kind: Type = "text"
        if self.numeric and self.kept and self.gaps < self.rows:
            kind = "number" if not self.integers else "integer" if held else "text"
        return TableColumn(name, kind, self.empty if kind == "text" else self.gaps)


def _require_closed(path: Path, last: str, problems: Problems) -> None:
    """A quote that is never closed makes all the lines below it one cell, the last of the file."""
    lines, tail = 0, b""
    with _open(path) as file:
        for line in file:
            lines, tail = lines + 1, line
    begin = lines - last.count("\n") + (1 if tail.endswith(b"\n") else 0)
    problems.require(
        tail.rstrip(b"\r\n").endswith(b'"'),
        f"line {begin} opens a quote that is never closed",
        fix="close it, or double the quotes that belong to a cell",
    )


def _blame(path: Path, delimiter: str, width: int | None, reason: str) -> None:
    """Find the line that cannot be read, slowly, and raise an :class:`InputError` that names it."""
    problems = Problems(str(path))
    with _open(path) as file:
        for number, line in enumerate(file, 1):
            try:
                line.decode("utf-8")
            except UnicodeDecodeError as error:
                problems.add(
                    f"line {number} is not UTF-8 (byte 0x{line[error.start]:02x})",
                    fix="save the file as UTF-8, for example with iconv",
                )
                problems.raise_if_any()
    with _open(path) as file:
        reader = csv.reader(_text(file), delimiter=delimiter)
        begin = 1
        try:
            for row in reader:
                if row and width is not None and len(row) != width:
                    problems.add(
                        f"line {begin} has {len(row)} cells, the header has {width}",
                        fix="mend the line, or quote cells that hold the delimiter",
                    )
                    problems.raise_if_any()
                begin = reader.line_num + 1
        except csv.Error as error:
            reason = f"line {begin}: {error}"
    problems.add(f"it cannot be read: {reason}", fix="mend the file")
    problems.raise_if_any()


def _open(path: Path) -> Any:
    """The bytes of a file, unpacked where its name ends in .gz or the like."""
    import pyarrow as pa

    return io.BufferedReader(pa.input_stream(str(path), compression="detect"))


def _text(file: Any) -> io.TextIOWrapper:
    return io.TextIOWrapper(file, encoding="utf-8-sig", newline="")


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
