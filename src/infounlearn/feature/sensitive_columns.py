"""One column of sensitive values: told apart by value, or cut at its quantiles."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

import numpy as np

from infounlearn.errors import InputError, Problems

STRANGE = -1
"""Code of a value that was not fitted."""
FEW_WHOLE = 1 << 16
"""Range of whole numbers up to which they are counted, not sorted."""
MANY = 20
"""Whole numbers with more distinct values than this look continuous ("auto" bins)."""
FEWEST, MOST = 2, 16
"""Range of the number of "auto" bins, n^⅓ between: bins shrink and fill as rows are added."""


@dataclass(frozen=True, eq=False)
class Categories:
    """Values of one sensitive column.

    Attributes:
        labels: name of each value, or of each bin in words, sorted.
        index: code of each value; empty where the column is binned.
        edges: inner bin edges, ascending, or None; a value on an edge is in the bin above.
        missing: whether missing values are a group of their own.
        name: of the column, for messages.
    """

    labels: tuple[Any, ...]
    index: dict[Any, int]
    edges: np.ndarray | None
    missing: bool
    name: str = "sensitive"

    @property
    def size(self) -> int:
        """Number of codes; the code of missing values is behind all others."""
        return len(self.labels) + self.missing

    def code(self, label: Any) -> int:
        """Code of a label, None for missing."""
        return len(self.labels) if label is None else self.labels.index(label)

    def merge(self, other: Categories) -> Categories:
        """The values of both; bins must be the same."""
        missing = self.missing or other.missing
        if self.edges is not None:
            return Categories(self.labels, {}, self.edges, missing, self.name)
        labels = tuple(sorted(dict.fromkeys((*self.labels, *other.labels)), key=sort_key))
        index = {label: at for at, label in enumerate(labels)}
        return Categories(labels, index, None, missing, self.name)

    def label(self, code: int) -> Any:
        """Label of a code, None for missing."""
        return self.labels[code] if code < len(self.labels) else None

    def encode(self, array: np.ndarray, problems: Problems, *, tolerant: bool = True) -> np.ndarray:
        """(n,) codes below :attr:`size`, or STRANGE where a value was not fitted.

        Missing values are a problem unless they were fitted or the caller is ``tolerant``.
        """
        values, inverse = distinct(array)
        if None in values and not (self.missing or tolerant):
            rows = int(np.isin(inverse, [at for at, one in enumerate(values) if one is None]).sum())
            problems.add(
                f"{self.name} has {rows} missing values (None or NaN), and had none in fit",
                fix="drop or impute those rows, or fit with missing='group' on some of them",
            )
        if self.edges is None:
            codes = [self.index.get(value, STRANGE) for value in values]
        else:
            wrong = [value for value in values if value is not None and not number(value)]
            problems.require(
                not wrong,
                f"{self.name} holds {wrong[:3]} where numbers were fitted",
                fix="pass numbers, as in fit",
            )
            codes = [
                int(np.searchsorted(self.edges, value, side="right")) if number(value) else STRANGE
                for value in values
            ]
        if self.missing:
            pairs = zip(codes, values, strict=True)
            codes = [len(self.labels) if value is None else code for code, value in pairs]
        return np.array(codes, dtype=np.int64)[inverse]


def fit_column(
    array: np.ndarray,
    name: str,
    problems: Problems,
    *,
    bins: int | Literal["auto"] | None,
    missing: str,
    edges: np.ndarray | None = None,
) -> tuple[Categories, np.ndarray]:
    """How the values of one column are told apart, and the code of each row."""
    values, inverse = distinct(array)
    absent = [position for position, value in enumerate(values) if value is None]
    rows = int(np.isin(inverse, absent).sum())
    problems.require(
        missing == "group" or not rows,
        f"{name} has {rows} missing values (None or NaN)",
        fix="drop or impute those rows, or make them a group of their own (missing='group')",
    )
    strange = sorted({type(v).__name__ for v in values if not isinstance(v, SUPPORTED)})
    infinite = any(isinstance(v, float) and np.isinf(v) for v in values)
    problems.require(not infinite, f"{name} holds infinity", fix="pass numbers")
    if strange or infinite:
        problems.require(
            not strange,
            f"{name} holds values of type {', '.join(strange)}",
            fix="pass truth values, numbers or texts",
        )
        return Categories((), {}, None, False, name), np.zeros(len(array), dtype=np.int64)
    present = sorted((value for value in values if value is not None), key=sort_key)
    counted = np.bincount(inverse, minlength=len(values))
    sizes = {value: int(counted[at]) for at, value in enumerate(values) if value is not None}
    total = sum(sizes.values())
    pieces = min(MOST, max(FEWEST, round(total ** (1 / 3)))) if bins == "auto" else bins
    # None and truth values are never cut.
    if edges is None and pieces is not None and present and all(map(number, present)):
        whole = all(float(value).is_integer() for value in present)
        if len(present) > (int(pieces) if bins != "auto" or not whole else MANY):
            edges = _edges(present, [sizes[value] for value in present], int(pieces))
    if edges is None:
        index = {value: code for code, value in enumerate(present)}
        found = Categories(tuple(present), index, None, missing == "group", name)
    else:
        found = Categories(_intervals(edges), {}, edges, missing == "group", name)
    return found, found.encode(array, problems)


def columns_of(
    values: object, where: str, what: str = "sensitive"
) -> tuple[tuple[str, ...], list[np.ndarray]]:
    """Names and (n,) arrays of the columns of anything that holds one value per row.

    Raises:
        InputError: not an array, list, series or eager frame of one or two dimensions.
    """
    import narwhals.stable.v1 as nw

    native = nw.from_native(values, pass_through=True, allow_series=True, eager_only=True)
    if isinstance(native, nw.DataFrame):
        names = tuple(str(name) for name in native.columns)
        if not names:
            raise InputError(f"{where}: {what} has no columns: pass at least one")
        return names, [native[name].to_numpy() for name in native.columns]
    if isinstance(native, nw.Series):
        return (str(native.name or what),), [native.to_numpy()]
    if hasattr(values, "detach"):
        values = values.detach().cpu().numpy()
    if not hasattr(values, "__len__") or isinstance(values, str | bytes | dict):
        raise InputError(f"{where}: {what} is {type(values).__name__}: pass one value per row")
    # A list of mixed types must not become a list of texts.
    array = values if isinstance(values, np.ndarray) else np.array(values, dtype=object)
    if array.ndim == 1:
        return (what,), [array]
    if array.ndim != 2 or array.shape[1] == 0:
        raise InputError(
            f"{where}: {what} has shape {array.shape}: pass (n,), or (n, k) for k columns"
        )
    names = tuple(f"{what} {at}" for at in range(array.shape[1]))
    return names if len(names) > 1 else (what,), list(array.T)


def distinct(array: np.ndarray) -> tuple[list[Any], np.ndarray]:
    """Distinct values as Python objects, None for missing ones, and the place of each row's value.

    The places are not sorted: callers sort by :func:`sort_key`.
    """
    if array.dtype.kind in "biu" and len(array):
        low, high = int(array.min()), int(array.max())
        if high - low < FEW_WHOLE:
            # Counting is quicker than sorting.
            places = array.astype(np.int64) - low
            seen = np.bincount(places, minlength=high - low + 1) > 0
            values = (np.flatnonzero(seen) + low).tolist()
            if array.dtype.kind == "b":
                values = [bool(value) for value in values]
            return values, (np.cumsum(seen) - 1)[places]
    if array.dtype.kind in "biufUS":
        unique, inverse = np.unique(array, return_inverse=True)
        found = unique.tolist()
        inverse = inverse.reshape(-1)
    else:
        cells = array.tolist()
        index: dict[Any, int] = {}
        try:
            for cell in dict.fromkeys(cells):
                index[cell] = len(index)
        except TypeError as error:
            raise InputError(
                f"a column holds values that are no single values ({error}): pass truth values, "
                "numbers or texts"
            ) from error
        found = list(index)
        inverse = np.fromiter(map(index.__getitem__, cells), dtype=np.int64, count=len(cells))
    values = [None if is_missing(value) else _plain(value) for value in found]
    return values, inverse


SUPPORTED = (bool, int, float, str, type(None))


def crossed(parts: list[np.ndarray], sizes: list[int]) -> tuple[np.ndarray, ...]:
    """Distinct rows of several columns of codes: (cells (c, k), row's cell (n,), rows (c,)).

    Cells are in lexicographic order. One number per row is sorted, not k.
    """
    sizes = [size + 1 for size in sizes]
    if np.prod(sizes, dtype=np.float64) > 2.0**62:
        stacked = np.stack(parts, axis=1)
        cells, inverse, counts = np.unique(stacked, axis=0, return_inverse=True, return_counts=True)
        return cells, inverse.reshape(-1), counts
    key = np.zeros(len(parts[0]), dtype=np.int64)
    for part, size in zip(parts, sizes, strict=True):
        key = key * size + (part - STRANGE)
    if np.prod(sizes, dtype=np.float64) < FEW_WHOLE:
        tally = np.bincount(key, minlength=int(np.prod(sizes)))
        unique = np.flatnonzero(tally)
        inverse, counts = (np.cumsum(tally > 0) - 1)[key], tally[unique]
    else:
        unique, inverse, counts = np.unique(key, return_inverse=True, return_counts=True)
    cells = np.empty((len(unique), len(parts)), dtype=np.int64)
    for column in reversed(range(len(parts))):
        unique, rest = np.divmod(unique, sizes[column])
        cells[:, column] = rest + STRANGE
    return cells, inverse.reshape(-1), counts


def is_missing(value: Any) -> bool:
    """None, NaN, and what pandas writes for missing."""
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    return isinstance(value, float | np.floating) and bool(np.isnan(value))


def number(value: Any) -> bool:
    """Whether a value is a number and no truth value."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def sort_key(value: Any) -> tuple[int, Any]:
    """Numbers and truth values first, then texts, then missing ones."""
    if value is None:
        return (2, 0)
    return (1, value) if isinstance(value, str) else (0, value)


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def _edges(values: list[float], counts: list[int], pieces: int) -> np.ndarray:
    """Values at which bins of about equal mass begin; ties shrink their number."""
    below = np.cumsum(counts) - counts
    total = sum(counts)
    targets = np.arange(1, pieces) * total / pieces
    places = np.searchsorted(below, targets, side="left")
    nearer = np.clip(places, 1, len(values) - 1)
    before = np.maximum(nearer - 1, 1)
    closer = np.abs(below[before] - targets) < np.abs(below[nearer] - targets)
    return np.array(values, dtype=np.float64)[np.unique(np.where(closer, before, nearer))]


def _intervals(edges: np.ndarray) -> tuple[str, ...]:
    ends = [repr(edge) for edge in edges.tolist()]
    middle = [f"[{low}, {high})" for low, high in pairwise(ends)]
    return (f"below {ends[0]}", *middle, f"from {ends[-1]}")
