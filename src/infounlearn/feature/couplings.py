"""Move a level from one conditional law to another with the least change, by a row's own noise."""

from __future__ import annotations

import numpy as np

__all__ = ["keep_or_move", "move_by_rank"]


def move_by_rank(
    level: np.ndarray, source: np.ndarray, target: np.ndarray, noise: np.ndarray
) -> np.ndarray:
    """(n,) new levels of an ordered variable: the target's quantile at the randomised rank.

    The monotone coupling, optimal for every convex cost on the line (math: ``line``). If the level
    has law ``source``, the new one has law ``target``, exactly.

    Args:
        level: (n,) levels.
        source, target: (n, K) laws of the old and of the new level; rows sum to one.
        noise: (n,) uniforms that draw the rank within the level.
    """
    rows = np.arange(len(level))
    ends = np.cumsum(source, axis=1)
    rank = ends[rows, level] - noise * source[rows, level]
    goal = np.cumsum(target, axis=1)
    # The last end is one up to rounding: no rank lies beyond it.
    return (rank[:, None] > goal[:, :-1]).sum(1)


def keep_or_move(
    level: np.ndarray,
    source: np.ndarray,
    target: np.ndarray,
    noise: np.ndarray,
    choice: np.ndarray,
) -> np.ndarray:
    """(n,) new levels of an unordered variable: kept as often as can be, else drawn.

    The maximal coupling: a level stays with probability min(1, target/source), so that the share
    of rows that move is the total variation of the two laws; a row that moves draws from what the
    target has more.

    Args:
        level: (n,) levels.
        source, target: (n, K) laws of the old and of the new level; rows sum to one.
        noise: (n,) uniforms that decide whether a row stays.
        choice: (n,) uniforms that draw the new level.
    """
    rows = np.arange(len(level))
    stays = noise * source[rows, level] < target[rows, level]
    ends = np.cumsum(np.maximum(target - source, 0.0), axis=1)
    drawn = (choice[:, None] * ends[:, -1:] >= ends[:, :-1]).sum(1)
    return np.where(stays, level, drawn)
