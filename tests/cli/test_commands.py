"""Help, ``demo``, ``audit`` and ``figure`` through the real entry point."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from infounlearn import __version__
from infounlearn.cli import COMMANDS
from infounlearn.cli import figure as figure_command
from infounlearn.cli.choices import Choices
from infounlearn.cli.demo import Demo
from infounlearn.cli.figure import Figure
from infounlearn.cli.parsing import as_plain, as_words, parse
from infounlearn.cli.points import Points
from infounlearn.experiments import cases, figures
from infounlearn.experiments.figures.result import FigureResult
from infounlearn.experiments.recipe import Recipe
from infounlearn.report import read_record
from tests.cli.conftest import Said, Workplace
from tests.experiments.feature_people import quicken

Run = Callable[..., Said]


@pytest.mark.parametrize("words", [("--help",), ("-h",), ("help",)])
def test_the_overview_names_every_command_and_exit_code(run: Run, words: tuple[str, ...]) -> None:
    said = run(*words)
    assert (said.code, said.err) == (0, "")
    for name in COMMANDS:
        assert f"\n  {name}" in said.out
        assert f"infounlearn {name}" in said.out
    for code in (0, 1, 2, 3, 130):
        assert f"{code:>3}  " in said.out


def test_no_command_is_bad_input(run: Run) -> None:
    said = run()
    assert (said.code, said.out) == (2, "")
    assert "usage:" in said.err


def test_version(run: Run) -> None:
    assert run("--version").out.strip() == f"infounlearn {__version__}"


def test_an_unknown_command_is_told_the_nearest(run: Run) -> None:
    said = run("point")
    assert said.code == 2
    assert "did you mean points?" in said.err


@pytest.mark.parametrize("name", COMMANDS)
def test_help_teaches(run: Run, name: str) -> None:
    said = run(name, "--help")
    assert said.code == 0
    assert f"    infounlearn {name}" in said.out  # an example line
    assert "machine-readable" in said.out


@pytest.mark.parametrize("name", COMMANDS)
def test_an_unknown_option_is_one_error(run: Run, name: str) -> None:
    said = run(name, "--absent-option", "3")
    assert (said.code, said.out) == (2, "")
    assert said.err.count("error:") == 1


def test_a_reader_that_leaves_early_is_no_error() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, "-m", "infounlearn", "--help"],
        stdout=writing,
        stderr=subprocess.PIPE,
        timeout=60,
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (141, b"")


@given(
    seed=st.integers(0, 1000),
    gamma=st.floats(0, 10),
    share=st.one_of(st.none(), st.floats(0.01, 0.99)),
    quick=st.booleans(),
    reference=st.lists(st.sampled_from(["a", "b c", "ü"]), max_size=3),
)
def test_words_and_options_are_one(
    seed: int, gamma: float, share: float | None, quick: bool, reference: list[str]
) -> None:
    usual = Points()
    values: dict[str, Any] = {field.name: getattr(usual, field.name) for field in fields(usual)}
    values |= {"seed": seed, "forget_random": share, "quick": quick}
    values["reference"] = tuple(Path(one) for one in reference)
    options = Points(**values)
    assert parse(Points, as_words(options), "points") == options
    marginal = Choices(marginal=type(Choices().marginal)(gamma=gamma))
    assert parse(Choices, as_words(marginal), "points") == marginal


def test_the_last_of_repeated_options_wins() -> None:
    assert parse(Demo, ["--seed", "1", "--seed", "2"], "demo").seed == 2


def test_plain_options_are_json_values() -> None:
    plain = as_plain(Points(reference=(Path("a"),)))
    assert plain["reference"] == ["a"]
    assert plain["how"]["marginal"]["prior"] == [0.5, 0.5]


def test_demo_writes_a_report_and_prints_a_table(
    run: Run, workplace: Workplace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cases, "DIGITS_RECIPE", Recipe(epochs=20, batch_size=64, lr=2e-3))
    quicken(monkeypatch)  # trees are slow, and tested elsewhere
    said = run("demo", "--references", "2", "--out", "out")
    assert said.code == 0, said.err
    assert {"record.json", "report.html", "card.md", "weights.safetensors"} <= {
        path.name for path in workplace.out.iterdir()
    }
    assert "report   out/report.html" in said.out
    assert "retrained" in said.out
    assert "nats" in said.out
    assert all(len(line) <= 120 for line in said.out.splitlines())
    record = read_record(workplace.out)
    assert "Digits" in record.title
    assert record.audit.finding("leakage/attack_auc").original is not None
    steered = record.audit.finding("leakage/attack_auc").n["holdout"]
    assert steered < 300  # part of the 300 held-out records steered the run, and is left out
    # The feature half: its own table, and its own report in a folder of its own.
    assert {path.name for path in (workplace.out / "feature").iterdir()} == {
        "card.md",
        "diabetes.csv",
        "record.json",
        "report.html",
        "table.csv",
    }
    assert "diabetes.csv without sex" in said.out
    assert "sex, read by logistic" in said.out
    assert "report   out/feature/report.html" in said.out


def _outputs(path: Path, shift: float, seed: int) -> None:
    """Logits of two classes whose margin is ``shift`` larger on forget records."""
    rng = np.random.default_rng(seed)
    arrays = {}
    for name, rows in (("forget", 150), ("retain", 400), ("holdout", 150)):
        labels = np.arange(rows) % 2
        margin = rng.normal(1 + shift * (name == "forget"), 1, rows)
        arrays[f"{name}/outputs"] = np.stack([-margin, margin], 1)[
            np.arange(rows)[:, None], np.where(labels[:, None] == 1, [[0, 1]], [[1, 0]])
        ]
        arrays[f"{name}/targets"] = labels
    np.savez(path, **arrays)


@pytest.mark.parametrize(("shift", "code"), [(0.0, 0), (2.0, 1)])
def test_audit_of_files_says_what_is_there(
    run: Run, workplace: Workplace, shift: float, code: int
) -> None:
    _outputs(workplace.folder / "o.npz", shift, 0)
    said = run("audit", "o.npz", "--out", "out", "--settings.permutations", "99", "--json")
    assert said.code == said.json["exit_code"] == code, said.err
    assert {path.name for path in workplace.out.iterdir()} == {
        "card.md",
        "record.json",
        "report.html",
    }
    record = read_record(workplace.out)
    assert record.run is None
    assert record.audit.settings["permutations"] == 99
    assert record.provenance["command"].startswith("infounlearn audit o.npz")


def test_audit_takes_references(run: Run, workplace: Workplace) -> None:
    for index in range(4):
        _outputs(workplace.folder / f"o{index}.npz", 0.0, 0 if index < 2 else index)
    said = run(
        *("audit", "o0.npz", "--original", "o1.npz", "--reference", "o2.npz", "o3.npz"),
        *("--out", "out", "--settings.permutations", "49"),
    )
    assert said.code in (0, 1, 3), said.err
    assert len(read_record(workplace.out).audit.finding("leakage/attack_auc").retrained) == 2


def test_figure_hands_its_options_on_and_prints_the_table(
    run: Run, workplace: Workplace, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: dict[str, Any] = {}

    def make(**options: Any) -> FigureResult:
        asked.update(options)
        options["progress"](1, 2, "half")
        table = (("quantity", "ours", "published"), ("accuracy [x]", "94.1", "94.4"))
        return FigureResult((Path("a.svg"),), table, ("Read it [so].",))

    monkeypatch.setattr(figure_command, "figure", lambda name: make)
    said = run("figure", "gaussian-toy", "--quick", "--seed", "3", "--out", "out")
    assert said.code == 0
    assert (asked["quick"], asked["out"], asked["seed"]) == (True, Path("out"), 3)
    for text in ("accuracy [x]", "94.4", "Read it [so].", "a.svg"):
        assert text in said.out
    assert "half" in said.err
    said = run("figure", "gaussian-toy", "--json")
    assert said.json["table"][0] == ["quantity", "ours", "published"]


def test_the_figures_on_offer_are_those_of_the_registry() -> None:
    for name in figures.FIGURES:
        assert parse(Figure, [name], "figure").name == name
