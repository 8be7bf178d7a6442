"""Each conversion holds for every pair of laws, and the tight ones are attained."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import optimize, stats

from infounlearn.errors import InputError
from infounlearn.math import conversions as cv
from infounlearn.math.laws import information_of_laws

SLACK = 1e-9
"""The bounds are solved to rounding, the laws' information is summed to rounding."""

shares = st.floats(0.02, 0.98)
information = st.floats(1e-6, 0.6)


@st.composite
def law_pairs(draw: st.DrawFn) -> np.ndarray:
    """Two laws on up to six outcomes: from alike to disjoint, zeros included."""
    rng = np.random.default_rng(draw(st.integers(0, 2**31)))
    width = draw(st.integers(2, 6))
    spread = draw(st.sampled_from([0.05, 0.3, 1.0, 20.0]))
    laws = rng.dirichlet(np.full(width, spread), 2)
    laws[1] = laws[0] + draw(st.sampled_from([1.0, 0.3, 0.01])) * (laws[1] - laws[0])
    # Gamma draws of tiny shape underflow; that gives exact zeros, which must work.
    assume(bool(np.isfinite(laws).all()))
    return laws / laws.sum(1, keepdims=True)


def prior_of(share: float) -> np.ndarray:
    return np.array([share, 1 - share])


def nats(laws: np.ndarray, prior: np.ndarray) -> float:
    return float(information_of_laws(laws, prior))


def distance(p: np.ndarray, q: np.ndarray) -> float:
    return 0.5 * float(np.abs(p - q).sum())


def roc(laws: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Corners (false, true positive rate) of the best test, group 0 positive."""
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(laws[0] + laws[1] > 0, laws[0] / (laws[0] + laws[1]), 0.5)
    order = np.argsort(-ratio)
    f = np.concatenate([[0], np.cumsum(laws[1][order])])
    t = np.concatenate([[0], np.cumsum(laws[0][order])])
    return f, t


@pytest.mark.parametrize(
    ("nats_", "tv", "area", "tpr", "delta"),
    [
        (0.001, 0.0447, 0.5437, 0.0060, 0.0034),
        (0.01, 0.1412, 0.6312, 0.0340, 0.0334),
        (0.1, 0.4396, 0.8430, 0.2674, 0.2813),
    ],
)
def test_reference_table(nats_: float, tv: float, area: float, tpr: float, delta: float) -> None:
    assert cv.total_variation(nats_) == pytest.approx(tv, abs=6e-5)
    assert cv.auc_bound(nats_) == pytest.approx(area, abs=6e-5)
    assert cv.tpr_at_fpr_bound(nats_, 0.001) == pytest.approx(tpr, abs=6e-5)
    assert cv.delta_at_epsilon(nats_, 1.0) == pytest.approx(delta, abs=6e-5)


def test_one_record_among_a_million_keeps_its_digits() -> None:
    # For small I, TV = √(2I) (1 - I/6 + ...).
    assert cv.total_variation(1e-13) == pytest.approx(np.sqrt(2e-13), rel=1e-6)
    assert cv.binary_information(0.5 + 5e-8, 0.5 - 5e-8) == pytest.approx(5e-15, rel=1e-6)


@given(law_pairs(), shares)
def test_bounds_hold_for_every_pair(laws: np.ndarray, share: float) -> None:
    prior = prior_of(share)
    i = nats(laws, prior)
    v = distance(*laws)
    assert v <= cv.total_variation(i, prior) + SLACK
    assert cv.total_variation(i, prior) <= cv.drift_bound(i, prior) + SLACK
    assert i <= cv.largest_information(v, prior) + SLACK
    accuracy = float((prior[:, None] * laws).max(0).sum())
    assert accuracy <= cv.attack_accuracy(i, prior) + SLACK
    assert accuracy >= cv.attack_accuracy_floor(i, prior) - SLACK
    f, t = roc(laws)
    area = float(np.trapezoid(t, f))
    assert area <= cv.auc_from_total_variation(v) + SLACK
    assert area <= cv.auc_bound(i, prior) + SLACK
    for rate in (0.001, 0.01, 0.3):
        assert np.interp(rate, f, t) <= cv.tpr_at_fpr_bound(i, rate, prior) + SLACK


@settings(max_examples=30)
@given(law_pairs(), shares, st.floats(0, 6))
def test_hockey_stick_bound_holds(laws: np.ndarray, share: float, epsilon: float) -> None:
    prior = prior_of(share)
    delta = float(np.maximum(laws[0] - np.exp(epsilon) * laws[1], 0).sum())
    assert delta <= cv.delta_at_epsilon(nats(laws, prior), epsilon, prior) + 1e-8


@given(law_pairs(), shares, shares)
def test_change_of_prior_holds(laws: np.ndarray, share: float, other: float) -> None:
    old, new = prior_of(share), prior_of(other)
    assert nats(laws, new) <= cv.change_of_prior(nats(laws, old), old, new) + SLACK
    assert nats(laws, new) <= cv.capacity_bound(nats(laws, np.array([0.5, 0.5]))) + SLACK


def test_capacity_bound_is_attained_by_a_z_channel() -> None:
    # The worst channel of Majani & Rumsey is a Z-channel with crossover going to one.
    laws = np.array([[1.0, 0.0], [1 - 1e-4, 1e-4]])
    best = -optimize.minimize_scalar(
        lambda s: -nats(laws, prior_of(s)), bounds=(0.01, 0.99), method="bounded"
    ).fun
    assert best == pytest.approx(cv.capacity_bound(nats(laws, np.array([0.5, 0.5]))), rel=1e-3)


@given(information, shares)
def test_total_variation_is_attained(i: float, share: float) -> None:
    prior = prior_of(share)
    v = cv.total_variation(i, prior)
    assume(v < 1 - 1e-6)
    # Some pair at distance v has information i: the best b on the line a = b + v.
    least = min(cv.binary_information(b + v, b, prior) for b in np.linspace(0, 1 - v, 2001))
    assert least == pytest.approx(i, rel=1e-3)
    assert least >= i - 1e-9


@given(information, shares)
def test_attack_accuracy_is_attained(i: float, share: float) -> None:
    prior = prior_of(share)
    accuracy = cv.attack_accuracy(i, prior)
    error = 1 - accuracy
    assume(error > 1e-6 and error < prior.min() - 1e-6)
    # A two-valued posterior (error, 1 - error) that averages to the prior.
    weight = (prior[0] - error) / (accuracy - error)
    joint = np.array(
        [[weight * accuracy, (1 - weight) * error], [weight * error, (1 - weight) * accuracy]]
    )
    laws = joint / prior[:, None]
    assert float(joint.max(0).sum()) == pytest.approx(accuracy)
    assert nats(laws, prior) == pytest.approx(i, rel=1e-6)
    if share == 0.5:
        assert accuracy == pytest.approx((1 + cv.total_variation(i)) / 2)


@given(information, shares, st.floats(0, 0.9))
def test_tpr_is_attained(i: float, share: float, fpr: float) -> None:
    prior = prior_of(share)
    t = cv.tpr_at_fpr_bound(i, fpr, prior)
    assume(t < 1)
    assert cv.binary_information(t, fpr, prior) == pytest.approx(i, rel=1e-6)


@settings(max_examples=10)
@given(st.floats(1e-4, 0.5), st.floats(0, 5))
def test_delta_is_attained_and_joins_total_variation(i: float, epsilon: float) -> None:
    delta = cv.delta_at_epsilon(i, epsilon)
    grid = np.concatenate([[0], np.geomspace(1e-12, 1, 150)])
    reached = max(cv.tpr_at_fpr_bound(i, b) - np.exp(epsilon) * b for b in grid)
    assert delta == pytest.approx(max(reached, 0), rel=5e-2, abs=1e-6)
    assert delta >= reached - 1e-9
    assert cv.delta_at_epsilon(i, 0.0) == pytest.approx(cv.total_variation(i), abs=1e-7)


@given(st.integers(0, 2**31), st.floats(0.01, 1), shares)
def test_marginal_unlearning_bounds_hold(seed: int, alpha: float, share: float) -> None:
    rng = np.random.default_rng(seed)
    prior = prior_of(share)
    spread = rng.choice([0.1, 1, 10])
    f_u, f_r, g_u, g_r = rng.dirichlet(np.full(4, spread), 4)
    f_pool, g_pool = (1 - alpha) * f_r + alpha * f_u, (1 - alpha) * g_r + alpha * g_u
    i_f, i_g = nats(np.stack([f_pool, f_r]), prior), nats(np.stack([g_pool, g_r]), prior)
    eta = distance(f_r, g_r)
    assert distance(f_u, f_r) <= cv.forget_retain_bound(i_f, alpha, prior) + SLACK
    assert distance(f_pool, g_pool) <= cv.anchor_bound(i_f, i_g, eta, prior) + SLACK
    assert distance(f_u, g_u) <= cv.forget_anchor_bound(i_f, i_g, eta, alpha, prior) + SLACK
    delta = max(eta, distance(f_u, g_u))
    assert i_f <= cv.necessity_bound(delta, i_g, alpha, prior) + SLACK
    assert f_u[0] <= cv.forget_accuracy_bound(float(f_r[0]), i_f, alpha, prior) + SLACK
    score = rng.normal(size=4) * 3
    gap = abs(float(score @ (f_u - f_r)))
    assert gap <= cv.score_gap_bound(i_f, float(np.ptp(score)), alpha, prior) + SLACK
    i_direct = nats(np.stack([f_u, f_r]), np.array([0.5, 0.5]))
    c = rng.normal()
    moments = [float((score - c) ** 2 @ law) for law in (f_u, f_r)]
    assert gap <= cv.score_gap_moment_bound(i_direct, *moments) + SLACK


@given(st.integers(0, 2**31), st.integers(2, 4))
def test_parity_bound_holds_and_improves_on_pinsker(seed: int, m: int) -> None:
    rng = np.random.default_rng(seed)
    prior = rng.dirichlet(np.full(m, 3.0)) * 0.9 + 0.1 / m
    rates = rng.random(m)
    i = nats(np.stack([rates, 1 - rates], -1), prior)
    bound = cv.demographic_parity_bound(i, prior)
    assert np.ptp(rates) <= bound + SLACK
    if m == 2:
        assert bound <= np.sqrt(i / (2 * prior.prod())) + SLACK


def test_normal_pair_of_the_reference() -> None:
    # N(0,1) against N(1,1): I = .111421, TV = 2Φ(½) - 1, AUC = Φ(1/√2).
    i = 0.111421
    assert 2 * stats.norm.cdf(0.5) - 1 < cv.total_variation(i)
    assert stats.norm.cdf(1 / np.sqrt(2)) < cv.auc_bound(i)


@given(shares)
def test_extremes(share: float) -> None:
    prior = prior_of(share)
    ceiling = -float((prior * np.log(prior)).sum())
    assert cv.total_variation(0.0, prior) == 0
    assert cv.attack_accuracy(0.0, prior) == pytest.approx(prior.max(), abs=1e-7)
    assert cv.tpr_at_fpr_bound(0.0, 0.01, prior) == 0.01
    assert cv.delta_at_epsilon(0.0, 1.0, prior) == 0
    assert cv.total_variation(ceiling + 1e-12, prior) == 1
    assert cv.attack_accuracy(ceiling + 1e-12, prior) == 1
    assert cv.tpr_at_fpr_bound(ceiling + 1e-12, 0.0, prior) == 1


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: cv.total_variation(-1e-9), "information is -1e-09"),
        (lambda: cv.total_variation(float("nan")), "information is nan"),
        (lambda: cv.attack_accuracy(0.1, (0.5, 0.6)), "prior is"),
        (lambda: cv.drift_bound(0.1, (1.0, 0.0)), "prior is"),
        (lambda: cv.tpr_at_fpr_bound(0.1, 1.5), "fpr is 1.5"),
        (lambda: cv.delta_at_epsilon(0.1, -1), "epsilon is -1"),
        (lambda: cv.forget_retain_bound(0.1, 0.0), "forget_share is 0.0"),
        (lambda: cv.change_of_prior(0.1, (0.5, 0.5), (1.0,)), "priors are"),
        (lambda: cv.demographic_parity_bound(0.1, (1.0,)), "prior is"),
    ],
)
def test_bad_input_is_named(call, says: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(InputError, match=says):
        call()
