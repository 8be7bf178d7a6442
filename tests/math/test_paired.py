"""Paired comparisons over seeds: scipy, coverage, ranks, runs that diverged."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from infounlearn.errors import InputError
from infounlearn.math import paired_over_seeds, rank_methods


def test_equals_scipys_paired_t_test():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 7))
    found = paired_over_seeds(a, b, confidence=0.9)
    test = stats.ttest_rel(a, b)
    interval = test.confidence_interval(0.9)
    assert found.interval == pytest.approx((interval.low, interval.high))
    assert found.mean == pytest.approx((a - b).mean())
    assert found.mean / found.standard_error == pytest.approx(test.statistic)
    back = paired_over_seeds(b, a, confidence=0.9)
    assert back.interval == pytest.approx((-found.interval[1], -found.interval[0]))


def test_what_seeds_share_cancels():
    shared = np.array([1.0, 50.0, -30.0, 7.0])
    found = paired_over_seeds(shared + 0.1 + 1e-3 * np.array([1, -1, 1, -1]), shared)
    assert found.separated
    assert found.interval == pytest.approx((0.1, 0.1), abs=3e-3)
    alone = stats.ttest_ind(shared + 0.1, shared).confidence_interval(0.95)
    assert alone.low < 0 < alone.high
    assert not paired_over_seeds(shared, shared).separated


def test_coverage_and_false_separation_are_as_stated():
    """4,000 draws: 4 standard errors of 95 % are 1.4 points."""
    rng = np.random.default_rng(1)
    draws = [paired_over_seeds(*rng.normal(size=(2, 4))) for _ in range(4000)]
    separated = np.mean([one.separated for one in draws])
    assert separated == pytest.approx(0.05, abs=0.014)


def test_several_comparisons_share_the_level():
    rng = np.random.default_rng(2)
    a, b = rng.normal(size=(2, 5))
    shared = paired_over_seeds(a, b, confidence=0.95, comparisons=10)
    one = paired_over_seeds(a, b, confidence=0.995)
    assert shared.interval == pytest.approx(one.interval)
    assert (shared.mean, shared.confidence) == (one.mean, 0.95)


def test_ranks():
    found = rank_methods({"far": [3, 4, 9], "near": [1, 1, 1], "tie": [1, 2, 1]})
    assert [one.name for one in found] == ["near", "tie", "far"]
    # Ranks per seed, equal values sharing: near 1.5, 1, 1.5; tie 1.5, 2, 1.5; far 3, 3, 3.
    assert [one.mean_rank for one in found] == pytest.approx([4 / 3, 5 / 3, 3.0])
    assert found[0].to_best is None
    assert found[2].to_best == paired_over_seeds([3, 4, 9], [1, 1, 1])
    assert sum(one.mean_rank for one in found) == pytest.approx(6.0)


def test_a_diverged_run_ranks_last_and_is_not_dropped():
    found = rank_methods({"broken": [0.0, math.nan, 0.0], "sound": [5.0, 5.0, 5.0]})
    assert [one.name for one in found] == ["sound", "broken"]
    broken = found[1]
    assert (broken.mean, broken.diverged, broken.to_best) == (math.inf, 1, None)
    assert broken.mean_rank == pytest.approx(4 / 3)
    nothing = rank_methods({"a": [math.inf] * 2, "b": [-math.inf] * 2})
    assert [(one.name, one.diverged, one.to_best) for one in nothing] == [
        ("a", 2, None),
        ("b", 2, None),
    ]


def test_a_best_chosen_among_equals_is_not_called_better():
    """1,000 draws of 6 equal methods: on its own each interval errs often, all pairs do not."""
    rng = np.random.default_rng(3)

    def claims(all_pairs):
        found = 0
        for _ in range(1000):
            names = dict(enumerate(rng.normal(size=(6, 5))))
            ranked = rank_methods(names, all_pairs=all_pairs)
            found += any(one.to_best.separated for one in ranked[1:])
        return found / 1000

    assert claims(False) > 0.15
    assert claims(True) <= 0.05 + 4 * math.sqrt(0.05 * 0.95 / 1000)


@pytest.mark.parametrize(
    ("first", "second", "how", "message"),
    [
        ([1.0], [2.0], {}, "two or more seeds"),
        ([1.0, 2.0], [2.0], {}, "first has shape"),
        ([1.0, math.nan], [1.0, 2.0], {}, "diverged"),
        ([1.0, 2.0], [1.0, 2.0], {"confidence": 1}, "confidence"),
        ([1.0, 2.0], [1.0, 2.0], {"comparisons": 0}, "comparisons"),
    ],
)
def test_bad_input(first, second, how, message):
    with pytest.raises(InputError, match=message):
        paired_over_seeds(first, second, **how)


@pytest.mark.parametrize("values", [{}, {"a": [1.0]}, {"a": [1.0, 2.0], "b": [1.0, 2.0, 3.0]}])
def test_bad_ranks(values):
    with pytest.raises(InputError, match="one number per seed"):
        rank_methods(values)
