"""The barycenter on the line, row by row: rising maps, order, parts, weights, bits, noise."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import kstest
from tests.math.line_cases import CASES, tables

from infounlearn.errors import InputError
from infounlearn.math import fit_line_barycenter, row_noise


@CASES
@given(tables(), st.floats(0, 0.999), st.floats(0, 1))
def test_maps_of_new_values_rise_stay_in_range_and_agree_on_fitted_ones(table, xi, amount):
    x, z = table
    fit = fit_line_barycenter(x, z)
    line = np.union1d(np.linspace(-6, 6, 241), x)
    for group in fit.labels:
        labels = np.full(len(line), group)
        ranks = fit.ranks(line, labels, noise=xi)
        assert (np.diff(ranks) >= 0).all()
        assert ((ranks >= 0) & (ranks < 1)).all()
        moved = fit.transport(line, labels, amount=amount, noise=xi)
        assert (np.diff(moved) >= -1e-12).all()
        own = x[z == group]
        below = [np.mean(own < value) for value in own]
        at = [np.mean(own <= value) for value in own]
        expected = np.array(below) + xi * (np.array(at) - below)
        np.testing.assert_allclose(ranks[np.searchsorted(line, own)], expected, atol=1e-12)
        whole = fit.transport(line, labels, noise=xi)
        # Nothing is extrapolated: beyond its fitted range a value goes where the last one goes.
        assert (whole[line >= own.max()] == whole[line == own.max()]).all()
        assert (whole[line <= own.min()] == whole[line == own.min()]).all()


def test_ranks_are_continuous_between_fitted_values():
    fit = fit_line_barycenter([0.0, 1.0, 1.0, 3.0], [0] * 4)
    ranks = fit.ranks([0.0, 0.5, 1.0, 2.0, 3.0], [0] * 5, noise=0.5)
    np.testing.assert_allclose(ranks, [1 / 8, 5 / 16, 1 / 2, 11 / 16, 7 / 8])


@CASES
@given(tables(), st.floats(0, 0.999999), st.floats(0, 1))
def test_amount_zero_and_a_single_group_leave_every_bit(table, xi, amount):
    x, z = table
    x = np.where(x == 0.0, -0.0, x * np.pi)
    fit = fit_line_barycenter(x, z)
    assert fit.transport(x, z, amount=0).tobytes() == x.tobytes()
    single = fit_line_barycenter(x, np.zeros(len(x), dtype=int))
    same = single.transport(x, np.zeros(len(x), dtype=int), amount=amount, noise=xi)
    np.testing.assert_array_equal(same, x)
    assert single.value == 0.0


@CASES
@given(tables(), st.integers(0, 10**6))
def test_order_and_company_of_the_rows_have_no_effect(table, seed):
    x, z = table
    order = np.random.default_rng(seed).permutation(len(x))
    fit, other = fit_line_barycenter(x, z), fit_line_barycenter(x[order], z[order])
    keys = np.arange(len(x)) * 7
    whole = fit.transport(x, z, amount=0.7, seed=seed, keys=keys)
    again = other.transport(x[order], z[order], amount=0.7, seed=seed, keys=keys[order])
    assert whole[order].tobytes() == again.tobytes()
    alone = [
        fit.transport(x[i : i + 1], z[i : i + 1], amount=0.7, seed=seed, keys=keys[i : i + 1])
        for i in range(len(x))
    ]
    assert whole.tobytes() == np.concatenate(alone).tobytes()


@CASES
@given(tables(rows=20), st.integers(0, 10**6), st.integers(1, 5))
def test_merged_parts_are_the_batch(table, seed, parts):
    x, z = table
    x[::3] = np.pi
    part = np.random.default_rng(seed).integers(parts, size=len(x))
    pieces = [fit_line_barycenter(x[part == p], z[part == p]) for p in np.unique(part)]
    merged = pieces[0]
    for piece in pieces[1:]:
        merged = merged.merge(piece)
    batch = fit_line_barycenter(x, z)
    for name in ("labels", "weights", "levels", "points", "distances"):
        np.testing.assert_array_equal(getattr(merged, name), getattr(batch, name))
    for name in ("atoms", "counts"):
        for mine, theirs in zip(getattr(merged, name), getattr(batch, name), strict=True):
            np.testing.assert_array_equal(mine, theirs)


def test_weights_are_the_shares_of_the_rows_unless_declared():
    x, z = np.array([0.0, 0.0, 0.0, 4.0]), np.array(["b", "b", "b", "a"])
    assert fit_line_barycenter(x, z).points.tolist() == [1.0]
    even = fit_line_barycenter(x, z, weights={"b": 0.5, "a": 0.5})
    assert even.points.tolist() == [2.0]
    assert even.value == 4.0
    assert even.merge(even, weights={"a": 0.5, "b": 0.5}).value == 4.0
    with pytest.raises(InputError, match="declared weights"):
        even.merge(even)
    # "1" with "11" and "11" with "1" are four labels, not one joined text.
    assert fit_line_barycenter([1, 2, 3], ["1", "11", "111"]).labels.tolist() == ["1", "11", "111"]


def test_constant_groups_and_groups_of_one_row():
    fit = fit_line_barycenter([5.0, 5.0, 5.0, 1.0], [0, 0, 1, 2])
    moved = fit.transport([5.0, 5.0, 1.0, 9.0], [0, 1, 2, 2], seed=0, keys=[0, 1, 2, 3])
    assert moved.tolist() == [4.0] * 4
    spread = fit_line_barycenter([0.0, 1.0, 2.0, 3.0, 7.0], [0, 0, 0, 0, 1])
    law = spread.transport(np.full(4, 7.0), np.ones(4, dtype=int), noise=[0.1, 0.3, 0.6, 0.9])
    np.testing.assert_allclose(law, spread.points)


def test_close_and_distant_values_keep_their_order():
    x = np.array([-1e150, -5e-324, 0.0, 5e-324, 1.0, np.nextafter(1.0, 2.0), 1e150])
    fit = fit_line_barycenter(x, [0] * 7)
    for xi in (0.0, 0.5, np.nextafter(1.0, 0.0)):
        np.testing.assert_array_equal(fit.transport(x, [0] * 7, noise=xi), x)
    # -0 and 0 are one atom, the same bits whichever row comes first.
    assert not np.signbit(fit_line_barycenter([-0.0, 0.0], [0, 0]).atoms[0]).any()


def test_row_noise_is_uniform_and_belongs_to_seed_and_key():
    keys = np.arange(50_000)
    first, second = row_noise(0, keys), row_noise(1, keys)
    assert kstest(first, "uniform").pvalue > 0.01
    assert kstest(row_noise(0, keys * 2**32), "uniform").pvalue > 0.01
    for other in (second, np.roll(first, 1), np.roll(second, 1)):
        assert abs(np.corrcoef(first, other)[0, 1]) < 0.02
    assert row_noise(0, keys[77:78])[0] == first[77]
    assert ((first >= 0) & (first < 1)).all()
    # Seeds and keys are taken modulo 2^64.
    assert row_noise(-1, [-2]) == row_noise(2**64 - 1, [2**64 - 2])
    assert row_noise(-1, [-2]) != row_noise(1, [2])
