"""Bad input on the command line: one clear error, exit code 2, no trace left, no work begun."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from infounlearn.experiments import ensemble, job
from tests.cli.conftest import Said, Workplace

Run = Callable[..., Said]


@pytest.fixture(autouse=True)
def _no_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """Training steps and reports are forbidden here."""

    def forbidden(*_: object, **__: object) -> None:
        pytest.fail("work began before the input was refused")

    monkeypatch.setattr(ensemble, "train", forbidden)
    monkeypatch.setattr("infounlearn.point.engine._train_step", forbidden)
    monkeypatch.setattr("infounlearn.point.methods.engine._do", forbidden)
    monkeypatch.setattr(job, "write_report", forbidden)


def refused(said: Said, *parts: str) -> None:
    """Exit code 2, nothing on standard output, and one error that names ``parts``."""
    assert said.code == 2, said.err
    assert said.out == ""
    assert said.err.count("error:") == 1
    assert "Traceback" not in said.err
    for part in parts:
        assert part in said.err


def files(folder: Path) -> dict[str, bytes]:
    """Every file of a folder but Python's own."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def _truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-40])


@pytest.mark.parametrize(
    ("changed", "parts"),
    [
        ({"model": None, "weights": None, "data": None}, ["neither --dataset nor --model"]),
        ({"dataset": "digits"}, ["both --dataset and --model"]),
        ({"weights": None, "data": None}, ["2 problems", "weights", "data"]),
        ({"weights": "absent.safetensors"}, ["weights", "there is no file"]),
        ({"model": "own_nets"}, ["package.module:name"]),
        ({"model": "absent_module:build"}, ["absent_module", "cannot be imported"]),
        ({"model": "own_nets:biuld"}, ["has no 'biuld'"]),
        ({"model": "own_nets:FIVE"}, ["cannot be called"]),
        ({"model": "own_nets:number"}, ["returns a int"]),
        ({"model": "own_nets:wide"}, ["shape", "architecture"]),
        ({"data": "own_nets:absent"}, ["has no 'absent'"]),
        ({"data": "own_nets:half"}, ["returns no 'holdout'"]),
        ({"data": "own_nets:leaking"}, ["holdout", "never have been trained on"]),
        ({"data": "own_nets:far_labels"}, ["label", "outside 0..1"]),
        ({"forget": "absent.csv"}, ["cannot be read"]),
        ({"forget-class": "1"}, ["--forget-class has no effect"]),
        ({"forget-count": "9"}, ["--forget-count has no effect with --model"]),
        ({"marginal.gamma": "3"}, ["no effect with --objective auto"]),
        ({"schedule.lr": "-1"}, ["schedule.lr"]),
        ({"seed": "-1"}, ["seed is -1"]),
        ({"seed": "x"}, ["--seed"]),
        ({"limits.steps": "0"}, ["Steps is 0"]),
        ({"audit-share": "2"}, ["audit_share is 2"]),
        ({"config": "absent.json"}, ["config", "cannot read"]),
        ({"reference": "absent.safetensors"}, ["reference", "there is no file"]),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_wrong_options(
    run: Run, workplace: Workplace, changed: dict[str, str | None], parts: list[str]
) -> None:
    before = files(workplace.folder)
    refused(run(*workplace.words(**changed)), *parts)
    assert files(workplace.folder) == before


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("id\n5\n240\n", ["1 of 2 ids lie outside 0..239: 240"]),
        ("id\n-1\n", ["outside"]),
        ("id\n1.5\n", ["'1.5' is not an integer id"]),
        ("id\nthree\n", ["'three' is not an integer id"]),
        ("id\n7\n8\n7\n", ["id 7 already stands on line 2"]),
        ("id\n", ["holds no ids"]),
        ("", ["holds no ids"]),
        ("a,b\n1,2\n", ["no column is called 'id'"]),
        ("\n".join(map(str, range(240))), ["every training record would be forgotten"]),
        ("\n".join(map(str, range(150))), ["forget holds 150 records, retain 90"]),
        ("9\n", ["forget holds one record"]),
    ],
)
def test_wrong_ids(run: Run, workplace: Workplace, text: str, parts: list[str]) -> None:
    (workplace.folder / "ids.csv").write_text(text, encoding="utf-8")
    refused(run(*workplace.words()), *parts)
    assert not workplace.out.exists()


def test_a_truncated_weights_file(run: Run, workplace: Workplace) -> None:
    _truncate(workplace.folder / "w.safetensors")
    refused(run(*workplace.words()), "weights", "truncated")
    assert not workplace.out.exists()


@pytest.mark.parametrize("name", ["w.pt", "w.pth", "w.safetensors", "w.bin"])
@pytest.mark.parametrize("kind", ["torch", "legacy", "bare"])
def test_a_pickle_is_refused_and_never_read(
    run: Run, workplace: Workplace, name: str, kind: str
) -> None:
    trap, path = workplace.folder / "trap", workplace.folder / name
    if kind == "bare":
        path.write_bytes(pickle.dumps(_Trap(str(trap))))
    else:
        torch.save(_Trap(str(trap)), path, _use_new_zipfile_serialization=kind == "torch")
    refused(run(*workplace.words(weights=name)), "is a pickle", "save_file")
    assert not trap.exists()
    assert not workplace.out.exists()


class _Trap:
    """Creates a file when it is unpickled."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str, int]]:
        return os.mkdir, (self.path, 0o700)


def test_the_trap_would_spring(tmp_path: Path) -> None:
    pickle.loads(pickle.dumps(_Trap(str(tmp_path / "trap"))))
    assert (tmp_path / "trap").exists()


@pytest.mark.parametrize("length", [640, 0x0380])
def test_a_header_whose_length_looks_like_a_pickle_is_read(
    run: Run, workplace: Workplace, length: int
) -> None:
    """A header of 640 bytes begins 80 02, as a pickle of protocol 2 does."""
    path = workplace.folder / "w.safetensors"
    tensors = load_file(path)
    for pad in range(1200):
        save_file(
            {name: part + torch.nan for name, part in tensors.items()}, path, {"p": "x" * pad}
        )
        if path.read_bytes()[:2] == length.to_bytes(2, "little"):
            break
    else:
        pytest.fail("no padding gives this length")
    refused(run(*workplace.words()), "is not finite")


def test_a_model_whose_outputs_are_not_finite(run: Run, workplace: Workplace) -> None:
    tensors = load_file(workplace.folder / "w.safetensors")
    save_file({f"net.{k}": v for k, v in tensors.items()}, workplace.folder / "w.safetensors")
    refused(run(*workplace.words(model="own_nets:Infinite")), "outputs", "not finite")
    assert not workplace.out.exists()


def test_weights_that_are_not_finite(run: Run, workplace: Workplace) -> None:
    tensors = load_file(workplace.folder / "w.safetensors")
    tensors["0.bias"][0] = torch.inf
    save_file(tensors, workplace.folder / "w.safetensors")
    refused(run(*workplace.words()), "0.bias", "not finite")


COMMANDS = {
    "demo": ["demo"],
    "builtin": ["points", "--dataset", "digits", "--forget-random", "0.1"],
    "figure": ["figure", "gaussian-toy", "--quick"],
}


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("place", ["a-file", "a-file/below", "/proc/nowhere"])
def test_an_output_folder_that_cannot_be_written(
    run: Run, workplace: Workplace, command: str, place: str
) -> None:
    (workplace.folder / "a-file").write_text("mine", encoding="utf-8")
    before = files(workplace.folder)
    refused(run(*COMMANDS[command], "--out", place), "cannot write to", place)
    assert files(workplace.folder) == before


@pytest.mark.skipif(os.geteuid() == 0, reason="a superuser may write anywhere")
def test_an_output_folder_without_permission(run: Run, workplace: Workplace) -> None:
    locked = workplace.folder / "locked"
    locked.mkdir(mode=0o500)
    refused(run("demo", "--out", str(locked)), "cannot write to")


def test_somebody_elses_files_are_not_replaced(run: Run, workplace: Workplace) -> None:
    workplace.out.mkdir()
    (workplace.out / "report.html").write_text("mine", encoding="utf-8")
    refused(run(*workplace.words()), "report.html", "not ours")
    assert files(workplace.out) == {"report.html": b"mine"}


def test_weights_that_are_no_earlier_result_are_not_replaced(
    run: Run, workplace: Workplace
) -> None:
    workplace.out.mkdir()
    (workplace.out / "weights.safetensors").write_text("mine", encoding="utf-8")
    refused(run(*workplace.words()), "weights.safetensors", "earlier result")


def test_the_weights_that_are_read_are_not_replaced(run: Run, workplace: Workplace) -> None:
    (workplace.folder / "w.safetensors").rename(workplace.folder / "weights.safetensors")
    refused(run(*workplace.words(weights="weights.safetensors", out=".")), "is an input")


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (["--forget-class", "3", "--forget-random", "0.1"], ["2 of forget_class"]),
        ([], ["0 of forget_class"]),
        (["--forget-class", "12"], ["choose one of [0, 1"]),
        (["--forget-random", "1.5"], ["share of all rows"]),
        (["--forget-random", "0.1", "--label-noise", "1"], ["share is 1.0"]),
        (["--forget", "ids.csv"], ["ids are not among"]),
        (["--forget-class", "3", "--weights", "w.safetensors"], ["no effect without --model"]),
        (["--forget-class", "3", "--references", "-1"], ["references is -1"]),
        (["--forget-count", "1", "--objective", "auto"], ["one record would be forgotten"]),
        (["--forget-count", "0"], ["0 of 1197 rows would be forgotten"]),
        (["--forget-class", "3", "--network", "resnet"], ["network is 'resnet'"]),
    ],
)
def test_wrong_requests_of_a_built_in_case(
    run: Run, workplace: Workplace, words: list[str], parts: list[str]
) -> None:
    (workplace.folder / "ids.csv").write_text("id\n99999\n", encoding="utf-8")
    refused(run("points", "--dataset", "digits", *words), *parts)
    assert not (workplace.folder / "runs").exists()


@pytest.mark.parametrize("content", ["no json", "[]", "{}", '{"options": {}}', '{"options": 3}'])
def test_a_config_without_options(run: Run, workplace: Workplace, content: str) -> None:
    (workplace.folder / "c.json").write_text(content, encoding="utf-8")
    refused(run("points", "--config", "c.json"), "config", "run.json")


def test_a_config_with_an_unknown_option(run: Run, workplace: Workplace) -> None:
    (workplace.folder / "c.json").write_text('{"options": {"sed": 3}}', encoding="utf-8")
    refused(run("points", "--config", "c.json"), "--sed")


def test_outputs_that_cannot_be_audited(run: Run, workplace: Workplace) -> None:
    path = workplace.folder / "o.npz"
    logits, labels = np.zeros((4, 2)), np.array([0, 1, 0, 1])
    np.savez(path, **{"forget/outputs": logits, "forget/targets": labels})
    refused(run("audit", "o.npz"), "retain", "holdout")
    _truncate(path)
    refused(run("audit", "o.npz"), "truncated")
    refused(run("audit", "absent.npz"), "there is no file")
    path.with_suffix(".pkl").write_bytes(pickle.dumps(logits))
    refused(run("audit", "o.pkl"), "unknown kind of file")
    assert not (workplace.folder / "runs").exists()


def test_the_process_ends_with_two_and_one_line(workplace: Workplace) -> None:
    _truncate(workplace.folder / "w.safetensors")
    done = subprocess.run(
        [sys.executable, "-m", "infounlearn", *workplace.words()],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert len(done.stderr.splitlines()) == 1
    assert not workplace.out.exists()
