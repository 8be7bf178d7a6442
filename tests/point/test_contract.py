"""What every objective promises, whatever it does: the model, the seed, the generators."""

from __future__ import annotations

import copy
import random
from dataclasses import replace

import numpy as np
import pytest
import torch

from infounlearn.experiments.networks import Mlp
from infounlearn.point import OBJECTIVES as NAMES
from infounlearn.point import Restart

from .worlds import EVERY, OBJECTIVES, TRAINED, WORLD, fit, go, objective, same, weights, world

REAL = pytest.mark.parametrize("name", list(OBJECTIVES))


def test_every_objective_of_the_room_is_tested():
    assert {type(one).__name__ for one in OBJECTIVES.values()} == set(NAMES)


@EVERY
def test_the_callers_model_is_untouched(name):
    model = copy.deepcopy(TRAINED)
    model[1].eval()
    model[2].train()
    model[1].weight.grad = torch.ones_like(model[1].weight)
    before, modes = weights(model), [module.training for module in model.modules()]
    go(objective(name), model, restart=Restart(0.5, 0.5))
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
    assert [module.training for module in model.modules()] == modes
    assert torch.equal(model[1].weight.grad, torch.ones_like(model[1].weight))
    assert model[3].weight.grad is None


@EVERY
def test_the_result_moved_and_shares_no_memory(name):
    result = go(objective(name))
    ours = {value.data_ptr() for value in TRAINED.state_dict().values()}
    assert ours.isdisjoint(value.data_ptr() for value in result.model.state_dict().values())
    for key, value in result.model.state_dict().items():
        assert not torch.equal(value, TRAINED.state_dict()[key]), key
    assert not torch.equal(result.model(WORLD.forget[0]), TRAINED(WORLD.forget[0]))
    assert not any(module.training for module in result.model.modules())
    assert all(weight.grad is None for weight in result.model.parameters())


@REAL
def test_the_forget_set_matters(name):
    other = world(seed=5).forget
    assert not same(go(objective(name)).model, go(objective(name), forget=other).model)


@pytest.mark.parametrize("restart", [None, Restart(0.3, 1.0)])
def test_without_an_objective_nothing_is_learned_from_forget_rows(restart):
    other = (1e4 * torch.randn(50, 8), torch.zeros(50, dtype=torch.long))
    options = {"restart": restart, "holdout": None, "evaluations_per_epoch": 3}
    assert same(go(None, **options).model, go(None, forget=other, **options).model)


@REAL
def test_weight_zero_is_training_on_the_retain_set_bit_for_bit(name):
    assert same(go(replace(objective(name), gamma=0.0)).model, go(None).model)


@EVERY
def test_a_seed_decides_everything(name):
    dropping = fit(Mlp((8, 16, 3), dropout=0.3)(0), WORLD.forget, WORLD.retain)
    options = {"restart": Restart(0.9, 0.2)}
    first, again = (go(objective(name), dropping, **options) for _ in range(2))
    assert same(first.model, again.model)
    strip = [
        [{k: v for k, v in row.items() if k != "seconds"} for row in run.history]
        for run in (first, again)
    ]
    assert strip[0] == strip[1]
    torch.rand(3)
    assert not same(first.model, go(objective(name), dropping, seed=1, **options).model)


class Jitter(torch.utils.data.Dataset):
    """Random transforms that draw from all three global generators."""

    def __init__(self, pair):
        self.pair = pair

    def __len__(self):
        return len(self.pair[0])

    def __getitem__(self, index):
        noise = random.random() + np.random.rand() + torch.rand(()).item()  # noqa: NPY002
        return self.pair[0][index] + 0.1 * noise, self.pair[1][index]


def generators():
    return (
        torch.get_rng_state().tolist(),
        random.getstate(),
        np.random.get_state()[1].tolist(),  # noqa: NPY002
        np.random.get_state()[2],  # noqa: NPY002
    )


@EVERY
def test_global_generators_stand_still_and_transforms_follow_the_seed(name):
    given = {k: Jitter(v) for k, v in WORLD.given().items()}
    dropping = fit(Mlp((8, 16, 3), dropout=0.3)(0), WORLD.forget, WORLD.retain)
    before = generators()
    first = go(objective(name), dropping, restart=Restart(0.9, 0.1), **given)
    assert generators() == before
    torch.rand(1), random.random(), np.random.rand()  # noqa: NPY002
    again = go(objective(name), dropping, restart=Restart(0.9, 0.1), **given)
    assert same(first.model, again.model)
    assert not same(first.model, go(objective(name), dropping, restart=Restart(0.9, 0.1)).model)


def test_transforms_are_new_in_each_epoch_and_the_same_at_each_look():
    shown = {True: [], False: []}

    def watch(module, inputs):
        shown[module.training].append(inputs[0].detach().clone())

    model = copy.deepcopy(TRAINED)
    model.register_forward_pre_hook(watch)
    go(None, model, **{k: Jitter(v) for k, v in WORLD.given().items()}, evaluations_per_epoch=2)
    trained = torch.cat(shown[True])
    assert len(trained.unique(dim=0)) == len(trained) == 2 * 192
    looks = [part for part in shown[False] if len(part) == 192]
    assert len(looks) == 5
    assert all(torch.equal(part, looks[0]) for part in looks)


@EVERY
@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_frozen_weights_stay_under_decay_momentum_and_restart(name, optimizer):
    model = copy.deepcopy(TRAINED)
    model[1].weight.requires_grad_(False)
    result = go(
        objective(name), model, optimizer=optimizer, weight_decay=0.1, restart=Restart(0.5, 0.5)
    )
    assert torch.equal(result.model[1].weight, TRAINED[1].weight)
    assert not torch.equal(result.model[1].bias, TRAINED[1].bias)
    assert not result.model[1].weight.requires_grad
