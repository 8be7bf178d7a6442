"""``compare points`` through the real entry point, on the smallest built-in data."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from infounlearn.report import read_comparison

from .conftest import Said

WORDS = (
    "compare", "points", "--data", "diabetes", "--cases", "random 10%",
    "--methods", "ours", "fine-tune", "random-label", "--budgets", ".2", "--seeds", "2",
    "--references", "2", "--tuning-references", "2", "--trials", "2", "--seconds", "60",
    "--workers", "1",
)  # fmt: skip


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_it_compares_and_writes_everything(run: Callable[..., Said], here: Path) -> None:
    said = run(*WORDS, "--out", "out", "--json")
    assert said.code == 0, said.err
    found = said.json
    assert {one["method"] for one in found["runs"]} == {"ours", "fine-tune"}
    assert all(0 < one["cost"] <= 0.2 for one in found["runs"])
    written = {Path(name).name for name in found["files"]}
    assert written == {"report.html", "record.json", "card.md", "table.md", "runs.csv"}
    assert all((here / name).stat().st_size > 0 for name in found["files"])
    assert any("class labels" in one for one in found["sentences"])
    record = read_comparison(here / "out")
    assert record.provenance["command"].startswith("infounlearn compare points --data diabetes")
    assert "tuning" in said.err
    # Once more: everything is there already, and a table is printed.
    again = run(*WORDS, "--out", "out")
    assert again.code == 0
    assert "worst distance in floors" in again.out
    assert read_comparison(here / "out").runs == record.runs


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("compare",), "points"),
        (("compare", "points", "--methods", "scurb"), "scurb"),
        (("compare", "points", "--data", "digit"), "digit"),
        (("compare", "points", "--cases", "none"), "none"),
        (("compare", "points", "--budgets", "0"), "budgets"),
    ],
)
def test_bad_words_are_refused_before_any_work(
    run: Callable[..., Said], here: Path, words: tuple[str, ...], message: str
) -> None:
    said = run(*words)
    assert said.code == 2
    assert message in said.err
    assert not (here / "runs").exists()


def test_a_folder_with_another_report_is_left_alone(run: Callable[..., Said], here: Path) -> None:
    (here / "out").mkdir()
    (here / "out" / "record.json").write_text("mine", encoding="utf-8")
    said = run(*WORDS, "--out", "out")
    assert said.code == 2
    assert (here / "out" / "record.json").read_text(encoding="utf-8") == "mine"
    assert not (here / "out" / "networks").exists()
