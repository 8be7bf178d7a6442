"""The objectives against what is known of them."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from infounlearn.feature.images import saddle
from infounlearn.feature.images.latent_gaussian import fit_latent_gaussian
from infounlearn.feature.images.starts import start_of

from .test_latent_gaussian import rows_of

WEIGHTS = torch.tensor([0.2, 0.5, 0.3])


def test_potentials_are_congruent_and_two_groups_share_one():
    values = torch.randn(40, 3, generator=torch.Generator().manual_seed(0))
    free = saddle.congruent(values, WEIGHTS)
    torch.testing.assert_close(free @ WEIGHTS, torch.zeros(40), atol=1e-6, rtol=0)
    two = torch.tensor([0.3, 0.7])
    both = saddle.congruent(values[:, :2], two)
    torch.testing.assert_close(both[:, 0] * 0.3, -both[:, 1] * 0.7)


def test_a_group_weighs_what_it_should_however_often_it_is_drawn():
    codes = torch.tensor([0, 0, 0, 0, 1, 2, 2])
    values = torch.tensor([1.0, 2.0, 3.0, 2.0, 5.0, 7.0, 9.0])
    known = 0.2 * 2 + 0.5 * 5 + 0.3 * 8
    assert float(saddle.group_mean(values, codes, WEIGHTS)) == pytest.approx(known)


def test_the_cost_is_half_the_mean_square_of_a_pixel():
    x = torch.zeros(2, 1, 4, 4)
    moved = torch.stack([torch.full((1, 4, 4), 0.2), torch.zeros(1, 4, 4)])
    torch.testing.assert_close(saddle.transport_cost(x, moved), torch.tensor([0.02, 0.0]))


def test_the_penalty_of_a_linear_potential_is_known_and_has_a_gradient():
    # f_z(y) = a·y / d has d∇f = a: the penalty is mean a² / 2 of the congruent differences.
    slopes = torch.randn(3, 16, generator=torch.Generator().manual_seed(1)).requires_grad_()
    moved = torch.randn(6, 1, 4, 4, requires_grad=True)
    codes = torch.tensor([0, 0, 1, 1, 2, 2])
    own = saddle.own_values(moved.flatten(1) @ slopes.T / 16, codes, WEIGHTS)
    found = saddle.gradient_penalty(own, moved, codes, WEIGHTS)
    free = slopes - WEIGHTS @ slopes
    torch.testing.assert_close(found, WEIGHTS @ (free**2).mean(1) / 2)
    assert torch.autograd.grad(found, slopes)[0].abs().max() > 0


@pytest.mark.parametrize("groups", [2, 3])
def test_the_closed_form_starts_at_half_the_value_where_neither_player_gains(groups):
    rows, codes = rows_of(groups)
    fitted = fit_latent_gaussian(rows, codes, dims=4)
    change, dual = (part.double() for part in start_of(fitted))
    x, z = torch.from_numpy(rows), torch.from_numpy(codes)
    weights = torch.bincount(z) / len(z)
    weights = weights.double()
    moved = (x + change(x, z)).requires_grad_()
    np.testing.assert_allclose(moved.detach().numpy(), fitted.transport(rows, codes), atol=1e-5)
    own = saddle.own_values(dual(moved), z, weights)
    value = saddle.group_mean(saddle.transport_cost(x, moved) - own, z, weights)
    assert value.item() == pytest.approx(fitted.value / 2, rel=1e-5)
    # The maps: no row gains by moving on. The potentials: Σ w f_z = 0 and equal moments.
    assert torch.autograd.grad(value, moved)[0].abs().max() < 1e-7
    assert dual(x).matmul(weights).abs().max() < 1e-5
    assert saddle.group_mean(own, z, weights).item() == pytest.approx(0.0, abs=1e-6)


def test_the_pairwise_start_takes_each_group_to_the_moments_of_the_other():
    rows, codes = rows_of(2)
    fitted = fit_latent_gaussian(rows, codes, dims=None)
    change, dual = (part.double() for part in start_of(fitted, pairwise=True))
    x, z = torch.from_numpy(rows), torch.from_numpy(codes)
    even = torch.tensor([0.5, 0.5], dtype=torch.float64)
    moved = (x + change(x, z)).requires_grad_()
    for group in (0, 1):
        ends, aims = moved.detach()[z == group], x[z != group]
        torch.testing.assert_close(ends.mean(0), aims.mean(0), atol=1e-4, rtol=0)
        torch.testing.assert_close(ends.T.cov(), aims.T.cov(), atol=2e-2, rtol=2e-2)
    share = torch.from_numpy(1 - fitted.barycenter.weights)[z][:, None]
    both = x + share * (moved.detach() - x)
    np.testing.assert_allclose(both.numpy(), fitted.transport(rows, codes), atol=1e-4)
    own = saddle.pairwise_values(dual(moved), z)
    loss = saddle.group_mean(saddle.transport_cost(x, moved) - own, z, even)
    assert torch.autograd.grad(loss, moved)[0].abs().max() < 1e-6
    targets = saddle.pairwise_targets(dual(x), z)
    # The dual value: the maps' loss and E f at the targets, per direction W2² / 2.
    dual_value = loss + saddle.group_mean(saddle.pairwise_values(dual(x), 1 - z), z, even)
    known = fitted.value / (2 * float(torch.prod(torch.from_numpy(fitted.barycenter.weights))))
    assert float(dual_value.detach()) == pytest.approx(known, rel=1e-4)
    torch.testing.assert_close(targets, dual(x).gather(1, z[:, None])[:, 0])
