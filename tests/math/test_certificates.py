"""The certificate: each step of its proof, its table of sample sizes, its refusals."""

from __future__ import annotations

import math
from dataclasses import FrozenInstanceError
from itertools import combinations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize

from infounlearn.errors import InputError
from infounlearn.math import conversions as cv
from infounlearn.math.certificates import InformationCertificate, certify_information
from infounlearn.math.laws import group_laws, information_of_laws
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


# ---- the certificate ---------------------------------------------------------------------------


def sample(n: int = 2000, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    z = np.repeat([0, 1], n)
    kernels = rng.dirichlet([4, 2, 1], 2 * n)
    kernels[:n] = 0.7 * kernels[:n] + 0.3 * np.array([0, 0, 1])
    labels = (kernels.cumsum(1) < rng.random((2 * n, 1))).sum(1)
    return kernels, labels, z


def test_fresh_certificate_brackets_and_says_what_it_means() -> None:
    kernels, labels, z = sample()
    for outcomes, kind in ((kernels, "kernels"), (labels, "labels")):
        found = certify_information(outcomes, z, num_outcomes=3)
        assert isinstance(found, InformationCertificate)
        assert found.kind == kind
        assert found.valid
        assert found.lower is not None
        assert found.upper is not None
        assert 0 < found.lower < found.estimate < found.upper < found.ceiling
        assert found.n_eff == 4000
        assert found.prior == (0.5, 0.5)
        assert found.statements is not None
        assert found.statements.total_variation == cv.total_variation(found.upper)
        assert found.statements.best_attack_accuracy == pytest.approx(
            cv.attack_accuracy(found.upper)
        )
        assert found.statements.tpr_at_fpr_0_1pct == cv.tpr_at_fpr_bound(found.upper, 0.001)
        with pytest.raises(FrozenInstanceError):
            found.upper = 0.0  # type: ignore[misc]


def test_estimate_is_the_plug_in_and_upper_is_the_theorem() -> None:
    kernels, _, z = sample(300)
    prior = np.array([0.2, 0.8])
    found = certify_information(kernels, z, prior=prior, confidence=0.9, lambda_=0.3)
    estimate = float(information_of_laws(group_laws(kernels, z, 2, 3), prior))
    assert found.estimate == pytest.approx(estimate, rel=1e-9)
    c = estimate + math.log(10) / (0.3 * 375)
    assert found.n_eff == pytest.approx(375)
    assert found.upper == pytest.approx(
        min(growth_factor(0.3, 5.0) * (1 - math.exp(-0.3 * c)) / 0.3, found.ceiling)
    )


def test_enumerated_kernels_are_exact() -> None:
    kernels, _, z = sample(50)
    found = certify_information(kernels, z, design="enumerated")
    assert found.upper == found.lower == found.estimate
    assert found.n_eff is None
    assert any("exactly these records" in text for text in found.assumptions)
    hard = np.eye(3)[kernels.argmax(1)]
    assert certify_information(hard, z, design="enumerated").valid


@pytest.mark.parametrize("design", ["enumerated", "enumerated-vs-fresh"])
def test_labels_of_enumerated_records_get_no_number(design) -> None:  # type: ignore[no-untyped-def]
    _, labels, z = sample(50)
    groups = (0,) if design == "enumerated-vs-fresh" else None
    found = certify_information(labels, z, design=design, enumerated_groups=groups)
    assert not found.valid
    assert (found.upper, found.lower, found.statements) == (None, None, None)
    assert "pass kernels" in found.reason


def test_design_b_counts_only_the_fresh_group() -> None:
    kernels, _, z = sample(400)
    keep = (z == 1) | (np.arange(800) < 20)
    mixed = certify_information(
        kernels[keep], z[keep], prior=UNIFORM, design="enumerated-vs-fresh", enumerated_groups=(0,)
    )
    fresh = certify_information(kernels[keep], z[keep], prior=UNIFORM)
    assert mixed.n_eff == 800
    assert fresh.n_eff == 40
    assert mixed.upper is not None
    assert fresh.upper is not None
    assert mixed.upper < fresh.upper
    assert any("exactly these records" in text for text in mixed.assumptions)


def test_small_samples_say_nothing_and_admit_it() -> None:
    found = certify_information([0, 1], [0, 1])
    assert found.upper == found.ceiling == pytest.approx(math.log(2))
    assert found.lower == 0
    assert "too small" in found.reason


def test_error_is_shared_by_sides_candidates_and_lambdas() -> None:
    kernels, _, z = sample(500)
    plain = certify_information(kernels, z, lambda_=0.4)
    both = certify_information(kernels, z, lambda_=0.4, two_sided=True)
    halved = certify_information(kernels, z, lambda_=0.4, confidence=0.975)
    looks = certify_information(kernels, z, lambda_=0.4, candidates=2)
    grid = certify_information(kernels, z, lambda_=(0.4, 0.001))
    assert both.upper == looks.upper == grid.upper == pytest.approx(halved.upper)
    assert both.lower == looks.lower == pytest.approx(halved.lower)
    assert plain.upper is not None
    assert both.upper is not None
    assert plain.upper < both.upper
    assert grid.lambda_ == 0.4


def test_default_lambda_sees_sizes_only() -> None:
    """λ may not depend on the outcomes, or the theorem is void."""
    rng = np.random.default_rng(1)
    z = np.repeat([0, 1], 200)
    for declared in (None, 50):
        chosen = {
            certify_information(rng.integers(0, top, 400), z, num_outcomes=declared).lambda_
            for top in (2, 10, 50)
        }
        assert len(chosen) == 1


@settings(max_examples=25)
@given(st.integers(0, 2**31))
def test_invariances(seed: int) -> None:
    rng = np.random.default_rng(seed)
    labels, z = rng.integers(0, 5, 120), rng.permutation(np.repeat([0, 1, 2], 40))
    found = certify_information(labels, z, num_outcomes=5)
    renamed = certify_information(rng.permutation(5)[labels], z, num_outcomes=5)
    merged = certify_information(labels // 2, z, num_outcomes=5)
    assert found.upper == pytest.approx(renamed.upper)
    assert merged.estimate <= found.estimate + 1e-12
    assert found.statements is None
    as_tensor = certify_information(torch.tensor(labels), torch.tensor(z), num_outcomes=5)
    assert as_tensor == found
    onehot = certify_information(torch.eye(5)[labels], torch.tensor(z))
    assert onehot.estimate == pytest.approx(found.estimate)


@pytest.mark.parametrize(
    ("outcomes", "z", "options", "says"),
    [
        (np.linspace(0, 1, 6), [0, 0, 0, 1, 1, 1], {}, "real-valued scores"),
        (torch.linspace(0, 1, 2), [0, 1], {}, "bins fixed before the audit"),
        (np.ones((2, 2)), [0, 1], {}, "not probabilities"),
        ([[0.5, np.nan], [0.5, 0.5]], [0, 1], {}, "not probabilities"),
        ([[1.5, -0.5], [0.5, 0.5]], [0, 1], {}, "not probabilities"),
        ([0, 1], [0, 1], {"kind": "kernels"}, "read as kernels"),
        ([[0.5, 0.5]] * 2, [0, 1], {"kind": "labels"}, "read as labels"),
        ([0, 1], [0, 1], {"kind": "scores"}, "kind is 'scores'"),
        ([0, 1], [0, 0], {}, "one group"),
        ([0, 1], [0, 2], {}, r"no record of groups \[1\]"),
        ([0, 1], [0, 1, 1], {}, "z has shape"),
        ([0, 1], [0.0, 1.0], {}, "not non-negative integers"),
        ([0, -1], [0, 1], {}, "negative labels"),
        ([0, 3], [0, 1], {"num_outcomes": 3}, "label 3"),
        ([0, 1], [0, 1], {"prior": (0.5, 0.6)}, "prior is"),
        ([0, 1], [0, 1], {"prior": (1.0, 0.0)}, "prior is"),
        ([0, 1], [0, 1], {"confidence": 1.0}, "confidence is"),
        ([0, 1], [0, 1], {"candidates": 0}, "candidates is"),
        ([0, 1], [0, 1], {"lambda_": 1.0}, "lambda_ is"),
        ([0, 1], [0, 1], {"design": "guess"}, "design is"),
        ([0, 1], [0, 1], {"design": "enumerated-vs-fresh"}, "enumerated_groups is None"),
        ([0, 1], [0, 1], {"enumerated_groups": (0,)}, "enumerated_groups is"),
        ([], [], {}, "z has shape"),
    ],
)
def test_bad_input_is_named(outcomes, z, options, says: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(InputError, match=says):
        certify_information(outcomes, z, **options)


def test_problems_are_told_together() -> None:
    with pytest.raises(InputError, match="3 problems"):
        certify_information([0.1, 0.2], [0, 0], confidence=2)
