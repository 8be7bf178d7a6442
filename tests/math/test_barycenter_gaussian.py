"""The Gaussian barycenter: one law for all groups, at the least change there is."""

from __future__ import annotations

import numpy as np
import ot
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.linalg import sqrtm
from tests.math.gaussian_problems import CASES, covariance, problem, push_residual, seeds

from infounlearn.math import GroupMoments, bures2, gaussian_barycenter
from infounlearn.math.barycenter_gaussian import _fixed_point
from infounlearn.math.factors import polar


@CASES
@given(seeds, st.integers(1, 5), st.integers(1, 6))
def test_pushed_covariances_and_means_are_those_of_the_barycenter(seed, m, d):
    moments = problem(seed, m, d)
    result = gaussian_barycenter(moments)
    assert result.converged
    assert result.residual < 1e-12
    assert push_residual(result, moments) < 1e-13
    assert result.push_residual < 1e-13
    np.testing.assert_allclose(result.mean, moments.shares @ moments.means, rtol=1e-14)
    np.testing.assert_allclose(result.maps, result.maps.swapaxes(1, 2), rtol=0, atol=1e-14)
    assert np.linalg.eigvalsh(result.maps).min() > 0
    # The mean of the optimal maps is the identity, taken at the barycenter.
    back = np.linalg.inv(result.maps)
    np.testing.assert_allclose(np.tensordot(result.weights, back, 1), np.eye(d), atol=1e-9)


@CASES
@given(seeds, st.integers(1, 6))
def test_two_groups_are_the_closed_form_and_the_limit_of_the_iteration(seed, d):
    moments = problem(seed, 2, d)
    result = gaussian_barycenter(moments)
    (C0, C1), (w0, w1) = moments.covariances, moments.shares
    half = np.real(sqrtm(C0))
    T = np.linalg.inv(half) @ np.real(sqrtm(half @ C1 @ half)) @ np.linalg.inv(half)
    A0 = w0 * np.eye(d) + w1 * T
    np.testing.assert_allclose(result.maps[0], A0, atol=1e-10)
    np.testing.assert_allclose(result.maps[1], w1 * np.eye(d) + w0 * np.linalg.inv(T), atol=1e-10)
    np.testing.assert_allclose(result.covariance, A0 @ C0 @ A0, atol=1e-11)
    assert result.iterations == 0
    factors = np.linalg.cholesky(moments.covariances)
    start = np.linalg.cholesky(w0 * C0 + w1 * C1)
    factor, residual, steps = _fixed_point(factors, moments.shares, start, 1e-14, 3000)
    assert residual < 1e-14
    assert (steps > 0) == (d > 1)  # in one dimension both groups have variance 1
    np.testing.assert_allclose(factor @ factor.T, result.covariance, atol=1e-12)
    # Two groups: V = w0 w1 W2².
    w2 = bures2(C0, C1) + ((moments.means[0] - moments.means[1]) ** 2).sum()
    assert result.value == pytest.approx(w0 * w1 * w2, rel=1e-10)


@CASES
@given(seeds, st.integers(2, 5), st.integers(1, 6))
def test_commuting_covariances_average_their_roots(seed, m, d):
    rng = np.random.default_rng(seed)
    basis = np.linalg.qr(rng.normal(size=(d, d)))[0]
    roots = rng.uniform(0.1, 2, (m, d))
    C = (basis * roots[:, None, :] ** 2) @ basis.T
    weights = rng.uniform(0.5, 2, m)
    result = gaussian_barycenter(
        GroupMoments.of(weights, np.zeros((m, d)), (C + C.swapaxes(1, 2)) / 2)
    )
    root = (basis * (result.weights @ roots)) @ basis.T
    np.testing.assert_allclose(result.covariance, root @ root, atol=1e-10)


@CASES
@given(seeds, st.integers(2, 4), st.integers(1, 4))
def test_no_feasible_competitor_changes_less(seed, m, d):
    moments = problem(seed, m, d)
    result = gaussian_barycenter(moments)
    C, w, eye = moments.covariances, moments.shares, np.eye(d)

    def cost(maps: np.ndarray, mean: np.ndarray) -> float:
        turned = np.einsum("zij,zjk,zik->z", eye - maps, C, eye - maps)
        return float(w @ (turned + ((moments.means - mean) ** 2).sum(1)))

    assert cost(result.maps, result.mean) == pytest.approx(result.value, rel=1e-10)
    distances = [
        bures2(own, result.covariance) + ((centre - result.mean) ** 2).sum()
        for own, centre in zip(C, moments.means, strict=True)
    ]
    assert float(w @ distances) == pytest.approx(result.value, rel=1e-10)
    rng = np.random.default_rng(seed)
    inverse = np.linalg.inv(np.linalg.cholesky(C))
    common = np.linalg.cholesky(result.covariance)
    best = common @ polar(common, np.linalg.cholesky(C))
    for size in (1e-3, 0.1, 3.0):
        # Any maps that send every C_z to one covariance, near the optimum and far from it.
        turn = np.linalg.qr(eye + size * rng.normal(size=(m, d, d)))[0]
        stretch = eye + size * rng.normal(size=(d, d))
        shift = size * rng.normal(size=d)
        maps = stretch @ best @ turn @ inverse
        pushed = maps @ C @ maps.swapaxes(1, 2)
        np.testing.assert_allclose(pushed, np.broadcast_to(pushed[0], pushed.shape), atol=1e-9)
        assert cost(maps, result.mean + shift) > result.value


@CASES
@given(seeds, st.integers(2, 4), st.floats(0, 1))
def test_the_dial_follows_the_laws_of_mccann(seed, m, t):
    rng = np.random.default_rng(seed)
    X, z = rng.normal(size=(60, 3)), np.arange(60) % m
    X = X * (1 + z[:, None]) + z[:, None]
    moments = GroupMoments.empty(m, 3).add(X, z)
    result = gaussian_barycenter(moments)
    moved = result.transport(X, z, amount=t)
    change = float(((X - moved) ** 2).sum(1).mean())
    assert change == pytest.approx(t**2 * result.value, rel=1e-9, abs=1e-18)
    after = GroupMoments.empty(m, 3).add(moved, z)
    left = sum(
        share * (bures2(own, result.covariance) + ((centre - result.mean) ** 2).sum())
        for share, own, centre in zip(after.shares, after.covariances, after.means, strict=True)
    )
    assert left == pytest.approx((1 - t) ** 2 * result.value, rel=1e-8, abs=1e-12)


def test_on_the_line_it_is_the_law_of_averaged_quantiles():
    moments = GroupMoments.of([0.6, 0.4], [[0.0], [2.0]], [[[1.0]], [[2.25]]])
    result = gaussian_barycenter(moments)
    assert result.value == pytest.approx(1.02, rel=1e-14)  # .24 (2² + .5²)
    assert result.mean[0] == pytest.approx(0.8)
    assert result.covariance[0, 0] == pytest.approx(1.2**2)
    # Two standard deviations above the mean stay two above it.
    np.testing.assert_allclose(result.transport([[2.0], [5.0]], [0, 1]), 0.8 + 2 * 1.2)


@pytest.mark.parametrize("m", [2, 4])
def test_it_equals_that_of_pot(m):
    moments = problem(11, m, 5)
    mean, square = ot.gaussian.bures_wasserstein_barycenter(
        moments.means, moments.covariances, weights=moments.shares, num_iter=3000, eps=1e-12
    )
    result = gaussian_barycenter(moments)
    np.testing.assert_allclose(result.covariance, square, atol=1e-10)
    np.testing.assert_allclose(result.mean, np.ravel(mean), atol=1e-13)
    distance = ot.gaussian.bures_wasserstein_distance(
        np.zeros(5), np.zeros(5), *moments.covariances[:2]
    )
    assert bures2(*moments.covariances[:2]) == pytest.approx(float(distance) ** 2, rel=1e-9)


@CASES
@given(seeds, st.integers(2, 5), st.floats(0.01, 100))
def test_order_of_groups_rotation_shift_and_scale_carry_through(seed, m, scale):
    moments = problem(seed, m, 3)
    result = gaussian_barycenter(moments)
    rng = np.random.default_rng(seed)
    order = rng.permutation(m)
    turn = scale * np.linalg.qr(rng.normal(size=(3, 3)))[0]
    C = turn @ moments.covariances[order] @ turn.T
    shift = rng.normal(size=3)
    other = gaussian_barycenter(
        GroupMoments.of(
            moments.counts[order],
            moments.means[order] @ turn.T + shift,
            (C + C.swapaxes(1, 2)) / 2,
        )
    )
    expected = turn @ result.covariance @ turn.T
    np.testing.assert_allclose(other.covariance, expected, atol=1e-10 * scale**2)
    np.testing.assert_allclose(
        other.maps, turn @ result.maps[order] @ np.linalg.inv(turn), atol=1e-9
    )
    np.testing.assert_allclose(other.mean, turn @ result.mean + shift, atol=1e-12 * scale + 1e-12)
    assert other.value == pytest.approx(scale**2 * result.value, rel=1e-9)


@CASES
@given(seeds, st.integers(1, 5), st.integers(0, 5))
def test_bures_distance(seed, d, rank):
    rng = np.random.default_rng(seed)
    A, B = covariance(rng, d), covariance(rng, d)
    half = np.real(sqrtm(A))
    textbook = np.trace(A + B - 2 * np.real(sqrtm(half @ B @ half)))
    assert bures2(A, B) == pytest.approx(textbook, rel=1e-8, abs=1e-13)
    assert bures2(A, B) == pytest.approx(bures2(B, A), rel=1e-9)
    assert bures2(A, A) < 1e-28
    assert bures2(A, np.zeros((d, d))) == pytest.approx(np.trace(A))
    # No cancellation: a change of 1e-9 in scale is (1e-9)² of the trace.
    assert bures2(A, (1 + 1e-9) ** 2 * A) == pytest.approx(1e-18 * np.trace(A), rel=1e-5)
    low = rng.normal(size=(d, min(rank, d)))
    low = low @ low.T
    mixed = np.trace(A + low - 2 * np.real(sqrtm(half @ low @ half + 0j)))
    assert bures2(A, low) == pytest.approx(mixed, rel=1e-6, abs=1e-6)
