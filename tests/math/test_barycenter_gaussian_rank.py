"""The Gaussian barycenter where variance is missing: refused, reduced or jittered; bad input."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from tests.math.gaussian_problems import problem

from infounlearn.errors import InputError
from infounlearn.math import GroupMoments, bures2, gaussian_barycenter


def test_a_group_without_variance_where_another_has_it_is_refused_by_name():
    C = [np.diag([1.0, 0.0]), np.diag([1.0, 2.0])]
    moments = GroupMoments.of([0.5, 0.5], np.zeros((2, 2)), C)
    with pytest.raises(InputError, match=r"group 0 has rank 1, that of all groups 2.*set jitter"):
        gaussian_barycenter(moments)
    turned = np.array([[0.6, 0.8], [-0.8, 0.6]])
    C = [turned @ own @ turned.T for own in C]
    with pytest.raises(InputError, match="group 0 has rank 1"):
        gaussian_barycenter(GroupMoments.of([0.5, 0.5], np.zeros((2, 2)), C))


@pytest.mark.parametrize("m", [2, 3])
def test_a_range_shared_by_all_groups_is_where_the_work_is_done(m):
    inside = problem(5, m, 3)
    rng = np.random.default_rng(5)
    basis = np.linalg.qr(rng.normal(size=(6, 3)))[0]
    C = basis @ inside.covariances @ basis.T
    moments = GroupMoments.of(inside.counts, inside.means @ basis.T, (C + C.swapaxes(1, 2)) / 2)
    result, reduced = gaussian_barycenter(moments), gaussian_barycenter(inside)
    assert result.rank == 3
    assert result.value == pytest.approx(reduced.value, rel=1e-10)
    expected = basis @ reduced.covariance @ basis.T
    np.testing.assert_allclose(result.covariance, expected, atol=1e-12)
    # Outside the range a row is only shifted, however far out it lies.
    outside = 1e3 * np.linalg.qr(np.column_stack([basis, rng.normal(size=(6, 3))]))[0][:, 3]
    moved = result.transport(outside[None] + result.means[0], [0])
    np.testing.assert_allclose(moved[0], outside + result.mean, atol=1e-9)


def one_hot(n: int = 4000) -> tuple[np.ndarray, np.ndarray]:
    """Three indicators that sum to one and a number; group 0 never has the third category."""
    rng = np.random.default_rng(0)
    z = rng.integers(0, 2, n)
    kind = np.where(z == 0, rng.integers(0, 2, n), rng.integers(0, 3, n))
    return np.column_stack([np.eye(3)[kind], rng.normal(size=n) + z]), z


def test_a_column_absent_in_one_group_is_refused_or_jittered_and_stays_bounded():
    X, z = one_hot()
    moments = GroupMoments.empty(2, 4).add(X, z)
    with pytest.raises(InputError, match="group 0 has rank 2, that of all groups 3"):
        gaussian_barycenter(moments)
    result = gaussian_barycenter(moments, jitter=0.01)
    assert result.rank == 3
    assert result.push_residual < 1e-12
    jittered = moments.covariances + 0.01 * result.noise_projector
    pushed = result.maps @ jittered @ result.maps
    np.testing.assert_allclose(pushed[0], result.covariance, atol=1e-13)
    np.testing.assert_allclose(pushed[1], result.covariance, atol=1e-13)
    noise = np.random.default_rng(1).normal(size=X.shape)
    moved = result.transport(X, z, noise=noise)
    assert moved.dtype == np.float64
    np.testing.assert_allclose(moved[:, :3].sum(1), 1.0, atol=1e-12)
    for group in range(2):
        own = np.cov(moved[z == group].T, bias=True)
        np.testing.assert_allclose(own, result.covariance, atol=0.05)
    # A held-out row of group 0 that does have the absent category: bounded, by √λ in the map.
    held_out = result.transport([[0, 0, 1, 0.0]], [0], noise=np.zeros((1, 4)))
    assert np.abs(held_out).max() < 1 / np.sqrt(0.01)


def test_what_cannot_be_used_is_refused_in_one_error():
    moments = problem(0, 2, 2)
    empty = GroupMoments.empty(2, 2).add([[1.0, 2.0], [2.0, 0.0], [0.0, 1.0]], [0, 0, 0])
    with pytest.raises(InputError, match=r"groups \[1\] have no rows"):
        gaussian_barycenter(empty)
    with pytest.raises(InputError, match=r"group 1 has rank 0"):
        gaussian_barycenter(empty.add([[1.0, 1.0]], [1]))
    with pytest.raises(InputError, match="3 problems"):
        gaussian_barycenter(moments, jitter=-1.0, tolerance=np.nan, max_iterations=0)
    wrong = GroupMoments.of(np.ones(2), np.zeros((2, 2)), [np.eye(2), [[1, 2], [2, 1]]])
    with pytest.raises(InputError, match="group 1 has a negative eigenvalue"):
        gaussian_barycenter(wrong)
    for bad in (np.diag([1.0, -1.0]), np.array([[0.0, 1.0], [1.0, 1.0]])):
        with pytest.raises(InputError, match="negative eigenvalue"):
            bures2(np.eye(2), bad)
    with pytest.raises(InputError, match="shapes are"):
        bures2(np.eye(2), np.eye(3))
    result = gaussian_barycenter(moments)
    with pytest.raises(dataclasses.FrozenInstanceError):
        result.value = 0.0
    with pytest.raises(InputError, match=r"amount is 1\.5"):
        result.transport([[0.0, 0.0]], [0], amount=1.5)
    with pytest.raises(InputError, match=r"groups \[2\] that have no moments"):
        result.transport([[0.0, 0.0]], [2])
    with pytest.raises(InputError, match="noise is given"):
        result.transport([[0.0, 0.0]], [0], noise=np.zeros((1, 2)))
    jittered = gaussian_barycenter(moments, jitter=0.1)
    with pytest.raises(InputError, match="noise is missing"):
        jittered.transport([[0.0, 0.0]], [0])
    with pytest.raises(InputError, match="noise does not fit"):
        jittered.transport([[0.0, 0.0]], [0], noise=np.zeros((2, 2)))
