"""The barycenter on the line: exact value, laws of the dial, independence with atoms."""

from __future__ import annotations

import numpy as np
import ot
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import ks_2samp, kstest

from infounlearn.errors import InputError
from infounlearn.math import LineBarycenter, fit_line_barycenter, row_noise

CASES = settings(max_examples=40, deadline=None, derandomize=True)
GRID = (np.arange(3600) + 0.5) / 3600
"""Middles of 3600 cells: X̄ of groups of up to 6 rows, ties or not, is constant on each cell."""


@st.composite
def tables(draw, groups=3, rows=6):
    """Small groups with many ties: values, labels."""
    parts = draw(
        st.lists(
            st.lists(st.integers(-4, 4), min_size=1, max_size=rows), min_size=1, max_size=groups
        )
    )
    labels = np.repeat(list("bac")[: len(parts)], [len(part) for part in parts])
    return np.concatenate(parts).astype(float), labels


def w2(x, y, x_weights=None, y_weights=None):
    return float(ot.emd2_1d(x, y, x_weights, y_weights, metric="sqeuclidean"))


def over_noise(fit: LineBarycenter, x, z, amount=1.0):
    """(rows, cells) of ξ: averages over them are exact expectations."""
    return np.stack([fit.transport(x, z, amount=amount, noise=xi) for xi in GRID], 1)


def gaussians(n, seed):
    rng = np.random.default_rng(seed)
    z = rng.random(n) < 0.4
    return np.where(z, 2 + 1.5 * rng.standard_normal(n), rng.standard_normal(n)), z


@CASES
@given(tables())
def test_distances_are_those_of_an_independent_library(table):
    x, z = table
    fit = fit_line_barycenter(x, z)
    mass = np.diff(fit.levels, prepend=0.0)
    for label, distance in zip(fit.labels, fit.distances, strict=True):
        assert distance == pytest.approx(w2(x[z == label], fit.points, None, mass), abs=1e-9)
    assert fit.value == pytest.approx(fit.weights @ fit.distances)
    np.testing.assert_allclose(fit.weights, [np.mean(z == label) for label in fit.labels])


@settings(CASES, max_examples=8)
@given(tables(), st.sampled_from([0.25, 0.5, 1.0]))
def test_the_cost_of_the_dial_is_t_squared_times_the_value(table, amount):
    x, z = table
    fit = fit_line_barycenter(x, z)
    moved = over_noise(fit, x, z, amount)
    cost = ((moved - x[:, None]) ** 2).mean()
    assert cost == pytest.approx(amount**2 * fit.value, abs=1e-10)


@settings(CASES, max_examples=8)
@given(tables())
def test_after_transport_every_group_has_exactly_the_law_of_the_barycenter(table):
    x, z = table
    fit = fit_line_barycenter(x, z)
    moved = over_noise(fit, x, z)
    mass = np.diff(fit.levels, prepend=0.0)
    atoms, place = np.unique(fit.points, return_inverse=True)
    wanted = np.bincount(place, mass)
    for label in fit.labels:
        law = moved[z == label].ravel()
        at = np.searchsorted(atoms, law)
        np.testing.assert_array_equal(atoms[at], law)
        share = np.bincount(at, minlength=len(atoms)) / len(law)
        np.testing.assert_allclose(share, wanted, atol=1e-12)


@CASES
@given(tables(), st.floats(0, 1))
def test_distance_from_the_barycenter_and_between_groups_fall_on_a_line(table, t):
    x, z = table
    fit = fit_line_barycenter(x, z)
    # All quantile functions are constant between the levels.
    middles = (fit.levels + np.concatenate(([0.0], fit.levels[:-1]))) / 2
    mass = np.diff(fit.levels, prepend=0.0)
    laws = [fit.quantile(middles, group=g, amount=t) for g in fit.labels]
    away = sum(
        w * w2(law, fit.points, mass, mass) for w, law in zip(fit.weights, laws, strict=True)
    )
    assert away == pytest.approx((1 - t) ** 2 * fit.value, abs=1e-9)
    pairs = sum(
        v * w * w2(a, b, mass, mass)
        for v, a in zip(fit.weights, laws, strict=True)
        for w, b in zip(fit.weights, laws, strict=True)
    )
    assert pairs == pytest.approx((1 - t) ** 2 * 2 * fit.value, abs=1e-9)


@CASES
@given(tables(), st.integers(0, 10**6))
def test_no_independent_release_changes_less(table, seed):
    """The cheapest release with a law ν costs Σ w W2²(μ_z, ν) = V + W2²(μ̄, ν)."""
    x, z = table
    fit = fit_line_barycenter(x, z)
    mass = np.diff(fit.levels, prepend=0.0)
    rng = np.random.default_rng(seed)
    for rival in (rng.normal(size=5) * 3, fit.points + 0.1 * rng.normal(size=len(mass))):
        at = mass if len(rival) == len(mass) else None
        cost = sum(np.mean(z == g) * w2(x[z == g], rival, None, at) for g in fit.labels)
        assert cost >= fit.value - 1e-12
        assert cost == pytest.approx(fit.value + w2(fit.points, rival, mass, at), abs=1e-9)


@CASES
@given(st.integers(1, 20), st.integers(0, 10**6))
def test_two_even_groups_have_the_closed_form(n, seed):
    a, b = np.sort(np.random.default_rng(seed).normal(size=(2, n)) * [[1], [3]])
    x, z = np.concatenate((a, b)), np.repeat([0, 1], n)
    fit = fit_line_barycenter(x, z)
    assert fit.value == pytest.approx(np.mean((a - b) ** 2) / 4)
    np.testing.assert_allclose(fit.transport(x, z, noise=0.5), np.tile((a + b) / 2, 2))


def test_gaussians_have_the_closed_form():
    x, z = gaussians(100_000, 0)
    fit = fit_line_barycenter(x, z, weights={False: 0.6, True: 0.4})
    # V = w0 w1 ((m0 - m1)² + (s0 - s1)²); the barycenter is N(.8, 1.2²).
    assert fit.value == pytest.approx(1.02, abs=0.03)
    moved = fit.transport(x, z, seed=1, keys=np.arange(len(x)))
    for group in (False, True):
        assert moved[z == group].mean() == pytest.approx(0.8, abs=0.03)
        assert moved[z == group].std() == pytest.approx(1.2, abs=0.03)
    assert np.mean((moved - x) ** 2) == pytest.approx(1.02, abs=0.03)


def test_atoms_lose_their_group_with_randomised_ranks_only():
    x = np.repeat([0.0, 1.0, 0.0, 1.0], [700, 300, 300, 700])
    z = np.repeat([0, 1], 1000)
    fit = fit_line_barycenter(x, z)
    assert fit.value == pytest.approx(0.1)  # w0 w1 W2² = ¼ · 0.4
    many = np.tile(x, 40), np.tile(z, 40)
    moved = fit.transport(*many, seed=5, keys=np.arange(len(many[0])))
    laws = [[np.mean(moved[many[1] == g] == point) for point in (0, 0.5, 1)] for g in (0, 1)]
    np.testing.assert_allclose(laws, [[0.3, 0.4, 0.3]] * 2, atol=0.015)
    fixed = fit.transport(x, z, noise=0.5)
    # Mid-ranks send the atom 0 of group 0 to rank .35 and that of group 1 to rank .15.
    assert fixed[0] == 0.5
    assert fixed[1000] == 0.0


def test_new_rows_of_continuous_laws_lose_their_group():
    fit = fit_line_barycenter(*gaussians(20_000, 0))
    x, z = gaussians(4_000, 1)
    keys = np.arange(len(x))
    ranks = fit.ranks(x, z, seed=3, keys=keys)
    moved = fit.transport(x, z, seed=3, keys=keys)
    assert kstest(ranks[z], "uniform").pvalue > 0.01
    assert kstest(ranks[~z], "uniform").pvalue > 0.01
    assert ks_2samp(moved[z], moved[~z]).pvalue > 0.01
    assert ks_2samp(x[z], x[~z]).pvalue < 1e-20


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
    assert row_noise(-1, [-1]) == row_noise(-1, [-1])


@pytest.mark.parametrize(
    ("values", "groups", "weights", "wanted"),
    [
        ([], [], None, ["no rows"]),
        ([1.0, np.nan], [0], None, ["NaN", "shape"]),
        ([1.0, np.inf], [0, None], None, ["1 rows", "missing labels"]),
        ([1.0, 2.0], [0.0, np.nan], None, ["missing labels"]),
        ([1.0, 2.0], np.array([1, "1"], dtype=object), None, ["mixed types"]),
        (["a", "b"], [0, 1], None, ["values have"]),
        ([[1.0], [2.0]], [0, 1], None, ["vector"]),
        ([1.0, 2.0], [0, 1], {0: 1.0}, ["exactly"]),
        ([1.0, 2.0], [0, 1], {0: 0.7, 1: 0.7}, ["sum to 1"]),
        ([1.0, 2.0], [0, 1], {0: 1.5, 1: -0.5}, ["sum to 1"]),
        ([1.0, 2.0], [0, 1], {0: "much", 1: 0.5}, ["sum to 1"]),
        ([1.0, 2.0], [0, 1], [0.5, 0.5], ["mapping"]),
    ],
)
def test_input_that_cannot_be_fitted_is_named(values, groups, weights, wanted):
    with pytest.raises(InputError) as error:
        fit_line_barycenter(values, groups, weights=weights)
    for text in wanted:
        assert text in str(error.value)


@pytest.mark.parametrize(
    ("groups", "settings", "wanted"),
    [
        ([0, 1], {}, ["seed and keys"]),
        ([0, 1], {"seed": 1}, ["2 keys"]),
        ([0, 1], {"seed": 1, "keys": [1]}, ["2 keys"]),
        ([0, 1], {"seed": 1, "keys": ["a", "b"]}, ["one integer per row"]),
        ([0, 1], {"seed": 0.5, "keys": [1, 2]}, ["seed is 0.5"]),
        ([0, 1], {"noise": 1.0}, ["number in [0, 1)"]),
        ([0, 1], {"noise": "half"}, ["noise"]),
        ([0, 1], {"noise": 0.5, "seed": 1}, ["one of them"]),
        ([0, 7], {"amount": 2.0}, ["amount is 2.0", "[7] were not fitted", "noise"]),
        ([0, 1], {"amount": np.nan, "noise": 0.5}, ["amount"]),
        (["0", "1"], {"noise": 0.5}, ["one type"]),
        ([0], {"noise": [0.5, 0.5]}, ["one label per value"]),
    ],
)
def test_rows_that_cannot_be_moved_are_named(groups, settings, wanted):
    fit = fit_line_barycenter([0.0, 1.0, 2.0], [0, 1, 1])
    with pytest.raises(InputError) as error:
        fit.transport([0.0, 1.0], groups, **settings)
    for text in wanted:
        assert text in str(error.value)


def test_quantile_and_merge_name_what_they_cannot_use():
    fit = fit_line_barycenter([0.0, 1.0, 2.0], [0, 1, 1])
    with pytest.raises(InputError, match=r"outside \[0, 1\)(.|\n)*amount(.|\n)*unknown"):
        fit.quantile([1.0], group=9, amount=2.0)
    with pytest.raises(InputError, match="one type"):
        fit.merge(fit_line_barycenter([1.0], ["a"]))
    assert fit.transport([], [], seed=0, keys=[]).shape == (0,)
