"""``infounlearn points``: what it writes, says and returns, on a small model of one's own."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from infounlearn.cli import show
from infounlearn.experiments import cases
from infounlearn.experiments.defaults import schedule_for
from infounlearn.experiments.job import exit_code
from infounlearn.experiments.recipe import Recipe
from infounlearn.interface import Answer, Audit, Verdict
from infounlearn.point import Schedule
from infounlearn.report import read_record
from tests.cli.conftest import Said, Workplace

Run = Callable[..., Said]
RESULTS = {"card.md", "record.json", "report.html", "run.json", "weights.safetensors"}
CODES = {
    ("forgotten", "kept"): 0,
    ("forgotten", "inconclusive"): 0,
    ("inconclusive", "kept"): 3,
    ("inconclusive",): 3,
    ("not forgotten", "kept"): 1,
    ("over-forgotten", "forgotten"): 1,
    ("forgotten", "lost"): 1,
}


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_a_run_writes_everything_and_changes_no_input(run: Run, workplace: Workplace) -> None:
    before = (workplace.folder / "w.safetensors").read_bytes()
    said = run(*workplace.words(), "--reference", "r1.safetensors", "r2.safetensors")
    assert said.code in (0, 1, 3), said.err
    assert names(workplace.out) == RESULTS
    assert (workplace.folder / "w.safetensors").read_bytes() == before
    record = read_record(workplace.out)
    assert said.code == exit_code(record.audit)
    assert record.run is not None
    assert len(record.audit.finding("leakage/attack_auc").retrained) == 2
    assert record.audit.finding("leakage/attack_auc").original is not None
    assert record.provenance["command"].startswith("infounlearn points --model own_nets:build")
    assert record.provenance["options"]["schedule"]["epochs"] == 2.0
    for verdict in record.audit.verdicts:
        assert f"{verdict.question} {verdict.answer}" in said.out
    assert "report.html" in said.out
    assert "forget" in said.err  # progress


def test_the_weights_written_are_those_of_the_unlearned_model(
    run: Run, workplace: Workplace
) -> None:
    """Lesson of other packages: the student must move, and what is saved must be the student."""
    run(*workplace.words(objective="transport", **{"transport.gamma": "1"}))
    old, new = (
        load_file(workplace.folder / name) for name in ("w.safetensors", "out/weights.safetensors")
    )
    assert old.keys() == new.keys()
    assert any(not torch.equal(old[name], new[name]) for name in old)


def test_json_is_all_there_is_on_standard_output(run: Run, workplace: Workplace) -> None:
    said = run(*workplace.words(), "--json")
    assert said.json["exit_code"] == said.code
    assert len(said.json["verdicts"]) == 4
    assert {"name", "value", "unit", "interval", "original"} <= said.json["findings"][0].keys()
    assert Path(said.json["files"]["report"]).is_file()
    assert "report.html" in said.err


def test_run_json_and_record_json_repeat_the_run(run: Run, workplace: Workplace) -> None:
    first = run(*workplace.words(seed="5", objective="membership", **{"membership.bins": "8"}))
    for index, name in enumerate(("run.json", "record.json")):
        again = run("points", "--config", f"out/{name}", "--out", f"again{index}")
        assert again.code == first.code, again.err
        written = [
            (workplace.folder / folder / "weights.safetensors").read_bytes()
            for folder in ("out", f"again{index}")
        ]
        assert written[0] == written[1]
    other = run("points", "--config", "out/run.json", "--out", "other", "--seed", "6")
    assert other.code in (0, 1, 3)
    assert read_record(workplace.folder / "other").provenance["seed"] == 6
    assert (workplace.folder / "other/weights.safetensors").read_bytes() != written[0]


def test_run_json_tells_the_story_too(run: Run, workplace: Workplace) -> None:
    run(*workplace.words())
    story = json.loads((workplace.out / "run.json").read_text(encoding="utf-8"))
    assert story["command"][0] == "points"
    assert story["options"]["weights"] == "w.safetensors"
    assert story["history"][-1]["step"] > 0
    assert story["stopped"]


def test_an_earlier_result_is_replaced(run: Run, workplace: Workplace) -> None:
    run(*workplace.words())
    said = run(*workplace.words(seed="1"))
    assert said.code != 2, said.err
    assert read_record(workplace.out).provenance["seed"] == 1


def test_a_factory_may_take_the_seed(run: Run, workplace: Workplace) -> None:
    assert run(*workplace.words(model="own_nets:seeded")).code != 2


def test_every_stop_and_objective_can_be_asked_for(run: Run, workplace: Workplace) -> None:
    words = workplace.words(
        **{"stop": "limits", "limits.steps": "3", "objective": "marginal", "marginal.gamma": "2"}
    )
    said = run(*words, "--schedule.evaluations-per-epoch", "2")
    assert said.code in (0, 1, 3), said.err
    story = json.loads((workplace.out / "run.json").read_text(encoding="utf-8"))
    assert story["settings"]["objective"]["gamma"] == 2.0
    assert [stop["name"] for stop in story["settings"]["stop"]] == ["Steps"]
    assert "steps done" in story["stopped"]


def test_a_blind_objective_is_named_before_the_run(run: Run, workplace: Workplace) -> None:
    said = run(*workplace.words(objective="marginal"))
    assert "Note:" in said.err
    assert said.err.index("Note:") < said.err.index("step ")
    assert "verb.py" not in said.err


@pytest.mark.parametrize("as_json", [False, True])
def test_an_interrupted_run_keeps_its_best_weights(
    run: Run, workplace: Workplace, monkeypatch: pytest.MonkeyPatch, as_json: bool
) -> None:
    seen: list[float] = []

    def press(self: show.Watcher, row: dict[str, float]) -> None:
        seen.append(row["step"])
        if len(seen) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(show.Watcher, "evaluation", press)
    said = run(*workplace.words(checkpoint="kept"), *(["--json"] if as_json else []))
    assert said.code == 130
    assert names(workplace.out) == {"run.json", "weights.safetensors"}
    assert "interrupted" in said.err
    if as_json:
        assert said.json["exit_code"] == 130
    monkeypatch.undo()
    monkeypatch.chdir(workplace.folder)
    finished = run(*workplace.words(checkpoint="kept"))
    assert finished.code in (0, 1, 3), finished.err
    whole = run(*workplace.words(out="whole"))
    assert whole.code == finished.code
    pair = [load_file(workplace.folder / name / "weights.safetensors") for name in ("out", "whole")]
    assert all(torch.equal(pair[0][name], pair[1][name]) for name in pair[0])


def test_an_interrupt_during_training_is_quiet(
    run: Run, workplace: Workplace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def press(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("infounlearn.experiments.subject.trained", press)
    said = run("points", "--dataset", "digits", "--forget-class", "3", "--out", "out")
    assert (said.code, said.out) == (130, "")
    assert "Traceback" not in said.err
    assert not workplace.out.exists()


def test_a_diverging_run_is_a_failure_without_results(run: Run, workplace: Workplace) -> None:
    said = run(*workplace.words(objective="none", **{"schedule.lr": "1e30"}))
    assert said.code == 1
    assert "schedule.lr" in said.err
    assert "Traceback" not in said.err
    assert not workplace.out.exists()


@pytest.mark.parametrize(("answers", "code"), CODES.items())
def test_the_exit_code_follows_from_the_verdicts(answers: tuple[Answer, ...], code: int) -> None:
    verdicts = tuple(Verdict(f"question {i}", answer, "") for i, answer in enumerate(answers))
    assert exit_code(Audit("model", verdicts, ())) == code


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Networks of the built-in digits are trained briefly."""
    monkeypatch.setattr(cases, "DIGITS_RECIPE", Recipe(epochs=4, batch_size=64, lr=2e-3))


@pytest.mark.usefixtures("short")
def test_a_built_in_case_brings_its_schedule_and_references(run: Run, workplace: Workplace) -> None:
    words = ["points", "--dataset", "digits", "--forget-random", "0.1", "--references", "2"]
    words += ["--objective", "auto"]
    said = run(*words, "--out", "out", "--audit.permutations", "49")
    assert said.code in (0, 1, 3), said.err
    record = read_record(workplace.out)
    assert record.run is not None
    usual = schedule_for(cases.case("digits", forget_random=0.1))
    assert record.run.settings["schedule"] == {"name": "ScheduleOptions", **asdict(usual)}
    assert usual != Schedule()
    assert record.run.cost["retrain_seconds"] > 0
    assert len(record.audit.finding("utility/accuracy_forget").retrained) == 2
    assert set(record.provenance["data"]) == {"train", "forget", "holdout", "test"}
    assert len(list((workplace.folder / "runs/networks").glob("*.safetensors"))) == 3
    again = run(*words, "--out", "again", "--schedule.lr", "0.001")
    assert "from cache" in again.err
    given = read_record(workplace.folder / "again").run
    assert given is not None
    assert given.settings["schedule"]["lr"] == 1e-3
    assert given.settings["schedule"]["batch_size"] == 64


@pytest.mark.usefixtures("short")
def test_ids_of_a_built_in_case_are_ids_and_not_positions(run: Run, workplace: Workplace) -> None:
    ids = cases.case("digits", forget_class=3, forget_fraction=0.5).forget_ids
    (workplace.folder / "ids.csv").write_text("\n".join(map(str, ids.tolist())), encoding="utf-8")
    said = run(
        *("points", "--dataset", "digits", "--forget", "ids.csv", "--references", "0"),
        *("--out", "out", "--audit.permutations", "49"),
    )
    assert said.code in (0, 1, 3), said.err
    assert read_record(workplace.out).provenance["data"]["forget"]["rows"] == len(ids)
