"""The kernel without Z: convex optimum, bounds that hold, and what wrong posteriors cost."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import check_grad, minimize

from infounlearn.errors import InputError
from infounlearn.math import fit_shared_kernel
from infounlearn.math.shared_kernel_ascent import Ascent, feasible

CASES = settings(max_examples=12, deadline=None, derandomize=True)


def problem(n=200, atoms=8, seed=0, groups=2):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 2))
    logits = np.stack([2.0 * x[:, 0] * k + 0.3 * k for k in range(groups)], 1)
    p = np.exp(logits - logits.max(1, keepdims=True))
    p /= p.sum(1, keepdims=True)
    s = x[rng.choice(n, atoms, replace=False)]
    return ((x[:, None] - s) ** 2).sum(2), p


def information(kernel, p):
    """I(X̃; Z) by its definition."""
    joint = kernel.T @ p / len(p)
    product = joint.sum(1, keepdims=True) * joint.sum(0)
    at = joint > 0
    return float(np.sum(joint[at] * np.log(joint[at] / product[at])))


def objective(kernel, c, p, gamma):
    return float((kernel * c).sum(1).mean()) + gamma * information(kernel, p)


@CASES
@given(st.integers(0, 10**6), st.sampled_from([0.3, 3.0, 30.0]), st.sampled_from([2, 3]))
def test_the_optimum_is_that_of_a_general_solver(seed, gamma, groups):
    c, p = problem(n=7, atoms=3, seed=seed, groups=groups)
    fit = fit_shared_kernel(c, p, gamma=gamma, tolerance=1e-5, max_passes=3000)

    def flat(values):
        # Softmax keeps the general solver inside, where its differences exist.
        e = np.exp(values.reshape(c.shape) - values.reshape(c.shape).max(1, keepdims=True))
        return objective(e / e.sum(1, keepdims=True), c, p, gamma)

    rng = np.random.default_rng(seed)
    found = min(
        minimize(flat, rng.normal(size=c.size), method="SLSQP", options={"maxiter": 500}).fun
        for _ in range(2)
    )
    assert fit.converged
    assert fit.objective <= found + 1e-5
    assert fit.least <= found + 1e-12


@CASES
@given(st.integers(0, 10**6), st.sampled_from([0.1, 1.0, 20.0]))
def test_no_kernel_beats_the_bound_and_the_conditions_of_optimality_hold(seed, gamma):
    c, p = problem(seed=seed)
    fit = fit_shared_kernel(c, p, gamma=gamma, tolerance=1e-3)
    kernel = fit.kernel(c, p)
    assert fit.gap <= 1e-3
    assert objective(kernel, c, p, gamma) == pytest.approx(fit.objective, rel=1e-9)
    rng = np.random.default_rng(seed)
    rivals = [np.eye(c.shape[1])[c.argmin(1)], np.full(c.shape, 1 / c.shape[1])]
    rivals += [rng.dirichlet(np.ones(c.shape[1]), len(c)) for _ in range(5)]
    rivals += [0.9 * kernel + 0.1 * rival for rival in rivals]
    assert min(objective(rival, c, p, gamma) for rival in rivals) >= fit.least
    # Karush-Kuhn-Tucker: mass only on the least score, scores those of the kernel's own law; what
    # is missing from either is the gap, to the last digit.
    scores = c + gamma * p @ fit.scores.T
    idle = ((kernel * scores).sum(1) - scores.min(1)).mean()
    joint = kernel.T @ p / len(p)
    assumed = joint.sum(1, keepdims=True) * fit.prior * np.exp(fit.scores)
    at = joint > 0
    off = gamma * np.sum(joint[at] * np.log(joint[at] / assumed[at]))
    assert min(idle, off) >= -1e-12
    assert fit.gap == pytest.approx(idle + off, abs=1e-10)
    assert np.exp(fit.scores) @ fit.prior == pytest.approx(1.0)


def test_gamma_zero_is_the_cheapest_atom_and_more_gamma_leaks_less_and_costs_more():
    c, p = problem()
    fits = [fit_shared_kernel(c, p, gamma=g, tolerance=1e-5) for g in (0, 0.1, 0.5, 2, 8, 64)]
    np.testing.assert_array_equal(fits[0].kernel(c, p), np.eye(c.shape[1])[c.argmin(1)])
    assert fits[0].cost == pytest.approx(c.min(1).mean())
    nats = [fit.information for fit in fits]
    assert all(a >= b - 1e-4 for a, b in pairwise(nats))
    assert all(a.cost <= b.cost + 1e-4 for a, b in pairwise(fits))
    assert nats[0] > 0.1
    assert nats[-1] < 1e-3


@pytest.mark.parametrize("cap", [0.1, 0.001])
def test_a_cap_is_kept_at_nearly_the_least_cost(cap):
    c, p = problem()
    fit = fit_shared_kernel(c, p, max_information=cap, tolerance=5e-3)
    assert fit.converged
    assert fit.information <= cap
    assert information(fit.kernel(c, p), p) == pytest.approx(fit.information, abs=1e-12)
    assert fit.least_cost <= fit.cost <= fit.least_cost + 5e-3
    for gamma in (0.5, 2.0, 10.0, 100.0):
        rival = fit_shared_kernel(c, p, gamma=gamma)
        if rival.information <= cap:
            assert rival.cost >= fit.least_cost


def test_a_cap_above_what_the_cheapest_atoms_leak_changes_nothing():
    c, p = problem()
    fit = fit_shared_kernel(c, p, max_information=0.69)
    assert fit.gamma == 0.0
    assert fit.converged
    assert fit.cost == fit.least_cost == pytest.approx(c.min(1).mean())


def test_the_dual_has_the_gradient_it_climbs():
    c, p = problem(n=30, atoms=4, groups=3)
    ascent = Ascent(lambda rows: c[rows], p, None, 1e-3, 10, 0)
    prior, every = p.mean(0), np.arange(30)

    def soft(flat):
        scores = feasible(flat.reshape(4, 3), prior)
        return ascent._sweep(every, prior, scores, 2.0, 0.3).soft

    def slope(flat):
        scores = feasible(flat.reshape(4, 3), prior)
        joint = ascent._sweep(every, prior, scores, 2.0, 0.3).joint
        return 2.0 * (joint - joint.sum(1, keepdims=True) * prior * np.exp(scores)).ravel()

    rng = np.random.default_rng(0)
    for _ in range(3):
        one, other = rng.normal(size=(2, 12))
        assert check_grad(soft, slope, one) < 1e-6
        assert soft((one + other) / 2) >= (soft(one) + soft(other)) / 2 - 1e-12


def test_known_groups_are_certain_posteriors_and_wrong_posteriors_show():
    c, p = problem()
    z = (np.random.default_rng(0).random(len(p)) < p[:, 1]).astype(int)
    known = fit_shared_kernel(c, z, gamma=100.0, groups=z)
    same = fit_shared_kernel(c, np.eye(2)[z], gamma=100.0)
    np.testing.assert_array_equal(known.scores, same.scores)
    assert known.observed_information == pytest.approx(known.information, abs=1e-12)
    assert known.information < 1e-3
    # Posteriors that say nothing promise independence and do not keep it.
    blind = fit_shared_kernel(c, np.full(p.shape, 0.5), gamma=100.0, groups=z)
    assert blind.information < 1e-12
    assert blind.observed_information > 0.05


def test_rows_do_not_feel_their_batch_and_a_function_equals_the_matrix():
    c, p = problem(n=300, atoms=13, groups=3)
    fit = fit_shared_kernel(c, p, gamma=1.0)
    whole, noise = fit.kernel(c, p), np.random.default_rng(0).random(len(p))
    atoms = fit.draw(c, p, noise)
    for i in range(0, len(p), 11):
        one = slice(i, i + 1)
        assert fit.kernel(c[one], p[one]).tobytes() == whole[one].tobytes()
        assert fit.draw(c[one], p[one], noise[one]) == atoms[i]
    other = fit_shared_kernel(lambda rows: c[rows], p, gamma=1.0)
    np.testing.assert_array_equal(other.scores, fit.scores)


def test_input_that_cannot_be_used_is_named():
    c, p = problem(n=20)
    with pytest.raises(InputError, match=r"(?s)pass one of them.*tolerance is 0"):
        fit_shared_kernel(c, p, tolerance=0)
    with pytest.raises(InputError, match="gamma is -1"):
        fit_shared_kernel(c, p, gamma=-1.0)
    for posterior, message in (
        (p * 2, "no law"),
        (p[:5], "costs have shape"),
        (np.eye(3)[np.zeros(20, int)], r"groups \[1, 2\]"),
        (np.full(20, -1), "unknown"),
    ):
        with pytest.raises(InputError, match=message):
            fit_shared_kernel(c, posterior, gamma=1.0)
    with pytest.raises(InputError, match="groups do not fit"):
        fit_shared_kernel(c, p, gamma=1.0, groups=[0.5] * 20)
    fit = fit_shared_kernel(c, p, gamma=1.0)
    for costs, posterior in ((c[:, :2], p), (c, p[:3]), (c, p[:, :1])):
        with pytest.raises(InputError, match="shared kernel"):
            fit.kernel(costs, posterior)
    with pytest.raises(InputError, match="noise"):
        fit.draw(c, p, np.full(20, 1.0))
