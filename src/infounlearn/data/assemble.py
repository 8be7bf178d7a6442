"""From the fields of a public file to a :class:`TableData`: the sensitive leave its columns."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from infounlearn.data.tabular import Kind, TableData, Task
from infounlearn.errors import Problems


def words(values: Iterable[str]) -> np.ndarray:
    """(n,) object array of strings."""
    return np.array(list(values), dtype=object)


def numbers(values: Iterable[str]) -> np.ndarray:
    """(n,) float64 of decimal texts."""
    return np.array(list(values), dtype=np.float64)


def read_fields(path: Path, fields: Sequence[str]) -> dict[str, list[str]]:
    """Texts of the columns ``fields`` of a CSV file with header; no other column is kept.

    Of a column that occurs twice, the first is read.

    Raises:
        InputError: a field is not in the header.
    """
    with open(path, newline="", encoding="utf-8") as file:
        reader = csv.reader(file)
        header = next(reader, [])
        absent = [field for field in fields if field not in header]
        problems = Problems(f"read_fields({path.name})")
        problems.require(not absent, f"columns {absent} are absent", fix="fetch the file again")
        problems.raise_if_any()
        places = [header.index(field) for field in fields]
        rows = [[row[place] for place in places] for row in reader]
    return {field: [row[place] for row in rows] for place, field in enumerate(fields)}


def assemble(
    name: str,
    fields: Mapping[str, np.ndarray],
    *,
    target: np.ndarray,
    target_name: str,
    task: Task,
    ids: np.ndarray,
    sensitive: str | Sequence[str],
    forms: Mapping[str, np.ndarray] | None = None,
    states: Sequence[Sequence[str]] = (),
    ordinal: Sequence[str] = (),
    categories: Mapping[str, tuple[str, ...]] | None = None,
) -> TableData:
    """The table of ``fields`` without those that state a sensitive attribute.

    Args:
        name: of the data.
        fields: every column there could be, float64 or strings, in order.
        target: labels or values.
        target_name: what they say.
        task: of the target.
        ids: (n,) int64.
        sensitive: names of ``forms`` or ``fields``.
        forms: sensitive attributes in another form than the field of that name, or than any.
        states: groups of names that state the same thing: where one is sensitive, no other of its
            group stays a column.
        ordinal: fields whose values have an order but no distances.
        categories: values of string fields in order, where that is not the ascending one.

    Raises:
        InputError: a name in ``sensitive`` is unknown, or none is given.
    """
    chosen = (sensitive,) if isinstance(sensitive, str) else tuple(sensitive)
    known = {**fields, **(forms or {})}
    problems = Problems(f"load_{name}")
    unknown = [one for one in chosen if one not in known]
    problems.require(
        bool(chosen) and not unknown and len(set(chosen)) == len(chosen),
        f"sensitive is {list(chosen)}",
        fix=f"choose one or more of {sorted(known)}, each once",
    )
    problems.raise_if_any()
    gone = set(chosen)
    for group in states:
        if gone & set(group):
            gone |= set(group)
    columns = {one: values for one, values in fields.items() if one not in gone}
    kinds: dict[str, Kind] = {
        one: "ordinal" if one in ordinal else "categorical" if values.dtype == object else "numeric"
        for one, values in columns.items()
    }
    return TableData(
        name=name,
        columns=columns,
        kinds=kinds,
        target=target,
        target_name=target_name,
        task=task,
        sensitive={one: known[one] for one in chosen},
        ids=ids,
        categories={one: order for one, order in (categories or {}).items() if one in columns},
    )
