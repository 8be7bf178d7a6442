"""Tug of war and average gap: closed forms, intervals, and the floor of retrained pairs."""

from __future__ import annotations

import itertools

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from infounlearn.errors import InputError
from infounlearn.math import Performance, average_gap, tow, tow_mia

SCORES = (tow, tow_mia, average_gap)
NAMES = ("forget", "retain", "test", "membership")


def performance(rows):
    """From (s, 4) shares."""
    return Performance(*torch.as_tensor(rows, dtype=torch.float64).unbind(1))


def shares(count, seed):
    return torch.rand(count, 4, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_closed_form():
    unlearned = performance([[0.9, 1.0, 0.8, 0.3]])
    retrained = performance([[0.6, 0.9, 0.9, 0.5]] * 2)
    assert tow(unlearned, retrained).value == pytest.approx(0.7 * 0.9 * 0.9)
    assert tow_mia(unlearned, retrained).value == pytest.approx(0.8 * 0.9 * 0.9)
    gap = average_gap(unlearned, retrained)
    assert gap.value == pytest.approx((0.3 + 0.1 + 0.1 + 0.2) / 4)
    assert gap.interval is None
    assert (tow(unlearned, retrained).floor, gap.floor) == (1.0, 0.0)


def test_the_best_and_the_worst():
    zeros, ones = performance(torch.zeros(2, 4)), performance(torch.ones(2, 4))
    assert [score(ones, ones).value for score in SCORES] == [1.0, 1.0, 0.0]
    assert [score(ones, zeros).value for score in SCORES] == [0.0, 0.0, 1.0]


@given(st.integers(1, 4), st.integers(2, 5), st.integers(0, 999))
def test_equals_a_loop_over_pairs(seeds, count, seed):
    own, others = shares(seeds, seed), shares(count, seed + 1000)

    def of_pair(score, a, b):
        gaps = dict(zip(NAMES, (a - b).abs().tolist(), strict=True))
        if score is average_gap:
            return sum(gaps.values()) / 4
        first = gaps["forget" if score is tow else "membership"]
        return (1 - first) * (1 - gaps["retain"]) * (1 - gaps["test"])

    for score in SCORES:
        found = score(performance(own), performance(others))
        table = torch.tensor([[of_pair(score, a, b) for b in others] for a in own])
        torch.testing.assert_close(found.per_seed, table.mean(1).double())
        pairs = [of_pair(score, a, b) for a, b in itertools.combinations(others, 2)]
        assert found.floor == pytest.approx(sum(pairs) / len(pairs))
        assert found.floor == pytest.approx(float(found.floor_per_network.mean()))


@given(st.integers(3, 6), st.integers(0, 999))
def test_one_more_retrained_network_has_the_floor(count, seed):
    """Each in turn is the unlearned one: the sum of values is the sum of floors."""
    rows = shares(count, seed)
    for score in SCORES:
        found = [
            score(performance(rows[i : i + 1]), performance(torch.cat([rows[:i], rows[i + 1 :]])))
            for i in range(count)
        ]
        assert sum(one.value for one in found) == pytest.approx(sum(one.floor for one in found))


def test_interval_is_students_over_seeds():
    found = tow(performance(shares(6, 0)), performance(shares(3, 1)), confidence=0.9)
    values = found.per_seed.numpy()
    expected = stats.t.interval(0.9, 5, loc=values.mean(), scale=stats.sem(values))
    assert found.interval == pytest.approx(expected)
    wide = tow(performance(shares(6, 0)), performance(shares(3, 1)), confidence=0.99)
    assert wide.interval[0] < found.interval[0] < found.value < found.interval[1]


def test_tow_needs_no_membership_share():
    one = torch.tensor([0.5])
    pair = torch.tensor([0.5, 0.5])
    assert tow(Performance(one, one, one), Performance(pair, pair, pair)).value == 1.0
    with pytest.raises(InputError, match=r"unlearned\.membership is missing"):
        average_gap(Performance(one, one, one), performance(shares(2, 0)))


GOOD = shares(2, 0)


@pytest.mark.parametrize(
    ("own", "others", "how", "message"),
    [
        (GOOD * 100, GOOD, {}, "not percentages"),
        (GOOD * float("nan"), GOOD, {}, "no share"),
        (GOOD, GOOD[:1], {}, "at least 2 models"),
        (GOOD[:0], GOOD, {}, "at least 1 model"),
        (GOOD, GOOD, {"confidence": 0.0}, "confidence"),
    ],
)
def test_bad_input(own, others, how, message):
    for score in SCORES:
        with pytest.raises(InputError, match=message):
            score(performance(own), performance(others), **how)


def test_shares_of_different_models_are_refused():
    uneven = Performance(GOOD[:, 0], GOOD[:1, 1], GOOD[:, 2])
    with pytest.raises(InputError, match="same models"):
        tow(uneven, performance(GOOD))
