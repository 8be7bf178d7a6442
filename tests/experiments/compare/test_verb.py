"""A whole comparison: complete, resumable, and stopped by no method."""

from __future__ import annotations

import csv
import io
import math
from dataclasses import replace
from pathlib import Path

import joblib
import pytest

from infounlearn.errors import DivergenceError, InputError, Problems
from infounlearn.experiments.compare import design, runs, verb, work
from infounlearn.experiments.compare.table import (
    as_csv,
    as_markdown,
    rank_rows,
    sentences,
    write_tables,
)
from infounlearn.experiments.compare.verb import compare_points
from infounlearn.report import Comparison, read_comparison, write_comparison
from infounlearn.report.comparison_check import check

from .conftest import make_case

SMALL = {
    "methods": ("ours", "fine-tune", "gradient-ascent", "influence"),
    "budgets": (0.04, 0.2),
    "seeds": 2,
    "references": 3,
    "tuning_references": 2,
    "trials": 2,
    "seconds": 600.0,
    "workers": 1,
}


def small_cases() -> dict:
    return {"clouds": make_case(), "numbers": make_case(reals=True)}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("compare")


@pytest.fixture(scope="module")
def told() -> list[tuple[int, int, str]]:
    return []


@pytest.fixture(scope="module")
def found(folder: Path, told: list[tuple[int, int, str]]) -> Comparison:
    return compare_points(
        cases=small_cases(), out=folder, progress=lambda *one: told.append(one), **SMALL
    )


def test_it_holds_what_a_report_needs(found: Comparison, tmp_path: Path) -> None:
    problems = Problems("test")
    check(found, problems)
    assert problems.found == []
    write_comparison(found, tmp_path)
    assert read_comparison(tmp_path).entries == found.entries


def test_every_run_is_within_its_budget_and_at_a_finite_distance(found: Comparison) -> None:
    assert len(found.runs) >= 2 * 2 * 3 * 2
    for run in found.runs:
        assert 0 < run.cost <= run.budget
        assert math.isfinite(run.worst)
        assert run.history[-1]["cost"] == pytest.approx(run.cost)


def test_every_measure_has_its_yardstick_and_every_distance_its_floor(found: Comparison) -> None:
    for case in found.cases:
        names = {one.name for one in case.yardsticks}
        for run in found.runs:
            if run.case == case.name:
                assert set(run.measures) <= names
        for one in case.yardsticks:
            assert one.original is not None
            if "/" not in one.name or one.name.split("/")[0] not in ("klom", "u_lira"):
                assert len(one.retrained) == SMALL["references"]
        for values in case.retrained.values():
            assert sum(values) / len(values) == pytest.approx(1.0)
        assert min(case.floors.values()) > 0
    words = {case.name: {one.name for one in case.yardsticks} for case in found.cases}
    assert {"accuracy/forget", "js/forget", "tow", "attack/auc"} <= words["clouds"]
    assert {"mse/forget", "squared/forget"} <= words["numbers"]


def test_progress_counts_every_piece(found: Comparison, told: list[tuple[int, int, str]]) -> None:
    done = [one for one in told if one[0] == one[1]]
    assert len(done) >= 2 * 5
    assert any("floors after 2 trials" in what for _, _, what in told)


def test_a_second_run_does_nothing_again(
    found: Comparison, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise AssertionError("done again")

    monkeypatch.setattr(work, "tune", fail)
    monkeypatch.setattr(work, "run", fail)
    again = compare_points(cases=small_cases(), out=folder, **SMALL)
    assert (again.cases, again.entries, again.runs) == (found.cases, found.entries, found.runs)


def test_an_interrupted_comparison_keeps_what_is_finished(
    found: Comparison, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, count = work.run, 0

    def stopping(*arguments: object):
        nonlocal count
        count += 1
        if count == 4:
            raise KeyboardInterrupt
        return real(*arguments)

    small = {**SMALL, "methods": ("fine-tune",), "budgets": (0.04, 0.2)}
    (tmp_path / "networks").symlink_to(folder / "networks")
    one = {"clouds": make_case()}
    with monkeypatch.context() as patch:
        patch.setattr(work, "run", stopping)
        with pytest.raises(KeyboardInterrupt):
            compare_points(cases=one, out=tmp_path, **small)
    kept = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "cells").glob("*.json")}
    assert len(kept) == 2 + 3
    compare_points(cases=one, out=tmp_path, **small)
    after = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "cells").glob("*.json")}
    assert len(after) == 2 + 4
    assert kept.items() <= after.items()


def test_processes_give_the_same_numbers(found: Comparison, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "networks").symlink_to(folder / "networks")
    small = {**SMALL, "methods": ("ours", "fine-tune"), "budgets": (0.2,), "workers": 2}
    # Threads stand for any backend that a caller chooses; networks are from the cache.
    with joblib.parallel_config(backend="threading"):
        other = compare_points(cases={"clouds": make_case()}, out=tmp_path, **small)
    same = {(run.method, run.seed): run for run in found.runs
            if run.case == "clouds" and run.budget == 0.2}  # fmt: skip
    assert len(other.runs) == 4
    for run in other.runs:
        assert run.distances == same[run.method, run.seed].distances


def test_training_and_runs_share_their_processes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """joblib ends its processes, seconds to start, where a setting of theirs changes."""
    asked: list[dict] = []

    class InProcess:
        def __init__(self, **settings: object) -> None:
            del settings["return_as"]
            asked.append(settings)

        def __call__(self, calls):
            return (function(*given, **named) for function, given, named in calls)

    monkeypatch.setattr(joblib, "Parallel", InProcess)
    monkeypatch.setattr(verb, "Parallel", InProcess)
    small = {**SMALL, "methods": "fine-tune", "workers": 2}
    compare_points(cases={"clouds": make_case()}, out=tmp_path, **small)
    assert len(asked) >= 4
    assert all(one == asked[0] for one in asked)


def test_failures_are_entries_with_a_reason(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "networks").symlink_to(folder / "networks")
    real = runs.unlearn

    def failing(model, **given):
        name = given["method"].name
        if name == "gradient-ascent":
            raise DivergenceError("gradient-ascent: numbers are not finite after 3 steps")
        return real(model, **given)

    monkeypatch.setattr(runs, "unlearn", failing)
    small = {**SMALL, "budgets": (0.2,), "methods": ("gradient-ascent", "random-label", "ours")}
    other = compare_points(cases={"numbers": make_case(reals=True)}, out=tmp_path, **small)
    status = {entry.method: entry.status for entry in other.entries}
    assert status == {"gradient-ascent": "diverged", "random-label": "needs", "ours": "ok"}
    assert all(entry.reason for entry in other.entries if entry.status != "ok")
    write_comparison(other, tmp_path)
    text = as_markdown(other)
    assert "not finite after 3 steps" in text
    assert "class labels" in text


def test_bad_arguments_are_listed_together(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(InputError) as caught:
        compare_points(
            methods=("scrub", "scurb"), budgets=(0.0, 2.0), seeds=0, references=1, trials=0,
            seconds=0.0, workers=0, out=tmp_path / "file",
        )  # fmt: skip
    for words in ("scurb", "budgets are", "seeds is 0", "references is 1", "trials is 0",
                  "seconds is", "workers is 0", "out "):  # fmt: skip
        assert words in str(caught.value), words
    for given in ({"data": ()}, {"data": ("digits", "digits")}, {"data": "nothing"},
                  {"data": "digits", "cases": ("no such case",)}, {"cases": {}}):  # fmt: skip
        with pytest.raises(InputError):
            compare_points(out=tmp_path, **given)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="hold one twice"):
        compare_points(methods=("ours", "ours"), out=tmp_path)


def test_ours_alone_needs_no_tuner(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def absent(*_: object) -> None:
        raise ModuleNotFoundError("optuna")

    (tmp_path / "networks").symlink_to(folder / "networks")
    monkeypatch.setattr(verb, "version", absent)
    monkeypatch.setattr(design, "find_spec", lambda name: None)
    small = {**SMALL, "methods": "ours", "budgets": (0.2,)}
    alone = compare_points(cases={"clouds": make_case()}, out=tmp_path, **small)
    assert alone.tuning == {}
    assert [entry.trials for entry in alone.entries] == [0]
    with pytest.raises(InputError, match=r"infounlearn\[compare\]"):
        compare_points(methods="scrub", out=tmp_path)


def test_tables_say_what_the_comparison_holds(found: Comparison, tmp_path: Path) -> None:
    for budget in found.budgets:
        heads, *rows = rank_rows(found, budget)
        assert heads[:4] == ["rank", "method", "distance", "behind"]
        assert heads[4:] == ["clouds", "numbers"]
        *rows, untouched = rows
        assert len(rows) == len(found.methods)
        assert rows[0][3] == "nearest"
        assert untouched[1] == "the original, untouched"
        assert [float(one) for one in untouched[4:]] == pytest.approx(
            [max(case.original.values()) for case in found.cases], rel=1e-2
        )
    listed = list(csv.DictReader(io.StringIO(as_csv(found))))
    ok = [row for row in listed if row["status"] == "ok"]
    assert len(ok) == len(found.runs)
    for row, run in zip(ok, found.runs, strict=False):
        assert float(row["worst"]) == run.worst
    assert len(sentences(found)) >= len(found.budgets)
    paths = write_tables(found, tmp_path)
    assert [path.name for path in paths] == ["table.md", "runs.csv"]
    assert all(path.stat().st_size > 0 for path in paths)


def test_what_is_missing_is_a_row_of_the_csv(found: Comparison) -> None:
    lost = replace(found.entries[0], status="over budget", reason="too dear")
    runs_left = [run for run in found.runs
                 if (run.case, run.method, run.budget)
                 != (lost.case, lost.method, lost.budget)]  # fmt: skip
    other = replace(found, entries=(lost, *found.entries[1:]), runs=tuple(runs_left))
    rows = list(csv.DictReader(io.StringIO(as_csv(other))))
    missing = [row for row in rows if row["reason"] == "too dear"]
    assert len(missing) == 1
    assert missing[0]["worst"] == ""
