"""The toys carry the information they claim."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from infounlearn.data import (
    CHANNELS,
    Channel,
    correlated_normals,
    density_toy,
    gaussian_groups,
    gaussian_information,
    gaussian_toy,
)
from infounlearn.errors import InputError

# Literature and numerical values, to the digits in which they were stated.
STATED = {
    "binary symmetric, error 0.1": 0.368064,
    "binary symmetric, error 0.3": 0.082283,
    "binary symmetric, error 0.45": 0.005008,
    "randomised response, epsilon 1": 0.110944,
    "binary erasure 0.3": 0.485203,
    "Z-channel 0.5": 0.215762,
}


@pytest.mark.parametrize("channel", CHANNELS, ids=lambda channel: channel.name)
def test_channel_information_is_the_divergence_from_the_mean_law(channel: Channel) -> None:
    laws = np.array(channel.laws)
    assert np.allclose(laws.sum(axis=1), 1)
    direct = np.mean([stats.entropy(law, laws.mean(axis=0)) for law in laws])
    assert channel.nats == pytest.approx(direct, rel=1e-12)
    assert channel.nats == pytest.approx(STATED[channel.name], abs=5e-7)


@pytest.mark.parametrize(
    ("distance", "nats"),
    [
        (0.1, 0.001248),
        (0.25, 0.007752),
        (0.5, 0.030311),
        (1, 0.111421),
        (2, 0.336831),
        (3, 0.526777),
    ],
)
def test_gaussian_information_matches_the_stated_values(distance: float, nats: float) -> None:
    assert gaussian_information(distance) == pytest.approx(nats, abs=6e-7)


@given(st.floats(0.01, 8), st.floats(0.02, 0.98))
def test_gaussian_information_lies_between_nothing_and_the_entropy_of_the_group(
    distance: float, prior: float
) -> None:
    value = gaussian_information(distance, prior)
    entropy = -prior * math.log(prior) - (1 - prior) * math.log(1 - prior)
    assert 0 < value <= entropy + 1e-9
    assert value <= distance**2 * prior * (1 - prior) / 2 + 1e-9  # variance bound of the mixture
    assert value == pytest.approx(gaussian_information(distance, 1 - prior), abs=1e-9)


def test_gaussian_information_vanishes_as_the_groups_meet() -> None:
    assert gaussian_information(0.0) == 0.0
    assert gaussian_information(1e-4) == pytest.approx(1e-8 / 8, rel=1e-6)  # d²/8 + O(d⁴)


def test_gaussian_groups_follow_their_law() -> None:
    scores, groups = gaussian_groups(20_000, 1.5, prior=0.3, seed=1)
    assert stats.binomtest(int((groups == 0).sum()), 20_000, 0.3).pvalue > 1e-4
    for group, mean in ((0, 0.0), (1, 1.5)):
        own = scores[groups == group].numpy()
        assert stats.kstest(own, stats.norm(mean, 1).cdf).pvalue > 1e-4


@pytest.mark.parametrize(("rho", "pairs", "nats"), [(0.75, 1, 0.413339), (0.8, 2, 1.021651)])
def test_correlated_normals(rho: float, pairs: int, nats: float) -> None:
    x, z, stated = correlated_normals(20_000, rho, pairs=pairs, seed=2)
    assert stated == pytest.approx(nats, abs=5e-7)
    assert x.shape == z.shape == (20_000, pairs)
    found = np.corrcoef(x.numpy().T, z.numpy().T)
    expected = np.eye(2 * pairs) + rho * (np.eye(2 * pairs, k=pairs) + np.eye(2 * pairs, k=-pairs))
    assert np.abs(found - expected).max() < 0.04  # 5 standard errors of 1/sqrt(20,000)


def test_density_toy_has_the_two_densities_and_one_rule_that_extends() -> None:
    forget, retain = density_toy(2000, 5000, seed=0)
    assert stats.kstest(retain.targets.flatten().numpy(), stats.uniform(-1, 2).cdf).pvalue > 1e-4
    assert stats.kstest(forget.targets.flatten().numpy(), stats.norm(0, 0.05).cdf).pvalue > 1e-4
    assert torch.equal(retain.targets, retain.inputs[:, 1:])
    assert retain.inputs[:, 0].max() < 0 < forget.inputs[:, 0].min()
    assert not set(forget.ids.tolist()) & set(retain.ids.tolist())
    with pytest.raises(InputError, match="at least one row"):
        density_toy(0)


def test_gaussian_toy_plants_a_record_between_balanced_classes() -> None:
    forget, retain = gaussian_toy(1000, 10, distance=3.0, seed=0)
    assert (len(forget), len(retain)) == (1, 1000)
    assert torch.bincount(retain.targets).tolist() == [500, 500]
    assert forget.inputs[0, 0] == 0
    assert forget.targets.tolist() == [0]
    gap = retain.inputs[retain.targets == 1].mean(0) - retain.inputs[retain.targets == 0].mean(0)
    assert torch.allclose(gap, torch.tensor([3.0] + [0.0] * 9), atol=0.35)
    with pytest.raises(InputError, match="two or more rows"):
        gaussian_toy(1)
