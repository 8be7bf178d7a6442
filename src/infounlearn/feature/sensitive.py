"""Which group is each row in: sensitive values of any type become codes in one fixed order.

Groups are sorted by type and value, never by a set or by first appearance, so that the order of the
rows and the hash seed of the process have no effect. Several columns are crossed into one variable,
because removing them one by one leaves what they tell together.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np

from infounlearn.errors import InputError, Problems, is_number
from infounlearn.feature.sensitive_columns import (
    Categories,
    columns_of,
    crossed,
    fit_column,
    sort_key,
)

__all__ = ["SensitiveGroups", "encode_sensitive", "order_labels"]

UNSEEN = -1
"""Code of a row whose group was not fitted, where the caller asked for codes all the same."""
FEW_REMEDY = (
    "add rows, merge groups, lower the minimum, pool small groups, or bin a continuous column"
)
POOLED = "(small groups)"
"""Label of the group that takes all cells smaller than ``min_count``, where asked for."""


@dataclass(frozen=True, eq=False)
class SensitiveGroups:
    """The groups of a fitted sensitive variable, and the group of each fitted row.

    Attributes:
        labels: (m,) name of each group, sorted by type and value: the value itself of one column
            (None for missing ones, an interval in words where binned), a tuple of them of several.
        codes: (n,) int64 group of each row, 0 ≤ code < m.
        counts: (m,) rows of each group.
        names: names of the columns.
        columns: how the values of each column are told apart.
        cells: group of each combination of column values that was fitted.
    """

    labels: tuple[Any, ...]
    codes: np.ndarray
    counts: np.ndarray
    names: tuple[str, ...]
    columns: tuple[Categories, ...]
    cells: dict[tuple[int, ...], int] = field(repr=False)

    @property
    def weights(self) -> np.ndarray:
        """(m,) share of each group among the rows, P(Z = z)."""
        return self.counts / self.counts.sum()

    @property
    def edges(self) -> tuple[np.ndarray | None, ...]:
        """Inner bin edges of each column; None for a column whose values are the groups."""
        return tuple(column.edges for column in self.columns)

    def __len__(self) -> int:
        return len(self.labels)

    def without_rows(self) -> SensitiveGroups:
        """The same groups without the codes of the rows: what a fitted estimator keeps."""
        return replace(self, codes=np.empty(0, dtype=np.int64))

    def small(self, min_count: int) -> tuple[Any, ...]:
        """Labels of groups with fewer rows than ``min_count``."""
        pairs = zip(self.labels, self.counts.tolist(), strict=True)
        return tuple(label for label, count in pairs if count < min_count)

    def pool(self, min_count: int) -> SensitiveGroups:
        """All groups with fewer rows than ``min_count`` as one, the last."""
        few = np.flatnonzero(self.counts < min_count)
        if not len(few):
            return self
        homes = np.arange(len(self))
        keep = np.setdiff1d(homes, few)
        homes[keep], homes[few] = np.arange(len(keep)), len(keep)
        counts = np.bincount(homes, weights=self.counts, minlength=len(keep) + 1)
        return replace(
            self,
            labels=(*(self.labels[at] for at in keep), POOLED),
            codes=homes[self.codes],
            counts=counts.astype(np.int64),
            cells={cell: int(homes[home]) for cell, home in self.cells.items()},
        )

    def merge(self, other: SensitiveGroups) -> SensitiveGroups:
        """The groups of two batches of one stream, without the codes of their rows."""
        columns = tuple(map(Categories.merge, self.columns, other.columns))
        labels = list(dict.fromkeys((*self.labels, *other.labels)))
        labels = [labels[at] for at in order_labels(labels)]
        counts = dict.fromkeys(labels, 0)
        for part in (self, other):
            for label, count in zip(part.labels, part.counts.tolist(), strict=True):
                counts[label] += count
        cells = {}
        for home, label in enumerate(labels):
            parts = label if len(columns) > 1 else (label,)
            cell = tuple(column.code(part) for column, part in zip(columns, parts, strict=True))
            cells[cell] = home
        none = np.empty(0, dtype=np.int64)
        total = np.array([counts[label] for label in labels])
        return SensitiveGroups(tuple(labels), none, total, self.names, columns, cells)

    def encode(
        self,
        values: object,
        *,
        where: str = "SensitiveGroups.encode",
        unseen: Literal["error", "mark"] = "error",
    ) -> np.ndarray:
        """Codes of new rows, in the fitted order.

        Args:
            values: as fitted: (n,) or (n, k).
            where: who asks, for the message.
            unseen: "error", or "mark": −1 for a row whose value, combination or missing value was
                not fitted. Binned columns have no unseen numbers: the outer bins are open.

        Returns:
            (n,) int64.

        Raises:
            InputError: another number of columns, values of other types, or unseen groups.
        """
        _, arrays = columns_of(values, where, self.names[0])
        problems = Problems(where)
        problems.require(
            len(arrays) == len(self.columns),
            f"there are {len(arrays)} columns of groups, fitted with {len(self.columns)}",
            fix=f"pass {list(self.names)}",
        )
        problems.raise_if_any()
        pairs = zip(self.columns, arrays, strict=True)
        tolerant = unseen == "mark"
        parts = [column.encode(array, problems, tolerant=tolerant) for column, array in pairs]
        cells, inverse, _ = crossed(parts, [column.size for column in self.columns])
        found = np.array([self.cells.get(tuple(cell.tolist()), UNSEEN) for cell in cells])
        codes = found.astype(np.int64)[inverse]
        strange = np.flatnonzero(codes == UNSEEN)
        if len(strange) and unseen == "error":
            distinct = dict.fromkeys(tuple(array[row] for array in arrays) for row in strange[:999])
            shown = list(distinct)[:3]
            examples = [_plain(cell[0]) if len(cell) == 1 else cell for cell in shown]
            known = list(self.labels[:9])
            problems.add(
                f"{len(strange)} rows are in groups that were not fitted, for example {examples}",
                fix=f"pass rows of the groups {known}, fit on rows of every group, or set a "
                "policy for unseen groups",
            )
        problems.raise_if_any()
        return codes


def encode_sensitive(
    values: object,
    *,
    where: str = "encode_sensitive",
    missing: Literal["error", "group"] = "error",
    min_count: int = 2,
    bins: int | Literal["auto"] | None = None,
    small: Literal["error", "pool"] = "error",
    like: SensitiveGroups | None = None,
    what: str = "sensitive",
) -> SensitiveGroups:
    """Groups of the rows by one sensitive column, or by several crossed.

    Args:
        values: (n,) or (n, k) truth values, numbers or texts, with None or NaN where missing: an
            array, a list, a series or a frame of any library that narwhals reads.
        where: who asks, for the message.
        missing: "error", or "group": missing values are a group of their own.
        min_count: least number of rows of a group; a cell of crossed columns is a group.
        bins: None: every distinct value is a group. A number: a numeric column with more distinct
            values is cut at its own quantiles into at most that many bins (fewer where values tie).
            "auto": the same for columns that look continuous, into about n^⅓ bins (2 to 16).
            Within a bin the value stays visible: audit with the raw values.
        small: "error", or "pool": all cells below ``min_count`` become one group; which of them a
            row is in then stays visible.
        like: an earlier batch of the same stream, whose bins are used.
        what: how messages call the values.

    Raises:
        InputError: no rows, missing values, unsupported types, too small groups, or settings out
            of range. One group is no error here: callers decide.
    """
    problems = Problems(where)
    problems.require(
        missing in ("error", "group"), f"missing is {missing!r}", fix="'error' or 'group'"
    )
    problems.require(small in ("error", "pool"), f"small is {small!r}", fix="'error' or 'pool'")
    counted = is_number(min_count, whole=True) and min_count >= 1
    problems.require(
        counted, f"min_count is {min_count!r}", fix="pass a whole number of at least 1"
    )
    binned = bins is None or bins == "auto" or (is_number(bins, whole=True) and int(bins) >= 2)
    problems.require(binned, f"bins is {bins!r}", fix="pass None, 'auto' or a number of at least 2")
    problems.raise_if_any()
    names, arrays = columns_of(values, where, what)
    if not len(arrays[0]):
        raise InputError(f"{where}: {what} has no rows: pass one value per row")
    problems.require(
        like is None or len(like.columns) == len(arrays),
        f"{what} has {len(arrays)} columns, not as many as before",
        fix="pass the same columns in every batch",
    )
    problems.raise_if_any()
    before = [None] * len(arrays) if like is None else [column.edges for column in like.columns]
    fitted = [
        fit_column(array, name, problems, bins=bins, missing=missing, edges=edges)
        for array, name, edges in zip(arrays, names, before, strict=True)
    ]
    problems.raise_if_any()
    columns = tuple(column for column, _ in fitted)
    parts = [codes for _, codes in fitted]
    cells, codes, counts = crossed(parts, [column.size for column in columns])
    labels = [_label(columns, cell) for cell in cells]
    table = {tuple(cell): home for home, cell in enumerate(cells.tolist())}
    codes = codes.astype(np.int64)
    groups = SensitiveGroups(tuple(labels), codes, counts, names, columns, table)
    if small == "pool":
        groups = groups.pool(min_count)
    few = np.flatnonzero(groups.counts < min_count)
    if len(few):
        shown = [(groups.labels[at], int(groups.counts[at])) for at in few[:5]]
        problems.add(
            f"{len(few)} of {len(groups)} {what} groups have fewer than {min_count} rows, for "
            f"example {shown}",
            why="a law cannot be learnt from so few rows",
            fix=FEW_REMEDY,
        )
    problems.raise_if_any()
    return groups


def order_labels(labels: list[Any]) -> list[int]:
    """Positions that sort labels by type and value: the order :class:`SensitiveGroups` uses."""

    def key(position: int) -> tuple[Any, ...]:
        label = labels[position]
        parts = label if isinstance(label, tuple) else (label,)
        # The pooled group stands last wherever it appears.
        return (label == POOLED, tuple(sort_key(part) for part in parts))

    return sorted(range(len(labels)), key=key)


def _label(columns: tuple[Categories, ...], cell: np.ndarray) -> Any:
    parts = tuple(column.label(code) for column, code in zip(columns, cell.tolist(), strict=True))
    return parts[0] if len(parts) == 1 else parts


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value
