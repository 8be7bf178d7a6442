"""``infounlearn points --method``: every published method with its own options."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from infounlearn.cli.methods import chosen_method, method_options
from infounlearn.cli.parsing import as_words, parse
from infounlearn.cli.points import Points
from infounlearn.errors import InputError
from infounlearn.experiments import cases, ensemble
from infounlearn.experiments.recipe import Recipe
from infounlearn.point.methods import METHODS, Scrub
from infounlearn.point.methods.verb import in_words
from infounlearn.report import read_record
from tests.cli.conftest import Said, Workplace

Run = Callable[..., Said]
NAMES = tuple(METHODS)
OTHERS = {float: 0.25, int: 7, bool: True}
"""Values that no setting has by default."""


def words(workplace: Workplace, name: str, **more: str | None) -> list[str]:
    return workplace.words(**{"schedule.epochs": None, "method": name, **more})


def changed(name: str) -> Any:
    """The method with another value for every setting that is a number or a switch."""
    method = METHODS[name]()
    own = {field.name: getattr(method, field.name) for field in fields(method)}
    new = {k: OTHERS[type(v)] for k, v in own.items() if type(v) in OTHERS and k != "epochs"}
    return replace(method, **new, **({"epochs": 3.5} if "epochs" in own else {}))


@pytest.mark.parametrize("name", NAMES)
def test_every_setting_of_every_method_is_an_option(name: str) -> None:
    method = changed(name)
    given = ["--method", name, *as_words(method, prefix=f"{name}.")]
    options = parse(Points, given, "points")
    assert chosen_method(options.methods, []) == method
    assert options == parse(Points, [*given[2:], *given[:2]], "points")  # any order


@pytest.mark.parametrize("name", NAMES)
def test_help_teaches_the_chosen_method_alone(run: Run, name: str) -> None:
    said = run("points", "--method", name, "--help")
    assert said.code == 0
    told = said.out.replace("--scrub.alpha 0.1", "")  # the example
    for other, kind in METHODS.items():
        for field in fields(kind):
            option = f"--{other}.{field.name.replace('_', '-')}"
            assert (f"{option} " in told or f"{option}\n" in told) is (other == name)
    assert "object at 0x" not in said.out


def test_help_without_a_method_names_them_and_none_of_their_options(run: Run) -> None:
    said = run("points", "--help")
    assert "--method" in said.out
    for name in NAMES:
        assert name in said.out
        assert f"--{name}." not in said.out.replace("--scrub.alpha 0.1", "")  # the example


def test_the_types_of_a_parser_and_of_its_help_have_the_same_fields() -> None:
    names = [field.name for field in fields(method_options())]
    assert [field.name for field in fields(method_options("ssd"))] == names
    assert len(names) == 1 + len(NAMES)


@pytest.mark.parametrize(
    ("name", "more"),
    [
        ("scrub", {"scrub.rewind": "", "scrub.epochs": "2", "scrub.lr": "0.01"}),
        ("ssd", {"ssd.alpha": "1"}),
    ],
)
def test_a_method_runs_to_a_report(
    run: Run, workplace: Workplace, name: str, more: dict[str, str]
) -> None:
    given = [*words(workplace, name), *(f"--{k}={v}" if v else f"--{k}" for k, v in more.items())]
    said = run(*given)
    assert said.code in (0, 1, 3), said.err
    record = read_record(workplace.out)
    assert record.run is not None
    assert record.run.method.startswith(METHODS[name].title)
    assert record.run.settings["method"] == name
    options = record.provenance["options"]
    assert options["method"] == name
    assert set(options[name]) == {field.name for field in fields(METHODS[name])}
    assert not {"schedule", "objective", "marginal"} & set(options)
    old, new = (
        load_file(workplace.folder / part) for part in ("w.safetensors", "out/weights.safetensors")
    )
    assert any(not torch.equal(old[key], new[key]) for key in old)
    again = run("points", "--config", "out/run.json", "--out", "again")
    assert again.code == said.code, again.err
    first, second = (
        (workplace.folder / part / "weights.safetensors").read_bytes() for part in ("out", "again")
    )
    assert first == second


def test_an_option_of_a_method_changes_the_result(run: Run, workplace: Workplace) -> None:
    story = []
    for lr in ("0.001", "0.1"):
        run(*words(workplace, "fine-tune", **{"fine-tune.lr": lr, "fine-tune.epochs": "1"}))
        story.append(json.loads((workplace.out / "run.json").read_text(encoding="utf-8")))
    assert [one["settings"]["lr"] for one in story] == [0.001, 0.1]
    assert story[0]["history"][-1]["forget_loss"] != story[1]["history"][-1]["forget_loss"]


@pytest.fixture
def _no_work(monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(*_: object, **__: object) -> None:
        pytest.fail("work began before the input was refused")

    monkeypatch.setattr(ensemble, "train", forbidden)
    monkeypatch.setattr("infounlearn.point.methods.engine._do", forbidden)


@pytest.mark.usefixtures("_no_work")
@pytest.mark.parametrize(
    ("given", "parts"),
    [
        (["--method", "scrubb"], ["--method", "'scrubb'"]),
        (["--scrub.alpha", "1"], ["--scrub.alpha has no effect without --method", "scrub"]),
        (["--method", "ssd", "--scrub.alpha", "1"], ["--scrub.alpha has no effect with", "ssd"]),
        (["--method", "ssd", "--ssd.lr", "1"], ["--ssd.lr"]),
        (["--method", "ssd", "--objective", "none"], ["--objective has no effect with --method"]),
        (
            ["--method", "ssd", "--schedule.lr", "1", "--mix.keep", "1", "--limits.steps", "3"],
            ["3 problems", "--schedule.lr", "--mix.keep", "--limits.steps"],
        ),
        (["--method", "ssd", "--stop", "limits"], ["--stop has no effect"]),
        (
            ["--method", "scrub", "--scrub.alpha", "-1", "--scrub.epochs", "0"],
            ["2 problems", "scrub: alpha is -1", "scrub: epochs is 0"],
        ),
        (["--method", "cf-k", "--cf-k.layers", "nope"], ["cf-k", "no layers ['nope']"]),
    ],
    ids=lambda value: " ".join(value) if "--" in value[0] else "",
)
def test_wrong_options_are_refused_before_any_network_is_trained(
    run: Run, workplace: Workplace, given: list[str], parts: list[str]
) -> None:
    said = run("points", "--dataset", "digits", "--forget-class", "3", "--out", "out", *given)
    assert (said.code, said.out) == (2, "")
    assert said.err.count("error:") == 1
    assert "Traceback" not in said.err
    for part in parts:
        assert part in said.err
    assert not workplace.out.exists()
    assert not (workplace.folder / "runs").exists()


def test_regressions_are_refused_by_methods_of_labels(run: Run, workplace: Workplace) -> None:
    with (workplace.folder / "own_nets.py").open("a", encoding="utf-8") as file:
        file.write(
            "\ndef real():\n    return {k: (x, x.sin()) for k, (x, _) in datasets().items()}\n"
        )
    said = run(*words(workplace, "random-label", data="own_nets:real"))
    assert said.code == 2
    assert "random-label works on class labels" in said.err
    assert not workplace.out.exists()


def test_a_built_in_case_is_unlearned_by_a_method(
    run: Run, workplace: Workplace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cases, "DIGITS_RECIPE", Recipe(epochs=2, batch_size=64, lr=2e-3))
    said = run(
        *("points", "--dataset", "digits", "--forget-random", "0.1", "--references", "0"),
        *("--method", "bad-teacher", "--out", "out", "--audit.permutations", "49", "--json"),
    )
    assert said.code in (0, 1, 3), said.err
    assert said.json["cost"]["rows_backward"] == 2 * 256  # 120 + 323 rows


def test_a_method_in_words_names_what_is_not_usual() -> None:
    usual = in_words(Scrub())
    assert usual == "SCRUB (Kurmanji et al. 2023, arXiv:2302.09880), default settings"
    assert in_words(Scrub(alpha=0.1, rewind=True)).endswith("), with alpha 0.1, rewind True")


def test_options_of_all_methods_are_checked_at_once() -> None:
    options = parse(Points, ["--scrub.alpha", "1", "--ssd.alpha", "2"], "points")
    with pytest.raises(InputError, match="2 problems"):
        chosen_method(options.methods, [])
