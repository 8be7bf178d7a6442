"""Warm restart: what is kept, what is added, and how it heals."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional

from infounlearn.experiments.networks import Cnn
from infounlearn.point import unlearn
from infounlearn.point.methods import FineTune, Retrain, WarmRestart
from infounlearn.point.methods.base import Training
from infounlearn.point.methods.task import Task
from tests.point.methods.bench import flat, task_of
from tests.point.worlds import NETWORK, TRAINED, WIDTH, WORLD, Pair, fit, same

FRESH = NETWORK(9)
PICTURES = {key: (pair[0].reshape(-1, 1, 2, 4), pair[1]) for key, pair in WORLD.given().items()}
NORMED = fit(Cnn(1, 4, 3)(0), PICTURES["forget"], PICTURES["retain"], steps=20)


def go(method: Any, model: nn.Module = TRAINED, **more: Any) -> nn.Module:
    return unlearn(model, method=method, progress=False, **{**WORLD.given(), **more}).model


@dataclass(frozen=True)
class Decaying(FineTune):
    """Fine-tuning with a linearly decaying step."""

    def start(self, task: Task) -> Training:
        return replace(
            super().start(task), lr_at=lambda step, steps: self.lr * (steps - step) / steps
        )


def test_the_run_starts_from_the_mixed_weights() -> None:
    task = task_of(fresh=FRESH)
    WarmRestart(keep=0.3, noise=0.7).start(task)
    torch.testing.assert_close(flat(task.model), 0.3 * flat(TRAINED) + 0.7 * flat(FRESH))


@pytest.mark.parametrize("model", [TRAINED, NORMED], ids=["plain", "batch norm"])
def test_keeping_all_and_adding_nothing_is_fine_tuning_with_that_step(model: nn.Module) -> None:
    given: dict[str, Pair] = WORLD.given() if model is TRAINED else PICTURES
    ours = WarmRestart(keep=1.0, noise=0.0, epochs=2.5, batch_size=50)
    theirs = Decaying(epochs=2.5, batch_size=50, lr=ours.lr, optimizer="adam")
    assert same(go(ours, model, **given), go(theirs, model, **given))


def test_keeping_nothing_is_a_fresh_network() -> None:
    """Then only the shape of the given network matters."""
    none = WarmRestart(keep=0.0, epochs=1)
    assert same(go(none), go(none, NETWORK(4)))
    start = task_of(fresh=FRESH)
    none.start(start)
    again = task_of(fresh=FRESH)
    Retrain().start(again)
    assert same(start.model, again.model)


def test_the_step_falls_linearly_to_0() -> None:
    lr_at = WarmRestart(lr=0.4).start(task_of(fresh=FRESH)).lr_at
    assert lr_at is not None
    assert [lr_at(step, 4) for step in range(4)] == pytest.approx([0.4, 0.3, 0.2, 0.1])


def test_fidelity_is_the_share_of_kl_to_the_original() -> None:
    task = task_of(fresh=FRESH)
    method = WarmRestart(fidelity=0.3, batch_size=1000)
    loss = method.start(task).passes[0].loss
    assert loss is not None
    inputs, labels = WORLD.retain
    ours, theirs = (torch.log_softmax(one(inputs), 1) for one in (task.model, TRAINED))
    kl = (theirs.exp() * (theirs - ours)).sum(1).mean()
    wanted = 0.7 * functional.cross_entropy(ours, labels) + 0.3 * kl
    assert float(loss(0).detach()) == pytest.approx(float(wanted.detach()), rel=1e-5)


def test_fidelity_alone_leaves_an_unchanged_network_where_it_is() -> None:
    still = WarmRestart(keep=1.0, noise=0.0, fidelity=1.0, optimizer="sgd", lr=0.1, epochs=2)
    torch.testing.assert_close(flat(go(still)), flat(TRAINED), rtol=0, atol=1e-5)


def test_batch_norm_statistics_are_those_of_retain_rows_and_cost_their_rows() -> None:
    inner = nn.Sequential(nn.BatchNorm1d(WIDTH), nn.Linear(WIDTH, 3))
    model = fit(inner, WORLD.forget, steps=20)
    task = task_of(model, fresh=nn.Sequential(nn.BatchNorm1d(WIDTH), nn.Linear(WIDTH, 3)))
    WarmRestart().start(task)
    norm = task.model[0]
    torch.testing.assert_close(norm.running_mean, WORLD.retain[0].mean(0), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(norm.running_var, WORLD.retain[0].var(0), rtol=1e-4, atol=1e-5)
    assert task.cost == {"rows_forward": 192, "rows_backward": 0}
