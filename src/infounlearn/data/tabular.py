"""A table to learn from, beside the attributes whose information is to be removed.

Columns keep what they are: numbers as numbers, categories as words. A transform that removes a
feature from mixed data needs to know which is which, and one-hot columns would hide it. The
sensitive attributes stand apart and are never among the columns, so that no model reads them by
accident.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from infounlearn.errors import Problems

Kind = Literal["numeric", "ordinal", "categorical"]
Task = Literal["classification", "regression"]

KINDS: tuple[Kind, ...] = ("numeric", "ordinal", "categorical")
"""Numbers; values with an order but no distances; values with neither."""


@dataclass(frozen=True, eq=False, repr=False)
class TableData:
    """n rows: columns to learn from, a target, and sensitive attributes beside them.

    Attributes:
        name: how messages and tables of results call the data.
        columns: by name, in order, (n,) float64 (finite or NaN) or (n,) object arrays of strings.
        kinds: of every column: "numeric" (float64), "categorical" (strings) or "ordinal" (either;
            strings are ordered as in ``categories``).
        target: (n,) int64 class labels 0..K-1, or (n,) float64 of a regression.
        target_name: what the target says; for a classification, what label 1 says.
        task: "classification" or "regression".
        sensitive: by name, (n,) object arrays of strings (groups) or (n,) float64 (continuous).
        ids: (n,) int64, all different: the position of a row in its source.
        categories: of every column of strings, all its values in order: ascending unless given.
            Subsets keep them, so that their matrices have the same columns.

    Raises:
        InputError: lengths, dtypes or kinds do not fit, a sensitive attribute is also a column,
            an id occurs twice, or a value is not among the categories.
    """

    name: str
    columns: Mapping[str, np.ndarray]
    kinds: Mapping[str, Kind]
    target: np.ndarray
    target_name: str
    task: Task
    sensitive: Mapping[str, np.ndarray]
    ids: np.ndarray
    categories: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        problems = Problems(f"TableData({self.name!r})")
        _check(self, problems)
        problems.raise_if_any()
        found = {
            name: tuple(self.categories.get(name) or sorted(set(values.tolist())))
            for name, values in self.columns.items()
            if values.dtype == object
        }
        for name, values in found.items():
            unknown = sorted(set(self.columns[name].tolist()) - set(values))
            problems.require(
                not unknown and len(set(values)) == len(values),
                f"column {name!r} holds {unknown[:5]}, categories name {list(values)[:5]}",
                fix="name every value of the column once",
            )
        problems.raise_if_any()
        object.__setattr__(self, "categories", found)

    def __len__(self) -> int:
        return len(self.ids)

    def __repr__(self) -> str:
        z = ", ".join(self.sensitive)
        return (
            f"TableData({self.name!r}, {len(self):,} rows x {len(self.columns)} columns, "
            f"{self.task} of {self.target_name!r}, beside {z or 'no sensitive attribute'})"
        )

    def matrix(self, one_hot: bool = True) -> tuple[np.ndarray, list[str]]:
        """The columns as numbers: (n, d) float64 and the d names.

        A column of strings becomes one 0/1 column ``name=value`` for each of its categories, or,
        without ``one_hot``, the one column of their positions 0, 1, ... Nothing is fitted: the
        columns depend on ``categories`` alone, and no value is scaled.
        """
        parts: list[np.ndarray] = []
        names: list[str] = []
        for name, values in self.columns.items():
            if values.dtype != object:
                parts.append(values[:, None])
                names.append(name)
                continue
            words = self.categories[name]
            codes = _positions(values, words)
            if one_hot:
                parts.append((codes[:, None] == np.arange(len(words))).astype(np.float64))
                names += [f"{name}={word}" for word in words]
            else:
                parts.append(codes[:, None].astype(np.float64))
                names.append(name)
        empty = np.empty((len(self), 0))
        return np.concatenate([empty, *parts], axis=1), names

    def to_pandas(self, *, sensitive: bool = False, target: bool = False) -> Any:
        """The columns as a pandas ``DataFrame`` whose index are the ids; pandas must be installed.

        Args:
            sensitive: append the sensitive attributes.
            target: append the target, as ``target_name``.
        """
        import pandas as pd

        frame = dict(self.columns)
        if sensitive:
            frame |= self.sensitive
        if target:
            frame[self.target_name] = self.target
        return pd.DataFrame(frame, index=pd.Index(self.ids, name="id"))

    def subset(
        self, indices: np.ndarray | Sequence[int] | Sequence[bool], name: str | None = None
    ) -> TableData:
        """The rows at positions ``indices`` in that order (not ids), or where a (n,) mask is true.

        Raises:
            InputError: a position lies outside the table or occurs twice, or a mask has a length
                of its own.
        """
        problems = Problems(f"{self.name}.subset")
        index = np.asarray(indices)
        if index.dtype == bool:
            problems.require(
                index.shape == self.ids.shape,
                f"the mask has shape {index.shape}",
                fix=f"pass one truth value for each of the {len(self)} rows",
            )
            index = np.flatnonzero(index)
        problems.require(
            index.ndim == 1 and (index.size == 0 or index.dtype.kind in "iu"),
            f"positions are {index.dtype} of shape {index.shape}",
            fix="pass (m,) integers",
        )
        problems.raise_if_any()
        index = index.astype(np.int64)
        outside = int(((index < 0) | (index >= len(self))).sum())
        problems.require(
            outside == 0,
            f"{outside} of {len(index)} positions lie outside 0..{len(self) - 1}",
            fix="pass positions of rows, counted from the first",
        )
        problems.raise_if_any()
        return TableData(
            name or self.name,
            {key: values[index] for key, values in self.columns.items()},
            dict(self.kinds),
            self.target[index],
            self.target_name,
            self.task,
            {key: values[index] for key, values in self.sensitive.items()},
            self.ids[index],
            dict(self.categories),
        )

    def sha256(self) -> str:
        """SHA-256 of what is learnt from and what is removed: names, kinds and values, in order.

        Ids and the name of the data are left out, as in :meth:`Records.sha256
        <infounlearn.data.records.Records.sha256>`.
        """
        digest = hashlib.sha256()
        parts = [
            *((f"column {self.kinds[key]} {key}", self.columns[key]) for key in self.columns),
            *((f"sensitive {key}", self.sensitive[key]) for key in self.sensitive),
            (f"target {self.task} {self.target_name}", self.target),
        ]
        for head, values in parts:
            digest.update(json.dumps([head, str(values.dtype), len(values)]).encode())
            if values.dtype == object:
                digest.update(json.dumps(values.tolist()).encode())
            else:
                digest.update(values.astype(values.dtype.newbyteorder("<")).tobytes())
        digest.update(json.dumps(list(self.categories.items())).encode())
        return digest.hexdigest()


def _positions(values: np.ndarray, words: Sequence[str]) -> np.ndarray:
    """(n,) positions of ``values`` in ``words``, which hold all of them."""
    place = {word: position for position, word in enumerate(words)}
    return np.fromiter((place[value] for value in values), np.int64, len(values))


def _check(table: TableData, problems: Problems) -> None:
    """Collect what is wrong with the parts of ``table``."""
    rows = np.shape(table.ids)
    parts = {"target": table.target, "ids": table.ids, **table.columns}
    shapes = {name: np.shape(values) for name, values in (parts | dict(table.sensitive)).items()}
    wrong = {name: shape for name, shape in shapes.items() if shape != rows or len(rows) != 1}
    problems.require(
        not wrong, f"ids have shape {rows}, others {wrong}", fix="give every part one value per row"
    )
    problems.require(
        table.ids.dtype == np.int64 and len(np.unique(table.ids)) == table.ids.size,
        f"ids are {table.ids.dtype}, {len(np.unique(table.ids))} different ones",
        fix="number every row differently, in int64",
    )
    wanted = np.int64 if table.task == "classification" else np.float64
    problems.require(
        table.task in ("classification", "regression") and table.target.dtype == wanted,
        f"the target of a {table.task} is {table.target.dtype}",
        fix="pass int64 labels of a classification, float64 values of a regression",
    )
    both = sorted(set(table.sensitive) & set(table.columns))
    problems.require(
        not both,
        f"sensitive attributes {both} are also columns",
        why="a model would read them",
        fix="keep them out of the columns",
    )
    problems.require(
        set(table.kinds) == set(table.columns),
        f"kinds are given for {sorted(table.kinds)}, columns are {sorted(table.columns)}",
        fix="give every column a kind",
    )
    for name, values in table.columns.items():
        allowed = {"numeric": "f", "categorical": "O", "ordinal": "fO"}
        kind = table.kinds.get(name, "")
        problems.require(
            values.dtype in (np.float64, object) and values.dtype.kind in allowed.get(kind, ""),
            f"column {name!r} is {values.dtype} and of kind {kind!r}",
            fix="pass float64 for numeric, object strings for categorical, either for ordinal",
        )
    for name, values in (dict(table.columns) | dict(table.sensitive)).items():
        problems.require(
            values.dtype == np.float64 or (values.dtype == object and _all_words(values)),
            f"{name!r} is {values.dtype} and not all of its values are strings",
            fix="pass float64, or an object array of strings with missing values named",
        )


def _all_words(values: np.ndarray) -> bool:
    return all(isinstance(value, str) for value in values)
