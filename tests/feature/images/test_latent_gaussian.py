"""Theorems of the closed-form map in latent directions."""

from __future__ import annotations

import numpy as np
import pytest

from infounlearn.errors import InputError
from infounlearn.feature.images.latent_gaussian import fit_latent_gaussian
from infounlearn.math import GroupMoments, gaussian_barycenter

WIDTH = 12


def rows_of(groups: int, seed: int = 0, count: int = 90, width: int = WIDTH):
    """Rows of groups of different sizes, means, covariances and third moments."""
    draws = np.random.default_rng(seed)
    rows, codes = [], []
    for z in range(groups):
        size = count + 30 * z
        mixing = draws.standard_normal((width, width)) / width**0.5
        skew = draws.exponential(size=(size, width))
        rows.append(skew @ mixing + draws.standard_normal(width))
        codes.append(np.full(size, z))
    order = draws.permutation(sum(map(len, codes)))
    return np.concatenate(rows)[order], np.concatenate(codes)[order]


@pytest.mark.parametrize("groups", [2, 3])
@pytest.mark.parametrize("dims", [0, 4, None])
def test_means_agree_exactly_and_the_change_costs_the_value(groups, dims):
    rows, codes = rows_of(groups)
    fitted = fit_latent_gaussian(rows, codes, dims=dims)
    moved = fitted.transport(rows, codes)
    means = np.stack([moved[codes == z].mean(0) for z in range(groups)])
    np.testing.assert_allclose(means, np.tile(fitted.centre, (groups, 1)), atol=1e-12)
    assert ((moved - rows) ** 2).mean() == pytest.approx(fitted.value, rel=1e-10)
    apart = [rows[codes == z].mean(0) for z in range(groups)]
    assert np.ptp(apart, axis=0).max() > 0.5


@pytest.mark.parametrize("groups", [2, 3])
def test_covariances_agree_inside_and_rows_stay_as_they_are_outside(groups):
    rows, codes = rows_of(groups)
    fitted = fit_latent_gaussian(rows, codes, dims=4)
    basis = fitted.basis
    np.testing.assert_allclose(basis.T @ basis, np.eye(4 + groups - 1), atol=1e-12)
    moved = fitted.transport(rows, codes)
    for z in range(groups):
        inside = np.cov((moved[codes == z] @ basis).T, bias=True)
        np.testing.assert_allclose(inside, fitted.barycenter.covariance, atol=1e-9)
    outside = np.eye(WIDTH) - basis @ basis.T
    np.testing.assert_allclose(moved @ outside, rows @ outside, atol=1e-12)


def test_every_direction_is_the_gaussian_barycenter_of_pixel_space():
    rows, codes = rows_of(3)
    known = gaussian_barycenter(GroupMoments.empty(3, WIDTH).add(rows, codes))
    for dims in (None, WIDTH - 2):
        fitted = fit_latent_gaussian(rows, codes, dims=dims)
        assert fitted.value == pytest.approx(known.value / WIDTH, rel=1e-9)
        assert fitted.explained == pytest.approx(1.0)
        np.testing.assert_allclose(
            fitted.transport(rows, codes), known.transport(rows, codes), atol=1e-8
        )


def test_the_value_grows_with_the_directions_and_stays_a_lower_bound():
    rows, codes = rows_of(2)
    values = [fit_latent_gaussian(rows, codes, dims=dims).value for dims in (0, 3, 7, WIDTH - 1)]
    assert values == sorted(values)
    assert values[0] < values[-1]


def test_directions_that_hardly_vary_are_left_out_where_a_share_is_enough():
    rows, codes = rows_of(2)
    rows = rows * 0.1 ** np.arange(WIDTH)
    few = fit_latent_gaussian(rows, codes, dims=9, share=0.999)
    assert few.basis.shape[1] < 6
    assert few.explained > 0.999
    fewer = fit_latent_gaussian(rows, codes, dims=few.basis.shape[1] - 2)
    assert fewer.basis.shape[1] == few.basis.shape[1] - 1


@pytest.mark.parametrize("amount", [0.0, 0.3, 1.0])
def test_the_dial_costs_its_square_and_zero_changes_no_bit(amount):
    rows, codes = rows_of(2)
    fitted = fit_latent_gaussian(rows, codes, dims=4)
    moved = fitted.transport(rows, codes, amount=amount)
    assert ((moved - rows) ** 2).mean() == pytest.approx(amount**2 * fitted.value, rel=1e-10)
    assert (amount > 0) or np.array_equal(moved, rows)


def test_a_row_does_not_feel_its_batch():
    rows, codes = rows_of(2, count=300)
    fitted = fit_latent_gaussian(rows, codes, dims=5)
    whole = fitted.transport(rows, codes)
    order = np.random.default_rng(3).permutation(len(rows))
    assert np.array_equal(fitted.transport(rows[order], codes[order]), whole[order])
    for row in (0, 17):
        one = fitted.transport(rows[row : row + 1], codes[row : row + 1])
        assert np.array_equal(one[0], whole[row])


def test_wide_images_find_the_same_leading_components_by_iteration(monkeypatch):
    draws = np.random.default_rng(1)
    width, sizes = 60, 5.0 * 0.7 ** np.arange(60)
    rows = draws.standard_normal((500, width)) * sizes
    codes = np.arange(500) % 2
    rows[codes == 1, :2] *= 1.5
    exact = fit_latent_gaussian(rows, codes, dims=6)
    monkeypatch.setattr("infounlearn.feature.images.latent_gaussian.EXACT", 10)
    found = fit_latent_gaussian(rows, codes, dims=6)
    assert found.value == pytest.approx(exact.value, rel=1e-6)
    assert np.linalg.svd(found.basis.T @ exact.basis)[1].min() > 1 - 1e-6


def test_everything_wrong_is_said():
    rows, codes = rows_of(2)
    with pytest.raises(InputError, match="one group"):
        fit_latent_gaussian(rows, 0 * codes)
    with pytest.raises(InputError, match=r"groups \[1\] have no rows"):
        fit_latent_gaussian(rows, 2 * codes, dims=2)
    with pytest.raises(InputError, match="dims is 99"):
        fit_latent_gaussian(rows, codes, dims=99)
    with pytest.raises(InputError, match="too few for 8 directions"):
        fit_latent_gaussian(rows[:20], codes[:20], dims=8)
    with pytest.raises(InputError, match="not finite"):
        fit_latent_gaussian(np.full((4, 3), np.nan), np.arange(4) % 2)
    fitted = fit_latent_gaussian(rows, codes, dims=2)
    with pytest.raises(InputError, match="amount"):
        fitted.transport(rows, codes, amount=2)
