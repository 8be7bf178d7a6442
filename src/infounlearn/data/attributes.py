"""Attributes of images by file name: CelebA's text format, or a table in CSV or Parquet.

CelebA's ``list_attr_celeba.txt`` begins with a line that counts the images and a line of attribute
names; each line after them is a file name and one value per attribute, 1 or -1. A table has one
column of file names and any others. Values 1 and -1 become 1 and 0 in both: 1 has it, 0 has not.
"""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from infounlearn.data.table_files import scan_table
from infounlearn.errors import InputError, Problems, is_number

__all__ = ["Attributes", "read_attributes"]

SHOWN = 5
"""How many names or lines a message lists."""


@dataclass(frozen=True, eq=False)
class Attributes:
    """What is known of each image.

    Attributes:
        names: (n) file names, with folders where the file has them.
        columns: (n,) values of each attribute: int64, float64 (NaN where missing), bool or objects
            (None where missing).
        binary: attributes that were given as 1 and -1; they have the levels 0 and 1 even where one
            of them does not occur.
        policy: how they were read, counted.
    """

    names: tuple[str, ...]
    columns: Mapping[str, np.ndarray]
    binary: frozenset[str] = frozenset()
    policy: Mapping[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.names)

    def column(self, name: str) -> np.ndarray:
        """(n,) values of one attribute.

        Raises:
            InputError: there is none of that name; the message names those that are close.
        """
        problems = Problems("Attributes.column")
        self.require_known([name], problems)
        problems.raise_if_any()
        return self.columns[name]

    def subset(self, rows: Sequence[int] | Tensor | np.ndarray) -> Attributes:
        """The rows at these positions, in this order."""
        index = np.asarray(rows, dtype=np.int64)
        columns = {name: values[index] for name, values in self.columns.items()}
        names = tuple(self.names[row] for row in index.tolist())
        return Attributes(names, columns, self.binary, self.policy)

    def groups(self, *names: str, min_count: int = 2) -> np.ndarray:
        """The sensitive values of each row, checked: no value missing and no group too small.

        Args:
            names: one attribute or several, which are crossed.
            min_count: least number of rows of a group: of each value of each attribute, and of the
                combinations that occur. An attribute that was given as 1 and -1 has both values,
                so that an empty group is noticed.

        Returns:
            (n,) values of one attribute, (n, k) of several: what ``sensitive=`` takes.

        Raises:
            InputError: unknown attributes, missing values, or a group below ``min_count``.
        """
        problems = Problems("Attributes.groups")
        self.check_groups(names, min_count, problems)
        problems.raise_if_any()
        arrays = [self.columns[name] for name in names]
        if len(arrays) == 1:
            return arrays[0].copy()
        same = len({array.dtype for array in arrays}) == 1
        return np.stack([one if same else one.astype(object) for one in arrays], axis=1)

    def require_known(self, names: Sequence[str], problems: Problems) -> bool:
        """Whether all ``names`` are attributes; collects those that are not."""
        close = {
            name: difflib.get_close_matches(name, self.columns, 3, 0.5)
            or list(self.columns)[:SHOWN]
            for name in names
            if name not in self.columns
        }
        for name, others in close.items():
            problems.add(
                f"there is no attribute {name!r} among the {len(self.columns)}",
                fix=f"pass one that is there, for example {others}",
            )
        return not close

    def check_groups(self, names: Sequence[str], min_count: int, problems: Problems) -> None:
        """Collect what :meth:`groups` refuses."""
        whole = is_number(min_count, whole=True) and min_count >= 1
        problems.require(
            whole, f"min_count is {min_count!r}", fix="pass a whole number of at least 1"
        )
        once = 0 < len(set(names)) == len(names)
        problems.require(once, f"the attributes are {list(names)}", fix="pass one or more, once")
        if not (self.require_known(names, problems) and whole and once):
            return
        full = [self._full(name, problems) for name in names]  # of every one, not the first alone
        if not all(full):
            return
        arrays = [self.columns[name].tolist() for name in names]
        for name, values in zip(names, arrays, strict=True):
            found = Counter({0: 0, 1: 0} if name in self.binary else ())
            found.update(values)
            self._enough(name, found, min_count, problems)
        if len(names) > 1:
            crossed = Counter(zip(*arrays, strict=True))
            self._enough(" x ".join(names), crossed, min_count, problems)

    def _enough(self, title: str, counts: Counter[Any], min_count: int, problems: Problems) -> None:
        few = sum(count < min_count for count in counts.values())
        least = sorted(counts.items(), key=lambda one: (one[1], repr(one[0])))[:12]
        problems.require(
            not few and len(counts) > 1,
            f"{few} of the {len(counts)} groups of {title} have fewer than {min_count} of the "
            f"{len(self)} images"
            if few
            else f"{title} has one value only",
            why=f"images by value: {dict(least)}",
            fix="choose another attribute, or add images of the group that lacks them",
        )

    def _full(self, name: str, problems: Problems) -> bool:
        values = self.columns[name]
        gaps = np.array([value is None or value != value for value in values.tolist()], bool)
        at = np.flatnonzero(gaps)
        return problems.require(
            not len(at),
            f"{len(at)} of {len(self)} values of {name!r} are missing, for example those of "
            f"{[self.names[row] for row in at[:SHOWN]]}",
            fix="fill them in, or leave these images out: attributes.subset(rows)",
        )


def read_attributes(path: str | Path, *, key: str | None = None) -> Attributes:
    """The attributes in a file of CelebA's format, or in a CSV or Parquet table.

    A file whose first line is one whole number has CelebA's format; any other is read as
    :func:`~infounlearn.data.table_files.scan_table` does. Columns of numbers that are all 1 or -1
    become 1 and 0, and are counted.

    Args:
        path: of the file.
        key: the column of file names in a table; the first one by default.

    Raises:
        InputError: the file is absent or not UTF-8; its count, its names or its rows do not fit
            together (all of it named at once, with the lines); names without or with several rows.
    """
    path = Path(path).expanduser()
    problems = Problems(f"read_attributes({path.name})")
    problems.require(path.is_file(), f"there is no file {path}", fix="pass a file of attributes")
    problems.raise_if_any()
    with open(path, "rb") as file:
        first = file.readline(4096).removeprefix(b"\xef\xbb\xbf").strip()
    found = _celeba(path, problems) if first.isdigit() else _table(path, key, problems)
    twice = [name for name, count in Counter(found.names).items() if count > 1]
    problems.require(
        not twice,
        f"{len(twice)} file names have several rows, for example {twice[:SHOWN]}",
        fix="keep one row for each image",
    )
    nameless = sum(not name.strip() for name in found.names)
    problems.require(not nameless, f"{nameless} rows have no file name", fix="name every image")
    problems.require(bool(found.names), "it has no rows", fix="pass one row for each image")
    problems.raise_if_any()
    return found


def _celeba(path: Path, problems: Problems) -> Attributes:
    names: list[str] = []
    marks = bytearray()  # one byte a value: the file has two hundred thousand rows of forty
    wrong, strange, values = [], [], {"1", "-1"}
    try:
        with open(path, encoding="utf-8-sig") as file:
            stated = int(file.readline())
            titles = file.readline().split()
            for number, line in enumerate(file, 3):
                if not (cells := line.split()):
                    continue
                names.append(cells.pop(0))
                marks += bytes([cell == "1" for cell in cells])
                if len(cells) != len(titles):
                    wrong.append((number, len(cells) + 1))
                if not values.issuperset(cells):
                    strange.append(number)
    except UnicodeDecodeError as error:
        problems.add(f"it is no text in UTF-8 ({error})", fix="save it as UTF-8")
        problems.raise_if_any()
        raise
    twice = [title for title, count in Counter(titles).items() if count > 1]
    # Without its line of names the file shows its first image there.
    headless = not titles or (len(titles) > 1 and set(titles[1:]) <= values)
    problems.require(
        not headless and not twice,
        f"line 2 names {twice} twice" if twice and not headless else "line 2 names no attributes",
        fix="write the names of the attributes there, separated by spaces, each once",
    )
    problems.require(
        stated == len(names),
        f"line 1 says {stated} images and {len(names)} rows follow",
        fix="correct the count, or restore the rows that are missing",
    )
    shown = ", ".join(f"line {line} has {count}" for line, count in wrong[:SHOWN])
    problems.require(
        not wrong or headless,
        f"{len(wrong)} rows have not {len(titles) + 1} cells (a file name and {len(titles)} "
        f"values): {shown}",
        why="a file name, a value or the name of an attribute is missing",
        fix="complete these lines; file names with spaces need the CSV format",
    )
    problems.require(
        not strange,
        f"{len(strange)} rows hold values other than 1 and -1, the first in lines "
        f"{strange[:SHOWN]}",
        fix="write 1 (has it) or -1 (has not); other values need the CSV format",
    )
    problems.raise_if_any()
    has = np.frombuffer(bytes(marks), np.uint8).reshape(len(names), len(titles))
    columns = {title: has[:, place].astype(np.int64) for place, title in enumerate(titles)}
    policy = {"attribute_rows": len(names), "attribute_format": "celeba", "signs": len(titles)}
    return Attributes(tuple(names), columns, frozenset(titles), policy)


def _table(path: Path, key: str | None, problems: Problems) -> Attributes:
    try:
        scan = scan_table(path)
    except InputError as error:
        problems.add(
            f"its first line is no count of images, so it is not in CelebA's format, and as a "
            f"table: {error}",
            fix="pass list_attr_celeba.txt as published, or a CSV file with a line of names",
        )
        problems.raise_if_any()
        raise
    chosen = scan.names[0] if key is None else key
    problems.require(
        chosen in scan.names,
        f"of the columns {scan.names} none is {chosen!r}",
        fix="pass key= with the column of file names",
    )
    problems.require(
        len(scan.names) > 1,
        f"its first line is no count of images, so it is not in CelebA's format, and as a table it "
        f"has one column only, {scan.names[0]!r}",
        fix="restore the count line, or pass a table with file names and attributes",
    )
    problems.raise_if_any()
    batches = list(scan.batches())
    whole = {name: np.concatenate([batch[name] for batch in batches]) for name in scan.names}
    names = tuple("" if name is None else str(name) for name in whole.pop(chosen).tolist())
    binary = set()
    for name, values in whole.items():
        if values.dtype == np.int64 and np.isin(values, (-1, 1)).all():
            binary.add(name)
            whole[name] = (values > 0).astype(np.int64)
    policy = {"attribute_rows": len(names), "attribute_format": scan.format, "signs": len(binary)}
    return Attributes(names, whole, frozenset(binary), policy)
