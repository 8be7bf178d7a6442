"""Attacks of the unlearning challenge on one record, each counted on sorted values.

A pool is the record's score under each of its models. An attack says "positive" for a score at or
above a threshold, or within an interval; what it achieves depends only on how many scores of either
pool it so calls, so that sorted values and prefix counts stand for every threshold there is. An
attack is written as one integer, ``tp (N_negative + 1) + fp``, and worth what a table says.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Thresholds = Literal["published", "exact", "every interval"]

WINDOW = 2.0  # the published intervals end this far around the narrower pool
PER_UNIT = 100  # published thresholds per unit of the score
LEFT_ENDS = 400  # of an interval, for each of its right ends
CELLS = 2**17  # entries of the largest array: 1 MB, which stays in a processor's cache


@lru_cache(maxsize=8)
def worth_table(n_positive: int, n_negative: int, delta: float) -> Floats:
    """Epsilon of every attack, flat (tp, fp), read-only; -inf with exactly one rate 0, inf at both.

    An end of ε without a real logarithm (1 - δ - rate is not positive) does not count.
    """
    fnr = np.arange(n_positive, -1, -1)[:, None] / n_positive
    fpr = np.arange(n_negative + 1)[None, :] / n_negative
    worth = np.full((n_positive + 1, n_negative + 1), -np.inf)
    for one, other in ((fpr, fnr), (fnr, fpr)):
        end = _log(1 - delta - one) - np.where(other > 0, _log(other), 0)
        np.maximum(worth, end, out=worth)
    worth[n_positive], worth[:, 0] = -np.inf, -np.inf
    worth[n_positive, 0] = np.inf
    flat: Floats = worth.ravel()
    flat.flags.writeable = False
    return flat


def _log(values: Floats) -> Floats:
    return np.log(values, where=values > 0, out=np.full_like(values, -np.inf))


def strongest(unlearned: Floats, retrained: Floats, thresholds: Thresholds, delta: float) -> Floats:
    """Worth of the best attack on each record, -inf where none counts; (N, n) and (M, n) to (n,).

    Rule 1 calls the pool of the larger median positive, rule 2 the narrower one.
    """
    above = np.median(retrained, 0) > np.median(unlearned, 0)
    spread_u, spread_r = np.ptp(unlearned, 0), np.ptp(retrained, 0)
    # At equal ranges the pool of the smaller median is the narrower one, as published.
    inside = np.where(spread_u == spread_r, ~above, spread_r < spread_u)
    best = np.full(len(above), -np.inf)
    for is_retrained, rule in ((above, best_threshold), (inside, _INTERVALS[thresholds])):
        pools = ((unlearned, retrained), (retrained, unlearned))
        for columns, (positive, negative) in zip((~is_retrained, is_retrained), pools, strict=True):
            if columns.any():
                worth = worth_table(len(positive), len(negative), delta)
                found = rule(positive[:, columns], negative[:, columns], worth, thresholds)
                best[columns] = np.maximum(best[columns], found)
    return best


def best_threshold(
    positive: Floats, negative: Floats, worth: Floats, thresholds: Thresholds
) -> Floats:
    """Rule 1: positive from t on. Cell c holds the thresholds t in (v[c-1], v[c]]."""
    v, key = _sorted(positive, negative)
    if thresholds == "published":
        reachable = _counted(v) > 0
    else:
        reachable = np.diff(v, axis=1, prepend=-np.inf) > 0
    attack = np.where(reachable, key[:, -1:] - key[:, :-1], 0)
    return np.asarray(worth.take(attack).max(1))


def _counted(v: Floats) -> NDArray[np.int64]:
    """How many of the ⌈100 range⌉ equally spaced thresholds from v[0] to v[-1] each cell holds."""
    spread = v[:, -1:] - v[:, :1]
    number = np.ceil(spread * PER_UNIT)
    step = spread / np.maximum(number - 1, 1)
    place = np.divide(v - v[:, :1], step, where=step > 0, out=np.zeros_like(v))
    upto = np.where(number > 1, np.floor(place) + 1, number)
    upto = np.where((v == v[:, -1:]) & (number > 1), number, upto)
    return np.diff(upto, axis=1, prepend=0).astype(np.int64)


def _within_window(
    positive: Floats, negative: Floats, worth: Floats, thresholds: Thresholds
) -> Floats:
    """Rule 2 at every interval that the published window has room for, or at every interval.

    Left ends lie in (v[i-1], v[i]], right ends in [v[j-1], v[j]); of each pair of cells it is asked
    whether r in [b-2, b+2] and l with |r - l - w| ≤ 2 fit (w range, b maximum of the positives).
    """
    best = np.empty(positive.shape[1])
    size = max(1, CELLS // (len(positive) + len(negative) + 1) ** 2)
    for start in range(0, len(best), size):
        part = slice(start, start + size)
        v, key = _sorted(positive[:, part], negative[:, part])
        low = np.pad(v, ((0, 0), (1, 0)), constant_values=-np.inf)
        high = np.pad(v, ((0, 0), (0, 1)), constant_values=np.inf)
        right = left = low < high
        attack = key[:, None, :] - key[:, :, None]
        if thresholds == "exact":
            top = positive[:, part].max(0)[:, None]
            width = np.ptp(positive[:, part], 0)[:, None]
            first, last = np.maximum(low, top - WINDOW), np.minimum(high, top + WINDOW)
            right = (first <= top + WINDOW) & (first < high)
            attack *= (first - width - WINDOW)[:, None, :] <= high[:, :, None]
            attack *= (last - width + WINDOW)[:, None, :] > low[:, :, None]
        attack *= left[:, :, None]
        attack *= right[:, None, :]
        # Attack 0, as any below, calls nothing positive: it counts for nothing.
        best[part] = worth.take(attack, mode="clip").max((1, 2))
    return best


def _on_grid(positive: Floats, negative: Floats, worth: Floats, thresholds: Thresholds) -> Floats:
    """Rule 2 at the intervals of the published grid, 400 left ends for each of 400 right ends.

    The left ends of a right end are equally spaced, so how many of them lie at or below a value is
    a division; a cell of left ends is reachable where that number grows.
    """
    best = np.empty(positive.shape[1])
    sorted_v, keys = _sorted(positive, negative)
    low, high = positive.min(0), positive.max(0)
    for record, (v, key) in enumerate(zip(sorted_v, keys, strict=True)):
        width = high[record] - low[record]
        ends = low[record] + width - WINDOW, high[record] + WINDOW
        # The ends are 4 apart, but rounding makes it 401 right ends now and then.
        right = np.linspace(*ends, int(np.ceil((ends[1] - ends[0]) * PER_UNIT)))
        j = np.searchsorted(v, right, "right")
        least = _nearest_left_ends(low[record], right, width)
        attack = key[j] - key[np.searchsorted(v, least, "left")]
        best[record] = worth.take(attack, mode="clip").max()
        if len(right) == LEFT_ENDS:
            # All share one lattice of left ends, and the first and the last right end of a cell
            # reach between them what the others do.
            turns = j[1:] != j[:-1]
            rows = np.flatnonzero(np.append(turns, True) | np.append(True, turns))
            right, j = right[rows], j[rows]
        some = slice(0, j[-1])  # no interval ends above the last right end
        attack = key[j][:, None] - key[some]
        attack *= _reached(v[some], low[record], right, width)
        best[record] = max(best[record], worth.take(attack, mode="clip").max())
    return best


def _nearest_left_ends(least: float, right: Floats, width: float) -> Floats:
    """Of each right end the left end nearest to the least positive score, rounded as published.

    One left end falls on that score by construction, and rounding decides on which side of it.
    """
    first, last = right - width - WINDOW, right - width + WINDOW
    step = (last - first) / (LEFT_ENDS - 1)
    place = np.rint((least - first) / step).clip(0, LEFT_ENDS - 1)
    return np.where(place == LEFT_ENDS - 1, last, place * step + first)


def _reached(v: Floats, least: float, right: Floats, width: float) -> NDArray[np.bool_]:
    """(right ends, m) whether a left end other than the one at ``least`` is in (v[c-1], v[c]]."""
    step = 2 * WINDOW / (LEFT_ENDS - 1)
    shift = right[:, None] / step

    def upto(values: Floats, out: Floats | None = None, nudge: float = 0.0) -> Floats:
        """Number of the last left end at or below each value."""
        place = np.subtract((values + (width + WINDOW)) / step + nudge, shift, out=out)
        np.floor(place, out=place)
        return np.clip(place, -1, LEFT_ENDS - 1, out=place)

    numbers = np.full((len(right), len(v) + 1), -1.0)
    upto(v, out=numbers[:, 1:])
    reached = numbers[:, 1:] > numbers[:, :-1]
    first, after = np.searchsorted(v, least, "left"), np.searchsorted(v, least, "right")
    reached[:, first] = upto(v[[first]], nudge=-1e-6)[:, 0] > numbers[:, first]
    if after < len(v):
        reached[:, after] = numbers[:, after + 1] > upto(v[[first]], nudge=1e-6)[:, 0]
    return reached


Rule = Callable[[Floats, Floats, Floats, Thresholds], Floats]
_INTERVALS: dict[Thresholds, Rule] = {
    "published": _on_grid,
    "exact": _within_window,
    "every interval": _within_window,
}


def _sorted(positive: Floats, negative: Floats) -> tuple[Floats, NDArray[np.int64]]:
    """(n, m) sorted values of both pools, and (n, m + 1) attack "the c smallest are positive"."""
    v = np.concatenate([positive, negative]).T
    order = np.argsort(v, axis=1, kind="stable")
    steps = np.where(order < len(positive), len(negative) + 1, 1)
    key = np.zeros((len(v), v.shape[1] + 1), dtype=np.intp)
    np.cumsum(steps, axis=1, out=key[:, 1:])
    return np.take_along_axis(v, order, axis=1), key
