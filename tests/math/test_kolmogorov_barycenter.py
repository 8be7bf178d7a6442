"""The relaxed barycenter is within τ at every threshold, and no score within τ is nearer."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar

from infounlearn.errors import InputError
from infounlearn.math.barycenter_1d import fit_line_barycenter
from infounlearn.math.decision_curve import fit_parity_curve
from infounlearn.math.kolmogorov_barycenter import KolmogorovBarycenter, _middle
from infounlearn.math.parity import ks_distance


def on_a_grid(seed: int, groups: int, atoms: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Values, groups and mid-ranks such that 60 rows stand for each group's uniform rank."""
    rng = np.random.default_rng(seed)
    sizes = rng.choice([6, 10, 12, 15, 20, 30], groups)
    x = np.concatenate([np.sort(rng.normal(rng.normal(), 1, n)) for n in sizes])
    x = np.round(2 * x) / 2 if atoms else x
    z = np.repeat(np.arange(groups), sizes)
    values = np.concatenate([np.repeat(np.sort(x[z == g]), 60 // n) for g, n in enumerate(sizes)])
    ranks = np.tile((np.arange(60) + 0.5) / 60, groups)
    return values, np.repeat(np.arange(groups), 60), ranks


@given(st.integers(0, 10_000), st.integers(2, 4), st.integers(0, 60), st.booleans())
@settings(max_examples=60, deadline=None)
def test_every_threshold_is_within_tau_and_optimal(
    seed: int, groups: int, steps: int, atoms: bool
) -> None:
    values, z, ranks = on_a_grid(seed, groups, atoms)
    tau = steps / 60
    # Ranks stand in the middle of their steps, so that sums with τ round to no other step.
    relaxed = KolmogorovBarycenter(fit_line_barycenter(values, z), tau)
    moved = relaxed.at_ranks(values, ranks)
    assert ks_distance(moved, z) <= tau + 1e-12
    for cut in np.quantile(moved, [0.05, 0.3, 0.5, 0.8]) + 1e-9:
        best = fit_parity_curve(values - cut, z).solve(min(tau, 1.0)).gain
        assert ((values - cut) * (moved > cut)).mean() == pytest.approx(best, abs=1e-7)


def test_no_score_within_tau_is_nearer() -> None:
    """Against McCann's dial, rank mixtures and random monotone competitors at the same distance."""
    values, z, ranks = on_a_grid(3, 2, False)
    line = fit_line_barycenter(values, z)
    center = line.quantile(ranks)
    rng = np.random.default_rng(0)
    beaten = 0
    for trial in range(300):
        share = rng.random() if trial % 2 else rng.random(120)
        other = values + share * (center - values) + rng.normal(0, 0.02) * (z - 0.5)
        distance = ks_distance(other, z)
        ours = KolmogorovBarycenter(line, distance).at_ranks(values, ranks)
        cost, theirs = ((ours - values) ** 2).mean(), ((other - values) ** 2).mean()
        assert cost <= theirs + 1e-12
        beaten += cost < 0.8 * theirs
    # It is not a tie: most of them pay a quarter more.
    assert beaten > 100


def test_the_cost_falls_from_the_barycenters_value_to_zero() -> None:
    values, z, ranks = on_a_grid(5, 3, False)
    line = fit_line_barycenter(values, z)
    costs = [
        ((KolmogorovBarycenter(line, tau).at_ranks(values, ranks) - values) ** 2).mean()
        for tau in np.linspace(0, 1, 21)
    ]
    assert costs[0] == pytest.approx(line.value, abs=1e-12)
    assert (np.diff(costs) <= 1e-15).all()
    free = ks_distance(values, z)
    still = KolmogorovBarycenter(line, min(free + 1e-9, 1.0)).at_ranks(values, ranks)
    np.testing.assert_array_equal(still, values)


def test_the_middle_of_intervals_is_the_least_squared_distance() -> None:
    rng = np.random.default_rng(1)
    for groups in (2, 3, 5):
        lower, weights = rng.normal(size=(groups, 50)), rng.dirichlet(np.ones(groups))
        upper = lower + rng.exponential(0.3, (groups, 50))
        lower[0, :5] = -np.inf
        found = _middle(list(lower), list(upper), weights)

        def cost(c: float, column: int) -> float:
            low, high = lower[:, column], upper[:, column]  # noqa: B023
            far = np.maximum(low - c, 0) + np.maximum(c - high, 0)
            return float(weights @ far**2)  # noqa: B023

        for column in range(50):
            best = minimize_scalar(cost, bounds=(-5, 5), args=(column,), method="bounded").fun
            assert cost(found[column], column) <= best + 1e-12


def test_zero_is_the_barycenter_and_one_the_identity_bit_for_bit() -> None:
    rng = np.random.default_rng(2)
    z = rng.integers(0, 3, 500)
    x = np.round(rng.normal(z, 1), 1)
    line, keys = fit_line_barycenter(x, z), np.arange(500)
    np.testing.assert_array_equal(
        KolmogorovBarycenter(line, 0.0).transport(x, z, seed=1, keys=keys),
        line.transport(x, z, seed=1, keys=keys),
    )
    np.testing.assert_array_equal(KolmogorovBarycenter(line, 1.0).transport(x, z), x)
    half = KolmogorovBarycenter(line, 0.2)
    whole = half.transport(x, z, seed=1, keys=keys)
    rows = [half.transport(x[[i]], z[[i]], seed=1, keys=keys[[i]])[0] for i in range(60)]
    np.testing.assert_array_equal(rows, whole[:60])


@pytest.mark.parametrize("tolerance", [-0.1, 1.1, float("nan"), True, "0"])
def test_a_bad_tolerance_is_named(tolerance: object) -> None:
    line = fit_line_barycenter([0.0, 1.0], [0, 1])
    with pytest.raises(InputError, match="tolerance"):
        KolmogorovBarycenter(line, tolerance)  # type: ignore[arg-type]
