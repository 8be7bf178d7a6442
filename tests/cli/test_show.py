"""What is shown while a job runs: bars on a terminal, plain lines elsewhere."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from infounlearn.cli import main
from infounlearn.cli.show import Watcher, print_json
from infounlearn.report import write_report
from tests.report.report_example import example

ROW = {"step": 40.0, "epoch": 1.0, "loss": 0.25, "forget_accuracy": 0.5, "validation_auc": 0.51}


def watch(screen: Console) -> None:
    with Watcher(screen, epochs=4.0).live() as watcher:
        watcher.stage("training [a] network")
        watcher.networks(1, 2, "retrained 0: from cache")
        watcher.stage("unlearning")
        watcher.evaluation(ROW)
        watcher.note("blind [spot]")
        watcher.step(1, 3, "repeat 1")


@pytest.mark.parametrize("width", [60, 130])
def test_a_terminal_gets_bars_that_fit(width: int) -> None:
    stream = StringIO()
    watch(Console(file=stream, force_terminal=True, width=width, highlight=False))
    text = stream.getvalue()
    assert "\x1b[" in text
    assert "✓" in text
    for part in ("training [a] network", "unlearning", "blind [spot]"):
        assert part in text


def test_anything_else_gets_plain_lines() -> None:
    stream = StringIO()
    watch(Console(file=stream, force_terminal=False, width=40, highlight=False))
    text = stream.getvalue()
    assert "\x1b" not in text
    assert "\r" not in text
    assert text.splitlines() == [
        "training [a] network",
        "  1/2 retrained 0: from cache",
        "unlearning",
        "  step 40  loss 0.250  forget 0.500  AUC 0.510",
        "Note: blind [spot]",
        "  1/3 repeat 1",
    ]


def test_json_holds_no_number_that_json_lacks(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"a": float("nan"), "b": (float("inf"), 1.5), "c": {"d": -float("inf"), "e": 2}})
    assert json.loads(capsys.readouterr().out) == {
        "a": None,
        "b": [None, 1.5],
        "c": {"d": None, "e": 2},
    }


def test_a_record_is_shown_with_its_verdicts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    record = example()
    write_report(record, tmp_path, formats=("record",))
    assert main(["show", str(tmp_path)]) == 0
    said = capsys.readouterr()
    assert said.err == ""
    for verdict in record.audit.verdicts:
        assert f"{verdict.question} {verdict.answer}" in said.out
    assert main(["show", str(tmp_path), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert len(found["findings"]) == len(record.audit.findings)
