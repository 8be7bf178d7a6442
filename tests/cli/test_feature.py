"""``infounlearn feature`` and the feature half of ``demo``, through the real entry point."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from infounlearn.cli.feature import without_secret
from infounlearn.errors import InputError
from infounlearn.experiments import feature_job
from infounlearn.experiments.feature_demo import check_demo, demo_feature
from infounlearn.report import read_record
from tests.cli.conftest import Said
from tests.experiments.feature_people import Ear, cells, quicken

Run = Callable[..., Said]
USUAL = ("--sensitive", "sex", "--target", "pay", "--method", "gaussian", "--holdout", "0.5")
SMALL = ("--refits", "2", "--permutations", "19", "--out", "out")


@pytest.fixture
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small table in the working folder; only lines probe it."""
    monkeypatch.chdir(tmp_path)
    quicken(monkeypatch)
    rng = np.random.default_rng(2)
    man = rng.random(400) < 0.5
    height = rng.normal(165 + 12 * man, 6)
    pay = height / 10 + rng.normal(size=400)
    lines = [
        f"{'m' if m else 'f'},{h:.3f},{p:.3f}" for m, h, p in zip(man, height, pay, strict=True)
    ]
    path = tmp_path / "people.csv"
    path.write_text("sex,height,pay\n" + "\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_the_result_is_told_on_standard_output_and_progress_is_not(run: Run, table: Path) -> None:
    said = run("feature", "people.csv", *USUAL, *SMALL)
    assert said.code in (0, 3), said.err  # a line alone never says that all is gone
    for part in (
        "people.csv without sex",
        "sex, read by logistic",
        "target, R² of boosted trees",
        "sex, in the target itself",
        "table    out/table.csv",
        "report   out/report.html",
    ):
        assert part in said.out
    assert all(len(line) <= 120 for line in said.out.splitlines())
    assert "releasing" in said.err
    assert "releasing" not in said.out


def test_json_is_one_object_and_nothing_else(run: Run, table: Path) -> None:
    said = run("feature", "people.csv", *USUAL, *SMALL, "--amount", "0", "--json")
    found = said.json
    assert said.code == found["exit_code"] == 1
    assert found["verdicts"][0]["answer"] == "still visible"
    assert found["files"]["table"] == "out/table.csv"
    assert {one["name"] for one in found["findings"]} >= {"probes/logistic", "utility/r2"}
    assert found["settings"]["changed"] == ["height"]


@pytest.mark.parametrize(
    "words",
    [("--noise-seed", "424242"), ("--noise-seed=424242",), ("--noise_seed", "424242")],
)
def test_the_record_repeats_the_command_without_the_secret(
    run: Run, table: Path, words: tuple[str, ...]
) -> None:
    assert without_secret(["people.csv", *words, "--seed", "3"]) == ["people.csv", "--seed", "3"]
    if words[0] == "--noise-seed":
        said = run("feature", "people.csv", *words, *USUAL, *SMALL)
        assert "keep it secret" in said.err
        record = read_record(table.parent / "out")
        assert record.provenance["command"].startswith("infounlearn feature people.csv --sens")
        for path in (table.parent / "out").iterdir():
            assert "424242" not in path.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (("absent.csv", *USUAL), ("there is no file absent.csv",)),
        (("people.csv", "--sensitive", "Sex", "--target", "Pay"), ("'sex'?", "'pay'?")),
        (("people.csv", "--sensitive", "sex"), ("--target",)),
        (("people.csv", "--sensitive", "sex", "--target", "sex"), ("--sensitive and --target",)),
        (("people.csv", *USUAL, "--amount", "7", "--seed", "-1"), ("--amount is 7", "--seed is")),
        (("people.csv", *USUAL, "--method", "magic"), ("magic",)),
    ],
)
def test_bad_input_is_one_error_and_leaves_nothing(
    run: Run, table: Path, words: tuple[str, ...], parts: tuple[str, ...]
) -> None:
    said = run("feature", *words, "--out", "out")
    assert (said.code, said.out) == (2, ""), said.err
    assert said.err.count("error:") == 1
    assert "Traceback" not in said.err
    for part in parts:
        assert part in said.err
    assert [path.name for path in table.parent.iterdir()] == ["people.csv"]


def test_an_interrupt_leaves_nothing(
    run: Run, table: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(feature_job, "write_report", stop)
    said = run("feature", "people.csv", *USUAL, *SMALL)
    assert said.code == 130
    assert [path.name for path in table.parent.iterdir()] == ["people.csv"]


def test_the_demo_releases_the_diabetes_table_and_repeats_itself(
    table: Path, tmp_path: Path
) -> None:
    done = [demo_feature(tmp_path / name, seed=0, watch=Ear()) for name in ("one", "two")]
    released = cells(done[0].table)
    assert len(released["progression"]) == 442
    assert "sex" not in released
    assert done[0].table.read_bytes() == done[1].table.read_bytes()
    probe = done[0].record.audit.finding("probes/logistic")
    assert probe.value < probe.original  # type: ignore[operator]
    (tmp_path / "one" / "diabetes.csv").write_text("mine")
    with pytest.raises(InputError, match="not the table of this demo"):
        check_demo(tmp_path / "one")
