"""Bad teacher: its step written out by hand, its teachers, and its share of the retain set."""

from __future__ import annotations

import copy
from collections import Counter
from dataclasses import fields, replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from infounlearn.errors import InputError
from infounlearn.point import unlearn
from infounlearn.point.methods import BadTeacher
from infounlearn.point.methods.base import Sizes
from tests.point.methods.bench import OTHER, do, flat, storages, task_of
from tests.point.worlds import TRAINED, WORLD, same, weights

ALL = BadTeacher(retain_share=1.0, batch_size=228, optimizer="sgd", lr=0.5)


def other() -> nn.Module:
    return copy.deepcopy(OTHER)


def go(method: BadTeacher, **more: Any) -> nn.Module:
    return unlearn(TRAINED, method=method, progress=False, **{**WORLD.given(), **more}).model


@pytest.mark.parametrize("heat", [1.0, 3.0])
def test_the_first_step_is_that_written_out_by_hand(heat: float) -> None:
    """Mean over all rows: KL to the random network on D_f, to the trained one on D_r."""
    task = task_of(fresh=other())
    with torch.no_grad():  # else the student is one of its teachers, and a half has no gradient
        for weight in task.model.parameters():
            weight.mul_(1.3)
    mine = copy.deepcopy(task.model)
    do(replace(ALL, temperature=heat).start(task))

    def rows(inputs: Tensor, teacher: nn.Module) -> Tensor:
        t, p = (torch.softmax(net(inputs) / heat, 1) for net in (teacher, mine))
        return heat**2 * (t.detach() * (t.detach() / p).log()).sum(1)

    loss = (rows(WORLD.forget[0], OTHER).sum() + rows(WORLD.retain[0], TRAINED).sum()) / 228
    slopes = torch.autograd.grad(loss, list(mine.parameters()))
    steps = torch.cat([slope.reshape(-1) for slope in slopes])
    assert float(steps.norm()) > 0.05
    assert torch.allclose(flat(task.model), flat(mine) - 0.5 * steps, atol=1e-6)


def test_a_student_of_two_teachers_like_itself_stays() -> None:
    task = task_of(fresh=copy.deepcopy(TRAINED))
    do(replace(ALL, epochs=3.0).start(task))
    assert torch.allclose(flat(task.model), flat(TRAINED), atol=1e-6)


def test_it_learns_what_the_random_network_says_about_the_forget_set() -> None:
    task = task_of(fresh=other())
    do(BadTeacher(epochs=30, lr=0.01, batch_size=32, retain_share=1.0).start(task))

    def gap(inputs: Tensor, ours: nn.Module) -> float:
        with torch.no_grad():
            return float((ours(inputs).softmax(1) - OTHER(inputs).softmax(1)).abs().mean())

    left = [gap(inputs, task.model) / gap(inputs, TRAINED) for inputs in (
        WORLD.forget[0], WORLD.retain[0]
    )]  # fmt: skip
    assert left[0] < 0.6  # on forget rows most of the way to the random network
    assert left[1] > 0.8  # elsewhere hardly any


def test_teachers_stay_and_the_three_networks_share_no_storage() -> None:
    task = task_of(fresh=other())
    teachers = (task.original, task.fresh)
    before = [weights(one) for one in teachers if one is not None]
    do(replace(ALL, epochs=2.0).start(task))
    for teacher, kept in zip(teachers, before, strict=True):
        assert teacher is not None
        assert all(torch.equal(kept[k], v) for k, v in teacher.state_dict().items())
        assert not storages(teacher) & storages(task.model)
        assert not any(weight.requires_grad for weight in teacher.parameters())


def test_all_of_the_forget_set_and_the_same_share_of_the_rest_in_every_epoch() -> None:
    """36 + 58 rows in batches of 47: two whole batches per epoch, nothing twice."""
    task = task_of(fresh=other())
    do(BadTeacher(epochs=3, batch_size=47).start(task))
    assert task.visits("forget") == sorted([*range(36)] * 3)
    counts = Counter(task.visits("retain"))
    assert len(counts) == 58 == round(0.3 * 192)
    assert set(counts.values()) == {3}
    both = [sum(len(rows) for _, rows in task.seen)]
    assert both == [3 * 94]


def test_other_seeds_take_other_rows_and_a_share_of_nothing_takes_none() -> None:
    seen = []
    for seed in (0, 1):
        task = task_of(fresh=other(), seed=seed)
        do(BadTeacher(batch_size=94).start(task))
        seen.append(task.visits("retain"))
    assert seen[0] != seen[1]
    task = task_of(fresh=other())
    do(BadTeacher(retain_share=0).start(task))
    assert task.visits("retain") == []
    assert BadTeacher(retain_share=0).cost(Sizes(36, 192)) == 4 * 36


def test_labels_have_no_part_in_it() -> None:
    turned = {name: (pair[0], (pair[1] + 1) % 3) for name, pair in WORLD.given().items()}
    method = BadTeacher(lr=0.01)
    tasks = [
        task_of(fresh=other()),
        task_of(fresh=other(), forget=turned["forget"], retain=turned["retain"]),
    ]
    for task in tasks:
        do(method.start(task))
    assert same(tasks[0].model, tasks[1].model)


def test_every_setting_acts() -> None:
    base = BadTeacher(lr=0.01, batch_size=32)
    changed = {
        "epochs": 1.5, "retain_share": 0.6, "temperature": 3.0, "lr": 0.02, "batch_size": 16,
        "optimizer": "sgd", "weight_decay": 0.1,
    }  # fmt: skip
    assert set(changed) == {field.name for field in fields(BadTeacher)}
    plain = go(base)
    for name, value in changed.items():
        assert not same(go(replace(base, **{name: value})), plain), name


def test_the_random_network_is_the_caller_s_and_has_a_seed() -> None:
    seeds: list[int] = []

    def fresh(seed: int) -> nn.Module:
        seeds.append(seed)
        return other()

    method = BadTeacher(lr=0.01)
    mine, usual = go(method, fresh=fresh), go(method)
    assert len(seeds) == 1
    assert not same(mine, usual)
    assert not same(go(method, seed=1), usual)


@pytest.mark.parametrize(
    "wrong", [{"retain_share": 1.5}, {"retain_share": -0.1}, {"temperature": 0}, {"epochs": 0}]
)
def test_wrong_settings_are_named(wrong: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=f"bad-teacher: {next(iter(wrong))} is"):
        go(replace(BadTeacher(), **wrong))
