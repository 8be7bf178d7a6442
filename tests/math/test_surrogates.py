"""Mini-batch surrogates: bias measured against the plug-in, and exact limits."""

from __future__ import annotations

import math

import pytest
import torch

from infounlearn.errors import InputError
from infounlearn.math import LinearizedInformation, mutual_information, unbiased_information


def batches(rows: int, count: int, seed: int = 0, shift: float = 0.0):
    """Batches of softmax(2N) in ten classes, two groups of equal size; ``shift`` tells them."""
    rng = torch.Generator().manual_seed(seed)
    z = torch.arange(rows) % 2
    for _ in range(count):
        logits = 2 * torch.randn(rows, 10, generator=rng)
        logits[:, 0] += shift * z
        yield logits, z


@pytest.mark.parametrize(("rows", "floor"), [(16, 0.086), (64, 0.023), (256, 0.0056)])
def test_bias_floor_of_the_plug_in_and_none_of_the_u_statistic(rows, floor):
    """Independent outcomes, so I = 0: means over batches, with their standard errors."""
    found = torch.tensor(
        [
            [mutual_information(x, z), unbiased_information(x, z)]
            for x, z in batches(rows, 25_600 // rows)
        ]
    )
    mean, error = found.mean(0), found.std(0) / math.sqrt(len(found))
    assert abs(mean[0] - floor) < 0.03 * floor + 3 * error[0]
    assert abs(mean[1]) < 3 * error[1] + 1e-4
    assert error[1] < 1e-3
    assert (found[:, 1] < 0).any()


def test_small_information_is_met_without_the_floor():
    """Against the plug-in of very many rows, which is as good as the population's."""
    truth = mutual_information(*next(batches(400_000, 1, 5, 0.5))).item()
    found = torch.stack([unbiased_information(x, z) for x, z in batches(64, 1500, 1, 0.5)])
    plain = torch.stack([mutual_information(x, z) for x, z in batches(64, 300, 1, 0.5)])
    error = found.std().item() / math.sqrt(len(found))
    assert abs(found.mean().item() - truth) < 3 * error + 0.05 * truth
    assert plain.mean().item() > 5 * truth


def test_bracket_is_exactly_unbiased_under_resampling():
    """Mean over every equally likely pair of rows in each group, drawn without replacement.

    Drawn so, the variance of a mean of 2 out of N is s²/2 (1 - 2/N), and the U-statistic subtracts
    s²/2: what remains is known exactly, for unequal priors too.
    """
    rng = torch.Generator().manual_seed(3)
    x = torch.randn(8, 3, generator=rng, dtype=torch.float64)
    prior, law = (0.3, 0.7), torch.tensor([0.2, 0.3, 0.5], dtype=torch.float64)
    pairs = list(torch.combinations(torch.arange(4), 2))
    z = torch.tensor([0, 0, 1, 1])
    draws = [
        unbiased_information(x[torch.cat((a, 4 + b))], z, prior=prior, mean_law=law)
        for a in pairs
        for b in pairs
    ]
    p = torch.softmax(x, 1).view(2, 4, 3)
    shares = torch.tensor(prior, dtype=torch.float64)[:, None]
    means, within = p.mean(1), p.var(1)
    between = (shares * (means - (shares * means).sum(0)) ** 2).sum(0)
    left = (shares * (1 - shares) * within / 2 * (-2 / 4)).sum(0)
    expected = (0.5 * (between + left) / law).sum()
    assert torch.stack(draws).mean().item() == pytest.approx(expected.item(), rel=1e-12, abs=0)


def test_gradient_of_the_u_statistic():
    rng = torch.Generator().manual_seed(0)
    x = torch.randn(9, 4, generator=rng, dtype=torch.float64, requires_grad=True)
    z, law = torch.arange(9) % 3, torch.tensor([0.1, 0.2, 0.3, 0.4])
    torch.autograd.gradcheck(lambda v: unbiased_information(v, z, mean_law=law), x)


def test_u_statistic_bears_classes_that_never_occur_and_absent_groups():
    x = torch.randn(6, 3, dtype=torch.float64)
    x[:, 1] = -math.inf
    x.requires_grad_()
    value = unbiased_information(x, torch.tensor([0, 0, 0, 2, 2, 2]), num_groups=4)
    value.backward()
    assert torch.isfinite(value)
    assert torch.isfinite(x.grad).all()


def test_without_memory_the_linearised_form_is_the_plug_in():
    for prior in (None, (0.2, 0.8)):
        x = torch.randn(20, 5, dtype=torch.float64)
        x[:7, 2] = -math.inf
        z = (torch.arange(20) < 7).long()
        leaf, same = x.clone().requires_grad_(), x.clone().requires_grad_()
        found = LinearizedInformation(2, 5, decay=0.0, prior=prior)(leaf, z)
        plain = mutual_information(same, z, prior=prior)
        assert found.item() == pytest.approx(plain.item(), rel=1e-12, abs=0)
        found.backward()
        plain.backward()
        torch.testing.assert_close(leaf.grad, same.grad, rtol=1e-10, atol=1e-15)


def test_linearised_gradients_over_an_epoch_add_up_to_the_exact_one():
    """Rows of one group at a time: no batch has a plug-in worth anything."""
    rng = torch.Generator().manual_seed(0)
    x = torch.randn(60, 4, generator=rng, dtype=torch.float64, requires_grad=True)
    z = torch.arange(60) // 20
    (exact,) = torch.autograd.grad(mutual_information(x, z, prior=(0.2, 0.3, 0.5)), x)
    running = LinearizedInformation(3, 4, decay=0.999999, prior=(0.2, 0.3, 0.5))
    parts = [slice(i, i + 10) for i in range(0, 60, 10)]
    # Many epochs, so that the one in progress hardly tilts the memory to its first batches.
    for part in 200 * parts:
        running(x[part].detach(), z[part])
    found = torch.zeros_like(x)
    for part in parts:
        # Each batch is half of its group, hence the half.
        found += 0.5 * torch.autograd.grad(running(x[part], z[part]), x)[0]
    torch.testing.assert_close(found, exact, rtol=0, atol=1e-2 * exact.abs().max().item())


def test_bias_of_the_linearised_form_is_a_fraction_of_the_floor():
    """Each batch is 1 % of its own comparison: measured mean .0003, plug-in .023."""
    running = LinearizedInformation(2, 10)
    found = torch.stack([running(x, z) for x, z in batches(64, 1500)])[300:]
    assert abs(found.mean()) < 1e-3


def test_resumed_memory_goes_on_to_the_same_digits():
    data = list(batches(16, 6))
    one, two = LinearizedInformation(2, 10), LinearizedInformation(2, 10, decay=0.5)
    for x, z in data[:3]:
        one(x, z)
    two.load_state_dict(one.state_dict())
    for x, z in data[3:]:
        assert torch.equal(one(x, z), two(x, z))
    with pytest.raises(InputError, match="load it into"):
        LinearizedInformation(3, 10).load_state_dict(one.state_dict())


X, Z = torch.zeros(4, 3), torch.tensor([0, 0, 1, 1])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: unbiased_information(X, torch.tensor([0, 0, 0, 1])), r"groups \[1\]"),
        (lambda: unbiased_information(X, 0 * Z, prior=(0.5, 0.5), num_groups=2), r"groups \[1\]"),
        (lambda: unbiased_information(X, Z, mean_law=torch.ones(4)), "mean_law has shape"),
        (lambda: LinearizedInformation(2, 3, decay=1.0), "decay is 1.0"),
        (lambda: LinearizedInformation(2, 4)(X, Z), "pass 4"),
        (lambda: LinearizedInformation(1, 3)(X, Z), "values below 1"),
    ],
)
def test_unusable_input_is_named(call, message):
    with pytest.raises(InputError, match=message):
        call()
