"""The proof behind the certificates of information, step by step, on tables and by search."""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize

from infounlearn.math.laws import information_of_laws
from infounlearn.math.upper_bounds import default_lambda, growth_factor, information_upper_bound

UNIFORM = np.array([0.5, 0.5])
lambdas = st.floats(0.01, 0.95)
SLACK = 1e-10
thorough = settings(max_examples=200)


def kl(p: np.ndarray, q: np.ndarray) -> float:
    inside = p > 0
    return float((p[inside] * np.log(p[inside] / q[inside])).sum())


def affinity(p: np.ndarray, q: np.ndarray, lambda_: float) -> float:
    """Σ P^{1-λ} Q^λ."""
    inside = (p > 0) & (q > 0)
    return float((p[inside] ** (1 - lambda_) * q[inside] ** lambda_).sum())


def renyi(p: np.ndarray, q: np.ndarray, lambda_: float) -> float:
    """D_{1-λ}(P‖Q)."""
    return -math.log(affinity(p, q, lambda_)) / lambda_


@st.composite
def tables(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, np.random.Generator]:
    """Group laws (m, K), a prior, and a generator: sparse, skewed, with and without zeros."""
    rng = np.random.default_rng(draw(st.integers(0, 2**31)))
    m, width = draw(st.integers(2, 4)), draw(st.integers(2, 8))
    laws = rng.dirichlet(np.full(width, draw(st.sampled_from([0.1, 0.5, 3.0]))), m)
    laws[:, 0] += draw(st.sampled_from([0.0, 0.0, 30.0]))
    prior = rng.dirichlet(np.full(m, draw(st.sampled_from([0.3, 2.0])))) * 0.98 + 0.02 / m
    return laws / laws.sum(1, keepdims=True), prior, rng


# ---- the proof, step by step -------------------------------------------------------------------


@thorough
@given(tables(), st.integers(1, 12))
def test_step_1_estimate_exceeds_the_mean_density(table, n: int) -> None:  # type: ignore[no-untyped-def]
    laws, prior, rng = table
    pooled = prior @ laws
    hat = np.stack([rng.multinomial(n, law) / n for law in laws])
    with np.errstate(divide="ignore", invalid="ignore"):
        density = np.where(hat > 0, np.log(laws / pooled), 0.0)
    mean = float((prior[:, None] * hat * density).sum())
    gap = sum(w * kl(h, law) for w, h, law in zip(prior, hat, laws, strict=True))
    gap -= kl(prior @ hat, pooled)
    assert gap >= -SLACK
    assert float(information_of_laws(hat, prior)) - mean == pytest.approx(gap, abs=1e-9)


@thorough
@given(tables(), lambdas, st.integers(1, 40))
def test_step_2_exponential_moment(table, lambda_: float, n: int) -> None:  # type: ignore[no-untyped-def]
    laws, prior, rng = table
    pooled = prior @ laws
    sizes = rng.integers(1, n + 1, len(prior))
    theta = lambda_ * float((sizes / prior).min())
    each = theta * prior / sizes
    assert np.all(each <= lambda_ * (1 + 1e-12))
    # ln E exp(-θS), exactly, against -θ Σ π D_{1-λ}.
    exact = sum(
        size * math.log(affinity(law, pooled, step))
        for size, law, step in zip(sizes, laws, each, strict=True)
    )
    bound = -theta * sum(
        w * renyi(law, pooled, lambda_) for w, law in zip(prior, laws, strict=True)
    )
    assert exact <= bound + SLACK * max(1, abs(bound))


@thorough
@given(tables(), lambdas)
def test_step_2_kernels_only_help(table, lambda_: float) -> None:  # type: ignore[no-untyped-def]
    laws, prior, rng = table
    pooled = prior @ laws
    kernels = rng.dirichlet(np.full(laws.shape[1], 0.3), 5)
    law = kernels.mean(0)
    pooled = 0.5 * law + 0.5 * pooled
    density = np.log(law / pooled, where=law > 0, out=np.zeros_like(law))
    averaged = float(np.exp(-lambda_ * kernels @ density).mean())
    assert averaged <= affinity(law, pooled, lambda_) + SLACK


@thorough
@given(st.integers(0, 2**31), st.integers(2, 7))
def test_step_2_without_replacement(seed: int, size: int) -> None:
    rng = np.random.default_rng(seed)
    values = rng.normal(0, 2, size)
    n = int(rng.integers(1, size + 1))
    without = np.mean([math.exp(-sum(values[list(c)])) for c in combinations(range(size), n)])
    assert without <= np.exp(-values).mean() ** n * (1 + 1e-9)


@thorough
@given(tables(), lambdas)
def test_step_3_mean_of_hellinger(table, lambda_: float) -> None:  # type: ignore[no-untyped-def]
    laws, prior, _ = table
    pooled = prior @ laws
    mean_renyi = sum(w * renyi(law, pooled, lambda_) for w, law in zip(prior, laws, strict=True))
    mean_hellinger = sum(
        w * (1 - affinity(law, pooled, lambda_)) / lambda_
        for w, law in zip(prior, laws, strict=True)
    )
    assert mean_hellinger <= -math.expm1(-lambda_ * mean_renyi) / lambda_ + SLACK


@thorough
@given(tables(), lambdas)
def test_step_4_kl_within_growth_factor(table, lambda_: float) -> None:  # type: ignore[no-untyped-def]
    laws, prior, _ = table
    pooled = prior @ laws
    for weight, law in zip(prior, laws, strict=True):
        assert np.all(law <= pooled / weight * (1 + 1e-12))
        hellinger = (1 - affinity(law, pooled, lambda_)) / lambda_
        assert kl(law, pooled) <= growth_factor(lambda_, 1 / weight) * hellinger + SLACK
        assert growth_factor(lambda_, 1 / weight) <= growth_factor(lambda_, 1 / prior.min()) + SLACK


@thorough
@given(lambdas, st.floats(0.001, 200), st.floats(1.001, 3))
def test_step_4_ratio_increases(lambda_: float, r: float, factor: float) -> None:
    def ratio(x: float) -> float:
        if abs(x - 1) < 1e-4:
            return 1 / (1 - lambda_)  # both integrands vanish there to second order
        return growth_factor(lambda_, x)

    assert ratio(r) <= ratio(r * factor) * (1 + 1e-3)


def test_no_table_found_by_search_breaks_the_chain() -> None:
    """Maximise I - φ(1 - e^{-λ Σ π D})/λ over laws and prior: it must stay below zero."""
    rng = np.random.default_rng(0)
    worst = -np.inf

    def excess(free: np.ndarray, lambda_: float) -> float:
        logits = free[:6].reshape(2, 3)
        laws = np.exp(logits - logits.max(1, keepdims=True))
        laws /= laws.sum(1, keepdims=True)
        share = 0.01 + 0.98 / (1 + math.exp(-free[6]))
        prior = np.array([share, 1 - share])
        pooled = prior @ laws
        c = sum(w * renyi(law, pooled, lambda_) for w, law in zip(prior, laws, strict=True))
        bound = growth_factor(lambda_, 1 / prior.min()) * -math.expm1(-lambda_ * c) / lambda_
        i = float(information_of_laws(laws, prior))
        return i / bound if bound > 1e-9 else 0.0

    for lambda_ in (0.05, 0.45, 0.9):
        for _ in range(8):
            found = optimize.minimize(
                lambda free, rate=lambda_: -excess(np.clip(free, -15, 15), rate),
                rng.normal(0, 4, 7),
                method="Nelder-Mead",
                options={"maxfev": 500},
            )
            worst = max(worst, -found.fun)
    # The bound is nearly attained (disjoint laws at even odds), so the search has power.
    assert 0.9 < worst <= 1 + 1e-9


def test_growth_factor_values() -> None:
    for lambda_, value in ((0.1, 1.138), (0.35, 1.673), (0.45, 2.023)):
        assert growth_factor(lambda_, 2) == pytest.approx(value, abs=6e-4)


@pytest.mark.parametrize(
    ("alpha", "outcomes", "value"),
    [
        *((0.05, k, v) for k, v in ((2, 14.5), (10, 22), (100, 84), (1000, 593))),
        *((0.01, k, v) for k, v in ((2, 22), (10, 29), (100, 95), (1000, 618))),
        (0.05, None, 13.45),
        (0.01, None, 20.7),
    ],
)
def test_table_of_sample_sizes(alpha: float, outcomes: int | None, value: float) -> None:
    n = 1e8
    rate = default_lambda(n, prior=UNIFORM, alpha=alpha, num_outcomes=outcomes)
    estimate = ((outcomes or 1) - 1) / (2 * n)
    bound = information_upper_bound(estimate, n_eff=n, prior=UNIFORM, alpha=alpha, lambda_=rate)
    assert n * float(bound) == pytest.approx(value, rel=0.02)


@pytest.mark.parametrize(("alpha", "value"), [(0.05, 57), (0.01, 87)])
def test_table_when_half_of_the_bound_is_real(alpha: float, value: float) -> None:
    n = 1e8

    def needed(product: float) -> float:
        rate = default_lambda(
            n, prior=UNIFORM, alpha=alpha, num_outcomes=None, expected=product / 2 / n
        )
        bound = information_upper_bound(
            product / 2 / n, n_eff=n, prior=UNIFORM, alpha=alpha, lambda_=rate
        )
        return float(bound) * n - product

    assert optimize.brentq(needed, 10, 300) == pytest.approx(value, rel=0.01)
