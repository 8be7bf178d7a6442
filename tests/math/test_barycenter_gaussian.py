"""The Gaussian barycenter: one law for all groups, at the least change there is."""

from __future__ import annotations

import dataclasses

import mpmath
import numpy as np
import ot
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import sqrtm

from infounlearn.errors import InputError
from infounlearn.math import GroupMoments, bures2, gaussian_barycenter
from infounlearn.math.barycenter_gaussian import _fixed_point
from infounlearn.math.factors import polar

CASES = settings(max_examples=25, deadline=None, derandomize=True)
seeds = st.integers(0, 10**6)


def covariance(rng: np.random.Generator, d: int, condition: float = 20.0) -> np.ndarray:
    basis = np.linalg.qr(rng.normal(size=(d, d)))[0]
    square = (basis * np.logspace(0, -np.log10(condition), d)) @ basis.T
    return (square + square.T) / 2


def problem(seed: int, m: int, d: int, condition: float = 20.0) -> GroupMoments:
    rng = np.random.default_rng(seed)
    covariances = np.stack([covariance(rng, d, condition) for _ in range(m)])
    return GroupMoments.of(rng.uniform(0.5, 3, m), rng.normal(size=(m, d)), covariances)


def fixed_point_residual(square: np.ndarray, moments: GroupMoments) -> float:
    """‖S - Σ w (S^½ C S^½)^½‖ / ‖S‖ in 60 digits, where square roots hide no error."""
    with mpmath.workdps(60):

        def root(matrix: mpmath.matrix) -> mpmath.matrix:
            values, vectors = mpmath.eigsy((matrix + matrix.T) / 2)
            return vectors * mpmath.diag([mpmath.sqrt(value) for value in values]) * vectors.T

        S = mpmath.matrix(square.tolist())
        half, gap = root(S), S.copy()
        for share, own in zip(moments.shares, moments.covariances, strict=True):
            gap -= mpmath.mpf(float(share)) * root(half * mpmath.matrix(own.tolist()) * half)
        return float(mpmath.mnorm(gap, "f") / mpmath.mnorm(S, "f"))


def push_residual(result, moments: GroupMoments) -> float:
    pushed = result.maps @ moments.covariances @ result.maps - result.covariance
    return np.linalg.norm(pushed, axis=(1, 2)).max() / np.linalg.norm(result.covariance)


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
    assert steps > 0 or d == 1 or residual < 1e-14
    np.testing.assert_allclose(factor @ factor.T, result.covariance, atol=1e-12)
    # Two groups: V = w0 w1 W2².
    w2 = bures2(C0, C1) + ((moments.means[0] - moments.means[1]) ** 2).sum()
    assert result.value == pytest.approx(w0 * w1 * w2, rel=1e-10)


@pytest.mark.parametrize("m", [2, 3, 6])
@pytest.mark.parametrize(("condition", "pushed"), [(1e2, 1e-12), (1e8, 1e-10), (1e12, 1e-8)])
def test_ill_conditioned_groups_reach_the_fixed_point(m, condition, pushed):
    moments = problem(7, m, 4, condition)
    result = gaussian_barycenter(moments)
    assert result.converged
    assert result.rank == 4
    assert fixed_point_residual(result.covariance, moments) < 1e-10
    assert push_residual(result, moments) < pushed


def test_the_residual_bounds_that_of_the_fixed_point_also_before_it_is_reached():
    moments = problem(3, 4, 4, 1e4)
    early = gaussian_barycenter(moments, max_iterations=2)
    assert not early.converged
    assert early.iterations == 2
    assert early.residual > 1e-6
    assert fixed_point_residual(early.covariance, moments) <= 2 * early.residual
    assert gaussian_barycenter(moments).iterations > 2


@pytest.mark.parametrize("m", [2, 4])
def test_columns_in_unlike_units_are_no_rank_deficiency(m):
    units = np.array([1e-3, 1.0, 1e3])
    rng = np.random.default_rng(2)
    C = np.stack([covariance(rng, 3) for _ in range(m)]) * np.outer(units, units)
    result = gaussian_barycenter(GroupMoments.of(np.ones(m), np.zeros((m, 3)), C))
    assert result.rank == 3
    assert result.converged
    assert result.push_residual < 1e-8
    far = np.array([1e-30, 1.0, 1e30])
    scaled = GroupMoments.of([1, 1], np.zeros((2, 3)), [np.diag(far), np.diag(4 * far)])
    expected = np.diag(1.5**2 * far)
    np.testing.assert_allclose(gaussian_barycenter(scaled).covariance, expected, rtol=1e-12)


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


@pytest.mark.parametrize("d", [1, 3, 7, 50])
def test_a_row_does_not_feel_the_others(d):
    moments = problem(1, 3, d)
    result = gaussian_barycenter(moments)
    rng = np.random.default_rng(4)
    X, z = rng.normal(size=(700, d)), rng.integers(0, 3, 700)
    together = result.transport(X, z, amount=0.7)
    alone = [result.transport(X[i : i + 1], z[i : i + 1], amount=0.7) for i in range(700)]
    np.testing.assert_array_equal(together, np.concatenate(alone))
    order = rng.permutation(700)
    np.testing.assert_array_equal(together[order], result.transport(X[order], z[order], amount=0.7))
    halves = [
        result.transport(X[part], z[part], amount=0.7) for part in (slice(0, 301), slice(301, 700))
    ]
    np.testing.assert_array_equal(together, np.concatenate(halves))


def test_amount_zero_is_the_identity_bit_for_bit_and_a_copy():
    result = gaussian_barycenter(problem(1, 2, 3))
    X = np.array([[0.1, -0.0, 1.7e308], [1e-320, 2.0, -1.7e308]])
    same = result.transport(X, [0, 1], amount=0.0)
    assert same.tobytes() == X.tobytes()
    assert not np.shares_memory(same, X)
    assert result.transport(np.empty((0, 3)), np.empty(0, int)).shape == (0, 3)


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


def test_float32_rows_move_as_the_same_numbers_in_float64():
    rng = np.random.default_rng(0)
    X, z = rng.normal(size=(900, 3)).astype(np.float32), rng.integers(0, 2, 900)
    fit = gaussian_barycenter(GroupMoments.empty(2, 3).add(X, z))
    for amount in (0.0, 0.5, 1.0):
        moved = fit.transport(X, z, amount=amount)
        assert moved.dtype == np.float64
        assert moved.tobytes() == fit.transport(X.astype(np.float64), z, amount=amount).tobytes()
