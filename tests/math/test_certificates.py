"""The certificate: what it means, its table of sample sizes, its refusals."""

from __future__ import annotations

import math
from dataclasses import FrozenInstanceError

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from infounlearn.errors import InputError
from infounlearn.math import conversions as cv
from infounlearn.math.certificates import InformationCertificate, certify_information
from infounlearn.math.laws import group_laws, information_of_laws
from infounlearn.math.upper_bounds import growth_factor

UNIFORM = np.array([0.5, 0.5])
lambdas = st.floats(0.01, 0.95)
SLACK = 1e-10
thorough = settings(max_examples=200)


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
