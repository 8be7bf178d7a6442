"""The area under a trade-off: a staircase, integrated exactly, and compared fold by fold."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from infounlearn.errors import InputError
from infounlearn.math import best_utility, frontier_area, paired_difference

POINTS = st.lists(st.tuples(st.floats(0, 0.5), st.floats(0, 1)), max_size=8)


def parts(points: list[tuple[float, float]]) -> tuple[list[float], list[float]]:
    return [gap for gap, _ in points], [utility for _, utility in points]


def test_a_staircase_known_by_hand() -> None:
    # .75 up to .05, .83 up to .10, .85 up to .20
    gaps, utilities = [0.10, 0.05, 0.30], [0.85, 0.83, 0.90]
    area = frontier_area(gaps, utilities, limit=0.2, constant=0.75)
    assert area == pytest.approx((0.05 * 0.75 + 0.05 * 0.83 + 0.10 * 0.85) / 0.2, abs=1e-15)
    best = best_utility(gaps, utilities, [0.0, 0.05, 0.0999, 0.10, 0.29, 0.3], constant=0.75)
    assert best.tolist() == [0.75, 0.83, 0.83, 0.85, 0.85, 0.90]


def test_without_points_the_constant_predictor_is_all_there_is() -> None:
    assert frontier_area([], [], limit=0.3, constant=0.6) == pytest.approx(0.6)


@given(POINTS, st.floats(0, 1), st.floats(0.01, 0.6))
def test_the_area_is_the_mean_of_what_is_on_offer(
    points: list[tuple[float, float]], constant: float, limit: float
) -> None:
    gaps, utilities = parts(points)
    # Midpoints of a grid that contains every step would be exact; a fine one comes close.
    middle = (np.arange(20_000) + 0.5) / 20_000 * limit
    offered = best_utility(gaps, utilities, middle, constant=constant)
    area = frontier_area(gaps, utilities, limit=limit, constant=constant)
    assert area == pytest.approx(offered.mean(), abs=(len(gaps) + 1) / 20_000)
    assert (np.diff(offered) >= 0).all()
    assert offered[0] >= constant


@given(POINTS, st.tuples(st.floats(0, 0.5), st.floats(0, 1)), st.permutations(range(8)))
def test_more_points_never_harm_and_their_order_does_not_matter(
    points: list[tuple[float, float]], one: tuple[float, float], order: list[int]
) -> None:
    area = frontier_area(*parts(points), limit=0.4, constant=0.2)
    assert frontier_area(*parts([*points, one]), limit=0.4, constant=0.2) >= area - 1e-15
    shuffled = [points[i] for i in order if i < len(points)]
    assert frontier_area(*parts(shuffled), limit=0.4, constant=0.2) == pytest.approx(area)


def test_a_dominated_point_changes_nothing_and_a_better_one_does() -> None:
    plain = frontier_area([0.1], [0.8], limit=0.2, constant=0.5)
    assert frontier_area([0.1, 0.15], [0.8, 0.7], limit=0.2, constant=0.5) == plain
    assert frontier_area([0.1, 0.15], [0.8, 0.9], limit=0.2, constant=0.5) > plain
    assert frontier_area([0.1, 0.25], [0.8, 0.9], limit=0.2, constant=0.5) == plain


def test_the_variance_counts_the_overlap_of_the_training_sets() -> None:
    first, second = np.array([0.8, 0.9, 0.85, 0.7, 0.95]), np.array([0.7, 0.8, 0.8, 0.65, 0.9])
    found = paired_difference(first, second, test_to_train=0.25)
    variance = (first - second).var(ddof=1)
    assert found.mean == pytest.approx((first - second).mean())
    assert found.standard_error == pytest.approx(math.sqrt((1 / 5 + 1 / 4) * variance))
    # t with 4 degrees of freedom, two-sided 95 %, from a printed table
    assert found.interval[1] - found.mean == pytest.approx(2.7764451 * found.standard_error)
    back = paired_difference(second, first, test_to_train=0.25)
    assert back.mean == -found.mean
    assert back.interval == pytest.approx((-found.interval[1], -found.interval[0]))


def test_the_interval_covers_where_the_plain_one_does_not() -> None:
    """Folds as Nadeau and Bengio model them: correlation n_test/(n_test + n_train) between any two.

    Under it the plain 1/J interval covers far less than it says.
    """
    generator = np.random.default_rng(0)
    folds, ratio, trials = 5, 0.25, 4000
    correlation = ratio / (1 + ratio)
    shared = generator.normal(size=(trials, 1)) * math.sqrt(correlation)
    own = generator.normal(size=(trials, folds)) * math.sqrt(1 - correlation)
    differences = shared + own
    zero = np.zeros(folds)
    ours = plain = 0
    for row in differences:
        found = paired_difference(row, zero, test_to_train=ratio, confidence=0.9)
        ours += found.interval[0] <= 0 <= found.interval[1]
        reach = (found.interval[1] - found.mean) * math.sqrt((1 / folds) / (1 / folds + ratio))
        plain += abs(found.mean) <= reach
    assert ours / trials == pytest.approx(0.9, abs=0.02)
    assert plain / trials < 0.8


@pytest.mark.parametrize(
    ("gaps", "utilities", "limit", "constant", "said"),
    [
        ([0.1], [0.5, 0.6], 0.2, 0.5, "one of each per point"),
        ([-0.1], [0.5], 0.2, 0.5, "negative"),
        ([0.1], [math.nan], 0.2, 0.5, "not finite"),
        ([0.1], [0.5], 0.0, 0.5, "limit"),
        ([0.1], [0.5], math.nan, 0.5, "limit"),
        ([0.1], [0.5], 0.2, math.inf, "constant"),
    ],
)
def test_bad_points_are_named(
    gaps: list[float], utilities: list[float], limit: float, constant: float, said: str
) -> None:
    with pytest.raises(InputError, match=said):
        frontier_area(gaps, utilities, limit=limit, constant=constant)


def test_bad_comparisons_are_named() -> None:
    with pytest.raises(InputError, match="two or more folds"):
        paired_difference([1.0], [0.5], test_to_train=0.25)
    with pytest.raises(InputError, match="failed on a fold"):
        paired_difference([1.0, math.nan], [0.5, 0.5], test_to_train=0.25)
    with pytest.raises(InputError, match="test_to_train"):
        paired_difference([1.0, 2.0], [0.5, 0.5], test_to_train=0.0)
    with pytest.raises(InputError, match="confidence"):
        paired_difference([1.0, 2.0], [0.5, 0.5], test_to_train=0.25, confidence=1.0)
    with pytest.raises(InputError, match="negative"):
        best_utility([0.1], [0.5], [-0.1], constant=0.5)


def test_mixtures_known_by_hand() -> None:
    # From .7 at 0 straight to .9 at .1, past a point below that line; flat from there.
    area = frontier_area([0.05, 0.1], [0.75, 0.9], limit=0.2, constant=0.7, mixtures=True)
    assert area == pytest.approx((0.8 * 0.1 + 0.9 * 0.1) / 0.2, abs=1e-15)
    # What lies beyond the limit can be mixed in; without a coin it is out of reach.
    assert frontier_area([0.4], [0.9], limit=0.2, constant=0.7) == pytest.approx(0.7)
    mixed = frontier_area([0.4], [0.9], limit=0.2, constant=0.7, mixtures=True)
    assert mixed == pytest.approx(0.75)


@given(
    st.lists(st.tuples(st.integers(0, 500), st.floats(0, 1)), max_size=8),
    st.floats(0, 1),
    st.floats(0.01, 0.6),
)
def test_mixtures_are_what_the_best_coin_between_two_points_gives(
    points: list[tuple[int, float]], constant: float, limit: float
) -> None:
    x = np.array([0, *(gap for gap, _ in points)]) / 1000
    y = np.array([constant, *(utility for _, utility in points)])
    middle = (np.arange(400) + 0.5) / 400 * limit
    best = np.full(len(middle), constant)
    for a in range(len(x)):
        best = np.where(x[a] <= middle, np.maximum(best, y[a]), best)
        for b in np.flatnonzero(x > x[a]):
            share = (middle - x[a]) / (x[b] - x[a])
            inside = (share >= 0) & (share <= 1)
            best = np.where(inside, np.maximum(best, y[a] + share * (y[b] - y[a])), best)
    area = frontier_area(x[1:], y[1:], limit=limit, constant=constant, mixtures=True)
    assert area == pytest.approx(best.mean(), abs=(len(x) + 1) / 400)
    assert area >= frontier_area(x[1:], y[1:], limit=limit, constant=constant) - 1e-12
