"""A continuous Z: the linear residual of Gaussians, and conditional quantiles of one column."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import ks_2samp, spearmanr

from infounlearn.errors import InputError
from infounlearn.math import (
    GroupMoments,
    fit_conditional_line,
    fit_line_barycenter,
    gaussian_residual,
)


def joint(n=4000, d=3, k=2, seed=0):
    rng = np.random.default_rng(seed)
    both = rng.normal(size=(n, d + k)) @ rng.normal(size=(d + k, d + k)) + rng.normal(size=d + k)
    return both[:, :d], both[:, d:]


def residual(X, Z):
    both = np.hstack((X, Z))
    moments = GroupMoments.empty(1, both.shape[1]).add(both, np.zeros(len(both), dtype=int))
    return gaussian_residual(moments, X.shape[1])


def test_the_residual_has_no_covariance_with_z_and_changes_least():
    X, Z = joint()
    fit = residual(X, Z)
    moved = fit.transport(X, Z)
    away = Z - Z.mean(0)
    assert np.abs(away.T @ X).max() / len(X) > 0.1
    np.testing.assert_allclose(away.T @ moved / len(X), 0, atol=1e-12)
    np.testing.assert_allclose(np.cov(moved.T, bias=True), fit.covariance, atol=1e-12)
    assert ((X - moved) ** 2).sum(1).mean() == pytest.approx(fit.value, rel=1e-12)
    rng = np.random.default_rng(1)
    for _ in range(20):
        # Any other law uncorrelated with Z: more noise, or a further linear change of X̄.
        change = np.eye(3) + 0.1 * rng.normal(size=(3, 3))
        rival = (moved - moved.mean(0)) @ change + moved.mean(0)
        assert ((X - rival) ** 2).sum(1).mean() >= fit.value
    for amount in (0.25, 0.5):
        part = fit.transport(X, Z, amount=amount)
        assert ((X - part) ** 2).sum(1).mean() == pytest.approx(amount**2 * fit.value, rel=1e-9)


def test_gaussian_residuals_are_independent_and_others_are_only_uncorrelated():
    X, Z = joint(d=2, k=1)
    moved, high = residual(X, Z).transport(X, Z), Z[:, 0] > np.median(Z)
    extreme = np.abs(Z[:, 0] - Z.mean()) > Z.std()
    for column in range(2):
        assert ks_2samp(X[high, column], X[~high, column]).pvalue < 1e-9
        for part in (high, extreme):
            assert ks_2samp(moved[part, column], moved[~part, column]).pvalue > 0.001
    spread = np.random.default_rng(0).normal(size=(4000, 1)) * np.abs(Z[:, :1])
    left = residual(spread, Z[:, :1]).transport(spread, Z[:, :1])[:, 0]
    assert ks_2samp(left[extreme], left[~extreme]).pvalue < 1e-9


def test_redundant_columns_units_and_constants_of_z_change_nothing():
    X, Z = joint()
    fit = residual(X, Z)
    more = np.hstack((Z, Z @ [[1.0], [2.0]], np.full((len(Z), 1), 7.0), Z[:, :1] * 1e-7))
    other = residual(X, more)
    assert other.rank == fit.rank == 2
    assert other.value == pytest.approx(fit.value, rel=1e-9)
    np.testing.assert_allclose(other.transport(X, more), fit.transport(X, Z), atol=1e-9)


def test_residual_rows_do_not_feel_their_batch_and_parts_merge():
    X, Z = joint(n=700)
    fit = residual(X, Z)
    whole = fit.transport(X, Z, amount=0.7)
    assert fit.transport(X, Z, amount=0).tobytes() == X.tobytes()
    for start, stop in ((0, 1), (3, 300), (699, 700)):
        part = fit.transport(X[start:stop], Z[start:stop], amount=0.7)
        assert part.tobytes() == whole[start:stop].tobytes()
    both = np.hstack((X, Z))
    empty, zeros = GroupMoments.empty(1, 5), np.zeros(700, dtype=int)
    merged = empty.add(both[:99], zeros[:99]).merge(empty.add(both[99:], zeros[99:]))
    np.testing.assert_allclose(gaussian_residual(merged, 3).slope, fit.slope, rtol=1e-9)


def test_residual_input_that_cannot_be_used_is_named():
    X, Z = joint(n=50)
    fit = residual(X, Z)
    with pytest.raises(InputError, match=r"(?s)X has shape.*Z has shape.*amount is 2"):
        fit.transport(X[:, :1], Z[:3], amount=2)
    with pytest.raises(InputError, match="not finite"):
        fit.transport(X * np.nan, Z)
    with pytest.raises(InputError, match=r"(?s)2 groups.*num_columns is 9"):
        gaussian_residual(GroupMoments.empty(2, 3), 9)


def curved(n=6000, seed=0):
    """Mean and spread both move with z."""
    rng = np.random.default_rng(seed)
    z = rng.random(n) * 4
    return np.sin(z) * 2 + z + rng.normal(size=n) * (0.3 + z / 4), z


def dependence(x, z):
    """Largest |rank correlation| of z with x and with how far x is from its middle."""
    return max(
        abs(spearmanr(x, z).statistic), abs(spearmanr(np.abs(x - np.median(x)), z).statistic)
    )


def test_conditional_quantiles_remove_mean_and_spread_of_fresh_rows():
    fit = fit_conditional_line(*curved())
    x, z = curved(seed=1)
    moved = fit.transport(x, z, noise=0.5)
    assert dependence(x, z) > 0.3
    assert dependence(moved, z) < 0.04
    for cut in (0.5, 1.0, 2.0, 3.5):
        # An estimate, flat beyond the outermost centres: small, not zero.
        left = ks_2samp(moved[z < cut], moved[z >= cut]).statistic
        assert left < 0.5 * ks_2samp(x[z < cut], x[z >= cut]).statistic
        assert left < 0.08
    # Within plain bins X still follows z; between the outermost centres the mixed ones follow too.
    bins = np.searchsorted(np.quantile(z, np.arange(1, 9) / 9), z)
    nine = fit_conditional_line(x, z, bins=9).transport(x, z, noise=0.5)
    plain = fit_line_barycenter(x, bins).transport(x, bins, noise=0.5)
    within = [
        max(abs(spearmanr(values[bins == b], z[bins == b]).statistic) for b in range(1, 8))
        for values in (plain, nine)
    ]
    assert within[0] > 2 * within[1]


def test_a_linear_gaussian_column_has_the_value_of_the_theory():
    X, Z = joint(n=40_000, d=1, k=1)
    x, z = X[:, 0], Z[:, 0]
    moved = fit_conditional_line(x, z).transport(x, z, noise=0.5)
    exact = residual(X, Z)
    assert np.mean((x - moved) ** 2) == pytest.approx(exact.value, rel=0.03)
    off = moved - exact.transport(X, Z)[:, 0]
    assert np.sqrt(np.mean(off**2)) < 0.03 * x.std()
    half = fit_conditional_line(x, z).transport(x, z, noise=0.5, amount=0.5)
    assert np.mean((x - half) ** 2) == pytest.approx(np.mean((x - moved) ** 2) / 4)


def test_atoms_lose_z_by_their_randomised_ranks_only():
    rng = np.random.default_rng(0)
    z = rng.random(20_000)
    x = (rng.random(20_000) < 0.2 + 0.6 * z).astype(float)
    fit = fit_conditional_line(x, z)
    assert fit.slope == 0.0
    moved = fit.transport(x, z, noise=rng.random(20_000))
    fixed = fit.transport(x, z, noise=0.5)
    assert abs(np.corrcoef(x, z)[0, 1]) > 0.3
    assert abs(np.corrcoef(moved, z)[0, 1]) < 0.03
    for part in (z < 0.3, z > 0.7):
        assert ks_2samp(moved[part], moved[~part]).statistic < 0.06
        assert ks_2samp(fixed[part], fixed[~part]).statistic > 0.1


def test_conditional_maps_rise_and_do_not_feel_their_batch():
    x, z = curved(n=900)
    for values in (x, np.round(x)):
        fit = fit_conditional_line(values, z)
        line = np.linspace(values.min() - 1, values.max() + 1, 300)
        for at in (-5.0, 0.3, 2.0, 9.0):
            assert (np.diff(fit.transport(line, np.full(300, at), noise=0.3)) >= -1e-12).all()
        noise = np.random.default_rng(0).random(900)
        whole = fit.transport(values, z, noise=noise, amount=0.7)
        assert fit.transport(values, z, noise=noise, amount=0).tobytes() == values.tobytes()
        alone = [
            fit.transport(values[i : i + 1], z[i : i + 1], noise=noise[i : i + 1], amount=0.7)
            for i in range(900)
        ]
        assert np.concatenate(alone).tobytes() == whole.tobytes()


def test_few_rows_and_a_constant_z_are_one_bin():
    fit = fit_conditional_line([1.0, 2.0, 4.0], [5.0, 5.0, 5.0])
    np.testing.assert_allclose(fit.transport([1, 2, 4], [5, 5, 5], noise=0.5), [1, 2, 4])
    assert len(fit_conditional_line(np.arange(100.0), np.arange(100) % 2, bins=9).centers) <= 2


def test_conditional_input_that_cannot_be_used_is_named():
    with pytest.raises(InputError, match="no rows"):
        fit_conditional_line([], [])
    with pytest.raises(InputError, match=r"(?s)bins is 0.*levels is 1"):
        fit_conditional_line([1.0], [1.0], bins=0, levels=1)
    with pytest.raises(InputError, match="pass numbers"):
        fit_conditional_line([1.0], ["a"])
    fit = fit_conditional_line([1.0, 2.0], [1.0, 2.0])
    with pytest.raises(InputError, match=r"(?s)NaN.*noise.*amount"):
        fit.transport([np.nan], [1.0], noise=1.0, amount=3.0)
