"""Intervals of parity gaps cover the gap of the population, also when it is 0."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special, stats

from infounlearn.errors import InputError
from infounlearn.math.parity import demographic_parity_difference, equalized_odds_difference
from infounlearn.math.parity_intervals import (
    _chernoff,
    demographic_parity_interval,
    equalized_odds_interval,
    ks_interval,
)


@pytest.mark.parametrize("method", ["exact", "newcombe"])
@pytest.mark.parametrize("rates", [(0.3, 0.3), (0.02, 0.05), (0.5, 0.2, 0.45), (0.1, 0.1, 0.1)])
def test_the_gap_is_covered(method: str, rates: tuple[float, ...]) -> None:
    rng = np.random.default_rng(0)
    z = np.repeat(np.arange(len(rates)), [60, 150, 90][: len(rates)])
    true = max(rates) - min(rates)
    held = 0
    for _ in range(300):
        decided = (rng.random(len(z)) < np.array(rates)[z]).astype(int)
        found = demographic_parity_interval(decided, z, confidence=0.9, method=method)  # type: ignore[arg-type]
        assert found.low <= found.value <= found.high
        held += found.low <= true <= found.high
    # Three standard errors of a coverage of 0.9 over 300 draws.
    assert held / 300 >= 0.9 - 3 * np.sqrt(0.09 / 300)


def test_a_bootstrap_of_the_maximum_would_not_cover_zero() -> None:
    """Why the intervals are enclosed: the plug-in gap of equal groups is never 0."""
    rng = np.random.default_rng(1)
    z = np.repeat(np.arange(4), 100)
    draws = [rng.integers(0, 2, 400) for _ in range(100)]
    assert min(demographic_parity_difference(decided, z) for decided in draws) > 0
    assert all(demographic_parity_interval(decided, z).low == 0 for decided in draws)


def test_probabilities_are_covered_and_no_longer_than_hoeffdings() -> None:
    rng = np.random.default_rng(2)
    z = np.repeat([0, 1], 200)
    held = 0
    for _ in range(300):
        p = np.where(z == 0, rng.beta(2, 6, 400), rng.beta(3, 6, 400))
        table = np.column_stack((1 - p, p))
        found = demographic_parity_interval(table, z, confidence=0.9)
        held += found.low <= 3 / 9 - 2 / 8 <= found.high
        hoeffding = 2 * np.sqrt(np.log(2 / 0.05) / 400)
        assert found.high <= found.value + hoeffding
    assert held >= 270


@settings(max_examples=50, deadline=None)
@given(st.floats(0, 1), st.integers(1, 500), st.floats(1e-6, 0.5))
def test_the_ends_for_probabilities_solve_chernoffs_equation(
    rate: float, size: int, miss: float
) -> None:
    ends = _chernoff(np.array([[rate]]), np.array([[size]]), miss)

    def far(p: float) -> float:
        return float(size * (special.rel_entr(rate, p) + special.rel_entr(1 - rate, 1 - p)))

    allowed = np.log(2 / miss)
    for end in (float(ends[0][0, 0]), float(ends[1][0, 0])):
        # Not a hair too short, nor longer: an end at 0 or 1 has nothing behind it.
        assert end in (0.0, 1.0) or far(end) >= allowed * (1 - 1e-9)
        assert far(end + 1e-9 * np.sign(rate - end)) <= allowed * (1 + 1e-6)
    if rate == 0.0:
        assert ends[1][0, 0] == pytest.approx(1 - (miss / 2) ** (1 / size), rel=1e-9)


def test_equalized_odds_and_more_outcomes_are_covered() -> None:
    rng = np.random.default_rng(3)
    z, y = rng.integers(0, 2, 600), rng.integers(0, 3, 600)
    laws = rng.dirichlet((2, 2, 2), (3, 2))
    true = float(np.abs(laws[:, 0] - laws[:, 1]).max())
    held = 0
    for _ in range(100):
        decided = (rng.random(600)[:, None] > laws[y, z].cumsum(1)).sum(1)
        found = equalized_odds_interval(decided, z, y, confidence=0.9)
        assert found.value == pytest.approx(equalized_odds_difference(decided, z, y), abs=1e-15)
        held += found.low <= true <= found.high
    assert held >= 90


@pytest.mark.parametrize("method", ["exact", "newcombe"])
def test_a_cell_without_rows_may_have_any_rate(method: Literal["exact", "newcombe"]) -> None:
    """Group 1 has few rows of class 1, in one sample of four none; their rate differs by .8."""
    rng = np.random.default_rng(7)
    rate = np.array([[0.3, 0.3], [0.9, 0.1]])
    z = np.repeat([0, 1], 25)
    empty, held = 0, 0
    for _ in range(200):
        y = (rng.random(50) < np.where(z == 1, 0.05, 0.5)).astype(int)
        decided = (rng.random(50) < rate[y, z]).astype(int)
        found = equalized_odds_interval(decided, z, y, method=method)
        assert found.value == pytest.approx(equalized_odds_difference(decided, z, y), abs=1e-15)
        assert found.low <= found.value <= found.high
        if found.smallest == 0:
            empty += 1
            held += found.low <= 0.8 <= found.high
    assert empty > 20
    assert held >= 0.95 * empty


def test_newcombe_is_shorter_and_agrees_with_the_published_example() -> None:
    """Newcombe 1998, table II: 56/70 - 48/80, method 10: 0.0524 to 0.3339."""
    z = np.repeat([0, 1], [70, 80])
    decided = np.concatenate((np.arange(70) < 56, np.arange(80) < 48)).astype(int)
    found = demographic_parity_interval(decided, z, method="newcombe")
    assert (found.low, found.high) == pytest.approx((0.0524, 0.3339), abs=5e-5)
    exact = demographic_parity_interval(decided, z)
    assert exact.low < found.low
    assert exact.high > found.high
    assert exact.certified
    assert not found.certified


def test_the_ks_distance_is_covered() -> None:
    rng = np.random.default_rng(4)
    true = stats.norm.cdf(0.25) - stats.norm.cdf(-0.25)
    for _ in range(100):
        z = np.repeat(["a", "b", "c"], [80, 120, 60])
        x = rng.normal(np.where(z == "a", 0.5, 0.0), 1)
        found = ks_interval(x, z)
        assert found.low <= true <= found.high
    assert found.smallest == 60


def test_groups_that_compare_nothing_have_gap_zero() -> None:
    found = demographic_parity_interval([0, 1, 1], ["a"] * 3)
    assert (found.value, found.low, found.high, found.smallest) == (0, 0, 0, 3)
    assert ks_interval([0.0, 1.0], [1, 1]).high == 0


@pytest.mark.parametrize("confidence", [0.0, 1.0, 1, float("nan"), "0.9"])
def test_bad_settings_are_named(confidence: object) -> None:
    with pytest.raises(InputError, match="confidence"):
        demographic_parity_interval([0, 1], [0, 1], confidence=confidence)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="method"):
        demographic_parity_interval([0, 1], [0, 1], method="wald")  # type: ignore[arg-type]
