"""Which group is each row in: values of any type become codes in an order that nothing changes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from infounlearn.audit.feature.columns import frame_columns, is_missing
from infounlearn.errors import Problems
from infounlearn.math.intervals import as_array

MISSING = "missing"
MANY = 20
"""A real-valued feature of more distinct values than this must be binned."""


@dataclass(frozen=True)
class Groups:
    """The feature of each row: (n,) codes 0..m-1, the m names, and the (m,) rows of each."""

    codes: np.ndarray
    names: tuple[str, ...]
    counts: np.ndarray

    def __len__(self) -> int:
        return len(self.names)


def read_columns(problems: Problems, name: str, values: Any) -> list[np.ndarray]:
    """One-dimensional arrays of (n,) or (n, k) values, of a mapping, or of a frame or series."""
    if isinstance(values, Mapping):
        return [np.asarray(column) for column in values.values()]
    framed = frame_columns(values)
    if framed is not None:
        return list(framed.values())
    array = as_array(values)
    if array.ndim not in (1, 2):
        problems.add(f"{name} has shape {array.shape}", fix="pass (n,) or (n, k) values")
        return [np.zeros(0)]
    return [array] if array.ndim == 1 else list(array.T)


def read_groups(
    problems: Problems, name: str, values: Any, *, bins: int | None = None, missing: str = "error"
) -> Groups:
    """Groups of one column, or of several crossed: removing them singly leaves what they share.

    Args:
        problems: takes what is wrong.
        name: of the argument, for messages.
        values: (n,) or (n, k) numbers, texts or truth values; None and NaN are missing.
        bins: cut a numeric column of more distinct values at its own quantiles.
        missing: "error", or "group": missing values are a group of their own.
    """
    columns = read_columns(problems, name, values)
    coded = [_codes(problems, name, column, bins, missing) for column in columns]
    if len({len(codes) for codes, _ in coded}) != 1 or problems.found:
        problems.require(
            len({len(codes) for codes, _ in coded}) == 1,
            f"{name} has columns of different lengths",
            fix="pass one value per row in each",
        )
        return Groups(np.zeros(0, dtype=np.int64), (), np.zeros(0, dtype=np.int64))
    stacked = np.stack([codes for codes, _ in coded], axis=1)
    cells, codes = np.unique(stacked, axis=0, return_inverse=True)
    names = tuple(
        " × ".join(known[index] for (_, known), index in zip(coded, cell, strict=True))
        for cell in cells
    )
    codes = codes.reshape(-1).astype(np.int64)
    return Groups(codes, names, np.bincount(codes, minlength=len(cells)))


def _codes(
    problems: Problems, name: str, column: np.ndarray, bins: int | None, missing: str
) -> tuple[np.ndarray, list[str]]:
    plain = [_plain(value) for value in column.tolist()]
    absent = np.array([value is None for value in plain], dtype=bool)
    problems.require(
        not absent.any() or missing == "group",
        f"{name} has {int(absent.sum())} missing values",
        fix="drop those rows, or pass missing='group'",
    )
    known = sorted({value for value in plain if value is not None}, key=_order)
    numeric = all(isinstance(value, int | float) for value in known)
    if numeric and bins is not None and len(known) > bins:
        return _binned(np.array([np.nan if v is None else v for v in plain], dtype=float), bins)
    problems.require(
        not (any(isinstance(value, float) for value in known) and len(known) > MANY),
        f"{name} is real-valued with {len(known)} distinct values",
        fix="pass z_bins=8 to audit its quantile bins, or groups of your own",
    )
    place = {value: index for index, value in enumerate(known)}
    codes = [len(known) if value is None else place[value] for value in plain]
    names = [str(value) for value in known] + ([MISSING] if absent.any() else [])
    return np.array(codes, dtype=np.int64), names


def _binned(values: np.ndarray, bins: int) -> tuple[np.ndarray, list[str]]:
    absent = np.isnan(values)
    edges = np.unique(np.quantile(values[~absent], np.arange(1, bins) / bins))
    codes = np.searchsorted(edges, values, side="right").astype(np.int64)
    names = [f"below {edges[0]:.4g}"]
    names += [f"{low:.4g} to {high:.4g}" for low, high in pairwise(edges)]
    names += [f"from {edges[-1]:.4g}"]
    codes[absent] = len(names)
    used, codes = np.unique(codes, return_inverse=True)
    return codes.reshape(-1), [*[names[index] for index in used if index < len(names)]] + (
        [MISSING] if absent.any() else []
    )


def _plain(value: Any) -> Any:
    """Python's own value; None for anything missing. Whole floats count as floats."""
    if is_missing(value):
        return None
    return value if isinstance(value, bool | int | float | str) else str(value)


def _order(value: Any) -> tuple[int, Any]:
    """Truth values, then numbers, then texts: types that Python cannot compare never meet."""
    if isinstance(value, bool):
        return 0, value
    return (1, value) if isinstance(value, int | float) else (2, value)
