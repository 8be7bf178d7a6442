"""A killed run, started again, ends as if it had not been killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from infounlearn.errors import InputError
from infounlearn.experiments.networks import Mlp
from infounlearn.point import Calibrated, MarginalInformation, Restart, Schedule, Steps

from .worlds import OBJECTIVES, TRAINED, WORLD, amsgrad, fit, go, same

DROPPING = fit(Mlp((8, 16, 3), dropout=0.3)(0), WORLD.forget, WORLD.retain)
OPTIONS = {"evaluations_per_epoch": 3, "restart": Restart(0.9, 0.1)}


class Killed(Exception):
    """Stands for a kill."""


def kill_at(step: int):
    def on_evaluation(row):
        if row["step"] == step:
            raise Killed

    return on_evaluation


def story(result):
    return [{k: v for k, v in row.items() if k != "seconds"} for row in result.history]


def assert_equal(first, second):
    assert same(first.model, second.model)
    assert story(first) == story(second)
    assert first.stopped == second.stopped
    rows = ("rows_forward", "rows_backward")
    assert [first.summary.cost[k] for k in rows] == [second.summary.cost[k] for k in rows]


BUDGET = MarginalInformation(gamma=2.0, budget=1e-3)


@pytest.mark.parametrize("step", [2, 8, 12])
@pytest.mark.parametrize("name", ["none", "budget", *OBJECTIVES])
def test_a_killed_run_resumes_bit_for_bit(name, step, tmp_path):
    goal = BUDGET if name == "budget" else OBJECTIVES.get(name)
    whole = go(goal, DROPPING, **OPTIONS)
    assert [row["step"] for row in whole.history] == [0, 2, 4, 6, 8, 10, 12]
    with pytest.raises(Killed):
        go(goal, DROPPING, checkpoint=tmp_path, on_evaluation=kill_at(step), **OPTIONS)
    rows = []
    resumed = go(goal, DROPPING, checkpoint=tmp_path, on_evaluation=rows.append, **OPTIONS)
    assert_equal(resumed, whole)
    assert [row["step"] for row in rows] == list(range(step + 2, 13, 2))


@pytest.mark.parametrize("stop", [Steps(6), Calibrated(0.49, 0.9, 9.0, patience=3)])
def test_a_run_killed_after_its_stop_fired_does_not_train_on(stop, tmp_path):
    whole = go(OBJECTIVES["score"], stop=stop, **OPTIONS)
    assert whole.history[-1]["step"] == 6
    with pytest.raises(Killed):
        go(OBJECTIVES["score"], stop=stop, checkpoint=tmp_path, on_evaluation=kill_at(6), **OPTIONS)
    assert_equal(go(OBJECTIVES["score"], stop=stop, checkpoint=tmp_path, **OPTIONS), whole)


@pytest.mark.parametrize("optimizer", ["sgd", "adamw", torch.optim.RMSprop])
def test_every_optimizer_resumes(optimizer, tmp_path):
    options = {**OPTIONS, "optimizer": optimizer, "weight_decay": 0.0}
    whole = go(OBJECTIVES["score"], **options)
    with pytest.raises(Killed):
        go(OBJECTIVES["score"], checkpoint=tmp_path, on_evaluation=kill_at(8), **options)
    assert_equal(go(OBJECTIVES["score"], checkpoint=tmp_path, **options), whole)


SCRIPT = """
import os, signal, sys
import torch
from infounlearn.point import Restart
from tests.point.worlds import OBJECTIVES, amsgrad, go

torch.set_num_threads(1)

def die(row):
    if row["step"] == 6:
        os.kill(os.getpid(), signal.SIGKILL)

go(OBJECTIVES["score"], checkpoint=sys.argv[1], restart=Restart(0.9, 0.1),
   evaluations_per_epoch=3, optimizer=amsgrad, on_evaluation=die)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
def test_a_process_killed_by_the_system_resumes_in_another_process(tmp_path):
    """With an optimizer of one's own, whose address differs in every process."""
    killed = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tmp_path)],
        cwd=Path(__file__).parents[2],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL
    assert os.listdir(tmp_path) == ["checkpoint.safetensors"]
    rows, options = [], {**OPTIONS, "optimizer": amsgrad}
    resumed = go(OBJECTIVES["score"], checkpoint=tmp_path, on_evaluation=rows.append, **options)
    assert [row["step"] for row in rows] == [8, 10, 12]
    assert_equal(resumed, go(OBJECTIVES["score"], **options))


@pytest.mark.parametrize(
    "damage",
    [lambda data: data[: len(data) // 2], lambda data: b"", lambda data: b"pickle" * 100],
    ids=["cut", "empty", "other"],
)
def test_a_damaged_checkpoint_is_one_clear_error(damage, tmp_path):
    go(OBJECTIVES["score"], checkpoint=tmp_path)
    file = tmp_path / "checkpoint.safetensors"
    file.write_bytes(damage(file.read_bytes()))
    with pytest.raises(InputError, match=r"checkpoint .* cannot be read .* remove it"):
        go(OBJECTIVES["score"], checkpoint=tmp_path)


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 1},
        {"lr": 0.02},
        {"restart": Restart(0.9, 0.1)},
        {"stop": Steps(3)},
        {"audit_share": 0.4},
        {"loss": torch.nn.CrossEntropyLoss(reduction="none")},
        {"retain": (WORLD.retain[0] + 1, WORLD.retain[1])},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_checkpoint_of_another_run_is_one_clear_error(change, tmp_path):
    go(OBJECTIVES["score"], checkpoint=tmp_path)
    kept = (tmp_path / "checkpoint.safetensors").read_bytes()
    with pytest.raises(InputError, match="belongs to a run with another model, other records or"):
        go(OBJECTIVES["score"], checkpoint=tmp_path, **change)
    assert (tmp_path / "checkpoint.safetensors").read_bytes() == kept


def test_a_finished_run_is_read_from_its_checkpoint(tmp_path):
    first = go(OBJECTIVES["transport"], checkpoint=tmp_path)
    rows = []
    again = go(OBJECTIVES["transport"], checkpoint=tmp_path, on_evaluation=rows.append)
    assert rows == []
    assert_equal(again, first)
    assert os.listdir(tmp_path) == ["checkpoint.safetensors"]


def test_ctrl_c_returns_the_best_so_far(tmp_path):
    def press(row):
        if row["step"] == 8:
            raise KeyboardInterrupt

    result = go(OBJECTIVES["score"], on_evaluation=press, checkpoint=tmp_path, **OPTIONS)
    assert result.stopped.startswith("interrupted; state of step ")
    step = int(result.stopped.split()[-2])
    assert step in (2, 4, 6, 8)
    assert result.history[-1]["step"] == 8
    assert not any(module.training for module in result.model.modules())
    until = go(OBJECTIVES["score"], stop=Steps(8), **OPTIONS)
    assert same(result.model, until.model)
    # The same call goes on from there.
    whole = go(OBJECTIVES["score"], **OPTIONS)
    assert_equal(go(OBJECTIVES["score"], checkpoint=tmp_path, **OPTIONS), whole)


def test_ctrl_c_before_any_evaluation_says_so():
    def press(module, inputs):
        if module.training:
            raise KeyboardInterrupt

    handle = TRAINED.register_forward_pre_hook(press)
    try:
        result = go(OBJECTIVES["score"])
    finally:
        handle.remove()
    assert result.stopped.startswith("interrupted; no evaluation was reached")
    assert same(result.model, TRAINED)


def test_saved_files_are_whole_and_read_back_equal(tmp_path):
    result = go(OBJECTIVES["score"], schedule=Schedule(epochs=1, optimizer=torch.optim.RMSprop))
    folder = result.save(tmp_path / "a" / "b")
    assert sorted(os.listdir(folder)) == ["run.json", "weights.safetensors"]
    kept = load_file(folder / "weights.safetensors")
    assert kept.keys() == result.model.state_dict().keys()
    assert all(torch.equal(kept[k], v) for k, v in result.model.state_dict().items())
    run = json.loads((folder / "run.json").read_text())
    assert run["method"] == repr(OBJECTIVES["score"])
    assert run["stopped"] == result.stopped
    assert run["settings"]["schedule"]["optimizer"].endswith("RMSprop")
    assert run["history"] == [dict(row) for row in result.history]
    assert result.save(folder) == folder


def test_saving_where_nothing_can_be_written_is_one_error(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(InputError, match=r"save: folder .* cannot be written"):
        go(OBJECTIVES["score"]).save(tmp_path / "file" / "out")
    assert (tmp_path / "file").read_text() == "in the way"


def test_a_checkpoint_that_cannot_be_replaced_keeps_the_old_one(tmp_path, monkeypatch):
    go(OBJECTIVES["score"], checkpoint=tmp_path)
    kept = (tmp_path / "checkpoint.safetensors").read_bytes()

    def full(*_):
        raise OSError("disk full")

    monkeypatch.setattr(os, "replace", full)
    from infounlearn.files import write_atomically

    with pytest.raises(OSError, match="disk full"):
        write_atomically(tmp_path / "checkpoint.safetensors", b"half")
    assert os.listdir(tmp_path) == ["checkpoint.safetensors"]
    assert (tmp_path / "checkpoint.safetensors").read_bytes() == kept
