"""Move a level from one conditional law to another with the least change, by a row's own noise.

Laws are (n, K), one per row, and need not be given to the last bit: no level is drawn to which the
target gives nothing, wherever rounding puts the ends of the cumulated laws.
"""

from __future__ import annotations

import numpy as np

__all__ = ["keep_or_move", "move_by_rank"]


def move_by_rank(
    level: np.ndarray, source: np.ndarray, target: np.ndarray, noise: np.ndarray
) -> np.ndarray:
    """(n,) new levels of an ordered variable: the target's quantile at the randomised rank.

    The monotone coupling, optimal for every convex cost on the line (math: ``line``). If the level
    has law ``source`` and the noise is uniform, the rank is uniform on (0, 1], so that the new
    level has law ``target``.

    Args:
        level: (n,) levels.
        source, target: (n, K) laws of the old and of the new level; rows sum to one.
        noise: (n,) uniforms in [0, 1) that draw the rank within the level.
    """
    rows = np.arange(len(level))
    rank = np.cumsum(source, axis=1)[rows, level] - noise * source[rows, level]
    return _first(np.maximum(rank, np.finfo(float).tiny), target, below=True)


def keep_or_move(
    level: np.ndarray,
    source: np.ndarray,
    target: np.ndarray,
    noise: np.ndarray,
    choice: np.ndarray,
) -> np.ndarray:
    """(n,) new levels of an unordered variable: kept as often as can be, else drawn.

    The maximal coupling: a level stays with probability min(1, target/source), so that the share
    of rows that move is the total variation of the two laws, the least possible; a row that moves
    draws from what the target has more.

    Args:
        level: (n,) levels.
        source, target: (n, K) laws of the old and of the new level; rows sum to one.
        noise: (n,) uniforms in [0, 1) that decide whether a row stays.
        choice: (n,) uniforms in [0, 1) that draw the new level.
    """
    rows = np.arange(len(level))
    more = np.maximum(target - source, 0.0)
    total = more.sum(1)
    # Laws alike up to rounding leave nothing to draw from.
    stays = (noise * source[rows, level] < target[rows, level]) | (total == 0)
    drawn = _first(choice * total, more, below=False)
    return np.where(stays, level, drawn)


def _first(mark: np.ndarray, law: np.ndarray, *, below: bool) -> np.ndarray:
    """(n,) first level whose end lies at or beyond the mark (``below``), else beyond it.

    An end that is also the last one is never passed: rounding may put a mark beyond it.
    """
    ends = np.cumsum(law, axis=1)
    passed = ends < mark[:, None] if below else ends <= mark[:, None]
    return (passed & (ends < ends[:, -1:])).sum(1)
