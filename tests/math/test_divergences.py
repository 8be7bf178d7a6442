"""Divergences between the predictions of two models."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from mpmath import mp, mpf
from scipy.spatial.distance import jensenshannon
from scipy.stats import entropy

from infounlearn.errors import InputError
from infounlearn.math import (
    jensen_shannon,
    kl,
    mutual_information,
    total_variation_rows,
)

LN2 = math.log(2.0)
CASES = settings(max_examples=60, deadline=None, derandomize=True)


@st.composite
def pairs(draw):
    rng = torch.Generator().manual_seed(draw(st.integers(0, 10**6)))
    scale = draw(st.sampled_from([0.01, 1.0, 10.0, 300.0]))
    p, q = scale * torch.randn(2, 6, 4, generator=rng, dtype=torch.float64)
    if draw(st.booleans()):
        p[:, 0] = -math.inf
        q[::2, 1] = -math.inf
    return p, q


@CASES
@given(pairs())
def test_jensen_shannon_is_a_bounded_symmetric_divergence_equal_to_scipy(pair):
    p, q = pair
    js = jensen_shannon(p, q)
    assert js.shape == (6,)
    assert ((js >= -1e-16) & (js <= LN2 + 1e-15)).all()
    assert torch.equal(js, jensen_shannon(q, p))
    a, b = torch.softmax(p, 1), torch.softmax(q, 1)
    # scipy returns the square root, which is only good to the root of rounding.
    expected = torch.tensor(jensenshannon(a.numpy(), b.numpy(), axis=1)) ** 2
    torch.testing.assert_close(js, expected, rtol=1e-9, atol=1e-14)
    tv = total_variation_rows(p, q)
    torch.testing.assert_close(tv, 0.5 * (a - b).abs().sum(1))
    assert (tv**2 / 2 <= js + 1e-14).all()
    assert (js <= LN2 * tv + 1e-14).all()


@CASES
@given(pairs())
def test_jensen_shannon_is_the_information_of_two_records(pair):
    p, q = pair
    each = [
        mutual_information(torch.stack(r), torch.tensor([0, 1])) for r in zip(p, q, strict=True)
    ]
    torch.testing.assert_close(jensen_shannon(p, q), torch.stack(each), rtol=1e-12, atol=1e-15)


def test_zero_at_equality_and_ln2_apart():
    p = torch.randn(5, 3)
    assert jensen_shannon(p, p).abs().max() == 0
    assert kl(p, p).abs().max() == 0
    # Logits and log-probabilities are the same thing.
    assert jensen_shannon(p, torch.log_softmax(p.double(), 1)).abs().max() < 1e-30
    apart = torch.log(torch.eye(2))
    assert jensen_shannon(apart, apart.flip(0)).tolist() == pytest.approx(
        [LN2, LN2], rel=1e-15, abs=0
    )
    assert total_variation_rows(apart, apart.flip(0)).tolist() == [1.0, 1.0]


@CASES
@given(pairs())
def test_kl_equals_scipy(pair):
    p, q = pair
    a, b = torch.softmax(p, 1), torch.softmax(q, 1)
    expected = torch.tensor(entropy(a.numpy(), b.numpy(), axis=1))
    # Where a probability is denormal, the comparison is short of digits, not ours.
    finite = torch.isfinite(expected) & ((b == 0) | (b > 1e-300)).all(1)
    torch.testing.assert_close(kl(p, q)[finite], expected[finite], rtol=1e-9, atol=1e-13)
    assert (kl(p, q) >= -1e-13).all()


def test_kl_is_infinite_where_q_misses_an_outcome():
    p, q = torch.tensor([[0.0, 0.0]]), torch.tensor([[0.0, -math.inf]])
    assert kl(p, q).item() == math.inf
    assert kl(q, p).item() == pytest.approx(LN2)


@pytest.mark.parametrize("step", [1e-3, 1e-6, 1e-8])
def test_nearly_equal_laws_keep_their_digits(step):
    """Second order in the step: the entropy-difference form would return 0 or noise at 1e-16."""
    p = torch.tensor([[0.3, 0.5, -1.0]], dtype=torch.float64)
    q = p + step * torch.tensor([[1.0, -2.0, 0.5]], dtype=torch.float64)
    with mp.workdps(60):

        def law(row):
            e = [mp.exp(mpf(v)) for v in row]
            return [v / sum(e) for v in e]

        a, b = law(p[0].tolist()), law(q[0].tolist())
        one = sum(x * mp.log(x / y) for x, y in zip(a, b, strict=True))
        js = sum(
            (x * mp.log(2 * x / (x + y)) + y * mp.log(2 * y / (x + y))) / 2
            for x, y in zip(a, b, strict=True)
        )
    # Log-probabilities carry an error of 1e-16, a step of 1e-8 leaves eight digits of them.
    assert jensen_shannon(p, q).item() == pytest.approx(float(js), rel=1e-14 / step + 1e-12, abs=0)
    assert kl(p, q).item() == pytest.approx(float(one), rel=1e-14 / step + 1e-12, abs=0)


def test_gradients():
    rng = torch.Generator().manual_seed(0)
    p, q = torch.randn(2, 5, 4, generator=rng, dtype=torch.float64)
    p.requires_grad_()
    q.requires_grad_()
    for divergence in (jensen_shannon, kl):
        torch.autograd.gradcheck(divergence, (p, q))


def test_gradients_stay_finite_at_probability_zero():
    p = torch.tensor([[0.0, -math.inf, 1.0], [0.0, -800.0, 800.0]], requires_grad=True)
    q = torch.tensor([[0.0, 1.0, 1.0], [0.0, 800.0, -800.0]], requires_grad=True)
    jensen_shannon(p, q).sum().backward()
    assert torch.isfinite(p.grad).all()
    assert torch.isfinite(q.grad).all()
    p.grad = q.grad = None
    kl(p, q).sum().backward()
    assert torch.isfinite(p.grad).all()
    assert torch.isfinite(q.grad).all()


def test_shapes_must_agree():
    for divergence in (jensen_shannon, kl, total_variation_rows):
        with pytest.raises(InputError, match="differ"):
            divergence(torch.zeros(2, 3), torch.zeros(3, 3))
