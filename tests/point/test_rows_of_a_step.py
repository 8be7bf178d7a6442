"""Which rows a run forwards, how often, and what it shows of them."""

from __future__ import annotations

import copy

import pytest
import torch

from infounlearn.point import MembershipInformation, Restart, ScoreTransport, Utility

from .worlds import EVERY, OBJECTIVES, TRAINED, WORLD, go, objective, same


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
