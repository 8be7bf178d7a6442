"""A table file without a feature: what is written, what stays, what never travels with it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from infounlearn.experiments import feature_job, feature_release
from infounlearn.experiments.feature_job import exit_code, release_table
from infounlearn.report import read_record
from tests.experiments.feature_people import ROWS, Ear, X, asked, cells, made, people, quicken


@pytest.fixture(autouse=True)
def _only_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    """Boosted trees are the audit's own matter, and slow."""
    quicken(monkeypatch)


@pytest.mark.parametrize("name", ["people.csv", "people.parquet"])
def test_the_release_keeps_the_rest_and_loses_the_feature(tmp_path: Path, name: str) -> None:
    table = people(tmp_path, name)
    done = made(asked(table, drop=("weight",)), tmp_path / "out")
    assert done.table.name == f"table.{name.split('.')[1]}"
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        done.table.name,
        "record.json",
        "report.html",
        "card.md",
    }
    before, after = cells(table), cells(done.table)
    assert list(after) == ["id", "height", "age", "income"]
    for kept in ("id", "income"):
        assert after[kept].tolist() == before[kept].tolist()
    man = before["sex"] == "m"
    spread = before["height"].std()
    assert abs(before["height"][man].mean() - before["height"][~man].mean()) > spread
    # Fitted on a part of the rows: equal means up to sampling.
    assert abs(after["height"][man].mean() - after["height"][~man].mean()) < 0.3 * spread
    record = read_record(tmp_path / "out")
    assert record.audit.finding("probes/logistic").original > 0.2  # type: ignore[operator]
    assert record.audit.finding("probes/logistic").value < 0.02  # type: ignore[operator]
    assert record.run is not None
    assert record.run.settings["left out"] == ["sex", "weight"]
    assert "id, income" in " ".join(record.audit.not_proved)
    assert record.provenance["data"]["table"]["rows"] == ROWS


def test_amount_0_returns_every_feature_bit_for_bit(tmp_path: Path) -> None:
    table = people(tmp_path)
    done = made(asked(table, amount=0.0), tmp_path / "out")
    before, after = cells(table), cells(done.table)
    for name in X:
        assert after[name].tolist() == before[name].tolist()
    assert exit_code(done.record.audit) == 1


def with_options(monkeypatch: pytest.MonkeyPatch, **options: Any) -> None:
    """Small engines: here their laws need not be good."""
    usual = feature_release._estimator

    def small(*args: Any) -> Any:
        made = usual(*args)
        made.engine_options = {**made.engine_options, **options}
        return made

    monkeypatch.setattr(feature_release, "_estimator", small)


def test_a_mixed_table_keeps_its_types_levels_and_gaps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_options(monkeypatch, networks=1, steps=60, hidden=16)
    rng = np.random.default_rng(1)
    words = ["ash", "birch", "cedar"]
    tree = [words[at] if at < 3 else None for at in rng.integers(0, 4, ROWS)]
    zone = rng.choice([7, 11, 13], ROWS)
    score = [None if at % 9 == 0 else int(at) for at in rng.integers(0, 40, ROWS)]
    table = people(tmp_path, tree=tree, zone=zone, score=score)
    request = asked(
        table,
        method="auto",
        categorical=("zone",),
        drop=("age", "height"),
        fit_rows=80,
        noise_seed=3,
    )
    done = made(request, tmp_path / "out")
    after = cells(done.table)
    assert set(after["tree"]) == {*words, None}
    assert set(after["zone"]) == {7, 11, 13}
    assert after["zone"].dtype == np.int64
    score_after = after["score"][~np.isnan(after["score"])]
    assert (score_after % 1 == 0).all()
    assert 0 < len(score_after) < ROWS
    # Rows are named by their key and their cells: the batch they come in is of no consequence.
    again = made(replace(request, rows_per_batch=101), tmp_path / "again")
    assert again.table.read_bytes() == done.table.read_bytes()


def test_atoms_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with_options(monkeypatch, atoms=8)
    request = asked(people(tmp_path), method="auto", release="atoms", audit_rows=200)
    found = made(request, tmp_path / "out").record.audit.finding("information/release")
    assert found.kind == "certified"
    assert found.bound is not None
    assert found.value is not None
    assert found.value <= found.bound


@pytest.mark.parametrize("method", ["line", "gaussian"])
def test_batches_are_of_no_consequence(tmp_path: Path, method: Any) -> None:
    request = asked(people(tmp_path), method=method, noise_seed=5)
    one = cells(made(request, tmp_path / "one").table)
    many = cells(made(replace(request, rows_per_batch=101), tmp_path / "many").table)
    for name in X:
        np.testing.assert_allclose(one[name], many[name], rtol=1e-9)


def test_the_seed_of_the_draws_is_fresh_and_in_no_file(tmp_path: Path) -> None:
    table = people(tmp_path)
    seed = 987_654_321_123
    ear = Ear()
    request = asked(table, method="line", noise_seed=seed)
    release_table(request, out=tmp_path / "told", watch=ear)
    assert "keep it secret" in ear.notes[0]
    for path in (tmp_path / "told").iterdir():
        assert str(seed) not in path.read_text(encoding="utf-8")
    fresh = [cells(made(replace(request, noise_seed=None), tmp_path / name).table) for name in "ab"]
    # Whole numbers have atoms, which are split by noise.
    assert fresh[0]["age"].tolist() != fresh[1]["age"].tolist()


def test_an_interrupted_job_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table, out = people(tmp_path), tmp_path / "deep" / "out"
    made(asked(table), out)
    old = {path.name: path.read_bytes() for path in out.iterdir()}

    def stop(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(feature_job, "audit_feature", stop)
    for folder in (out, tmp_path / "new" / "out"):
        with pytest.raises(KeyboardInterrupt):
            made(asked(table, amount=0.5), folder)
    assert {path.name: path.read_bytes() for path in out.iterdir()} == old
    assert not (tmp_path / "new").exists()


def test_rows_without_a_target_are_released_and_do_not_count(tmp_path: Path) -> None:
    income = ["high", "low", "low", None] * (ROWS // 4)
    table, ear = people(tmp_path, income=income), Ear()
    done = release_table(asked(table), out=tmp_path / "out", watch=ear)
    assert "150 rows lack the target" in ear.notes[0]
    assert cells(done.table)["income"].tolist() == income
    audited = done.record.audit.finding("rows/smallest_group").n
    scored = done.record.audit.finding("utility/accuracy").n["audited"]
    assert 0.6 * sum(audited.values()) < scored < 0.9 * sum(audited.values())


def test_conditional_on_the_target_nothing_is_said_between_its_values(tmp_path: Path) -> None:
    done = made(asked(people(tmp_path), given=("income",)), tmp_path / "out")
    assert done.record.audit.settings["conditional"] is True
    names = {finding.name for finding in done.record.audit.findings}
    assert "kept/target" not in names
    assert "utility/accuracy" in names


def test_the_record_is_json_without_surprises(tmp_path: Path) -> None:
    made(asked(people(tmp_path)), tmp_path / "out")
    document = json.loads((tmp_path / "out" / "record.json").read_text(encoding="utf-8"))
    assert document["run"]["stopped"] == f"All {ROWS} rows were released."
