"""The decision program is optimal, its fast path equal to it, and the barycenter its limit."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infounlearn.errors import InputError
from infounlearn.math.barycenter_1d import fit_line_barycenter
from infounlearn.math.decision_curve import fit_parity_curve
from infounlearn.math.decision_lp import _solve, constraint_laws, plan_decisions
from infounlearn.math.parity import demographic_parity_difference, equalized_odds_difference


def aware(p: np.ndarray, z: np.ndarray) -> np.ndarray:
    """P(Y, Z | cell) where a cell is a row of one group."""
    joint = np.zeros((len(z), p.shape[1], int(z.max()) + 1))
    joint[np.arange(len(z)), :, z] = p
    return joint


def example(seed: int, n: int, groups: int = 2, classes: int = 2) -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng(seed)
    z = np.concatenate((np.arange(groups), rng.integers(0, groups, n - groups)))
    p = rng.dirichlet(np.ones(classes), n)
    p[:, 0] *= 1 + z
    return p / p.sum(1, keepdims=True), z


@given(st.integers(0, 10_000), st.integers(2, 4), st.floats(0, 1))
@settings(max_examples=40, deadline=None)
def test_the_sort_finds_what_the_linear_program_finds(seed: int, m: int, tau: float) -> None:
    p, z = example(seed, 40, m)
    p = np.round(p, 1) if seed % 2 else p
    p[:, 0] = 1 - p[:, 1]
    masses = np.random.default_rng(seed).integers(1, 4, len(z)).astype(float)
    curve = fit_parity_curve(p[:, 1] - p[:, 0], z, masses=masses)
    found = curve.solve(tau)
    laws = constraint_laws(aware(p, z), masses, "demographic-parity")
    plan = plan_decisions(p, masses, laws, tolerance=tau)
    assert found.gain + np.average(p[:, 0], weights=masses) == pytest.approx(plan.utility, abs=1e-9)
    assert np.ptp(found.rates) <= tau + 1e-12
    assert plan.gap <= tau + 1e-8
    accepted = found.accept(p[:, 1] - p[:, 0], z)
    rates = [np.average(accepted[z == g], weights=masses[z == g]) for g in range(m)]
    np.testing.assert_allclose(rates, found.rates, atol=1e-12)


def test_no_deterministic_decision_is_better() -> None:
    p, z = example(3, 9)
    laws = constraint_laws(aware(p, z), np.ones(9), "demographic-parity")
    for tau in (0.0, 0.2, 0.5):
        plan = plan_decisions(p, np.ones(9), laws, tolerance=tau)
        best = -1.0
        for labels in itertools.product((0, 1), repeat=9):
            decided = np.array(labels)
            if demographic_parity_difference(np.eye(2)[decided], z) <= tau + 1e-12:
                best = max(best, float(p[np.arange(9), decided].mean()))
        assert plan.utility >= best - 1e-9
        assert demographic_parity_difference(plan.policy, z) <= tau + 1e-8


@pytest.mark.parametrize("constraint", ["demographic-parity", "equalized-odds"])
def test_random_feasible_policies_are_no_better(constraint: str) -> None:
    """Three groups, three decisions, cells that share groups (a rule that does not see Z)."""
    rng = np.random.default_rng(0)
    joint = rng.dirichlet(np.full(9, 0.5), 30).reshape(30, 3, 3)
    masses = rng.random(30) + 0.1
    laws = constraint_laws(joint, masses, constraint)  # type: ignore[arg-type]
    p = joint.sum(2)
    plan = plan_decisions(p, masses, laws, tolerance=0.02)
    assert plan.gap <= 0.02 + 1e-8
    mass = masses / masses.sum()
    for _ in range(300):
        # Any policy mixed with a constant one until it is feasible.
        policy = rng.dirichlet(np.ones(3), 30) if rng.random() < 0.5 else plan.policy.copy()
        policy += 0.3 * rng.random() * rng.dirichlet(np.ones(3), 30)
        policy /= policy.sum(1, keepdims=True)
        rates = np.einsum("smn,nk->smk", laws * mass, policy)
        gap = np.ptp(rates, axis=1).max()
        share = min(1.0, 0.02 / gap)
        flat = share * policy + (1 - share) * np.eye(3)[(mass @ p).argmax()]
        assert float(np.einsum("n,nk,nk->", mass, p, flat)) <= plan.utility + 1e-9


@given(st.integers(0, 10_000), st.floats(0, 0.6), st.booleans())
@settings(max_examples=40, deadline=None)
def test_the_sweep_of_two_groups_is_the_linear_program(seed: int, tau: float, atoms: bool) -> None:
    rng = np.random.default_rng(seed)
    joint = rng.dirichlet(np.full(4, 0.4), 30).reshape(30, 2, 2)
    joint = np.round(joint + 0.02, 1) + 1e-3 if atoms else joint
    joint /= joint.sum((1, 2), keepdims=True)
    masses = rng.random(30) + 0.1
    laws = constraint_laws(joint, masses, "demographic-parity")
    p, mass, every = joint.sum(2), masses / masses.sum(), np.ones((1, 2), dtype=bool)
    plan = plan_decisions(p, masses, laws, tolerance=tau)
    policy, _ = _solve(p, mass, laws, every, tau)
    assert plan.gap <= tau + 1e-12
    assert plan.utility == pytest.approx(np.einsum("n,nk,nk->", mass, p, policy), abs=1e-9)
    adjusted = plan.adjusted(p, laws)
    np.testing.assert_allclose((plan.policy * adjusted).sum(1), adjusted.max(1), atol=1e-9)


def test_rates_are_those_of_labels_drawn_from_the_law() -> None:
    """Equalized odds over cells is equalized odds of rows whose labels follow the probabilities."""
    rng = np.random.default_rng(5)
    n = 60_000
    cell = rng.integers(0, 12, n)
    z = cell % 2
    eta = rng.random(12)[cell]
    y = (rng.random(n) < eta).astype(int)
    joint = aware(np.column_stack((1 - eta, eta)), z)
    cells = np.unique(cell, return_index=True)[1]
    masses = np.bincount(cell).astype(float)
    laws = constraint_laws(joint[cells], masses, "equalized-odds")
    plan = plan_decisions(joint[cells].sum(2), masses, laws, tolerance=0.05)
    free = plan_decisions(joint[cells].sum(2), masses, laws, tolerance=1.0)
    assert equalized_odds_difference(plan.policy[cell], z, y) == pytest.approx(0.05, abs=0.02)
    assert equalized_odds_difference(free.policy[cell], z, y) > 0.15


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("constraint", ["demographic-parity", "equalized-odds"])
def test_prices_decide_every_cell_that_is_not_split(classes: int, constraint: str) -> None:
    p, z = example(1, 400, 3, classes)
    laws = constraint_laws(aware(p, z), np.ones(400), constraint)  # type: ignore[arg-type]
    plan = plan_decisions(p, np.ones(400), laws, tolerance=0.03)
    adjusted = plan.adjusted(p, laws)
    split = (plan.policy > 1e-7).sum(1) > 1
    assert split.sum() <= laws.shape[0] * 3 * classes
    best = adjusted.max(1)
    chosen = (plan.policy * adjusted).sum(1)
    np.testing.assert_allclose(chosen, best, atol=1e-6)
    # The solver is exact: prices of a bound that does not bind vanish.
    loose = plan_decisions(p, np.ones(400), laws, tolerance=1.0)
    assert np.abs(loose.prices).max() < 1e-9


def test_the_frontier_is_concave_and_rises() -> None:
    p, z = example(2, 5000, 3)
    curve = fit_parity_curve(2 * p[:, 1] - 1, z)
    taus = np.linspace(0, 1, 101)
    gains, rates = curve.frontier(taus)
    assert (np.diff(gains) >= -1e-12).all()
    assert (np.diff(gains, 2) <= 1e-12).all()
    beyond = taus >= curve.gap
    np.testing.assert_allclose(rates[beyond], np.tile(curve.free, (beyond.sum(), 1)), atol=1e-12)


def test_at_tolerance_zero_bayes_scores_give_the_barycenter_cut_at_one_half() -> None:
    rng = np.random.default_rng(4)
    z = rng.integers(0, 2, 40_000)
    eta = rng.beta(1 + z, 3 - z)
    found = fit_parity_curve(2 * eta - 1, z).solve(0.0)
    center = fit_line_barycenter(eta, z).transport(eta, z, seed=0, keys=np.arange(40_000))
    accepted = found.accept(2 * eta - 1, z)
    # One row per group may fall on either side of the cut.
    assert np.abs(accepted - (center > 0.5)).sum() <= 4
    # Partial dials lose next to nothing at their own gap.
    for amount in (0.3, 0.6, 0.9):
        moved = fit_line_barycenter(eta, z).transport(
            eta, z, amount=amount, seed=0, keys=np.arange(40_000)
        )
        decided = moved > 0.5
        gap = demographic_parity_difference(decided, z)
        ours = fit_parity_curve(2 * eta - 1, z).solve(gap).gain
        theirs = float(((2 * eta - 1) * decided).mean())
        assert -1e-12 <= ours - theirs <= 1e-3


def test_an_opportunity_binds_the_positive_class_alone() -> None:
    p, z = example(6, 300)
    both = constraint_laws(aware(p, z), np.ones(300), "equalized-odds")
    one = constraint_laws(aware(p, z), np.ones(300), "equal-opportunity")
    np.testing.assert_array_equal(one[0], both[1])
    odds = plan_decisions(p, np.ones(300), both, tolerance=0.0)
    chance = plan_decisions(p, np.ones(300), one, tolerance=0.0)
    assert chance.utility >= odds.utility
    assert np.ptp(chance.rates[0, :, 1]) < 1e-8


def test_a_group_that_a_stratum_lacks_is_not_compared() -> None:
    joint = aware(
        np.array([[1.0, 0.0], [1.0, 0.0], [0.2, 0.8], [0.9, 0.1]]), np.array([0, 0, 1, 1])
    )
    laws = constraint_laws(joint, np.ones(4), "equalized-odds")
    assert np.isnan(laws[1, 0]).all()
    plan = plan_decisions(joint.sum(2), np.ones(4), laws, tolerance=0.0)
    assert plan.gap == pytest.approx(0, abs=1e-9)
    assert (plan.prices[1] == 0).all()


def test_new_rows_and_free_optima() -> None:
    p, z = example(7, 200)
    gains = 2 * p[:, 1] - 1
    loose = fit_parity_curve(gains, z).solve(1.0)
    fresh = np.linspace(-1, 1, 11)
    np.testing.assert_array_equal(loose.accept(fresh, np.zeros(11, int)), fresh > 0)
    refused = fit_parity_curve([-0.5, -0.2], [0, 1]).solve(0.0)
    assert refused.accept([0.5, -0.5], [0, 1]).tolist() == [1.0, 0.0]
    with pytest.raises(InputError, match="not fitted"):
        loose.accept([0.5], [2])
    with pytest.raises(InputError, match="not fitted"):
        loose.accept([0.5], ["a"])


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: fit_parity_curve([], []), "no rows"),
        (lambda: fit_parity_curve([np.nan], [0]), "NaN"),
        (lambda: fit_parity_curve([0.1], [0], masses=[0.0]), "> 0"),
        (lambda: fit_parity_curve([0.1], [0]).solve(1.5), "tolerance"),
        (lambda: fit_parity_curve([0.1], [0]).frontier([np.nan]), "tolerance"),
        (lambda: constraint_laws(np.ones((2, 2, 2)), np.ones(2), "equalized-odds"), "sum to 1"),
        (lambda: constraint_laws(np.full((2, 2, 1), 0.5), np.ones(2), "parity"), "constraint"),  # type: ignore[arg-type]
        (
            lambda: plan_decisions(np.ones((2, 1)), np.ones(2), np.ones((1, 1, 2)), tolerance=0.0),
            "two",
        ),
        (
            lambda: plan_decisions(np.eye(2), np.ones(3), np.ones((1, 1, 3)), tolerance=0.0),
            "per cell",
        ),
        (
            lambda: plan_decisions(np.eye(2), np.ones(2), np.ones((1, 1, 2)), tolerance=-1.0),
            "toler",
        ),
    ],
)
def test_bad_input_is_named(call: object, said: str) -> None:
    with pytest.raises(InputError, match=said):
        call()  # type: ignore[operator]


def test_a_class_that_no_cell_can_have_compares_nothing() -> None:
    joint = np.zeros((4, 2, 2))  # class 1 never happens
    joint[[0, 1], 0, 0] = joint[[2, 3], 0, 1] = 1.0
    utility = np.array([[0.0, 1.0], [1.0, 0.0], [0.0, 1.0], [0.0, 1.0]])
    odds = constraint_laws(joint, np.ones(4), "equalized-odds")
    found = plan_decisions(utility, np.ones(4), odds, tolerance=0.2)
    parity = constraint_laws(joint, np.ones(4), "demographic-parity")
    same = plan_decisions(utility, np.ones(4), parity, tolerance=0.2)
    assert found.gap == pytest.approx(0.2)
    assert found.utility == pytest.approx(same.utility)
