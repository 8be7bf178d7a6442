"""``infounlearn points`` without a way to unlearn: the default, and what takes its place."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from typing import Any, get_args

import pytest

from infounlearn.cli.choices import ENGINE, Choices, engine_words
from infounlearn.cli.methods import chosen_method
from infounlearn.cli.parsing import parse, without
from infounlearn.cli.points import Points
from infounlearn.experiments import cases
from infounlearn.experiments.case_data import CaseName, NetworkName
from infounlearn.experiments.defaults import method_for
from infounlearn.experiments.recipe import Recipe
from infounlearn.experiments.subject import TITLES
from infounlearn.point.methods import RestartTeacher
from infounlearn.point.methods.restart_teacher import FEWEST_ROWS
from infounlearn.report import read_record
from tests.cli.conftest import Said, Workplace

Run = Callable[..., Said]
NAME = RestartTeacher.name
SHORT = ("--audit.permutations", "49")


def settings(workplace: Workplace, folder: str = "out") -> dict[str, Any]:
    run = read_record(workplace.folder / folder).run
    assert run is not None
    return dict(run.settings)


def weights(workplace: Workplace, folder: str) -> bytes:
    return (workplace.folder / folder / "weights.safetensors").read_bytes()


def test_a_model_of_ones_own_gets_the_default_in_the_length_its_rows_need(
    run: Run, workplace: Workplace
) -> None:
    said = run(*workplace.words(**{"schedule.epochs": None, "seed": "4"}))
    assert said.code in (0, 1, 3), said.err
    used = settings(workplace)
    assert used["method"] == NAME
    assert used["epochs"] == FEWEST_ROWS / 192
    options = read_record(workplace.out).provenance["options"]
    assert options[NAME]["epochs"] == used["epochs"]
    assert not {"objective", "schedule", "limits"} & set(options)
    for name in ("run.json", "record.json"):
        again = run("points", "--config", f"out/{name}", "--out", "again")
        assert again.code == said.code, again.err
        assert weights(workplace, "again") == weights(workplace, "out")
        assert settings(workplace, "again") == used


def test_a_built_in_case_gets_the_default_of_its_recipe(
    run: Run, workplace: Workplace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cases, "DIGITS_RECIPE", Recipe(epochs=4, batch_size=64, lr=2e-3))
    usual = method_for(cases.case("digits", forget_random=0.1))
    words = ["points", "--dataset", "digits", "--forget-random", "0.1", "--references", "0"]
    for more, epochs in (((), usual.epochs), ((f"--{NAME}.epochs", "1"), 1.0)):
        for method in ((), ("--method", NAME)):
            said = run(*words, *SHORT, "--out", "out", *method, *more)
            assert said.code in (0, 1, 3), said.err
            used = settings(workplace)
            assert (used["method"], used["epochs"], used["lr"]) == (NAME, epochs, usual.lr)
    assert (usual.epochs, usual.lr) != (RestartTeacher().epochs, RestartTeacher().lr)


@pytest.mark.parametrize(
    "words",
    [
        ["--objective", "auto"],
        ["--objective=none"],
        ["--restart", "auto"],
        ["--stop", "calibrated"],
        ["--schedule.epochs", "7.0"],
        ["--schedule.batch_size=128"],
        ["--mix.keep", "0.15"],
        ["--utility.task", "1"],
        ["--limits.seconds", "60"],
    ],
    ids=" ".join,
)
def test_every_option_of_the_engine_chooses_it_even_at_its_default(words: list[str]) -> None:
    options = parse(Points, words, "points")
    assert chosen_method(options.methods, engine_words(words)) is None
    assert engine_words(["--restart-teacher.keep", "1", "--audit-share", "0.5", "auto"]) == []
    assert chosen_method(options.methods, []) == RestartTeacher()


def test_no_option_of_the_engine_is_forgotten() -> None:
    assert {*ENGINE, "audit_share"} == {one.name for one in fields(Choices)} | {"schedule"}


def test_the_engine_runs_where_one_of_its_options_is_given(run: Run, workplace: Workplace) -> None:
    said = run(*workplace.words(**{"schedule.epochs": "7.0"}))
    assert said.code in (0, 1, 3), said.err
    assert settings(workplace)["schedule"]["epochs"] == 7.0
    said = run(*workplace.words(), "--restart-teacher.keep", "0.2")
    assert (said.code, said.out) == (2, "")
    assert "--restart-teacher.keep has no effect with --schedule.epochs" in said.err


def test_another_way_to_unlearn_comes_on_top_of_a_config(run: Run, workplace: Workplace) -> None:
    words = workplace.words(**{"schedule.epochs": None})
    run(*words)
    default = weights(workplace, "out")
    for folder, base, more, shown in (
        ("engine", "out", ("--objective", "transport", "--schedule.epochs", "1"), "objective"),
        ("ssd", "engine", ("--method", "ssd", "--ssd.alpha", "1"), "alpha"),
        ("back", "ssd", ("--method", NAME), "keep"),
    ):
        said = run("points", "--config", f"{base}/run.json", "--out", folder, *more)
        assert said.code in (0, 1, 3), said.err
        assert shown in settings(workplace, folder)
    assert weights(workplace, "back") == default
    assert weights(workplace, "engine") != default


def test_words_without_options_lose_their_values_and_settings() -> None:
    words = ["--a", "1", "2", "--b.c=3", "--b-d", "--b.x", "-4", "--a_e", "5"]
    assert without(words, {"b", "a-e"}) == ["--a", "1", "2", "--b-d"]
    assert without(words, {"a"}) == words[3:]


def test_the_help_shows_settings_of_the_engine_to_those_who_ask(run: Run) -> None:
    plain, engine = run("points", "--help").out, run("points", "--objective", "auto", "--help").out
    for option in ("--schedule.epochs ", "--marginal.gamma ", "--limits.steps ", "--mix.keep "):
        assert option not in plain
        assert option in engine
    for option in ("--objective ", "--restart ", "--stop ", "--method ", "--audit.bins "):
        assert option in plain
        assert option in engine
    assert NAME in plain


def test_every_built_in_data_set_and_network_is_on_offer() -> None:
    for name in get_args(CaseName):
        assert parse(Points, ["--dataset", name], "points").dataset == name
        assert name in TITLES
    for name in get_args(NetworkName):
        assert parse(Points, ["--network", name], "points").network == name


@pytest.mark.parametrize(
    ("words", "title"),
    [
        (["diabetes", "--forget-count", "30"], "Diabetes: forget 30 at random"),
        (["digits", "--forget-count", "1"], "Digits: forget one record"),
        (["digits", "--network", "cnn", "--forget-class", "3"], "Digits: forget all of class 3"),
    ],
    ids=["regression", "one", "pictures"],
)
def test_requests_of_every_kind(
    run: Run,
    workplace: Workplace,
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
    title: str,
) -> None:
    recipe = Recipe(epochs=4, batch_size=64, lr=2e-3)
    monkeypatch.setattr(cases, "_recipe", lambda *_: recipe)
    said = run("points", "--dataset", *words, "--references", "2", "--out", "out", *SHORT)
    assert said.code in (0, 1, 3), said.err
    record = read_record(workplace.out)
    assert title in record.title
    assert settings(workplace)["method"] == NAME
    again = run("points", "--config", "out/run.json", "--out", "again")
    assert again.code == said.code, again.err
    assert weights(workplace, "again") == weights(workplace, "out")


def test_that_nothing_was_found_to_forget_is_said_at_once(
    run: Run, workplace: Workplace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A verdict and an exit code alone do not tell that the weights are the original's."""
    monkeypatch.setattr("infounlearn.point.methods.teaching.amount", lambda *_: 0.0)
    said = run(*workplace.words(**{"schedule.epochs": None}), "--json")
    (told,) = said.json["warnings"]
    assert "Nothing was found to forget: the weights are those of the original." in told
    assert "This is no proof" in said.err
