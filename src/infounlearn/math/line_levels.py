"""Step quantile functions: atoms and counts of a law, merged levels of several, W2 distances.

Everything that is as long as the table is made a stretch at a time, so that it stays in the cache.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import gcd

import numpy as np

STRETCH = 2**14
"""Levels, or rows, in work at once."""


def law(ordered: np.ndarray, counts: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Distinct values of an ascending vector, and how many rows each has; ``counts`` are 1."""
    rises = ordered[1:] != ordered[:-1]
    if counts is None:
        # One number, read many times: rows without ties need no memory for their counts.
        counts = np.broadcast_to(np.int64(1), len(ordered))
        if rises.all():
            return _frozen(ordered), counts
    first = np.flatnonzero(np.concatenate(([True], rises)))
    atoms, counts = ordered[first], np.add.reduceat(counts, first)
    return law(atoms) if len(atoms) == counts.sum() else (_frozen(atoms), _frozen(counts))


def upper(counts: np.ndarray) -> np.ndarray:
    """F_z at each atom. Equal fractions of unlike groups are equal floats: division is exact."""
    total = np.cumsum(counts)
    return total / total[-1]


def places(counts: np.ndarray, ranks: np.ndarray) -> np.ndarray:
    """Number of the atom at each rank: how many ends F_z(atom) are at or below it."""
    if not untied(counts):
        return np.searchsorted(upper(counts), ranks, side="right")
    # The ends are i/n. The product may be off by a rounding; the quotients decide.
    size = len(counts)
    found = (ranks * size).astype(np.int64)
    found += (found + 1) / size <= ranks
    found -= found / size > ranks
    return found


def untied(counts: np.ndarray) -> bool:
    """Whether every value belongs to one row, as ``law`` marks it."""
    return counts.strides == (0,)


def ranked(
    laws: list[tuple[np.ndarray, np.ndarray]], x: np.ndarray, codes: np.ndarray, xi: np.ndarray
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Some rows and their randomised ranks in their own group, until all are done."""
    for z, (atoms, counts) in enumerate(laws):
        rows = np.flatnonzero(codes == z)
        tops = None if untied(counts) else upper(counts)
        if len(rows) > STRETCH:
            # In the order of their values, neighbours read the same part of the table.
            rows = rows[np.argsort(x[rows])]
        for start in range(0, len(rows), STRETCH):
            some = rows[start : start + STRETCH]
            yield some, _drawn(np.clip(x[some], atoms[0], atoms[-1]), atoms, tops, xi[some])


def _drawn(
    at: np.ndarray, atoms: np.ndarray, tops: np.ndarray | None, xi: np.ndarray
) -> np.ndarray:
    """Ranks of values inside the range of the atoms, whose ranks end at ``tops``, else at i/n."""
    left = np.searchsorted(atoms, at, side="right") - 1
    if tops is None:
        low, high = left / len(atoms), (left + 1) / len(atoms)
    else:
        low, high = np.where(left > 0, tops[left - 1], 0.0), tops[left]
    between = np.flatnonzero(atoms[left] != at)
    if len(between):
        here, middle = left[between], high[between]
        share = (at[between] - atoms[here]) / (atoms[here + 1] - atoms[here])
        after = (here + 2) / len(atoms) if tops is None else tops[here + 1]
        # On the next atom the interval begins where it ends on this one.
        low[between] = np.minimum(low[between] + share * (middle - low[between]), middle)
        high[between] = np.minimum(middle + share * (after - middle), after)
    drawn = low + xi * (high - low)
    # Rounding must not reach the next interval, or a value would leave its own atom.
    return np.minimum(drawn, np.nextafter(high, 0.0))


def joined(parts: list[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    """The law of the rows of all parts."""
    atoms, counts = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    order = np.argsort(atoms, kind="stable")
    return law(atoms[order], counts[order])


def steps(
    laws: list[tuple[np.ndarray, np.ndarray]], weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Levels, ascending to 1, and the value of Q̄ = Σ w_z Q_z below each."""
    pieces = [(level, mixed(spans, weights)) for level, spans in _spans(laws)]
    levels, points = zip(*pieces, strict=True)
    return _frozen(np.concatenate(levels)), _frozen(np.concatenate(points))


def _spans(
    laws: list[tuple[np.ndarray, np.ndarray]],
) -> Iterator[tuple[np.ndarray, list[np.ndarray]]]:
    """Ascending levels and each Q_z below them: as many at a time as stay in the cache."""
    at = [0] * len(laws)
    for level, lasts in _levels(laws):
        spans = []
        for z, last in enumerate(lasts):
            # The atom after a group's last end here reaches beyond the stretch.
            own = laws[z][0][at[z] : at[z] + len(last) + 1]
            times = np.empty(len(last) + 1, dtype=np.int64)
            times[:-1], times[-1] = last, len(level) - 1
            times[1:] -= last
            times[0] += 1
            spans.append(np.repeat(own, times[: len(own)]))
            at[z] += len(last)
        yield level, spans


def mixed(parts: list[np.ndarray], weights: np.ndarray) -> np.ndarray:
    """Σ w_z part_z, added in the order of the groups."""
    total = weights[0] * parts[0]
    for weight, part in zip(weights[1:], parts[1:], strict=True):
        total += weight * part
    return total


def distances(laws: list[tuple[np.ndarray, np.ndarray]], weights: np.ndarray) -> np.ndarray:
    """W2² of each group's law from the barycenter."""
    total, top = np.zeros(len(laws)), 0.0
    for level, spans in _spans(laws):
        length = level.copy()
        length[1:] -= level[:-1]
        length[0] -= top
        top = level[-1]
        if len(laws) == 2:
            # Q_0 - Q̄ = w_1 (Q_0 - Q_1), and likewise for Q_1.
            spans = [spans[0] - spans[1]]
        else:
            point = mixed(spans, weights)
            spans = [span - point for span in spans]
        for z, span in enumerate(spans):
            total[z] += length @ np.square(span, out=span)
    return _frozen(total[0] * weights[::-1] ** 2 if len(laws) == 2 else total)


def _levels(
    laws: list[tuple[np.ndarray, np.ndarray]],
) -> Iterator[tuple[np.ndarray, list[np.ndarray]]]:
    """Distinct ends of all groups, ascending, in stretches; and where those of each group stand."""
    distinct = [len(counts) for _, counts in laws]
    number = -(-sum(distinct) // STRETCH)
    counted = len(laws) == 2 and all(untied(counts) for _, counts in laws)
    if counted and max(distinct) < 2**31:
        yield from _counted(distinct, number)
        return
    grid = np.linspace(0.0, 1.0, number + 1)
    ends = [upper(counts) for _, counts in laws]
    cuts = [np.searchsorted(end, grid, side="right") for end in ends]
    for b in range(number):
        parts = [end[cut[b] : cut[b + 1]] for end, cut in zip(ends, cuts, strict=True)]
        level = np.sort(np.concatenate(parts))
        if len(level):
            level = level[np.concatenate((level[1:] != level[:-1], [True]))]
            yield level, [np.searchsorted(level, part) for part in parts]


def _counted(rows: list[int], number: int) -> Iterator[tuple[np.ndarray, list[np.ndarray]]]:
    """The levels of two groups without ties, by counting instead of sorting and searching.

    ⌊c n'/n⌋ rows of the other group, of n', stand at or before level c/n.
    """
    start = [0, 0]
    for b in range(1, number + 1):
        stop = [rows[0] * b // number, 0]
        stop[1] = stop[0] * rows[1] // rows[0]
        lasts, ends = [], []
        for own, other in ((0, 1), (1, 0)):
            done = np.arange(start[own] + 1, stop[own] + 1)
            ends.append(done / rows[own])
            last = done * rows[other]
            last //= rows[own]
            last += done
            last -= start[own] + start[other] + 1
            # An end that both groups have is one level.
            period = rows[own] // gcd(*rows)
            if stop[own] // period > start[own] // period:
                last -= done // period - start[own] // period
            lasts.append(last)
        size = max((int(last[-1]) + 1 for last in lasts if len(last)), default=0)
        if size:
            level = np.empty(size)
            for last, end in zip(lasts, ends, strict=True):
                level[last] = end
            yield level, lasts
        start = stop


def _frozen(array: np.ndarray) -> np.ndarray:
    array.setflags(write=False)
    return array
