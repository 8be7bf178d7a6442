"""The lower bound of the cost against Gaussians and shifts whose barycenter is known."""

from __future__ import annotations

import numpy as np
import pytest

from infounlearn.audit.images.cost import change, gaussian_bound


def gaussian_images(n: int, seed: int, means: tuple[float, ...], scales: tuple[float, ...]):
    """(n, 1, 8, 8) images, 64 independent normal pixels; group z has its mean and deviation."""
    rng = np.random.default_rng(seed)
    z = rng.permutation(np.arange(n) % len(means))
    rows = np.array(means)[z, None] + np.array(scales)[z, None] * rng.normal(size=(n, 64))
    return rows.reshape(n, 1, 8, 8).astype(np.float32), z


@pytest.mark.parametrize("scales", [(0.1, 0.1), (0.1, 0.3)])
def test_of_two_gaussians_it_is_the_barycenter_cost(scales: tuple[float, float]) -> None:
    images, z = gaussian_images(6000, 0, (0.4, 0.6), scales)
    bound = gaussian_bound(images, z, 64, 0)
    value = 0.25 * (0.2**2 + (scales[0] - scales[1]) ** 2)  # w₀ w₁ W2², per pixel
    assert bound.dimensions == 64
    assert bound.value == pytest.approx(value, rel=0.03)
    assert bound.plug_in > bound.value


def test_it_weighs_groups_by_their_shares() -> None:
    images, z = gaussian_images(4000, 1, (0.4, 0.6), (0.1, 0.3))
    kept = (z == 0) | (np.arange(4000) < 1000)
    share = float((z[kept] == 0).mean())
    bound = gaussian_bound(images[kept], z[kept], 64, 0)
    assert bound.value == pytest.approx(share * (1 - share) * 2 * 0.2**2, rel=0.05)


def test_of_three_groups_it_is_the_barycenter_cost() -> None:
    images, z = gaussian_images(6000, 2, (0.2, 0.5, 0.8), (0.1, 0.2, 0.3))
    bound = gaussian_bound(images, z, 64, 0)
    value = (0.3**2 + 0.3**2) / 3 + (0.1**2 + 0.1**2) / 3  # commuting: deviations are averaged
    assert not bound.means_only
    assert bound.value == pytest.approx(value, rel=0.03)


def test_fewer_components_bound_from_below() -> None:
    images, z = gaussian_images(3000, 3, (0.4, 0.6), (0.1, 0.3))
    values = [gaussian_bound(images, z, d, 0).value for d in (1, 8, 64)]
    assert 0 < values[0] < values[1] < values[2] < 1.05 * 0.25 * (0.2**2 + 0.2**2)


def test_groups_alike_have_no_bound_though_sample_moments_say_so() -> None:
    images, z = gaussian_images(800, 4, (0.5, 0.5), (0.2, 0.2))
    bound = gaussian_bound(images, z, 64, 0)
    assert bound.plug_in > 0
    assert abs(bound.value) < 0.3 * bound.plug_in


def test_a_group_without_variance_still_bounds() -> None:
    images, z = gaussian_images(900, 5, (0.2, 0.5, 0.8), (0.1, 0.1, 0.0))
    bound = gaussian_bound(images, z, 16, 0)
    assert bound.means_only
    assert bound.value == pytest.approx((0.3**2 + 0.3**2) / 3, rel=0.05)
    two, groups = gaussian_images(900, 5, (0.2, 0.8), (0.1, 0.0))
    bound = gaussian_bound(two, groups, 64, 0)
    assert not bound.means_only
    assert 0.25 * 0.36 < bound.value < 0.25 * (0.36 + 0.1**2) * 1.05


def test_no_pairing_of_images_costs_less() -> None:
    """Whatever the law: w₀ w₁ times the cost of the best pairing is never below the bound."""
    from scipy.optimize import linear_sum_assignment

    rng = np.random.default_rng(0)
    left, right = rng.exponential(0.2, (300, 64)), rng.random((300, 64))
    cost = np.square(left[:, None] - right[None]).mean(2)
    paired = 0.25 * cost[linear_sum_assignment(cost)].mean()
    rows = np.concatenate([left, right]).reshape(-1, 1, 8, 8).astype(np.float32)
    bound = gaussian_bound(rows, np.repeat([0, 1], 300), 64, 0)
    assert 0.3 * paired < bound.value < paired


def test_the_cost_of_a_dial_is_its_square() -> None:
    images, z = gaussian_images(500, 6, (0.4, 0.6), (0.1, 0.1))
    moved = images + (0.5 - np.array([0.4, 0.6]))[z, None, None, None].astype(np.float32)
    half = 0.5 * images + 0.5 * moved
    assert change(moved, images) == pytest.approx(np.full(500, 0.01), rel=1e-4)
    assert change(half, images) == pytest.approx(0.25 * change(moved, images), rel=1e-3)
