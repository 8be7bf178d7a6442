"""Scores of records and their soft-binned information."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from infounlearn.errors import InputError
from infounlearn.math import (
    bin_width,
    confidence,
    cross_entropy_loss,
    logit_margin,
    mutual_information,
    residual,
    score_information,
    soft_bin_centers,
    soft_bins,
    squared_error,
)

CASES = settings(max_examples=40, deadline=None, derandomize=True)


def logits_and_labels(seed: int, n: int = 20, c: int = 5):
    rng = torch.Generator().manual_seed(seed)
    logits = 3 * torch.randn(n, c, generator=rng, dtype=torch.float64)
    return logits, torch.randint(c, (n,), generator=rng)


@CASES
@given(st.integers(0, 10**6))
def test_margin_loss_and_confidence_agree_with_the_probabilities(seed):
    logits, labels = logits_and_labels(seed)
    p = torch.softmax(logits, 1)
    true = p.gather(1, labels[:, None]).squeeze(1)
    margin = logit_margin(logits, labels)
    torch.testing.assert_close(margin, torch.log(true / (1 - true)))
    torch.testing.assert_close(logit_margin(logits + 7.0, labels), margin)
    loss = cross_entropy_loss(logits, labels)
    torch.testing.assert_close(loss, -torch.log(true))
    torch.testing.assert_close(loss, torch.log1p(torch.exp(-margin)))
    torch.testing.assert_close(confidence(logits), p.max(1).values)


def test_margin_of_confident_float32_logits_is_not_lost():
    logits = torch.tensor([[60.0, 0.0, 0.0], [0.0, 60.0, -math.inf]])
    found = logit_margin(logits, torch.tensor([0, 0]))
    assert found.tolist() == pytest.approx([60 - math.log(2), -60.0], rel=1e-12, abs=0)


def test_margin_gradient():
    logits, labels = logits_and_labels(1)
    torch.autograd.gradcheck(lambda v: logit_margin(v, labels), logits.requires_grad_())


def test_residuals_of_a_regressor():
    predictions, targets = torch.tensor([1.0, 2.0]), torch.tensor([[1.5], [4.0]])
    assert residual(predictions, targets).tolist() == [[0.5], [2.0]]
    assert squared_error(predictions[:, None], targets[:, 0]).tolist() == [0.25, 4.0]
    assert squared_error(torch.zeros(1, 2), torch.tensor([[1.0, 3.0]])).tolist() == [5.0]


@CASES
@given(st.integers(0, 10**6), st.integers(2, 20), st.integers(1, 300))
def test_centers_are_equal_mass(seed, bins, n):
    scores = torch.randn(n, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    centers = soft_bin_centers(scores.requires_grad_(), bins)
    assert centers.shape == (bins,)
    assert not centers.requires_grad
    assert (torch.diff(centers) >= 0).all()
    below = (scores[:, None] <= centers).double().mean(0)
    levels = (torch.arange(bins) + 0.5) / bins
    assert ((below - levels).abs() <= 1.0 / n + 1e-9).all()


def test_soft_bins_are_the_stated_kernel_and_bear_far_scores():
    centers = torch.tensor([-1.0, 0.5, 3.0], dtype=torch.float64)
    scores = torch.tensor([-2.0, 0.1, 9.0], dtype=torch.float64)
    kernel = torch.exp(-((scores[:, None] - centers) ** 2) / (2 * 0.7**2))
    torch.testing.assert_close(
        soft_bins(scores, centers, 0.7).exp(), kernel / kernel.sum(1, keepdim=True)
    )
    far = soft_bins(torch.tensor([1e9, -1e9]), centers + 1e8, 0.7).exp()
    assert far[:, [2, 0]].diagonal().tolist() == [1.0, 1.0]


def test_soft_bins_do_not_depend_on_origin_or_unit():
    scores = torch.randn(50, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    z = torch.arange(50) % 2
    centers = soft_bin_centers(scores)
    value = score_information(scores, z, centers=centers).item()
    moved = score_information(3 * scores + 1e4, z, centers=3 * centers + 1e4).item()
    assert moved == pytest.approx(value, rel=1e-6, abs=0)


def gaussian_information(d: float) -> float:
    """I between N(0,1) or N(d,1), evenly, and which one."""
    x = torch.linspace(-9, 9 + d, 200_001, dtype=torch.float64)
    a, b = torch.tensor(norm.pdf(x)), torch.tensor(norm.pdf(x, d))
    m = 0.5 * (a + b)
    return float(torch.trapezoid(0.5 * (a * torch.log(a / m) + b * torch.log(b / m)), x))


@pytest.mark.parametrize(("d", "value"), [(0.5, 0.030311), (1.0, 0.111421), (2.0, 0.336831)])
def test_sixteen_soft_bins_keep_most_and_never_exceed(d, value):
    """The release only loses information (data processing), less than a tenth with 16 bins."""
    assert gaussian_information(d) == pytest.approx(value, abs=5e-7)
    # Quantile grids in place of random samples: the population value without sampling noise.
    grid = torch.tensor(norm.ppf((torch.arange(20_000) + 0.5) / 20_000))
    scores, z = torch.cat((grid, grid + d)), torch.arange(2).repeat_interleave(20_000)
    centers = soft_bin_centers(scores)
    kept = score_information(scores, z, centers=centers).item()
    assert 0.9 * value < kept < value
    wide = score_information(scores, z, centers=centers, width=20 * bin_width(centers)).item()
    assert wide < 0.5 * value


def test_conditional_score_information_sees_through_a_mixture():
    """Within each class the scores tell the group; together the classes hide it."""
    rng = torch.Generator().manual_seed(0)
    c, z = torch.arange(4000) % 2, (torch.arange(4000) // 2) % 2
    scores = 6.0 * (c ^ z) + torch.randn(4000, generator=rng)
    centers = soft_bin_centers(scores)
    assert score_information(scores, z, centers=centers) < 0.01
    assert score_information(scores, z, centers=centers, given=c) > 0.5


def test_score_information_gradient_and_constant_scores():
    scores = torch.randn(20, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    centers, z = soft_bin_centers(scores, 6), torch.arange(20) % 2
    torch.autograd.gradcheck(
        lambda s: score_information(s, z, centers=centers), scores.requires_grad_()
    )
    same = torch.full((20,), 2.5)
    flat = soft_bin_centers(same)
    assert bin_width(flat) == 1.0
    assert score_information(same, z, centers=flat).item() == pytest.approx(0.0, abs=1e-16)


def test_score_information_is_mutual_information_of_the_bins():
    scores = torch.randn(30, generator=torch.Generator().manual_seed(0))
    centers, z = soft_bin_centers(scores), torch.arange(30) % 3
    prior = (0.2, 0.3, 0.5)
    found = score_information(scores, z, centers=centers, width=0.4, prior=prior)
    assert (
        found.item() == mutual_information(soft_bins(scores, centers, 0.4), z, prior=prior).item()
    )


L, Y = torch.zeros(2, 3), torch.tensor([0, 1])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: logit_margin(L, Y + 2), "holds 3"),
        (lambda: logit_margin(L[:, :1], 0 * Y), "one class"),
        (lambda: cross_entropy_loss(L, Y[:1]), "labels has shape"),
        (lambda: confidence(L[0]), "logits have shape"),
        (lambda: residual(L, L[:1]), "differ"),
        (lambda: soft_bin_centers(L[:0]), "empty"),
        (lambda: soft_bin_centers(L, 1), "2 or more"),
        (lambda: soft_bin_centers(L / 0), "not finite"),
        (lambda: soft_bins(L, L[0], 1.0), "one score per record"),
        (lambda: soft_bins(L[0], L[0], 0.0), "positive, finite width"),
    ],
)
def test_unusable_input_is_named(call, message):
    with pytest.raises(InputError, match=message):
        call()
