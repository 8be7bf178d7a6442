"""Couplings of levels: the law asked for whatever the source, and the least change."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from infounlearn.feature.couplings import keep_or_move, move_by_rank

STEPS = 512
"""Values of each noise: laws are multiples of 1/16, so that every share is counted exactly."""
PARTS = 16
LAST = np.nextafter(1.0, 0.0)


def pairs() -> st.SearchStrategy:
    def of(size: int) -> st.SearchStrategy:
        # Multiples of 1/16 by cutting [0, 16]; zeros are frequent.
        cuts = st.lists(st.integers(0, PARTS), min_size=size - 1, max_size=size - 1).map(sorted)
        law = cuts.map(lambda cut: np.diff([0, *cut, PARTS]) / PARTS)
        return st.tuples(law, law)

    return st.integers(1, 5).flatmap(of)


def rank_plan(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """(K, K) joint law of old and new level under the rank coupling, by enumeration of noise."""
    grid = (np.arange(STEPS) + 0.5) / STEPS
    plan = np.zeros((len(source), len(source)))
    for level, share in enumerate(source):
        levels = np.full(STEPS, level)
        laws = [np.tile(law, (STEPS, 1)) for law in (source, target)]
        new = move_by_rank(levels, *laws, grid)
        plan[level] = share * np.bincount(new, minlength=len(source)) / STEPS
    return plan


def keep_plan(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """(K, K) joint law of old and new level under the maximal coupling, staying enumerated."""
    steps = 64
    stay, choose = (part.ravel() for part in np.meshgrid(*[(np.arange(steps) + 0.5) / steps] * 2))
    plan = np.zeros((len(source), len(source)))
    for level, share in enumerate(source):
        levels = np.full(len(stay), level)
        laws = [np.tile(law, (len(stay), 1)) for law in (source, target)]
        new = keep_or_move(levels, *laws, stay, choose)
        plan[level] = share * np.bincount(new, minlength=len(source)) / len(stay)
    return plan


@given(pairs())
def test_rank_coupling_has_the_target_law_and_is_monotone(pair: tuple) -> None:
    source, target = pair
    plan = rank_plan(source, target)
    # A level's rank interval has its ends on the grid of 1/16; its noise is cut at K places.
    assert np.abs(plan.sum(0) - target).max() <= len(source) / STEPS
    # The quantile coupling itself, from the two distribution functions.
    ends = np.concatenate(([0], np.cumsum(source))), np.concatenate(([0], np.cumsum(target)))
    low = np.maximum.outer(ends[0][:-1], ends[1][:-1])
    high = np.minimum.outer(ends[0][1:], ends[1][1:])
    assert np.abs(plan - np.maximum(high - low, 0)).max() <= 2 / STEPS


@given(pairs())
def test_maximal_coupling_has_the_target_law_and_moves_the_total_variation(pair: tuple) -> None:
    source, target = pair
    plan = keep_plan(source, target)
    assert np.abs(plan.sum(0) - target).max() <= 2 * len(source) / 64
    moved = plan.sum() - np.trace(plan)
    assert moved == pytest.approx(np.abs(source - target).sum() / 2, abs=len(source) / 64)


@pytest.mark.parametrize("ordered", [True, False])
def test_random_laws_give_the_target_law(ordered: bool) -> None:
    rng = np.random.default_rng(0)
    rows, size = 200_000, 6
    source, target = rng.dirichlet(np.ones(size), 2)
    level = rng.choice(size, rows, p=source)
    laws = [np.tile(law, (rows, 1)) for law in (source, target)]
    noise = rng.random((2, rows))
    new = move_by_rank(level, *laws, noise[0]) if ordered else keep_or_move(level, *laws, *noise)
    error = np.bincount(new, minlength=size) / rows - target
    assert np.abs(error).max() < 5 * np.sqrt(0.25 / rows)


def extremes(source: list[float], target: list[float], level: int, ordered: bool) -> set[int]:
    """Levels drawn at the ends of the noise."""
    found = set()
    for noise in (0.0, 0.5, LAST):
        for choice in (0.0, 0.5, LAST):
            arrays = np.array([level]), np.array([source]), np.array([target]), np.array([noise])
            new = move_by_rank(*arrays) if ordered else keep_or_move(*arrays, np.array([choice]))
            found.add(int(new[0]))
    return found


@pytest.mark.parametrize("ordered", [True, False])
@pytest.mark.parametrize("level", [0, 1, 2, 3])
def test_no_level_without_target_probability_is_drawn(ordered: bool, level: int) -> None:
    # The source gives some of these levels nothing: its law is learned, the row is there all the
    # same.
    for source in ([0.0, 0.5, 0.5, 0.0], [1.0, 0.0, 0.0, 0.0], [0.25] * 4):
        assert extremes(source, [0.0, 0.7, 0.3, 0.0], level, ordered) <= {1, 2}
        assert extremes(source, [0.0, 0.0, 0.0, 1.0], level, ordered) == {3}


@pytest.mark.parametrize("ordered", [True, False])
def test_laws_that_miss_one_by_rounding_draw_a_level_of_the_target(ordered: bool) -> None:
    # Ten tenths sum to less than one; the source's last end lies beyond the target's.
    tenths = [0.1] * 10 + [0.0]
    whole = [0.0] * 9 + [0.0, 1.0]
    assert np.cumsum(tenths)[-1] < 1.0
    assert extremes(whole, tenths, 10, ordered) <= set(range(10))


@pytest.mark.parametrize("move", [move_by_rank, keep_or_move])
def test_the_same_law_moves_no_row(move: Callable[..., np.ndarray]) -> None:
    rng = np.random.default_rng(1)
    law = rng.dirichlet(np.ones(5), 2000)
    level = np.array([rng.choice(5, p=row) for row in law])
    noise, extra = (
        np.maximum(rng.random(2000) - 0.1, 0),
        (rng.random(2000),) if move is keep_or_move else (),
    )
    assert (move(level, law, law.copy(), noise, *extra) == level).all()


def test_a_variable_of_one_level_stays() -> None:
    one = np.ones((3, 1))
    level, noise = np.zeros(3, dtype=int), np.array([0.0, 0.5, LAST])
    assert (move_by_rank(level, one, one, noise) == 0).all()
    assert (keep_or_move(level, one, one, noise, noise) == 0).all()
