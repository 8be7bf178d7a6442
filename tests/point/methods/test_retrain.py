"""Retraining owes nothing to the network it is given."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional

from infounlearn.errors import InputError
from infounlearn.experiments.networks import Cnn
from infounlearn.point import Unlearned, unlearn
from infounlearn.point.methods import Retrain
from tests.point.worlds import NETWORK, TRAINED, WORLD, fit, same

QUICK = Retrain(epochs=2)
PICTURES = {key: (pair[0].reshape(-1, 1, 2, 4), pair[1]) for key, pair in WORLD.given().items()}


def go(model: nn.Module, method: Any = QUICK, **more: Any) -> Unlearned:
    return unlearn(model, method=method, progress=False, **{**WORLD.given(), **more})


def test_trap_5_the_result_is_independent_of_the_given_weights() -> None:
    """SSD's reset reached .457 % of a ResNet-18."""
    assert same(go(TRAINED).model, go(NETWORK(5)).model)


def test_trap_5_so_is_it_of_batch_norm_statistics() -> None:
    first = fit(Cnn(1, 4, 3)(0), PICTURES["forget"], PICTURES["retain"], steps=20)
    second = Cnn(1, 4, 3)(1)
    assert not same(first, second)
    ours = unlearn(first, method=QUICK, progress=False, **PICTURES)
    theirs = unlearn(second, method=QUICK, progress=False, **PICTURES)
    assert same(ours.model, theirs.model)
    assert ours.summary.warnings == ()


def test_one_step_is_the_first_of_the_recipe_on_a_fresh_network() -> None:
    done = go(TRAINED, Retrain(epochs=1, batch_size=1000, optimizer="sgd", lr=0.1), fresh=NETWORK)
    by_hand = NETWORK(seed_of_fresh())
    functional.cross_entropy(by_hand(WORLD.retain[0]), WORLD.retain[1]).backward()
    with torch.no_grad():
        for weight in by_hand.parameters():
            weight -= 0.1 * weight.grad
    for ours, theirs in zip(done.model.parameters(), by_hand.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-6)


def seed_of_fresh() -> int:
    """The seed that the run gives to ``fresh``."""
    asked = []

    def fresh(seed: int) -> nn.Module:
        asked.append(seed)
        return NETWORK(seed)

    go(TRAINED, Retrain(epochs=1e-3), fresh=fresh)
    return asked[-1]


def test_frozen_weights_stay_and_are_named() -> None:
    model = copy.deepcopy(TRAINED)
    model[1].weight.requires_grad_(False)
    done = go(model)
    assert torch.equal(done.model[1].weight, model[1].weight)
    assert not torch.equal(done.model[1].bias, model[1].bias)
    assert not done.model[1].weight.requires_grad
    assert "1 frozen weights stay as given, among them ['1.weight']" in done.summary.warnings[0]


class Scaled(nn.Module):
    """A vector and a table that nothing starts afresh."""

    def __init__(self, learned: bool) -> None:
        super().__init__()
        self.inner = NETWORK(3)
        if learned:
            self.scale = nn.Parameter(torch.tensor([0.5, 1.5, 2.0]))
        else:
            self.register_buffer("table", torch.tensor([0.5, 1.5, 2.0]))

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        return self.inner(rows) * (self.scale if hasattr(self, "scale") else self.table)


def test_trap_5_a_trained_vector_that_would_stay_is_refused() -> None:
    with pytest.raises(InputError, match=r"'scale'.* keep their trained values"):
        go(Scaled(learned=True))


def test_trap_5_a_buffer_that_stays_is_named() -> None:
    assert "buffers ['table'] are as given" in go(Scaled(learned=False)).summary.warnings[0]
