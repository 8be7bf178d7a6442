"""Quantile matching is optimal transport on the line."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment
from scipy.stats import wasserstein_distance

from infounlearn.errors import InputError
from infounlearn.math import quantile_match, quantile_targets, wasserstein_1d

CASES = settings(max_examples=60, deadline=None, derandomize=True)


def sample(n: int, seed: int, ties: bool = False) -> torch.Tensor:
    rng = torch.Generator().manual_seed(seed)
    values = 3 * torch.randn(n, generator=rng, dtype=torch.float64)
    return values.round() if ties else values


sizes = st.integers(1, 30)
seeds = st.integers(0, 10**6)


@CASES
@given(sizes, seeds, st.booleans())
def test_equal_sizes_give_the_optimal_assignment(n, seed, ties):
    x, y = sample(n, seed, ties), sample(n, seed + 1, ties)
    cost = (x[:, None] - y) ** 2
    best = cost[linear_sum_assignment(cost.numpy())].mean().item()
    assert quantile_match(x, y, kind="squared").item() == pytest.approx(best, abs=1e-12)
    assert wasserstein_1d(x, y) ** 2 == pytest.approx(best, abs=1e-12)


@CASES
@given(sizes, sizes, seeds, st.booleans())
def test_distance_of_unequal_sizes_equals_scipy(n, m, seed, ties):
    x, y = sample(n, seed, ties), sample(m, seed + 1, ties)
    expected = wasserstein_distance(x.numpy(), y.numpy())
    assert wasserstein_1d(x, y, 1.0) == pytest.approx(expected, abs=1e-12)


@CASES
@given(sizes, st.integers(1, 5), seeds)
def test_matching_is_the_distance_when_each_target_serves_whole_scores(m, times, seed):
    x, y = sample(m * times, seed), sample(m, seed + 1)
    assert quantile_match(x, y, kind="squared").item() == pytest.approx(wasserstein_1d(x, y) ** 2)
    assert quantile_match(x, y, kind="absolute").item() == pytest.approx(wasserstein_1d(x, y, 1.0))


@CASES
@given(sizes, sizes, seeds)
def test_targets_are_quantiles_in_the_order_of_the_scores(n, m, seed):
    x, y = sample(n, seed), sample(m, seed + 1)
    wanted = quantile_targets(x, y)
    order = torch.argsort(x)
    levels = (torch.arange(n, dtype=torch.float64) + 0.5) / n
    # numpy's averaged inverted CDF is the same quantile, mid-way at a jump; its float levels may
    # fall on either side of a jump, so both neighbours are allowed there.
    low = torch.quantile(y, (levels - 1e-9).clamp_min(0), interpolation="nearest")
    assert low.shape == wanted[order].shape
    counted = torch.stack([(y <= q).double().mean() for q in wanted[order]])
    below = torch.stack([(y < q).double().mean() for q in wanted[order]])
    assert (counted >= levels - 1e-9).logical_or(below <= levels + 1e-9).all()
    assert (below <= levels + 1e-9).all()
    assert (torch.diff(wanted[order]) >= 0).all()
    torch.testing.assert_close(quantile_targets(-x, -y), -wanted)


def test_quantiles_by_hand():
    x = torch.tensor([5.0, 1.0])
    y = torch.tensor([30.0, 10.0, 20.0, 40.0])
    # Levels 3/4 and 1/4 of four targets are jumps: midpoints of (30, 40) and (10, 20).
    assert quantile_targets(x, y).tolist() == [35.0, 15.0]
    assert quantile_targets(x, y[:3]).tolist() == [30.0, 10.0]
    assert quantile_targets(y, x).tolist() == [5.0, 1.0, 1.0, 5.0]


def test_gradient_moves_each_score_to_its_quantile():
    x, y = sample(7, 1).requires_grad_(), sample(11, 2).requires_grad_()
    quantile_match(x, y, kind="squared").backward()
    torch.testing.assert_close(x.grad, 2 * (x - quantile_targets(x, y)).detach() / 7)
    assert y.grad is None


def test_descent_reaches_the_target_law():
    x, y = sample(40, 1).requires_grad_(), sample(20, 2) + 5
    before = wasserstein_1d(x.detach(), y)
    for _ in range(200):
        (grad,) = torch.autograd.grad(quantile_match(x, y, kind="squared"), x)
        x = (x - 4.0 * grad).detach().requires_grad_()
    assert before > 4
    assert wasserstein_1d(x.detach(), y) < 1e-6


@CASES
@given(seeds, st.integers(1, 4))
def test_per_class_is_each_class_alone_weighed_by_its_scores(seed, classes):
    rng = torch.Generator().manual_seed(seed)
    labels = torch.randint(classes, (25,), generator=rng)
    target_labels = torch.cat((torch.arange(classes), torch.randint(classes, (9,), generator=rng)))
    x, y = sample(25, seed), sample(classes + 9, seed + 1)
    whole = quantile_match(x, y, labels=labels, target_labels=target_labels)
    parts = sum(
        (labels == c).double().mean() * quantile_match(x[labels == c], y[target_labels == c])
        for c in labels.unique()
    )
    assert whole.item() == pytest.approx(float(parts), rel=1e-12)


def test_per_class_sees_what_the_whole_hides():
    """Two classes with exchanged scores: the same law together, not one by one."""
    x, y = torch.tensor([0.0, 10.0]), torch.tensor([0.0, 10.0])
    assert quantile_match(x, y).item() == 0.0
    apart = quantile_match(x, y, labels=torch.tensor([0, 1]), target_labels=torch.tensor([1, 0]))
    assert apart.item() == 9.5


ONE = torch.zeros(2)
INT = torch.tensor([0, 1])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: quantile_match(ONE[:0], ONE), "scores have shape"),
        (lambda: quantile_match(ONE, ONE[:0]), "targets have shape"),
        (lambda: quantile_match(ONE, INT), "targets have shape"),
        (lambda: quantile_match(ONE[None], ONE), "scores have shape"),
        (lambda: quantile_match(ONE, ONE, labels=INT), "only one side"),
        (lambda: quantile_match(ONE, ONE, labels=INT, target_labels=0 * INT), r"classes \[1\]"),
        (lambda: quantile_match(ONE, ONE, labels=2 - INT, target_labels=INT), r"classes \[2\]"),
        (lambda: quantile_match(ONE, ONE, labels=2 * INT, target_labels=3 * INT), r"classes \[2\]"),
        (lambda: quantile_match(ONE, ONE, labels=-INT, target_labels=INT), "negative"),
        (lambda: quantile_match(ONE, ONE, labels=INT[:1], target_labels=INT), "labels of scores"),
        (lambda: quantile_match(ONE, ONE, kind="cubic"), "kind is 'cubic'"),
        (lambda: wasserstein_1d(ONE, ONE, 0.5), "p >= 1"),
    ],
)
def test_unusable_input_is_named(call, message):
    with pytest.raises(InputError, match=message):
        call()
