"""Restarted teacher: what it costs, what its teacher may see, how sure it is, and going on."""

from __future__ import annotations

import copy
from dataclasses import fields, replace
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from infounlearn.errors import InputError
from infounlearn.point import Unlearned, unlearn
from infounlearn.point.batches import RecordSet
from infounlearn.point.methods import RestartTeacher
from infounlearn.point.methods.base import Pass, Sizes, within
from infounlearn.point.methods.teaching import Student, Teacher
from tests.point.methods import bench
from tests.point.methods.bench import OTHER, Recorder
from tests.point.worlds import MISLABELLED, MISTAUGHT, NETWORK, WIDTH, fit, same, world

SHORT = RestartTeacher(epochs=3.0)


def go(method: RestartTeacher = SHORT, model: nn.Module = MISTAUGHT, **more: Any) -> Unlearned:
    return unlearn(model, method=method, progress=False, **{**MISLABELLED.given(), **more})


def task_of(model: nn.Module = MISTAUGHT, **more: Any) -> Recorder:
    return bench.task_of(
        model, **{"forget": MISLABELLED.forget, "retain": MISLABELLED.retain, **more}
    )


def heal(one: Pass) -> None:
    """The teacher's own pass, without an engine."""
    assert one.optimizer is not None
    assert one.loss is not None
    for step in range(one.steps):
        assert one.lr_at is not None
        one.optimizer.param_groups[0]["lr"] = one.lr_at(step)
        one.optimizer.zero_grad()
        one.loss(step).backward()
        one.optimizer.step()
    if one.finish is not None:
        one.finish()


def teacher_of(task: Recorder, method: RestartTeacher = SHORT) -> Teacher:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        teacher = Teacher(method, task, method.plan(task.sizes))
        heal(teacher.healing)
    return teacher


def known_by_heart(model: nn.Module) -> tuple[Tensor, Tensor]:
    """Forget records of a regression, with the network's own answers."""
    inputs, _ = MISLABELLED.forget
    return inputs, model(inputs).detach() + 0.2


def normed(dropout: float = 0.0) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = nn.Sequential(
            nn.Linear(WIDTH, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(dropout),
            nn.Linear(16, 3),
        )  # fmt: skip
    return fit(model, MISLABELLED.forget, MISLABELLED.retain)


BATCH = st.none() | st.integers(1, 40) | st.just(10**6)
METHOD = st.builds(
    RestartTeacher,
    epochs=st.floats(1e-3, 60),
    batch_size=BATCH,
    teacher_batch_size=BATCH,
    teacher_share=st.floats(0, 0.99),
    sample_share=st.floats(0, 1),
)
SIZES = st.builds(
    Sizes, st.integers(1, 200), st.integers(2, 5000), st.integers(0, 3000), st.integers(0, 9),
    st.booleans(),
)  # fmt: skip


class TestCost:
    @given(METHOD, st.integers(1, 20), st.integers(2, 40), st.booleans(), st.booleans())
    @settings(max_examples=25, deadline=None)
    def test_is_what_is_counted(
        self, method: RestartTeacher, forget: int, retain: int, held: bool, norm: bool
    ) -> None:
        """Last batches of a pass over the forget set hold some rows twice: asked for once."""
        method = replace(method, epochs=min(method.epochs, 60 / retain + 1))
        own = world(forget=min(forget, retain), retain=retain, holdout=40)
        task = task_of(NORMED if norm else MISTAUGHT, forget=own.forget, retain=own.retain)
        task.fresh = copy.deepcopy(task.original)
        if held:
            task.sets = replace(task.sets, targets=RecordSet(own.holdout, "targets"))
        training = method.start(task)
        for one in training.passes:
            heal(replace(one, optimizer=one.optimizer or training.optimizer))
        paid = task.cost["rows_forward"] + 3 * task.cost["rows_backward"]
        assert paid == method.cost(task.sizes)

    @given(METHOD, SIZES)
    @settings(max_examples=300, deadline=None)
    def test_is_the_budget_but_for_a_step(self, method: RestartTeacher, sizes: Sizes) -> None:
        plan = method.plan(sizes)
        assert min(plan.teacher_steps, plan.student_steps, plan.sampled) >= 1
        assert plan.teacher_rows <= sizes.retain >= plan.retain_rows >= 1
        assert sizes.forget >= plan.forget_rows >= 1
        assert plan.compared <= sizes.targets
        budget = 3 * method.epochs * sizes.retain
        step = 3 * (plan.retain_rows + plan.forget_rows) + plan.forget_rows
        # One step of each network is the least there is, whatever the budget.
        if plan.student_steps > 1:
            assert budget - step < method.cost(sizes) <= budget + 1e-6

    @given(METHOD, SIZES, st.floats(0.02, 1.2))
    @settings(max_examples=100, deadline=None)
    def test_a_budget_that_a_run_fits_in_is_nearly_used(
        self, method: RestartTeacher, sizes: Sizes, share: float
    ) -> None:
        rows = share * method.cost(sizes)
        short = within(method, rows, sizes)
        if short is None:
            assert replace(method, epochs=1e-9).cost(sizes) > rows
            return
        assert short.cost(sizes) <= rows
        plan = short.plan(sizes)
        if short.epochs < method.epochs and plan.student_steps > 1:
            longest = max(plan.retain_rows + plan.forget_rows, plan.teacher_rows, 128)
            assert short.cost(sizes) > rows - 9 * longest - 6


NORMED = normed()


class TestTeacher:
    def test_is_shown_forget_rows_when_it_is_done_and_none_decides_on_it(self) -> None:
        teachers = []
        for shift in (0.0, 50.0):
            forget = (MISLABELLED.forget[0] + shift, MISLABELLED.forget[1])
            task = task_of(fresh=copy.deepcopy(OTHER), forget=forget)
            task.sets = replace(task.sets, targets=RecordSet(MISLABELLED.holdout, "targets"))
            teachers.append(teacher_of(task))
            parts = [part for part, _ in task.seen]
            assert parts.index("forget") > max(
                at for at, one in enumerate(parts) if one == "retain"
            )
        assert same(teachers[0].model, teachers[1].model)
        assert teachers[0].sharpness == teachers[1].sharpness
        assert not same(teachers[0].model, OTHER)

    def test_frozen_weights_are_not_restarted(self) -> None:
        model = copy.deepcopy(MISTAUGHT)
        first = next(iter(model.parameters()))
        first.requires_grad_(False)
        done = teacher_of(task_of(model, fresh=copy.deepcopy(OTHER)))
        ours = list(done.model.parameters())
        assert torch.equal(ours[0], first)
        assert not torch.equal(ours[1], list(model.parameters())[1])
        assert torch.equal(next(iter(go(model=model).model.parameters())), first)

    def test_a_single_row_per_step_teaches_batch_norm_nothing(self) -> None:
        assert not same(go(replace(SHORT, teacher_batch_size=1), NORMED).model, NORMED)

    def test_its_statistics_are_retain_rows_and_the_student_s_are_the_original_s(self) -> None:
        task = task_of(NORMED, fresh=copy.deepcopy(NORMED))
        norm: Any = teacher_of(task).model[1]  # type: ignore[index]
        inside = teacher_of(task).model[0](MISLABELLED.retain[0])  # type: ignore[index]
        # Measured on at most 5 % of the cost.
        assert torch.allclose(norm.running_mean, inside.mean(0), atol=0.5)
        assert same(go(model=NORMED).model[1], NORMED[1])  # type: ignore[index]


class Tokens(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.cell, self.last = nn.LSTM(2, 5, batch_first=True), nn.Linear(5, 3)

    def forward(self, rows: Tensor) -> Tensor:
        shown: Tensor = self.last(self.cell(rows.reshape(-1, 4, 2))[0][:, -1])
        return shown


class TestStudent:
    def test_dropout_is_off(self) -> None:
        task = task_of(normed(0.9), fresh=copy.deepcopy(normed(0.9)))
        even = replace(SHORT, hard=0.0)  # else the losses it was told change the next batch
        plan = even.plan(task.sizes)
        student = Student(even, task, plan, Teacher(even, task, plan))
        loss = student.part(0, 1, lambda: None).loss
        assert loss is not None
        assert torch.equal(loss(0), loss(0))

    def test_without_strength_the_teacher_says_nothing(self) -> None:
        """But for how long the steps are."""
        silent = replace(SHORT, strength=0.0, full_steps=True)
        assert same(go(silent).model, go(replace(silent, lr=0.1)).model)
        assert not same(go(SHORT).model, go(replace(SHORT, lr=0.1)).model)

    def test_answers_go_to_the_teacher_s(self) -> None:
        """Ever nearer in a long run that asks for nothing else."""
        long = RestartTeacher(epochs=60, strength=1e3, damping=10.0, student_lr=5e-3)
        task = task_of(fresh=copy.deepcopy(OTHER))
        teacher = teacher_of(task, long).model

        def gap(model: nn.Module) -> float:
            with torch.no_grad():
                shown = [one.eval()(MISLABELLED.forget[0]).softmax(1) for one in (model, teacher)]
            return float((shown[0] - shown[1]).abs().mean())

        done = go(long, holdout=None, fresh=lambda seed: copy.deepcopy(OTHER))
        assert gap(done.model) < 0.4 * gap(MISTAUGHT)

    def test_a_gradient_of_zero_moves_nothing(self) -> None:
        """Weights of norm 4 and more made it 0 * inf."""
        model = copy.deepcopy(MISTAUGHT)
        with torch.no_grad():
            for weight in model.parameters():
                weight.mul_(10)
        silent = replace(SHORT, strength=0.0)
        done = go(silent, model, loss=lambda outputs, _: 0 * outputs.sum(1))
        assert same(done.model, model)

    def test_what_stays_is_said(self) -> None:
        model = Tokens()
        done = go(model=model)
        assert same(done.model.cell, model.cell)  # type: ignore[arg-type]
        assert "140 of 198 trainable weights stay" in done.summary.warnings[0]
        assert "cell.weight_ih_l0" in done.summary.warnings[0]
        assert go(model=NORMED).summary.warnings == ()
        model.last.requires_grad_(False)
        with pytest.raises(InputError, match="no linear layer or convolution that may change"):
            go(model=model)

    def test_every_setting_acts(self) -> None:
        changed = {
            "epochs": 2.0, "lr": 0.02, "teacher_share": 0.6, "keep": 0.9, "noise": 0.1,
            "teacher_batch_size": 16, "strength": 0.5, "student_lr": 1e-2, "batch_size": 16,
            "hard": 0.1, "damping": 1.0, "full_steps": True, "sample_share": 0.01,
        }  # fmt: skip
        assert set(changed) == {field.name for field in fields(RestartTeacher)}
        plain = go().model
        for name, value in changed.items():
            assert not same(go(replace(SHORT, **{name: value})).model, plain), name


@pytest.mark.parametrize("last", range(1, 5))
@pytest.mark.parametrize("kind", ["mlp", "norms", "regression"])
def test_killed_after_any_pass_it_ends_as_if_it_had_not_been(
    last: int, kind: str, tmp_path: Any
) -> None:
    model = {"mlp": MISTAUGHT, "norms": NORMED, "regression": NETWORK(1)}[kind]
    more: dict[str, Any] = {}
    if kind == "regression":
        more = {key: (pair[0], pair[0][:, :3].sin()) for key, pair in MISLABELLED.given().items()}
        more["forget"] = known_by_heart(model)
    whole = go(model=model, **more)
    assert len(whole.history) == 6
    assert not same(whole.model, model)

    def kill(row: Any) -> None:
        if row["step"] == whole.history[last]["step"]:
            raise SystemError

    with pytest.raises(SystemError):
        go(model=model, checkpoint=tmp_path, on_evaluation=kill, **more)
    again = go(model=model, checkpoint=tmp_path, **more)
    assert same(again.model, whole.model)
    assert {**again.summary.cost, "seconds": 0} == {**whole.summary.cost, "seconds": 0}
