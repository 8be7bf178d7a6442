"""CF-k and EU-k: what is frozen stays, and what is trained starts where it should."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import nn

from infounlearn.errors import InputError
from infounlearn.experiments.networks import Cnn
from infounlearn.point import Unlearned, unlearn
from infounlearn.point.methods import CatastrophicForgetting, ExactUnlearning, FineTune
from tests.point.methods.bench import do, task_of
from tests.point.worlds import NETWORK, TRAINED, WORLD, fit, same, weights

PICTURES = {key: (pair[0].reshape(-1, 1, 2, 4), pair[1]) for key, pair in WORLD.given().items()}
NORMED = fit(Cnn(1, 4, 3)(0), PICTURES["forget"], PICTURES["retain"], steps=20)
"""Convolution 0 with norm 1, convolution 3 with norm 4, head 8."""
BOTH = pytest.mark.parametrize("kind", [CatastrophicForgetting, ExactUnlearning])


def go(method: Any, model: nn.Module = NORMED, **more: Any) -> Unlearned:
    given = PICTURES if isinstance(model[0], nn.Conv2d) else WORLD.given()
    return unlearn(model, method=method, progress=False, **{**given, **more})


def moved(before: nn.Module, after: nn.Module) -> set[str]:
    """First parts of the names of weights and statistics that differ."""
    theirs = after.state_dict()
    changed = [k for k, v in before.state_dict().items() if not torch.equal(v, theirs[k])]
    return {name.split(".")[0] for name in changed}


@BOTH
@pytest.mark.parametrize("optimizer", ["sgd", "adam", "adamw"])
def test_trap_16_frozen_weights_and_statistics_stay_exactly(kind: Any, optimizer: str) -> None:
    """SalUn before 2026-02: weight decay and momentum moved what was masked."""
    strong = kind(epochs=2, k=0, weight_decay=0.5, optimizer=optimizer)
    assert moved(NORMED, go(strong).model) == {"8"}


@BOTH
@pytest.mark.parametrize(
    ("more", "trained"),
    [
        ({}, {"3", "4", "8"}),
        ({"k": 0}, {"8"}),
        ({"k": 2}, {"0", "1", "3", "4", "8"}),
        ({"layers": ("0", "8")}, {"0", "8"}),
    ],
)
def test_what_is_trained(kind: Any, more: dict[str, Any], trained: set[str]) -> None:
    done = go(kind(epochs=1, **more))
    assert moved(NORMED, done.model) == trained
    assert bool(done.summary.warnings) == (more.get("k") == 2)


@BOTH
def test_the_flags_of_the_caller_come_back(kind: Any) -> None:
    model = copy.deepcopy(NORMED)
    model[3].weight.requires_grad_(False)
    done = go(kind(epochs=1), model)
    flags = {name: one.requires_grad for name, one in done.model.named_parameters()}
    assert flags == {name: name != "3.weight" for name in flags}
    assert moved(model, done.model) == {"4", "8"}


@BOTH
@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"k": 3}, r"k is 3, and the model has 3 block\(s\): 0, 3, 8.*pass k up to 2, or layers"),
        ({"layers": ("8", "fc")}, r"no layers \['fc'\].*its blocks are 0, 3, 8"),
        ({"layers": ("2",)}, "no trainable weights"),
        ({"layers": "8"}, "pass a tuple of module names"),
        ({"layers": ()}, "pass a tuple of module names"),
        ({"k": -1}, "k is -1"),
        ({"k": 0.5}, "k is 0.5"),
    ],
)
def test_what_cannot_be_trained_is_said_before_work(
    kind: Any, more: dict[str, Any], message: str
) -> None:
    def stop(row: Any) -> None:
        raise AssertionError("work was done")

    with pytest.raises(InputError, match=message):
        go(kind(epochs=1, **more), on_evaluation=stop)


def test_frozen_layers_of_the_caller_alone_cannot_be_trained() -> None:
    model = copy.deepcopy(NORMED)
    model[8].requires_grad_(False)
    with pytest.raises(InputError, match="no trainable weights"):
        go(CatastrophicForgetting(k=0), model)


def test_cf_of_all_blocks_is_fine_tuning() -> None:
    ours, theirs = CatastrophicForgetting(epochs=2.5, k=2), FineTune(epochs=2.5)
    assert same(go(ours).model, go(theirs).model)


def test_eu_starts_from_fresh_last_layers_and_given_first_ones() -> None:
    task = task_of(fresh=NETWORK(9))
    ExactUnlearning(k=0).start(task)
    start = weights(task.model)
    for key, value in start.items():
        source = NETWORK(9) if key.startswith("3.") else TRAINED
        assert torch.equal(value, source.state_dict()[key]), key


def test_eu_starts_from_fresh_statistics() -> None:
    task = task_of(NORMED, fresh=Cnn(1, 4, 3)(9), retain=PICTURES["retain"])
    ExactUnlearning(k=1).start(task)
    assert float(task.model[4].running_mean.abs().max()) == 0
    assert torch.equal(task.model[1].running_mean, NORMED[1].running_mean)


def test_eu_owes_nothing_to_the_given_last_layers() -> None:
    """Trap 5, for the part that is re-initialised."""
    other = copy.deepcopy(NORMED)
    with torch.no_grad():
        for part in (other[3], other[4], other[8]):
            for value in (*part.parameters(), *part.buffers()):
                value.add_(1)
    method = ExactUnlearning(epochs=2)
    assert same(go(method).model, go(method, other).model)
    assert not same(go(method).model, go(CatastrophicForgetting(epochs=2)).model)


def test_eu_without_a_new_start_is_cf() -> None:
    """Fresh layers that equal the given ones make no difference."""
    ours, theirs = task_of(fresh=TRAINED), task_of()
    do(ExactUnlearning(epochs=2).start(ours))
    do(CatastrophicForgetting(epochs=2).start(theirs))
    assert same(ours.model, theirs.model)


@BOTH
def test_all_of_retain_is_seen_each_epoch(kind: Any) -> None:
    """Trap 15."""
    task = task_of(fresh=NETWORK(9))
    do(kind(epochs=2, batch_size=32).start(task))
    assert task.visits("retain") == sorted(2 * [*range(192)])
    assert task.visits("forget") == []
