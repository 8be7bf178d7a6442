"""Gaps between groups agree with fairlearn and scipy, and with brute force."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from infounlearn.errors import InputError
from infounlearn.math.parity import (
    decision_rates,
    demographic_parity_difference,
    equal_opportunity_difference,
    equalized_odds_difference,
    ks_distance,
    wasserstein_gap,
)


def rows(seed: int, n: int = 400, groups: int = 3, classes: int = 2) -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng(seed)
    z = rng.integers(0, groups, n)
    y = (rng.integers(0, classes, n) + z) % classes
    decided = np.where(rng.random(n) < 0.6, y, rng.integers(0, classes, n))
    return decided, z, y


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("groups", [2, 3, 5])
def test_binary_gaps_are_fairlearns(seed: int, groups: int) -> None:
    metrics = pytest.importorskip("fairlearn.metrics")
    decided, z, y = rows(seed, groups=groups)
    names = np.array([f"g{number}" for number in z])
    assert demographic_parity_difference(decided, names) == pytest.approx(
        metrics.demographic_parity_difference(y, decided, sensitive_features=z), abs=1e-12
    )
    assert equalized_odds_difference(decided, names, y) == pytest.approx(
        metrics.equalized_odds_difference(y, decided, sensitive_features=z), abs=1e-12
    )
    assert equal_opportunity_difference(decided, names, y) == pytest.approx(
        metrics.equal_opportunity_difference(y, decided, sensitive_features=z), abs=1e-12
    )


def test_more_outcomes_take_the_largest_gap() -> None:
    decided, z, y = rows(1, classes=4)
    one = [demographic_parity_difference(decided == k, z) for k in range(4)]
    assert demographic_parity_difference(decided, z) == pytest.approx(max(one), abs=1e-15)
    each = [
        demographic_parity_difference(decided[y == c] == k, z[y == c])
        for c in range(4)
        for k in range(4)
    ]
    assert equalized_odds_difference(decided, z, y) == pytest.approx(max(each), abs=1e-15)


def test_a_randomised_decider_has_the_expected_gap() -> None:
    rng = np.random.default_rng(0)
    _, z, y = rows(2, n=60)
    p = rng.random(60)
    table = np.column_stack((1 - p, p))
    draws = [decision_rates((rng.random(60) < p).astype(int), z)[1][:, 1] for _ in range(4000)]
    expected = decision_rates(table, z)[1][:, 1]
    np.testing.assert_allclose(np.mean(draws, axis=0), expected, atol=0.01)
    assert demographic_parity_difference(table, z) == pytest.approx(np.ptp(expected))
    hard = (p > 0.5).astype(int)
    same = np.column_stack((1 - hard, hard))
    assert equalized_odds_difference(same, z, y) == equalized_odds_difference(hard, z, y)
    assert equal_opportunity_difference(same, z, y) == equal_opportunity_difference(hard, z, y)


@given(st.integers(0, 10_000), st.integers(2, 4), st.booleans())
@settings(max_examples=40, deadline=None)
def test_score_gaps_are_scipys_over_pairs(seed: int, groups: int, atoms: bool) -> None:
    rng = np.random.default_rng(seed)
    z = np.concatenate((np.arange(groups), rng.integers(0, groups, 40)))
    x = rng.normal(z, 1)
    x = np.round(x) if atoms else x
    pairs = list(combinations([x[z == g] for g in range(groups)], 2))
    ks = max(stats.ks_2samp(a, b, method="asymp").statistic for a, b in pairs)
    w1 = max(stats.wasserstein_distance(a, b) for a, b in pairs)
    assert ks_distance(x, z) == pytest.approx(ks, abs=1e-12)
    assert wasserstein_gap(x, z) == pytest.approx(w1, abs=1e-12)


def test_ks_is_the_largest_parity_gap_of_a_threshold() -> None:
    rng = np.random.default_rng(3)
    z = rng.integers(0, 3, 200)
    x = rng.normal(0.3 * z, 1)
    gaps = [demographic_parity_difference(x > cut, z) for cut in x]
    assert ks_distance(x, z) == pytest.approx(max(gaps), abs=1e-12)


def test_one_group_and_a_class_of_one_group_compare_nothing() -> None:
    assert demographic_parity_difference([0, 1, 1], ["a", "a", "a"]) == 0.0
    assert ks_distance([0.0, 1.0], [0, 0]) == wasserstein_gap([0.0, 1.0], [0, 0]) == 0.0
    assert equalized_odds_difference([0, 1, 1, 1], [0, 0, 1, 1], [0, 1, 1, 1]) == 0.0
    # The opportunity nobody was given is an equal one.
    assert equal_opportunity_difference([0, 0, 0, 0], [0, 0, 1, 1], [0, 1, 0, 1]) == 0.0


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: demographic_parity_difference([], []), "no rows"),
        (lambda: demographic_parity_difference([0, 1], [0, 1, 1]), "one label per row"),
        (lambda: demographic_parity_difference([0, 1], ["a", None]), "z of type"),
        (lambda: demographic_parity_difference([0.2, 0.7], [0, 1]), "column_stack"),
        (lambda: demographic_parity_difference([[0.5, 0.6]], [0]), "sum to 1"),
        (lambda: demographic_parity_difference([[np.nan, 1.0]], [0]), "sum to 1"),
        (lambda: equalized_odds_difference([0, 1], [0, 1], [0]), "one label per row"),
        (lambda: equal_opportunity_difference([0, 1, 2], [0, 1, 0], [0, 1, 2]), "positive="),
        (lambda: equal_opportunity_difference([0, 1], [0, 1], [0, 1], positive=7), "pass one of"),
        (lambda: ks_distance([np.nan, 1.0], [0, 1]), "NaN"),
        (lambda: wasserstein_gap([], []), "no rows"),
    ],
)
def test_bad_input_is_named(call: object, said: str) -> None:
    with pytest.raises(InputError, match=said):
        call()  # type: ignore[operator]
