"""Levels of a variable: the finite alphabet on which a release is drawn, and the way in and out.

A number falls into one of a few intervals between quantiles; a value that many rows share is a
level of its own, so that the laws of the chain see it. A rare category shares one level with the
other rare ones. What lies inside a level is moved to the reference law of that level by rank
(numbers) or drawn from it (rare categories).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from infounlearn.feature.columns import MixedTable, Variable

__all__ = ["CategoryLevels", "Levels", "NumberLevels", "levels_of", "name_of"]

DECIMALS = 9
"""Most decimals that are kept; a number with more counts as having all."""
BESIDE = 5
"""Values to each side that bound a fresh one: between two alone, close ones would fill up."""
RARE = 30
"""Rows below which categories share a level, in a table of 1,500 rows or more."""


@dataclass(frozen=True, eq=False)
class NumberLevels:
    """Intervals of a number.

    Attributes:
        at: its column of the numeric block.
        edges: (K - 1,) upper ends, ascending; level k holds edges[k-1] < x <= edges[k].
        reference: group whose values are released.
        own: per group, its fitted values, ascending.
        starts: (m, K + 1) where each level starts in those of each group.
        lone: (n of the reference,) whether its value occurs once, or twice by chance.
        decimals: (n of the reference,) decimals that write it; DECIMALS + 1 for more.
        single: whether all fitted values are of single precision.
    """

    at: int
    edges: np.ndarray
    reference: int
    own: tuple[np.ndarray, ...]
    starts: np.ndarray
    lone: np.ndarray
    decimals: np.ndarray
    single: bool
    ordered: bool = True

    @property
    def size(self) -> int:
        """Number of levels K."""
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
    ) -> None:
        """Put the value of each row at its new level into ``table``.

        The rank within the new level is the row's rank within its old level among its own group.
        With l fitted values below the row, t equal to it and c in all, it is drawn from
        [l, l + t + 1) / (c + 1): uniform for a fresh row whatever c and the ties, by exchange.

        Args:
            table: rows with their old values; written in place.
            old, new: (n,) levels.
            codes: (n,) groups.
            ranks: (n,) uniforms in [0, 1).
        """
        x = table.numeric[:, self.at]
        place = np.empty(len(x))
        for group, values in enumerate(self.own):
            here = np.flatnonzero(codes == group)
            start, end = (self.starts[group][old[here] + one] for one in (0, 1))
            low = np.searchsorted(values, x[here], side="left")
            ties = np.searchsorted(values, x[here], side="right") - low
            place[here] = (low - start + ranks[here] * (ties + 1)) / (end - start + 1)
        table.numeric[:, self.at] = self._quantile(new, place)

    def _quantile(self, level: np.ndarray, place: np.ndarray) -> np.ndarray:
        """(n,) values of the reference law of a level at the ranks ``place`` in [0, 1).

        A value that occurs once stands for those around it: fresh rows of the
        reference rarely repeat it (what occurs once has about the share of what was not seen, Good
        1953), so that repeating it would name the rows that were moved.
        """
        values = self.own[self.reference]
        start, end = (self.starts[self.reference][level + one] for one in (0, 1))
        rank = start + place * (end - start)
        index = np.minimum(rank.astype(np.int64), end - 1)
        found = values[index]
        lone = np.flatnonzero(self.lone[index])
        index, share = index[lone], rank[lone] - index[lone]
        low = values[np.maximum(index - BESIDE, start[lone])]
        high = values[np.minimum(index + BESIDE, end[lone] - 1)]
        fresh = low + share * (high - low)
        # Written as the value it stands for: digits of its own would be a mark too.
        scale = 10.0 ** self.decimals[index]
        full = fresh.astype(np.float32) if self.single else fresh
        fresh = np.where(self.decimals[index] > DECIMALS, full, np.rint(fresh * scale) / scale)
        found[lone] = np.clip(fresh, low, high)
        return found


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
        """Number of levels K."""
        return len(self.members)

    def encode(self, table: MixedTable) -> np.ndarray:
        """(n,) level of each row; an unseen category counts as a rare one."""
        codes = table.codes[:, self.at]
        # A later batch of a stream may have brought codes beyond those of these rows.
        return self.level[np.where(codes < len(self.level) - 1, codes, -1)]

    def write(
        self,
        table: MixedTable,
        old: np.ndarray,
        new: np.ndarray,
        codes: np.ndarray,
        ranks: np.ndarray,
    ) -> None:
        """Put the code of each row at its new level into ``table``; see :class:`NumberLevels`."""
        for level, (members, shares) in enumerate(zip(self.members, self.shares, strict=True)):
            here = np.flatnonzero(new == level)
            chosen = np.searchsorted(shares, ranks[here], side="right")
            table.codes[here, self.at] = members[np.minimum(chosen, len(members) - 1)]


Levels = NumberLevels | CategoryLevels


def levels_of(
    table: MixedTable,
    codes: np.ndarray,
    groups: int,
    reference: int,
    *,
    intervals: int,
    rare: int | None = None,
) -> list[Levels]:
    """Levels of every column of the numeric block and of the codes, in this order.

    Args:
        table: fitted rows.
        codes: (n,) group of each row.
        groups: number of groups.
        reference: group whose law is the target; it has rows.
        intervals: most levels of a number; a value of at least 1/intervals of all rows gets its
            own level beside them, and up to twice as many values get one each.
        rare: a category of fewer rows than this shares a level with the other rare ones; by
            default 1/50 of the rows, between 2 and 30.
    """
    if rare is None:
        rare = int(np.clip(len(table) // 50, 2, RARE))
    found: list[Levels] = []
    layout, target = table.layout, codes == reference
    for variable in layout.numeric:
        at, here = variable.at, np.ones(len(table), dtype=bool)
        if variable.absent is not None:
            # What fills a gap is no value: released without its mark it would be one of its own.
            observed = table.codes[:, variable.absent] == 0
            here = observed if observed[target].any() else here
        x, own = table.numeric[here, at], codes[here]
        found.append(_number(x, at, own, groups, reference, intervals))
    for at, (size, kind) in enumerate(zip(layout.sizes, layout.kinds, strict=True)):
        found.append(_category(table.codes[:, at], at, size, kind == "ordinal", target, rare))
    return found


def _number(
    x: np.ndarray,
    at: int,
    codes: np.ndarray,
    groups: int,
    reference: int,
    intervals: int,
) -> NumberLevels:
    edges = _edges(x, intervals)
    own = tuple(np.sort(x[codes == group]) for group in range(groups))
    values = own[reference]
    # A level without a reference row cannot be released: it joins its lower neighbour, or the
    # lowest one that has such a row.
    held = np.bincount(np.searchsorted(edges, values), minlength=len(edges) + 1) > 0
    above = np.arange(len(edges)) >= np.argmax(held)
    edges = edges[above & held[1:]]
    starts = [[0, *np.searchsorted(each, edges, side="right"), len(each)] for each in own]
    return NumberLevels(
        at,
        edges,
        reference,
        own,
        np.array(starts, dtype=np.int64),
        _lone(values),
        _decimals(values),
        _single(x),
    )


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


def _lone(values: np.ndarray) -> np.ndarray:
    """(n,) whether a value occurs once; or twice, where fewer than one more is due by Good (1953).

    The mean number of further copies of what occurs r times is (r + 1) N_{r+1} / N_r.
    """
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    times = np.bincount(counts, minlength=4)
    most = 2 if 3 * times[3] < times[2] else 1
    return counts[inverse] <= most


def _single(x: np.ndarray) -> bool:
    """Whether single precision holds every value."""
    with np.errstate(over="ignore"):
        return bool((x.astype(np.float32) == x).all())


def _decimals(values: np.ndarray) -> np.ndarray:
    """(n,) decimals that write each value exactly, DECIMALS + 1 where they do not."""
    places = np.full(len(values), DECIMALS + 1)
    with np.errstate(over="ignore"):
        for place in range(DECIMALS, -1, -1):
            places[np.round(values, place) == values] = place
    return places


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
