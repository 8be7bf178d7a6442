"""``compare points`` through the real entry point, on the smallest built-in data."""

from __future__ import annotations

from collections.abc import Callable
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from infounlearn.cli.show import print_comparison
from infounlearn.report import read_comparison
from tests.report.comparison_small import small

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
    # What was said can be said again, from the folder or its record.
    for place in ("out", "out/record.json"):
        shown = run("show", place)
        assert (shown.code, shown.err) == (0, "")
        assert shown.out == again.out[: again.out.index("written ")]
    assert run("show", "out", "--json").json["sentences"] == found["sentences"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("compare",), "points"),
        (("compare", "points", "--methods", "scurb"), "scurb"),
        (("compare", "points", "--data", "digit"), "digit"),
        (("compare", "points", "--cases", "none"), "none"),
        (("compare", "points", "--budgets", "0"), "budgets"),
        (("compare", "points", "--cases", "--quick"), "cases is empty"),
        (("compare", "points", "--methods", "restart-teacher"), "takes part as ours"),
        (("show", "absent"), "cannot read absent"),
    ],
)
def test_bad_words_are_refused_before_any_work(
    run: Callable[..., Said], here: Path, words: tuple[str, ...], message: str
) -> None:
    said = run(*words)
    assert said.code == 2
    assert message in said.err
    assert not (here / "runs").exists()


def test_many_cases_are_shown_as_their_median() -> None:
    stream = StringIO()
    screen = Console(file=stream, width=120, highlight=False)
    for cases in (2, 9):
        worst = {"ours": [[1.0, 1.1]] * cases, "rival": [[5000.0, 5100.0]] * cases}
        print_comparison(screen, small(worst))
    few, many = stream.getvalue().split("% of the cost of retraining: worst")[1:]
    assert "Case 1" in few
    assert "Case 1" not in many
    assert "Median over 9 cases" in many
    assert "5\u202f000" in many or "5\u202f050" in many


def test_a_folder_with_another_report_is_left_alone(run: Callable[..., Said], here: Path) -> None:
    (here / "out").mkdir()
    (here / "out" / "record.json").write_text("mine", encoding="utf-8")
    said = run(*WORDS, "--out", "out")
    assert said.code == 2
    assert (here / "out" / "record.json").read_text(encoding="utf-8") == "mine"
    assert not (here / "out" / "networks").exists()
