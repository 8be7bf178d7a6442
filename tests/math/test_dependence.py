"""Unbiased HSIC and energy distance against their definitions."""

from __future__ import annotations

import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import energy_distance as scipy_energy

from infounlearn.errors import InputError
from infounlearn.math import energy_distance, hsic_unbiased, median_bandwidth

CASES = settings(max_examples=25, deadline=None, derandomize=True)


def sample(n: int, d: int, seed: int) -> torch.Tensor:
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@CASES
@given(st.integers(4, 6), st.integers(0, 10**6), st.booleans())
def test_hsic_is_the_mean_over_all_quadruples(n, seed, discrete):
    x, z = sample(n, 2, seed), sample(n, 3, seed + 1)
    k = torch.exp(-(torch.cdist(x, x) ** 2) / 2)
    g = torch.exp(-(torch.cdist(z, z) ** 2) / (2 * 0.7**2))
    if discrete:
        z = torch.arange(n) % 2
        g = (z[:, None] == z).double()
    terms = [
        k[i, j] * (g[i, j] + g[q, r] - 2 * g[i, q])
        for i, j, q, r in itertools.permutations(range(n), 4)
    ]
    found = hsic_unbiased(x, z, bandwidth_x=1.0, bandwidth_z=0.7)
    assert found.item() == pytest.approx(torch.stack(terms).mean().item(), abs=1e-12)


def test_hsic_is_zero_in_the_mean_over_all_pairings():
    x, z = sample(5, 1, 0), sample(5, 1, 1)
    every = [
        hsic_unbiased(x, z[list(order)], bandwidth_x=1.0, bandwidth_z=1.0)
        for order in itertools.permutations(range(5))
    ]
    assert abs(torch.stack(every).mean()) < 1e-15
    assert min(every) < 0 < max(every)


def test_hsic_sees_dependence_that_correlation_does_not():
    x = sample(300, 1, 0)
    noise = sample(300, 1, 1)
    assert abs(torch.corrcoef(torch.cat((x, x**2), 1).T)[0, 1]) < 0.2
    assert hsic_unbiased(x, x**2) > 0.02
    assert abs(hsic_unbiased(x, noise)) < 0.002
    assert hsic_unbiased(x.flatten(), (x > 0).flatten()) > 0.02


def test_hsic_gradient_and_repeated_rows():
    x, z = sample(6, 2, 0).requires_grad_(), sample(6, 1, 1)
    torch.autograd.gradcheck(lambda v: hsic_unbiased(v, z, bandwidth_x=1.0, bandwidth_z=1.0), x)
    same = torch.zeros(5, 2, requires_grad=True)
    value = hsic_unbiased(same, torch.arange(5.0))
    value.backward()
    assert value.item() == pytest.approx(0.0, abs=1e-15)
    assert torch.isfinite(same.grad).all()


def test_median_bandwidth():
    assert median_bandwidth(torch.tensor([0.0, 1.0, 3.0])) == 2.0
    assert median_bandwidth(torch.ones(3, 2)) == 1.0


@CASES
@given(st.integers(2, 20), st.integers(2, 20), st.integers(0, 10**6))
def test_energy_distance_is_scipys_without_its_diagonal(n, m, seed):
    x, y = sample(n, 1, seed).flatten(), 1 + sample(m, 1, seed + 1).flatten()
    inside = [(a[:, None] - a).abs().sum().item() for a in (x, y)]
    # scipy gives the root of the biased form, whose inner means count a row with itself.
    biased = scipy_energy(x.numpy(), y.numpy()) ** 2
    expected = biased - inside[0] / (n**2 * (n - 1)) - inside[1] / (m**2 * (m - 1))
    assert energy_distance(x, y).item() == pytest.approx(expected, abs=1e-12)


def test_energy_distance_has_mean_zero_over_all_splits():
    x = sample(6, 2, 0)
    every = [
        energy_distance(x[list(first)], x[[i for i in range(6) if i not in first]])
        for first in itertools.combinations(range(6), 3)
    ]
    assert abs(torch.stack(every).mean()) < 1e-15
    assert energy_distance(sample(200, 2, 0), sample(200, 2, 1) + 1) > 0.3


def test_energy_distance_gradient():
    x, y = sample(5, 2, 0).requires_grad_(), sample(4, 2, 1)
    torch.autograd.gradcheck(lambda v: energy_distance(v, y), x)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: hsic_unbiased(torch.zeros(3), torch.zeros(3)), "3 rows"),
        (lambda: hsic_unbiased(torch.zeros(5), torch.zeros(4)), "one row of each"),
        (lambda: hsic_unbiased(torch.arange(5), torch.zeros(5)), "not real"),
        (lambda: hsic_unbiased(torch.zeros(5), torch.zeros(5), bandwidth_x=0.0), "bandwidth_x"),
        (lambda: energy_distance(torch.zeros(1), torch.zeros(4)), "two or more"),
        (lambda: energy_distance(torch.zeros(4, 2), torch.zeros(4)), "equally wide"),
    ],
)
def test_unusable_input_is_named(call, message):
    with pytest.raises(InputError, match=message):
        call()
