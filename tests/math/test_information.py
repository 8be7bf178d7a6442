"""Information of sampled labels: closed forms and theorems."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from mpmath import mp, mpf
from tests.math.information_cases import CASES, cases
from torch import Tensor

from infounlearn.math import (
    information_from_log_laws,
    marginal_ceiling,
    marginal_information,
    mutual_information,
)

LN2 = math.log(2.0)


def entropy(p: np.ndarray) -> float:
    p = np.asarray(p, dtype=np.float64)
    return float(-(p[p > 0] * np.log(p[p > 0])).sum())


def dithered(law: list[float]) -> Tensor:
    return torch.log(torch.tensor([law], dtype=torch.float64))


def laws(*rows: list[float]) -> Tensor:
    return torch.cat([dithered(row) for row in rows])


# Closed forms -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rows", "value"),
    [
        ([[0.9, 0.1], [0.1, 0.9]], 0.368064),
        ([[0.7, 0.3], [0.3, 0.7]], 0.082283),
        ([[0.55, 0.45], [0.45, 0.55]], 0.005008),
        ([[0.7, 0.0, 0.3], [0.0, 0.7, 0.3]], 0.485203),
        ([[1.0, 0.0], [0.5, 0.5]], 0.215762),
    ],
)
def test_known_channels(rows, value):
    logits = laws(*rows)
    z = torch.tensor([0, 1])
    assert mutual_information(logits, z).item() == pytest.approx(value, abs=5e-7)
    assert information_from_log_laws(logits, (0.5, 0.5)).item() == pytest.approx(value, abs=5e-7)


def test_perfect_copy_has_the_entropy_of_the_groups_not_of_equal_ones():
    z = torch.tensor([0] * 3 + [1] * 1)
    logits = torch.where(torch.nn.functional.one_hot(z).bool(), 0.0, -math.inf)
    assert mutual_information(logits, z).item() == pytest.approx(entropy(np.array([0.75, 0.25])))
    assert mutual_information(logits, z, prior=(0.5, 0.5)).item() == pytest.approx(LN2)


@pytest.mark.parametrize(
    ("alpha", "prior0", "value"),
    [
        (0.2, 80 / 144, 0.0708),
        (0.0766, 0.5, 0.0273),
        (0.5, 0.5, 0.2158),
        (0.1, 10 / 19, 0.0351),
        (1 / 5001, 0.5, 6.93e-5),
    ],
)
def test_marginal_ceiling_and_that_a_telling_outcome_reaches_it(alpha, prior0, value):
    prior = (prior0, 1 - prior0)
    ceiling = marginal_ceiling(alpha, prior)
    assert ceiling == pytest.approx(value, rel=5e-3, abs=0)
    forget = torch.tensor([False, True, False])
    logits = torch.where(torch.nn.functional.one_hot(forget.long()).bool(), 0.0, -math.inf)
    reached = marginal_information(logits, forget, alpha=alpha, prior=prior)
    assert reached.item() == pytest.approx(ceiling, rel=1e-12, abs=0)


@pytest.mark.parametrize("alpha", [1e-9, 1e-3, 0.3, 1.0])
def test_marginal_ceiling_keeps_its_digits(alpha):
    with mp.workdps(60):
        a, p = mpf(alpha), mpf(0.25)

        def h(x):
            return -sum(v * mp.log(v) for v in (x, 1 - x) if v > 0)

        expected = float(h(p * a) - p * h(a))
    assert marginal_ceiling(alpha, (0.25, 0.75)) == pytest.approx(expected, rel=1e-13, abs=0)


def test_published_marginal_values():
    """MNIST, F = 75 % of the 3s, weights 80/64, share .2: a perfect classifier, 94.5 % on F."""
    counts = torch.tensor([5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949.0])
    counts[3] /= 4
    for accuracy, value in ((1.0, 0.0466), (0.945, 0.0430)):
        forget = torch.full((10,), (1 - accuracy) / 9)
        forget[3] = accuracy
        found = marginal_information(
            torch.log(torch.stack((forget, counts / counts.sum()))),
            torch.tensor([True, False]),
            alpha=0.2,
            prior=(80 / 144, 64 / 144),
        )
        assert found.item() == pytest.approx(value, abs=5e-5)


# Theorems ---------------------------------------------------------------------------------------


@CASES
@given(cases())
def test_between_zero_and_the_entropy_of_groups_and_labels(case):
    logits, z = case
    value = mutual_information(logits, z).item()
    assert value >= -1e-15
    assert value <= entropy(np.bincount(z.numpy()) / len(z)) + 1e-12
    assert value <= math.log(logits.shape[1]) + 1e-12


@CASES
@given(cases(), st.integers(0, 100))
def test_relabelling_groups_and_classes_and_shuffling_rows_changes_nothing(case, seed):
    logits, z = case
    rng = torch.Generator().manual_seed(seed)
    m = int(z.max()) + 1
    value = mutual_information(logits, z).item()
    rows = torch.randperm(len(z), generator=rng)
    columns = torch.randperm(logits.shape[1], generator=rng)
    names = torch.randperm(m + 2, generator=rng)
    same = mutual_information(logits[rows][:, columns], names[z[rows]]).item()
    assert same == pytest.approx(value, rel=1e-9, abs=1e-15)


@CASES
@given(cases())
def test_merging_classes_or_groups_never_raises_it(case):
    logits, z = case
    value = mutual_information(logits, z).item()
    merged = torch.cat((torch.logsumexp(logits[:, :2], 1, keepdim=True), logits[:, 2:]), 1)
    assert mutual_information(merged, z).item() <= value + 1e-12
    assert mutual_information(logits, z.clamp_max(1)).item() <= value + 1e-12


@CASES
@given(cases())
def test_equals_the_entropy_difference_of_the_joint_table(case):
    logits, z = case
    p = torch.softmax(logits, 1).numpy()
    joint = np.stack([p[z.numpy() == g].sum(0) for g in range(int(z.max()) + 1)]) / len(z)
    expected = entropy(joint.sum(0)) + entropy(joint.sum(1)) - entropy(joint)
    assert mutual_information(logits, z).item() == pytest.approx(expected, abs=1e-12)


@CASES
@given(cases())
def test_chain_rule_of_the_conditional_form(case):
    """I(Y, C; Z) = I(C; Z) + I(Y; Z | C), with I(Y, C; Z) from a table that shows C."""
    logits, z = case
    prior = torch.ones(int(z.max()) + 1) / (int(z.max()) + 1)
    if len(z.unique()) <= int(z.max()):
        prior = None
    c = torch.arange(len(z)) % 3
    shown = torch.full((len(z), 3, logits.shape[1]), -math.inf, dtype=torch.float64)
    shown[torch.arange(len(z)), c] = logits
    alone = torch.where(torch.nn.functional.one_hot(c, 3).bool(), 0.0, -math.inf)
    both = mutual_information(shown.flatten(1), z, prior=prior)
    first = mutual_information(alone, z, prior=prior)
    rest = mutual_information(logits, z, given=c, prior=prior)
    assert (first + rest).item() == pytest.approx(both.item(), abs=1e-12)


@CASES
@given(cases(), st.floats(0.01, 1.0), st.floats(0.05, 0.95))
def test_chain_rule_of_the_conditional_marginal_form(case, alpha, pool):
    logits, z = case
    forget = torch.arange(len(z)) < 1 + len(z) // 4
    c = z
    shown = torch.full((len(z), 3, logits.shape[1]), -math.inf, dtype=torch.float64)
    shown[torch.arange(len(z)), c] = logits
    alone = torch.where(torch.nn.functional.one_hot(c, 3).bool(), 0.0, -math.inf)
    rule = {"alpha": alpha, "prior": (pool, 1 - pool)}
    both = marginal_information(shown.flatten(1), forget, **rule)
    first = marginal_information(alone, forget, **rule)
    rest = marginal_information(logits, forget, given=c, **rule)
    assert (first + rest).item() == pytest.approx(both.item(), abs=1e-12)


def test_conditioning_weighs_strata_by_their_rows():
    rng = torch.Generator().manual_seed(3)
    logits = torch.randn(30, 4, generator=rng, dtype=torch.float64)
    z = torch.randint(2, (30,), generator=rng)
    c = torch.randint(2, (30,), generator=rng)
    parts = [
        (c == k).double().mean() * mutual_information(logits[c == k], z[c == k]) for k in (0, 1)
    ]
    assert mutual_information(logits, z, given=c).item() == pytest.approx(sum(parts).item())


@CASES
@given(cases(), st.floats(0.001, 1.0), st.floats(0.05, 0.95))
def test_marginal_is_the_information_of_the_two_pools_below_its_ceiling(case, alpha, pool):
    logits, z = case
    forget = torch.arange(len(z)) < 1 + len(z) // 4
    p = torch.softmax(logits, 1)
    retain, gone = p[~forget].mean(0), p[forget].mean(0)
    pools = torch.log(torch.stack(((1 - alpha) * retain + alpha * gone, retain)))
    prior = (pool, 1 - pool)
    value = marginal_information(logits, forget, alpha=alpha, prior=prior).item()
    assert value == pytest.approx(information_from_log_laws(pools, prior).item(), abs=1e-13)
    assert -1e-15 <= value <= marginal_ceiling(alpha, prior) + 1e-14


@CASES
@given(cases(), st.floats(0.001, 1.0), st.floats(0.05, 0.95))
def test_drift_bounds_on_both_sides(case, alpha, pool):
    """2 π0 π1 TV² ≤ I ≤ h(π0) TV, and TV(P, Q) = α TV(P_u, P_r)."""
    logits, z = case
    forget = torch.arange(len(z)) < 1 + len(z) // 4
    p = torch.softmax(logits, 1)
    tv = alpha * 0.5 * (p[~forget].mean(0) - p[forget].mean(0)).abs().sum().item()
    value = marginal_information(logits, forget, alpha=alpha, prior=(pool, 1 - pool)).item()
    assert 2 * pool * (1 - pool) * tv**2 <= value + 1e-14
    assert value <= entropy(np.array([pool, 1 - pool])) * tv + 1e-14


def test_small_share_follows_chi_square():
    rng = torch.Generator().manual_seed(5)
    logits = torch.randn(40, 6, generator=rng, dtype=torch.float64)
    forget = torch.arange(40) < 9
    p = torch.softmax(logits, 1)
    retain, gone = p[~forget].mean(0), p[forget].mean(0)
    chi = ((gone - retain) ** 2 / retain).sum().item()
    value = marginal_information(logits, forget, alpha=1e-5).item()
    assert value == pytest.approx(0.5 * 0.25 * 1e-10 * chi, rel=1e-4, abs=0)


def test_shuffled_groups_carry_next_to_nothing_and_true_ones_much():
    rng = torch.Generator().manual_seed(7)
    z = torch.randint(2, (4000,), generator=rng)
    logits = torch.randn(4000, 5, generator=rng)
    logits[:, 0] += 3.0 * z
    true = mutual_information(logits, z).item()
    shuffled = mutual_information(logits, z[torch.randperm(4000, generator=rng)]).item()
    assert true > 0.1
    # Bias of the plug-in: (1/2n) Σ_y Var(p_y)/P(y) < (K-1)/2n.
    assert 0 <= shuffled < 4 * 4 / (2 * 4000)


def test_identical_groups_have_none():
    logits = torch.arange(6.0, dtype=torch.float64).cos().expand(12, 6)
    z = torch.arange(12) % 3
    assert abs(mutual_information(logits, z).item()) < 1e-16
    assert abs(marginal_information(logits, z == 0).item()) < 1e-30
