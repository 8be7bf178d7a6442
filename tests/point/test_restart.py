"""Shrink, perturb, heal."""

from __future__ import annotations

import copy
import random

import numpy as np
import pytest
import torch
from torch import nn

from infounlearn.errors import InputError, Problems
from infounlearn.experiments.networks import Mlp
from infounlearn.point import Restart
from infounlearn.point.restart import fresh_network

from .worlds import NETWORK, TRAINED, WORLD, fit, go, same, weights

OTHER = fit(NETWORK(7), WORLD.holdout)


def fresh(model, seed=0, make=None):
    problems = Problems("test")
    network = fresh_network(model, make, seed, problems)
    problems.raise_if_any()
    return network


def test_keeping_all_and_adding_nothing_is_the_identity():
    model = copy.deepcopy(TRAINED)
    Restart(keep=1.0, noise=0.0).apply(model, fresh(TRAINED))
    assert same(model, TRAINED)
    assert same(go(None, restart=Restart(1.0, 0.0)).model, go(None).model)


def test_keeping_nothing_is_retraining_whatever_was_trained():
    options = {"restart": Restart(0.0, 1.0), "holdout": None}
    assert same(go(None, TRAINED, **options).model, go(None, OTHER, **options).model)
    some = {"restart": Restart(0.01, 1.0), "holdout": None}
    assert not same(go(None, TRAINED, **some).model, go(None, OTHER, **some).model)


def test_keeping_nothing_restarts_statistics_too():
    def normed(seed):
        return fit(nn.Sequential(*NETWORK(seed), nn.BatchNorm1d(3)), WORLD.forget, WORLD.retain)

    options = {"restart": Restart(0.0, 1.0), "holdout": None}
    assert same(go(None, normed(1), **options).model, go(None, normed(2), **options).model)
    mixed, model = normed(1), normed(1)
    Restart(0.5, 0.5).apply(mixed, fresh(mixed))
    assert torch.equal(mixed[-1].running_mean, model[-1].running_mean)


def test_weights_are_the_stated_mixture():
    model, start = copy.deepcopy(TRAINED), fresh(TRAINED, 3)
    Restart(keep=0.3, noise=0.6).apply(model, start)
    for name, weight in model.named_parameters():
        expected = 0.3 * TRAINED.get_parameter(name) + 0.6 * start.get_parameter(name)
        torch.testing.assert_close(weight, expected)


def test_a_fresh_network_owes_nothing_to_training_and_touches_no_global_state():
    states = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].copy()  # noqa: NPY002

    def make(seed):
        torch.manual_seed(seed), random.seed(seed), np.random.seed(seed)  # noqa: NPY002
        return Mlp((8, 16, 3))(seed)

    one, two = fresh(TRAINED, 5), fresh(OTHER, 5)
    assert same(one, two)
    assert not same(one, fresh(TRAINED, 6))
    assert same(fresh(TRAINED, 5, make), NETWORK(5))
    assert torch.equal(states[0], torch.get_rng_state())
    assert states[1] == random.getstate()
    assert np.array_equal(states[2], np.random.get_state()[1])  # noqa: NPY002


class Prompted(nn.Module):
    """Holds a weight that no module can reset."""

    def __init__(self):
        super().__init__()
        self.prompt = nn.Parameter(torch.randn(1, 8, generator=torch.Generator().manual_seed(0)))
        self.inner = NETWORK(0)

    def forward(self, x):
        return self.inner(x + self.prompt)


def test_weights_that_nothing_resets_are_named_and_a_factory_helps(tmp_path):
    model = fit(Prompted(), WORLD.forget, WORLD.retain)
    with pytest.raises(InputError, match=r"\['prompt'\] keep their trained values .*fresh="):
        go(None, model, restart=Restart(0.5, 0.5), checkpoint=tmp_path / "run")
    assert not (tmp_path / "run").exists()
    result = go(None, model, restart=Restart(0.5, 0.5), fresh=lambda seed: Prompted())
    assert not torch.equal(result.model.prompt, model.prompt)
    # Frozen, it is not restarted, and needs no fresh value.
    model.prompt.requires_grad_(False)
    frozen = go(None, model, restart=Restart(0.5, 0.5))
    assert torch.equal(frozen.model.prompt, model.prompt)


def test_a_factory_of_another_architecture_is_refused():
    with pytest.raises(InputError, match="differ from those of model"):
        go(None, restart=Restart(), fresh=Mlp((8, 17, 3)))


def test_the_seed_reaches_the_factory():
    seen = []

    def make(seed):
        seen.append(seed)
        return NETWORK(seed)

    for seed in (0, 0, 1):
        go(None, restart=Restart(0.5, 0.5), fresh=make, seed=seed)
    assert seen[0] == seen[1] != seen[2]
    assert weights(TRAINED).keys() == weights(OTHER).keys()
