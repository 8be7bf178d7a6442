"""A cell is found again by everything it depends on, and by nothing else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from infounlearn.experiments.compare import cells, work
from infounlearn.experiments.compare.cells import (
    Cell,
    code_of,
    load_arrays,
    load_cell,
    make_key,
    store_cell,
)
from infounlearn.experiments.compare.gold import Gold
from infounlearn.experiments.compare.pack import Packed
from infounlearn.experiments.compare.work import run_cell, run_key, tuning_cell, tuning_key
from infounlearn.point import methods

CELL = Cell("abc", "run", "clouds", "scrub", 0.05, 3, "done", "", {"share": 0.04, "list": [1]})


def test_a_cell_comes_back_as_it_was_kept(tmp_path: Path) -> None:
    arrays = {"forget": np.arange(6, dtype=np.float32).reshape(2, 3)}
    store_cell(tmp_path, CELL, arrays)
    assert load_cell(tmp_path, "abc") == CELL
    back = load_arrays(tmp_path, "abc")
    assert list(back) == ["forget"]
    assert np.array_equal(back["forget"], arrays["forget"])
    assert load_cell(tmp_path, "abd") is None


@pytest.mark.parametrize("text", ["", "{", "[]", '{"key": "abc"}', '{"unknown": 1}'])
def test_a_damaged_cell_is_done_again(tmp_path: Path, text: str) -> None:
    (tmp_path / "abc.json").write_text(text, encoding="utf-8")
    assert load_cell(tmp_path, "abc") is None


def test_keys_name_everything(gold: Gold) -> None:
    run = [
        run_key("fine-tune", {"lr": 0.1}, gold, 100.0, 0, False),
        run_key("fine-tune", {"lr": 0.2}, gold, 100.0, 0, False),
        run_key("fine-tune", {"lr": 0.1}, gold, 101.0, 0, False),
        run_key("fine-tune", {"lr": 0.1}, gold, 100.0, 1, False),
        run_key("fine-tune", {"lr": 0.1}, gold, 100.0, 0, True),
        run_key("scrub", {"lr": 0.1}, gold, 100.0, 0, False),
        tuning_key("fine-tune", gold, 100.0, 3, 9.0),
        tuning_key("fine-tune", gold, 100.0, 4, 9.0),
        tuning_key("fine-tune", gold, 100.0, 3, 8.0),
        tuning_key("scrub", gold, 100.0, 3, 9.0),
    ]
    assert len(set(run)) == len(run)
    assert run[0] == run_key("fine-tune", {"lr": 0.1}, gold, 100.0, 0, False)
    assert make_key({"a": 1, "b": 2}) == make_key({"b": 2, "a": 1})


def test_the_code_of_a_method_is_its_own_and_what_it_imports(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    names = ("scrub", "fine-tune", "ours")
    ours = ("restart_teacher", "teaching", "null_space", "rehearsal")
    folder = Path(next(iter(methods.__path__)))
    parts = [own.stem for own in folder.glob("*.py") if own.stem.startswith(ours)]
    assert len(parts) >= len(ours)
    before = {name: code_of(work.modules_of(name)) for name in names}
    changed: list[str] = []
    real = cells._source

    def edited(module: str) -> bytes | None:
        source = real(module)
        return source if source is None or module not in changed else source + b"# edited\n"

    monkeypatch.setattr(cells, "_source", edited)

    def affected(module: str) -> set[str]:
        changed[:] = [module]
        code_of.cache_clear()
        return {name for name in names if code_of(work.modules_of(name)) != before[name]}

    try:
        room = "infounlearn.point"
        assert affected(f"{room}.methods.scrub") == {"scrub"}
        assert affected(f"{room}.batches") == set(names)
        assert affected(f"{room}.methods.engine") == set(names)
        for part in parts:
            assert affected(f"{room}.methods.{part}") == {"ours"}, part
        assert affected("infounlearn.experiments.defaults") == {"ours"}
        assert affected("infounlearn.experiments.compare.runs") == set(names)
        assert affected("infounlearn.report.page") == set()
    finally:
        code_of.cache_clear()


def test_a_finished_piece_is_not_done_again(
    gold: Gold, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packed = Packed(gold)
    tuned = tuning_cell(packed, tmp_path, "fine-tune", 0.05, 2, 600)
    run = run_cell(packed, tmp_path, "fine-tune", tuned.facts["settings"], 0.05, 1)
    shown = load_arrays(tmp_path, run.key)
    assert {name: len(rows) for name, rows in shown.items()} == {
        name: len(records) for name, records in gold.final.records.items()
    }

    def fail(*_: object, **__: object) -> None:
        raise AssertionError("done again")

    monkeypatch.setattr(work, "tune", fail)
    monkeypatch.setattr(work, "run", fail)
    assert tuning_cell(packed, tmp_path, "fine-tune", 0.05, 2, 600) == tuned
    assert run_cell(packed, tmp_path, "fine-tune", tuned.facts["settings"], 0.05, 1) == run
    with pytest.raises(AssertionError, match="done again"):
        run_cell(packed, tmp_path, "fine-tune", tuned.facts["settings"], 0.05, 0)


def test_a_run_that_diverged_is_a_finished_piece(gold: Gold, tmp_path: Path) -> None:
    cell = run_cell(Packed(gold), tmp_path, "fine-tune", {"lr": 1e30}, 0.5, 0)
    assert cell.status == "diverged"
    assert load_cell(tmp_path, cell.key) == cell
    assert not list(tmp_path.glob("*.npz"))


def test_relearn_time_is_measured_where_it_is_asked_for(gold: Gold, tmp_path: Path) -> None:
    packed = Packed(gold)
    without = run_cell(packed, tmp_path, "fine-tune", None, 0.05, 0)
    cell = run_cell(packed, tmp_path, "fine-tune", None, 0.05, 0, True)
    assert "relearn" not in without.facts
    assert cell.facts["relearn"] >= 0
