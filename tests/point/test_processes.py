"""Two processes of accelerate's own launcher agree with one."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from infounlearn.point.processes import Processes

from .two_processes import RUNS, everything

pytest.importorskip("accelerate")


@pytest.fixture(scope="module")
def ranks(tmp_path_factory):
    """What each of two processes found, of one launch."""
    folder = tmp_path_factory.mktemp("ranks")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        sys.executable, "-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes", "2",
        "--num_machines", "1", "--mixed_precision", "no", "--dynamo_backend", "no",
        "--main_process_port", str(port), "-m", "tests.point.two_processes", str(folder),
    ]  # fmt: skip
    done = subprocess.run(
        command,
        cwd=Path(__file__).parents[2],
        # The launcher starts several processes on one machine only as --multi_gpu (its --cpu asks
        # for MPI); this variable of its own then puts them on the CPU, with gloo.
        env={**os.environ, "OMP_NUM_THREADS": "1", "ACCELERATE_USE_CPU": "true"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return [load_file(folder / f"{rank}.safetensors") for rank in (0, 1)]


@pytest.fixture(scope="module")
def single():
    return everything()


@pytest.mark.parametrize("name", RUNS)
def test_two_processes_agree_with_one(ranks, single, name):
    own = {key: value for key, value in single.items() if key.startswith(f"{name}/")}
    assert len(own) > 4
    for key, value in own.items():
        for rank in ranks:
            torch.testing.assert_close(rank[key], value, rtol=1e-6, atol=1e-6, msg=key)
        assert torch.equal(ranks[0][key], ranks[1][key])


def test_every_run_differs_from_training_on_the_retain_set(single):
    ends = [single[f"{name}/weights/1.weight"] for name in RUNS if name != "unused"]
    for first in range(len(ends)):
        assert all(not torch.allclose(ends[first], other) for other in ends[first + 1 :])


def test_an_unused_weight_does_not_decay(ranks):
    assert torch.equal(ranks[0]["unused/weights/spare"], torch.ones(3, dtype=torch.float64))


def test_a_time_budget_ends_all_processes_at_once(ranks):
    assert [int(rank["budget"]) for rank in ranks] == [2, 2]


def test_processes_of_different_runs_are_refused_in_each(ranks):
    assert [int(rank["refused"]) for rank in ranks] == [1, 1]


@pytest.mark.parametrize("size", [1, 2, 7, 8])
def test_shares_are_a_partition(size):
    rows = torch.randperm(size)
    shares = [Processes(rank, 3).share(rows) for rank in range(3)]
    assert torch.cat(shares).sort().values.tolist() == list(range(size))
    assert max(map(len, shares)) - min(map(len, shares)) <= 1
