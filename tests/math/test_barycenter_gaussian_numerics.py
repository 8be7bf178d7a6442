"""The Gaussian barycenter in floating point: conditioning, units, and rows alone or together."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest
from tests.math.gaussian_problems import covariance, problem, push_residual

from infounlearn.math import GroupMoments, gaussian_barycenter


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


def test_float32_rows_move_as_the_same_numbers_in_float64():
    rng = np.random.default_rng(0)
    X, z = rng.normal(size=(900, 3)).astype(np.float32), rng.integers(0, 2, 900)
    fit = gaussian_barycenter(GroupMoments.empty(2, 3).add(X, z))
    for amount in (0.0, 0.5, 1.0):
        moved = fit.transport(X, z, amount=amount)
        assert moved.dtype == np.float64
        assert moved.tobytes() == fit.transport(X.astype(np.float64), z, amount=amount).tobytes()
