"""The barycenter on the line: exact value, laws of the dial, independence with atoms."""

from __future__ import annotations

import numpy as np
import ot
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import ks_2samp, kstest
from tests.math.line_cases import CASES, tables

from infounlearn.math import LineBarycenter, fit_line_barycenter

GRID = (np.arange(3600) + 0.5) / 3600
"""Middles of 3600 cells: X̄ of groups of up to 6 rows, ties or not, is constant on each cell."""


def w2(x, y, x_weights=None, y_weights=None):
    return float(ot.emd2_1d(x, y, x_weights, y_weights, metric="sqeuclidean"))


def over_noise(fit: LineBarycenter, x, z, amount=1.0):
    """(rows, cells) of ξ: averages over them are exact expectations."""
    cells = len(GRID)
    noise = np.tile(GRID, len(x))
    moved = fit.transport(np.repeat(x, cells), np.repeat(z, cells), amount=amount, noise=noise)
    return moved.reshape(len(x), cells)


def gaussians(n, seed):
    """N(0, 1) and N(2, 1.5²), of which the second has two rows in five."""
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


@CASES
@given(tables(), st.sampled_from([0.25, 0.5, 1.0]))
def test_the_cost_of_the_dial_is_t_squared_times_the_value(table, amount):
    x, z = table
    fit = fit_line_barycenter(x, z)
    moved = over_noise(fit, x, z, amount)
    cost = ((moved - x[:, None]) ** 2).mean()
    assert cost == pytest.approx(amount**2 * fit.value, abs=1e-10)


@CASES
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
