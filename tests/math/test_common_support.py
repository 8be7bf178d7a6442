"""Transport to a common support: exact at small sizes, levelled to the last bit at any."""

from __future__ import annotations

import numpy as np
import ot
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infounlearn.errors import InputError
from infounlearn.math import exact_coupling, exact_target, fit_common_support
from infounlearn.math.common_support import draw_atoms
from infounlearn.math.common_support_sweep import weighted_jensen_shannon

CASES = settings(max_examples=15, deadline=None, derandomize=True)


def problem(n=300, atoms=12, groups=3, seed=0):
    """Costs, groups and a target with one atom of no mass."""
    rng = np.random.default_rng(seed)
    z = np.concatenate((np.arange(groups), rng.integers(0, groups, n - groups)))
    x = rng.normal(size=(n, 2)) * (1 + z[:, None] / 2) + z[:, None]
    s = x[rng.choice(n, atoms, replace=False)]
    nu = rng.dirichlet(np.ones(atoms))
    nu[0] = 0.0
    return ((x[:, None] - s) ** 2).sum(2), z, nu / nu.sum()


def means(kernel, z):
    return np.stack([kernel[z == group].mean(0) for group in range(z.max() + 1)])


def test_exact_couplings_reach_the_target_at_the_cost_of_pot():
    c, z, nu = problem()
    found = exact_coupling(c, z, nu)
    np.testing.assert_allclose(means(found.kernel, z), [nu] * 3, atol=1e-12)
    np.testing.assert_allclose(found.kernel.sum(1), 1.0, atol=1e-12)
    wanted = [
        np.mean(z == g) * ot.emd2(np.full(np.sum(z == g), 1 / np.sum(z == g)), nu, c[z == g])
        for g in range(3)
    ]
    assert found.value == pytest.approx(sum(wanted), rel=1e-9)


def test_the_exact_target_is_the_best_of_all_targets():
    c, z, nu = problem(n=60, atoms=8)
    best = exact_target(c, z)
    np.testing.assert_allclose(means(best.kernel, z), [best.target] * 3, atol=1e-9)
    assert best.value == pytest.approx(exact_coupling(c, z, best.target).value, rel=1e-7)
    rng = np.random.default_rng(1)
    for rival in (nu, *rng.dirichlet(np.ones(8), 20), *(0.98 * best.target + 0.02 / 8,)):
        rival = rival / rival.sum()
        assert exact_coupling(c, z, rival).value >= best.value - 1e-9


@pytest.mark.parametrize("reg", [3.0, 0.3])
def test_kernels_are_those_of_sinkhorn(reg):
    c, z, nu = problem()
    fit = fit_common_support(c, z, reg=reg, target=nu, tolerance=1e-11)
    assert fit.converged
    assert fit.residual < 1e-11
    kernel = fit.kernel(c, z, level=False)
    for group in range(3):
        own = z == group
        uniform = np.full(own.sum(), 1 / own.sum())
        # POT wants positive masses: the atom without one is left out.
        plan = ot.sinkhorn(
            uniform, nu[1:], c[own][:, 1:], reg, method="sinkhorn_log", stopThr=1e-12,
            numItermax=20_000,
        )  # fmt: skip
        np.testing.assert_allclose(kernel[own][:, 1:] / own.sum(), plan, atol=1e-9)
    assert not kernel[:, 0].any()


@CASES
@given(
    st.integers(0, 10**6),
    st.sampled_from([10.0, 0.5, 0.01]),
    st.integers(1, 3),
    st.sampled_from([1, 2, 40]),
)
def test_every_group_has_the_same_law_however_early_the_ascent_stops(seed, reg, groups, passes):
    c, z, nu = problem(n=80, atoms=9, groups=groups, seed=seed)
    fit = fit_common_support(c, z, reg=reg, target=nu, max_passes=passes, tolerance=1e-9)
    kernel = fit.kernel(c, z)
    assert (kernel >= 0).all()
    np.testing.assert_allclose(kernel.sum(1), 1.0, atol=1e-12)
    np.testing.assert_allclose(means(kernel, z), [fit.law] * groups, atol=1e-13)
    assert 0.0 <= fit.leak < 1e-28
    raw = fit.kernel(c, z, level=False)
    np.testing.assert_allclose(means(raw, z), fit.marginals, atol=1e-13)
    residual = 0.5 * np.abs(fit.marginals - nu).sum(1).max()
    assert fit.residual == pytest.approx(residual, abs=1e-15)
    assert -1e-15 <= fit.spill <= 2 * groups * residual + 1e-15
    spread = np.bincount(z) / len(z)
    per_group = [(kernel * c)[z == group].sum(1).mean() for group in range(groups)]
    assert fit.value == pytest.approx(spread @ per_group, rel=1e-12)


def test_without_levelling_an_early_stop_leaks_and_the_formula_says_how_much():
    c, z, nu = problem()
    fit = fit_common_support(c, z, reg=0.3, target=nu, max_passes=1)
    laws = means(fit.kernel(c, z, level=False), z)
    shares = np.bincount(z) / len(z)
    middle = shares @ laws
    alive = middle > 0
    by_hand = sum(
        w * np.sum(p[alive] * np.log(p[alive] / middle[alive]))
        for w, p in zip(shares, laws, strict=True)
    )
    assert weighted_jensen_shannon(laws, shares) == pytest.approx(by_hand, rel=1e-9)
    assert by_hand > 1e-6
    assert fit.leak < 1e-28


@CASES
@given(st.integers(0, 10**6))
def test_the_bounds_lie_below_the_optimum_and_close_in_as_reg_falls(seed):
    c, z, nu = problem(n=60, atoms=8, groups=2, seed=seed)
    to_nu, best = exact_coupling(c, z, nu).value, exact_target(c, z).value
    for reg in (1.0, 0.02):
        fit = fit_common_support(c, z, reg=reg, target=nu, tolerance=1e-9)
        assert fit.least_to_target <= to_nu + 1e-9
        assert fit.least <= best + 1e-9
        assert fit.value >= best - 1e-9
        assert fit.value >= to_nu - 1e-6
    assert fit.value == pytest.approx(to_nu, rel=0.03)
    assert fit.least_to_target == pytest.approx(to_nu, rel=0.03)
    free = fit_common_support(c, z, reg=0.02, tolerance=1e-9)
    assert free.least <= best + 1e-9
    assert best - 1e-9 <= free.value <= best * 1.05 + 0.05


def test_weak_entropy_is_the_laguerre_assignment():
    c, z, nu = problem()
    fit = fit_common_support(c, z, reg=1e-3, target=nu, tolerance=1e-3, max_passes=200)
    kernel = fit.kernel(c, z, level=False)
    sure = kernel.max(1) > 0.99
    assert sure.mean() > 0.8
    np.testing.assert_array_equal(kernel.argmax(1)[sure], fit.laguerre(c, z)[sure])


def test_rows_do_not_feel_their_batch():
    c, z, _ = problem(atoms=37)
    fit = fit_common_support(c, z, reg=0.3)
    whole, noise = fit.kernel(c, z), np.random.default_rng(0).random(len(z))
    atoms = fit.draw(c, z, noise)
    order = np.random.default_rng(1).permutation(len(z))
    assert fit.kernel(c[order], z[order]).tobytes() == whole[order].tobytes()
    for i in range(0, len(z), 7):
        assert fit.kernel(c[i : i + 1], z[i : i + 1]).tobytes() == whole[i : i + 1].tobytes()
        assert fit.draw(c[i : i + 1], z[i : i + 1], noise[i : i + 1]) == atoms[i]


def test_a_function_that_gives_costs_equals_the_matrix():
    c, z, nu = problem(n=9000)
    one = fit_common_support(c, z, reg=0.5, target=nu)
    two = fit_common_support(lambda rows: c[rows], z, reg=0.5, target=nu)
    np.testing.assert_array_equal(one.potentials, two.potentials)
    assert one.converged


def test_draws_have_the_law_of_the_kernel_and_never_an_impossible_atom():
    kernel = np.array([[0.0, 0.25, 0.0, 0.75, 0.0]])
    noise = (np.arange(1000) + 0.5) / 1000
    drawn = draw_atoms(np.repeat(kernel, 1000, 0), noise)
    np.testing.assert_allclose(np.bincount(drawn, minlength=5) / 1000, kernel[0])
    ends = np.array([0.0, np.nextafter(0.25, 0), 0.25, np.nextafter(1.0, 0)])
    assert draw_atoms(np.repeat(kernel, 4, 0), ends).tolist() == [1, 1, 3, 3]


def test_input_that_cannot_be_used_is_named():
    c, z, nu = problem(n=30)
    with pytest.raises(InputError, match=r"(?s)4 problems.*reg is 0.*tolerance.*target.*weights"):
        fit_common_support(c, z, reg=0, tolerance=-1, target=nu * 2, weights=[1.0])
    with pytest.raises(InputError, match="costs have shape"):
        fit_common_support(c[:5], z, reg=1.0)
    with pytest.raises(InputError, match=r"groups \[1\] have no rows"):
        fit_common_support(c[:2], [0, 2], reg=1.0)
    with pytest.raises(InputError, match="not finite"):
        fit_common_support(lambda rows: c[rows] + np.inf, z, reg=1.0)
    fit = fit_common_support(c, z, reg=1.0)
    for costs, groups in ((c[:, :3], z), (c, z + 9), (c * np.nan, z), (c[:2], z)):
        with pytest.raises(InputError, match="common support"):
            fit.kernel(costs, groups)
    with pytest.raises(InputError, match="noise"):
        fit.draw(c, z, np.ones(len(z)))
    for call in (exact_target, lambda c, z: exact_coupling(c, z, nu)):
        with pytest.raises(InputError, match="costs"):
            call(c * np.nan, z)
    with pytest.raises(InputError, match="target"):
        exact_coupling(c, z, nu * 3)
