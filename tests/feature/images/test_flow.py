"""What one stage does to the log odds of its critic, in closed form."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from infounlearn.feature.images.critics import Critic, information, read
from infounlearn.feature.images.flow import Flow, Metric, Stage

DRAWS = torch.Generator().manual_seed(3)


class Linear(nn.Module):
    """s(x) = <v, x> + 1."""

    def __init__(self, v):
        super().__init__()
        self.register_buffer("v", v)

    def forward(self, rows):
        return rows.flatten(1) @ self.v + 1.0


def metric(size=6, rank=3, rest=0.5):
    basis = torch.linalg.qr(torch.randn(size, rank, generator=DRAWS))[0]
    root = torch.randn(rank, rank, generator=DRAWS)
    spread = root @ root.T + torch.eye(rank)
    whole = basis @ spread @ basis.T + rest * (torch.eye(size) - basis @ basis.T)
    return Metric(basis, spread, rest), whole


def test_the_metric_is_the_covariance_it_is_made_of():
    own, whole = metric()
    v = torch.randn(5, 1, 2, 3, generator=DRAWS)
    torch.testing.assert_close(own(v).flatten(1), v.flatten(1) @ whole)


@pytest.mark.parametrize("share", [1.0, 0.25])
def test_a_linear_critic_reads_the_barycenter_of_its_log_odds_afterwards(share):
    own, _ = metric()
    critic = Linear(torch.randn(6, generator=DRAWS))
    weights, means, spreads = (0.5, 0.3, 0.2), (-1.0, 0.5, 2.0), (0.5, 1.0, 2.0)
    stage = Stage(critic, means, spreads, weights, 0.0, share)
    x, codes = torch.randn(90, 6, generator=DRAWS), torch.arange(90) % 3
    before, after = critic(x), critic(stage(x, codes, own))
    mean = sum(w * m for w, m in zip(weights, means, strict=True))
    spread = sum(w * d for w, d in zip(weights, spreads, strict=True))
    z = (before - torch.tensor(means)[codes]) / torch.tensor(spreads)[codes]
    torch.testing.assert_close(after, (1 - share) * before + share * (mean + spread * z))


def test_groups_that_differ_in_their_means_meet_by_optimal_transport_in_one_stage():
    own, whole = metric()
    gap, weights = torch.randn(6, generator=DRAWS), torch.tensor([0.7, 0.3])
    v = torch.linalg.solve(whole, gap)  # of the log odds of two Gaussians of one covariance
    means = torch.stack([torch.tensor(1.0), 1.0 + v @ gap])  # of s, where group 0 is at 0
    stage = Stage(Linear(v), means, torch.full((2,), float(v @ gap) ** 0.5), weights, 0.0, 1.0)
    x, codes = torch.randn(40, 6, generator=DRAWS), torch.arange(40) % 2
    known = x + torch.where(codes[:, None] == 1, -0.7 * gap, 0.3 * gap)
    torch.testing.assert_close(stage(x, codes, own), known, atol=1e-5, rtol=1e-4)


def test_slopes_are_those_of_finite_differences():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = Critic((1, 8, 8)).double().eval().requires_grad_(False)
    x = torch.rand(3, 1, 8, 8, generator=DRAWS, dtype=torch.float64)
    scores, slopes = read(net, x)
    way = torch.randn(x.shape, generator=DRAWS, dtype=torch.float64)
    found = (net(x + 1e-7 * way) - net(x - 1e-7 * way)) / 2e-7
    torch.testing.assert_close((slopes * way).flatten(1).sum(1), found, rtol=1e-4, atol=1e-8)
    torch.testing.assert_close(scores, net(x))
    with torch.no_grad():
        assert torch.equal(read(net, x)[1], slopes)


def test_information_is_that_of_the_log_odds():
    is_group = torch.tensor([True] * 30 + [False] * 70)
    nothing = torch.full((100,), math.log(0.3 / 0.7))
    assert information(nothing, is_group) == pytest.approx(0.0, abs=1e-7)
    entropy = -0.3 * math.log(0.3) - 0.7 * math.log(0.7)
    sure = torch.where(is_group, 50.0, -50.0)
    assert information(sure, is_group) == pytest.approx(entropy)
    assert information(-sure, is_group) < -10
    heard = torch.tensor([True] * 24 + [False] * 6 + [True] * 14 + [False] * 56)
    odds = torch.where(heard, math.log(24 / 14), math.log(6 / 56))
    joint = {(1, 1): 0.24, (1, 0): 0.06, (0, 1): 0.14, (0, 0): 0.56}
    known = sum(
        p * math.log(p / ((0.3 if z else 0.7) * (0.38 if u else 0.62)))
        for (z, u), p in joint.items()
    )
    assert information(odds, is_group) == pytest.approx(known)


def test_values_stay_between_the_limits_and_a_flow_without_stages_is_its_start():
    own, _ = metric()
    x, codes = torch.randn(40, 6, generator=DRAWS), torch.arange(40) % 2
    assert torch.equal(Flow(None, own)(x, codes), x)
    flow = Flow(None, own, (-0.5, 0.5))
    far = Stage(Linear(torch.ones(6)), (9.0, -9.0), (1.0, 1.0), (0.5, 0.5), 0.0, 1.0)
    flow.stages.append(far)
    moved = flow(x, codes)
    assert float(moved.min()) == -0.5
    assert float(moved.max()) == 0.5
    assert torch.equal(moved, far(x.clamp(-0.5, 0.5), codes, own).clamp(-0.5, 0.5))
