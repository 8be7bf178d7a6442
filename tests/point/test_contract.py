"""What every objective promises, whatever it does."""

from __future__ import annotations

import copy
import random
from dataclasses import fields, replace

import numpy as np
import pytest
import torch
from torch import nn

from infounlearn.experiments.networks import Mlp
from infounlearn.point import (
    OBJECTIVES as NAMES,
)
from infounlearn.point import (
    MarginalInformation,
    MembershipInformation,
    Restart,
    Schedule,
    ScoreTransport,
    Steps,
    Utility,
)

from .worlds import (
    OBJECTIVES,
    SCHEDULE,
    TRAINED,
    WORLD,
    fit,
    go,
    same,
    weights,
    world,
)

EVERY = pytest.mark.parametrize("name", ["none", *OBJECTIVES])
REAL = pytest.mark.parametrize("name", list(OBJECTIVES))


def objective(name):
    return OBJECTIVES.get(name)


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


@EVERY
def test_each_row_of_a_step_is_forwarded_once_and_all_of_retain_each_epoch(name):
    seen = []

    def count(module, inputs, output):
        if module.training:
            seen.append((torch.is_grad_enabled(), inputs[0].detach().clone()))

    model = copy.deepcopy(TRAINED)
    model.register_forward_hook(count)
    result = go(objective(name), model)
    steps = len(seen)
    assert steps == 12  # two epochs of 192 rows, 32 at a time
    assert all(grad for grad, _ in seen)
    goal = objective(name)
    forget_rows = 0 if goal is None else 16
    held_rows = 16 if goal is not None and goal.holdout_in_batch else 0
    assert {len(batch) for _, batch in seen} == {32 + forget_rows + held_rows}
    assert result.summary.cost["rows_backward"] == steps * (32 + forget_rows)
    # Looks at 36 forget, 192 retain and the steering half of 120 held-out rows, twice.
    look = 36 + 192 + 120 - len(result.audit_holdout[0])
    assert result.summary.cost["rows_forward"] == 2 * look + steps * held_rows

    visited = torch.cat([batch[:32] for _, batch in seen])
    for epoch in visited.split(192):
        assert sorted(map(tuple, epoch.tolist())) == sorted(map(tuple, WORLD.retain[0].tolist()))
    assert not torch.equal(visited[:192], visited[192:])
    for _, batch in seen:
        pool = {tuple(row) for row in WORLD.forget[0].tolist()}
        assert all(tuple(row) in pool for row in batch[32 : 32 + forget_rows].tolist())


def test_a_second_look_after_a_restart_and_the_teachers_rows_are_counted():
    plain = go(ScoreTransport()).summary.cost
    full = go(ScoreTransport(), restart=Restart(0.9, 0.1), utility=Utility(0.5, 0.5)).summary.cost
    look = (plain["rows_forward"]) // 2
    assert full["rows_forward"] == 3 * look + 12 * 32
    assert full["rows_backward"] == plain["rows_backward"]


def test_the_audit_part_of_the_held_out_set_is_never_shown_to_a_model():
    seen = set()
    model = copy.deepcopy(TRAINED)
    model.register_forward_hook(
        lambda module, inputs, output: seen.update(map(tuple, inputs[0].tolist()))
    )
    result = go(MembershipInformation(), model, evaluations_per_epoch=2)
    audit = {tuple(row) for row in result.audit_holdout[0].tolist()}
    everything = {tuple(row) for row in WORLD.holdout[0].tolist()}
    assert len(audit) > 50
    assert audit.isdisjoint(seen)
    assert everything - audit <= seen


VARIANTS = {
    Schedule: {
        "epochs": 3, "batch_size": 16, "forget_batch_size": 8, "lr": 2e-2, "final_lr": 0.9,
        "optimizer": "sgd", "weight_decay": 0.3, "evaluations_per_epoch": 2,
        "batch_norm": "update", "max_grad_norm": 1e-3,
    },
    Utility: {"task": 0.3, "fidelity": 0.7},
    Restart: {"keep": 0.4, "noise": 0.7},
    MarginalInformation: {
        "gamma": 4.0, "budget": 1e-4, "alpha": 0.5, "prior": (0.3, 0.7), "conditional": True,
        "rate": 2.0,
    },
    MembershipInformation: {
        "gamma": 4.0, "level": "label", "bins": 4, "budget": 1e-4, "rate": 2.0,
    },
    ScoreTransport: {"gamma": 2.0},
}  # fmt: skip


class KeepLast(Steps):
    """Ends at step 12 with the weights of step 12, however good earlier ones were."""

    keeps = "this"

    def __init__(self):
        super().__init__(12)


@pytest.mark.parametrize("kind", VARIANTS)
def test_every_setting_is_varied_here(kind):
    assert {field.name for field in fields(kind)} == set(VARIANTS[kind])


@pytest.mark.parametrize(
    ("kind", "field"), [(kind, field) for kind in VARIANTS for field in VARIANTS[kind]]
)
def test_every_setting_acts(kind, field):
    """Each changes the weights (looks per epoch: the weights at each of which targets move)."""
    value = VARIANTS[kind][field]
    model = TRAINED
    if field == "batch_norm":
        model = nn.Sequential(nn.BatchNorm1d(8), copy.deepcopy(TRAINED))

    def run(changed):
        goal, more = ScoreTransport(gamma=1.0), {"schedule": SCHEDULE}
        if kind is Schedule:
            more["schedule"] = replace(SCHEDULE, **changed)
        elif kind is Utility:
            more["utility"] = Utility(**changed)
        elif kind is Restart:
            more["restart"] = Restart(**{"keep": 0.6, "noise": 0.5, **changed})
        else:
            # The budget acts from the first look on.
            more["schedule"] = replace(SCHEDULE, evaluations_per_epoch=1)
            more["stop"] = KeepLast()
            base = {"budget": 2e-4} if field in ("budget", "rate") else {}
            goal = kind(**{**base, **changed})
        return go(goal, model, **more).model

    assert not same(run({}), run({field: value}))


def test_seed_and_audit_share_act():
    assert not same(go(ScoreTransport(1.0)).model, go(ScoreTransport(1.0), seed=1).model)
    small = go(ScoreTransport(1.0), audit_share=0.2)
    assert not same(go(ScoreTransport(1.0)).model, small.model)
    assert len(small.audit_holdout[0]) == pytest.approx(24, abs=3)
    assert go(ScoreTransport(1.0), audit_share=0.0).audit_holdout is None


def test_fidelity_alone_heals_towards_the_original_and_not_towards_the_labels():
    """The teacher is no alias of the student: else its divergence is 0 and nothing heals."""
    noisy = (WORLD.retain[0], WORLD.retain[1].roll(1))
    run = go(
        None, restart=Restart(0.5, 0.5), utility=Utility(task=0.0, fidelity=1.0), retain=noisy,
        epochs=30, holdout=None,
    )  # fmt: skip
    start = go(None, restart=Restart(0.5, 0.5), epochs=0.01, lr=1e-12, holdout=None).model

    def distance(model):
        p, q = (torch.log_softmax(m(noisy[0]), 1) for m in (TRAINED, model))
        return float((p.exp() * (p - q)).detach().sum(1).mean())

    assert distance(run.model) < 0.1 * distance(start)


def test_an_unmoved_student_feels_no_fidelity():
    run = go(None, utility=Utility(task=0.0, fidelity=1.0), optimizer="sgd", holdout=None)
    for key, value in run.model.state_dict().items():
        torch.testing.assert_close(value, TRAINED.state_dict()[key], rtol=0, atol=1e-5)


def test_steps_are_of_the_whole_set_where_it_is_smaller_than_a_batch():
    run = go(None, batch_size=1000, epochs=5, evaluations_per_epoch=1)
    assert [row["epoch"] for row in run.history] == [0, 1, 2, 3, 4, 5]
    assert run.summary.cost["rows_backward"] == 5 * 192


def test_odd_batches_and_labels_of_any_integer_type_are_the_same_run():
    pairs = {k: (v[0], v[1].to(torch.int32)) for k, v in WORLD.given().items()}
    run = go(OBJECTIVES["score"], batch_size=37, forget_batch_size=11)
    assert same(run.model, go(OBJECTIVES["score"], batch_size=37, forget_batch_size=11, **pairs)
                .model)  # fmt: skip


@pytest.mark.parametrize("name", ["label", "score", "loss"])
def test_held_out_rows_carry_no_gradient(name):
    given = {k: (v[0].clone().requires_grad_(), v[1]) for k, v in WORLD.given().items()}
    go(OBJECTIVES[name], **given)
    assert given["forget"][0].grad.any()
    assert not given["holdout"][0].grad.any()


def test_progress_is_shown_on_standard_error_and_changes_nothing(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    rows = []
    shown = go(OBJECTIVES["score"], progress=True, on_evaluation=rows.append)
    silent = go(OBJECTIVES["score"])
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "12/12 steps" in captured.err
    assert "gamma 2" in captured.err
    assert [row["step"] for row in rows] == [12]
    assert same(shown.model, silent.model)


def test_rows_are_handed_out_as_copies():
    def spoil(row):
        row.clear()

    assert go(None, on_evaluation=spoil).history[-1]["step"] == 12
