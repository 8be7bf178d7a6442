"""Levels of a variable: the finite alphabet on which a release is drawn, and the way in and out.

A number falls into one of a few intervals between quantiles; a value that many rows share is a
level of its own, because an atom hidden in an interval would keep its group's share of it. A rare
category shares one level with the other rare ones. What lies inside a level is moved to the
reference law of that level by rank (numbers) or drawn from it (rare categories).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from infounlearn.feature.columns import MixedTable, Variable

__all__ = ["CategoryLevels", "Levels", "NumberLevels", "levels_of"]


@dataclass(frozen=True, eq=False)
class NumberLevels:
    """Intervals of a number.

    Attributes:
        at: its column of the numeric block.
        edges: (K - 1,) upper ends, ascending; level k holds edges[k-1] < x <= edges[k].
        values: per level, the values of the reference rows there, ascending.
        own: per group and level, the values of that group's rows there, ascending.
    """

    at: int
    edges: np.ndarray
    values: tuple[np.ndarray, ...]
    own: tuple[tuple[np.ndarray, ...], ...]
    ordered: bool = True

    @property
    def size(self) -> int:
        return len(self.edges) + 1

    def encode(self, table: MixedTable) -> np.ndarray:
        """(n,) level of each row."""
        return np.searchsorted(self.edges, table.numeric[:, self.at], side="left")

    def write(
        self,
        table: MixedTable,
        old: np.ndarray,
        new: np.ndarray,
        codes: np.ndarray,
        ranks: np.ndarray,
        into: MixedTable,
    ) -> None:
        """Put the value of each row at its new level into ``into``.

        The rank within the new level is the row's rank within its old level among its own group,
        drawn from the whole interval of ranks that an atom holds; it is uniform whatever the level.
        """
        place = np.empty(len(old))
        for group, held in enumerate(self.own):
            for level, values in enumerate(held):
                here = np.flatnonzero((codes == group) & (old == level))
                if not len(here):
                    continue
                if not len(values):
                    place[here] = ranks[here]
                    continue
                x = table.numeric[here, self.at]
                low = np.searchsorted(values, x, side="left")
                high = np.searchsorted(values, x, side="right")
                place[here] = (low + ranks[here] * (high - low)) / len(values)
        for level, values in enumerate(self.values):
            here = np.flatnonzero(new == level)
            if len(here):
                index = np.minimum((place[here] * len(values)).astype(np.int64), len(values) - 1)
                into.numeric[here, self.at] = values[index]


@dataclass(frozen=True, eq=False)
class CategoryLevels:
    """Levels of a categorical or ordinal variable.

    Attributes:
        at: its column of the codes.
        level: (c + 1,) level of each code; the last entry stands for an unseen category.
        members: per level, its codes.
        shares: per level, the cumulated shares of its codes among the reference rows.
        ordered: whether levels are in order.
    """

    at: int
    level: np.ndarray
    members: tuple[np.ndarray, ...]
    shares: tuple[np.ndarray, ...]
    ordered: bool

    @property
    def size(self) -> int:
        return len(self.members)

    def encode(self, table: MixedTable) -> np.ndarray:
        """(n,) level of each row; an unseen category counts as a rare one."""
        return self.level[table.codes[:, self.at]]

    def write(
        self,
        table: MixedTable,
        old: np.ndarray,
        new: np.ndarray,
        codes: np.ndarray,
        ranks: np.ndarray,
        into: MixedTable,
    ) -> None:
        """Put the code of each row at its new level into ``into``."""
        for level, (members, shares) in enumerate(zip(self.members, self.shares, strict=True)):
            here = np.flatnonzero(new == level)
            chosen = np.searchsorted(shares, ranks[here], side="right")
            into.codes[here, self.at] = members[np.minimum(chosen, len(members) - 1)]


Levels = NumberLevels | CategoryLevels


def levels_of(
    table: MixedTable,
    codes: np.ndarray,
    groups: int,
    reference: np.ndarray,
    *,
    intervals: int,
    rare: int,
) -> list[Levels]:
    """Levels of every column of the numeric block and of the codes, in this order.

    Args:
        table: fitted rows.
        codes: (n,) group of each row.
        groups: number of groups.
        reference: (n,) bool, rows whose law is the target.
        intervals: most levels of a number; a value of more than 1/intervals of all rows gets its
            own level beside them.
        rare: a category of fewer rows than this shares a level with the other rare ones.
    """
    found: list[Levels] = []
    for at in range(table.numeric.shape[1]):
        found.append(_number(table.numeric[:, at], at, codes, groups, reference, intervals))
    layout = table.layout
    for at, (size, kind) in enumerate(zip(layout.sizes, layout.kinds, strict=True)):
        found.append(_category(table.codes[:, at], at, size, kind == "ordinal", reference, rare))
    return found


def _number(
    x: np.ndarray,
    at: int,
    codes: np.ndarray,
    groups: int,
    reference: np.ndarray,
    intervals: int,
) -> NumberLevels:
    edges = _edges(x, intervals)
    level = np.searchsorted(edges, x, side="left")
    # A level without a reference row cannot be released: it joins its lower neighbour.
    held = np.bincount(level[reference], minlength=len(edges) + 1) > 0
    first = int(np.argmax(held))
    keep = [k for k in range(len(edges)) if k >= first and held[k + 1]]
    edges = edges[keep]
    level = np.searchsorted(edges, x, side="left")
    rows = [np.flatnonzero(level == k) for k in range(len(edges) + 1)]
    values = tuple(np.sort(x[index[reference[index]]]) for index in rows)
    own = tuple(
        tuple(np.sort(x[index[codes[index] == group]]) for index in rows) for group in range(groups)
    )
    return NumberLevels(at, edges, values, own)


def _edges(x: np.ndarray, intervals: int) -> np.ndarray:
    """Upper ends of the levels: quantiles, and both sides of every heavy value."""
    values, counts = np.unique(x, return_counts=True)
    if len(values) <= 2 * intervals:
        return values[:-1]
    cumulated = np.cumsum(counts)
    at = np.searchsorted(cumulated, len(x) * np.arange(1, intervals) / intervals)
    heavy = np.flatnonzero(counts * intervals >= len(x))
    chosen = np.unique(np.concatenate((at, heavy, heavy[heavy > 0] - 1)))
    return values[chosen[chosen < len(values) - 1]]


def _category(
    x: np.ndarray, at: int, size: int, ordered: bool, reference: np.ndarray, rare: int
) -> CategoryLevels:
    counts = np.bincount(x[x >= 0], minlength=size)
    known = np.bincount(x[reference & (x >= 0)], minlength=size)
    common = np.flatnonzero((counts >= rare) & (known > 0))
    others = np.flatnonzero(((counts < rare) | (known == 0)) & (counts > 0))
    members = [np.array([code]) for code in common]
    level = np.full(size + 1, -1)
    level[common] = np.arange(len(common))
    shares = [np.ones(1) for _ in common]
    if known[others].sum() > 0:
        spread = others[known[others] > 0]
        members.append(spread)
        shares.append(np.cumsum(known[spread]) / known[spread].sum())
    # Without a rare level, what is rare or unseen counts as the most frequent level.
    level[level < 0] = len(common) if len(members) > len(common) else int(np.argmax(known[common]))
    return CategoryLevels(at, level, tuple(members), tuple(shares), ordered)


def sizes(levels: Sequence[Levels]) -> np.ndarray:
    """(d,) number of levels of each variable."""
    return np.array([each.size for each in levels])


def name_of(levels: Levels, table: MixedTable) -> str:
    """Name of the variable behind some levels."""
    number = isinstance(levels, NumberLevels)
    for variable in table.layout.variables:
        if _is(variable, levels.at, number):
            return variable.name
    raise KeyError(levels.at)


def _is(variable: Variable, at: int, number: bool) -> bool:
    if number:
        return variable.kind == "numeric" and variable.at == at
    return (variable.kind != "numeric" and variable.at == at) or variable.absent == at
