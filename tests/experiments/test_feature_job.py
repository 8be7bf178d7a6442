"""A table file without a feature: what is written, what stays, what never travels with it."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pytest

from infounlearn.audit import audit_feature
from infounlearn.data import scan_table
from infounlearn.errors import InputError
from infounlearn.experiments import feature_job, feature_release
from infounlearn.experiments.feature_job import FeatureResult, exit_code, release_table
from infounlearn.experiments.feature_request import FeatureRequest, read_roles
from infounlearn.experiments.feature_survey import survey_table
from infounlearn.experiments.feature_utility import (
    USEFUL,
    target_finding,
    utility_findings,
    utility_verdict,
)
from infounlearn.interface import Audit, Verdict
from infounlearn.report import read_record

ROWS = 600
X = ("height", "weight", "age")


class Ear:
    """A watch that remembers the notes."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def stage(self, what: str) -> None: ...

    def step(self, done: int, total: int, what: str) -> None: ...

    def note(self, sentence: str) -> None:
        self.notes.append(sentence)


@pytest.fixture(autouse=True)
def _only_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    """Boosted trees are the audit's own matter, and slow."""
    quicken(monkeypatch)


def quicken(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lines alone probe, and utility is measured in two folds."""
    monkeypatch.setattr(feature_job, "audit_feature", partial(audit_feature, probes=("logistic",)))
    monkeypatch.setattr(feature_job, "utility_findings", partial(utility_findings, folds=2))


def people(folder: Path, name: str = "people.csv", **more: Any) -> Path:
    """Three numbers, of which two tell of sex, a label, and a name for each row."""
    rng = np.random.default_rng(7)
    man = rng.random(ROWS) < 0.4
    columns: dict[str, Any] = {
        "id": [f"p{at}" for at in range(ROWS)],
        "sex": np.where(man, "m", "f"),
        "height": rng.normal(165 + 12 * man, 6),
        "weight": rng.normal(60 + 10 * man, 9),
        "age": rng.integers(20, 80, ROWS),
        "income": np.where(rng.normal(0.3 * man, 1) > 0, "high", "low"),
        **more,
    }
    path = folder / name
    table = pa.table(columns)
    if path.suffix == ".parquet":
        pq.write_table(table, path)
    else:
        pacsv.write_csv(table, path)
    return path


def asked(table: Path, **changed: Any) -> FeatureRequest:
    usual: dict[str, Any] = {
        "method": "gaussian",
        "key": "id",
        "holdout": 0.4,
        "refits": 2,
        "permutations": 19,
        "rows_per_batch": 250,
    }
    return FeatureRequest(table, ("sex",), "income", **(usual | changed))


def made(request: FeatureRequest, out: Path) -> FeatureResult:
    return release_table(request, out=out, watch=Ear())


def cells(path: Path) -> dict[str, np.ndarray]:
    scan = scan_table(path)
    return next(scan.batches(scan.rows))


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


def test_a_file_of_somebody_else_is_not_replaced(tmp_path: Path) -> None:
    table = people(tmp_path)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "table.csv").write_text("mine")
    with pytest.raises(InputError, match="no record"):
        made(asked(table), tmp_path / "out")
    own = people(tmp_path / "out", "table.csv")
    with pytest.raises(InputError, match="the table that is read"):
        made(asked(own), tmp_path / "out")


def test_everything_wrong_is_said_at_once_with_the_nearest_names(tmp_path: Path) -> None:
    table = people(tmp_path)
    request = FeatureRequest(
        table,
        ("Sex",),
        "incme",
        amount=2.0,
        holdout=0.0,
        drop=("wieght", "age"),
        numeric=("age",),
        ordinal=("age",),
        rows_per_batch=0,
    )
    with pytest.raises(InputError) as caught:
        made(request, tmp_path / "out")
    told = str(caught.value)
    for part in (
        "'Sex' that the table does not have: did you mean 'sex'?",
        "did you mean 'income'?",
        "did you mean 'weight' or 'height'?",
        "--amount is 2.0",
        "--holdout is 0.0",
        "--rows-per-batch is 0",
        "--numeric and --ordinal both name ['age']",
    ):
        assert part in told
    assert told.count("people.csv") == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("changed", "part"),
    [
        ({"target": "sex"}, "--sensitive and --target both name"),
        ({"given": ("sex",)}, "nothing would be removed"),
        ({"drop": X}, "no column is left"),
        ({"key": None}, "hold no numbers"),
        ({"mode": "blind"}, "do not go with"),
        ({"method": "common-support", "release": "rows", "mode": "blind"}, "use --release atoms"),
        ({"release": "rows"}, "does not go with --method gaussian"),
        ({"sensitive": ()}, "names no column"),
        ({"numeric": ("income",)}, "not changed"),
        ({"sensitive": ("id",), "key": None, "drop": ("sex",)}, "fewer than 20 rows"),
    ],
)
def test_contradictions_are_refused(tmp_path: Path, changed: dict[str, Any], part: str) -> None:
    request = replace(asked(people(tmp_path)), **changed)
    with pytest.raises(InputError, match=part):
        made(request, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("column", "part"),
    [
        ({"sex": ["f"] * ROWS}, "one value only"),
        ({"sex": ["f", None] * (ROWS // 2)}, "missing"),
        ({"income": ["high"] * ROWS}, "the target 'income' has 1 values"),
        ({"height": [1.0, None] * (ROWS // 2)}, "have missing cells"),
    ],
)
def test_tables_that_allow_nothing_are_refused(
    tmp_path: Path, column: dict[str, Any], part: str
) -> None:
    with pytest.raises(InputError, match=part):
        made(asked(people(tmp_path, **column)), tmp_path / "out")


def test_rows_without_a_target_are_released_and_do_not_count(tmp_path: Path) -> None:
    income = ["high", "low", "low", None] * (ROWS // 4)
    table, ear = people(tmp_path, income=income), Ear()
    done = release_table(asked(table), out=tmp_path / "out", watch=ear)
    assert "150 rows lack the target" in ear.notes[0]
    assert [None if cell is None else cell for cell in cells(done.table)["income"]] == income
    audited = done.record.audit.finding("rows/smallest_group").n
    scored = done.record.audit.finding("utility/accuracy").n["audited"]
    assert 0.6 * sum(audited.values()) < scored < 0.9 * sum(audited.values())


def test_conditional_on_the_target_nothing_is_said_between_its_values(tmp_path: Path) -> None:
    done = made(asked(people(tmp_path), given=("income",)), tmp_path / "out")
    assert done.record.audit.settings["conditional"] is True
    names = {finding.name for finding in done.record.audit.findings}
    assert "kept/target" not in names
    assert "utility/accuracy" in names


def test_parts_are_of_the_sizes_asked_for_and_do_not_meet(tmp_path: Path) -> None:
    request = asked(people(tmp_path), audit_rows=120, fit_rows=50)
    scan = scan_table(request.table)
    survey = survey_table(request, scan)
    places = survey.places(0, ROWS)
    assert (survey.places(200, 100) == places[200:300]).all()
    audited = places < survey.audit_share
    assert audited.sum() == survey.audited == pytest.approx(120, abs=40)
    codes = survey.groups.encode(cells(request.table)["sex"])
    chosen = survey.chosen(places, codes)
    assert not (chosen & audited).any()
    assert np.bincount(codes[chosen]) == pytest.approx([50, 50], abs=25)
    assert read_roles(request, scan).features == X


@pytest.mark.parametrize(
    ("answers", "code"),
    [
        (("removed", "no fingerprint"), 0),
        (("still visible", "no fingerprint"), 1),
        (("removed", "fingerprint"), 1),
        (("inconclusive", "no fingerprint"), 3),
        (("removed", "inconclusive"), 3),
        (("removed", "no fingerprint", "lost"), 1),
    ],
)
def test_verdicts_decide_the_exit_code(answers: tuple[Any, ...], code: int) -> None:
    said = tuple(Verdict("?", answer, "") for answer in answers)
    assert exit_code(Audit("x", said, ())) == code
    # A target that nobody can predict says nothing about the feature.
    open_question = Verdict(USEFUL, "inconclusive", "")
    assert exit_code(Audit("x", (*said, open_question), ())) == code


@pytest.fixture
def noise() -> pa.Table:
    rng = np.random.default_rng(3)
    return pa.table({"a": rng.normal(size=400), "b": rng.normal(size=400)})


def test_utility_is_whole_where_the_target_shows_and_gone_where_it_does_not(
    noise: pa.Table,
) -> None:
    y = np.random.default_rng(4).random(400) < 0.5
    telling = noise.append_column("c", pa.array(y.astype(float)))
    found = {
        one.name: one
        for one in utility_findings(telling, noise, y.astype(str), task="classification")
    }
    accuracy, auroc = found["utility/accuracy"], found["utility/auroc"]
    assert (accuracy.original, auroc.original) == (1.0, 1.0)
    assert accuracy.value == pytest.approx(0.5, abs=0.1)
    assert auroc.value == pytest.approx(0.5, abs=0.1)
    assert utility_verdict([accuracy, auroc]).answer in ("lost", "inconclusive")
    swapped = replace(auroc, value=1.0, interval=(0.98, 1.0))
    assert utility_verdict([accuracy, swapped]).answer == "kept"
    never = replace(auroc, value=0.5, original=0.5, interval=(0.4, 0.6))
    assert utility_verdict([accuracy, never]).answer == "inconclusive"
    assert utility_verdict([replace(never, original=0.9)]).answer == "lost"
    low, high = auroc.interval or (0, 0)
    assert low < auroc.value < high  # type: ignore[operator]
    number = y + np.random.default_rng(5).normal(0, 0.1, 400)
    found = {one.name: one for one in utility_findings(telling, noise, number, task="regression")}
    assert found["utility/r2"].original > 0.9  # type: ignore[operator]
    assert found["utility/r2"].value < 0.1  # type: ignore[operator]
    mse, r2 = found["utility/mse"].value, found["utility/r2"].value
    assert mse == pytest.approx((1 - r2) * number.var())  # type: ignore[operator]


def test_a_target_that_is_the_feature_tells_all_of_it() -> None:
    z = np.arange(200) % 2
    found = target_finding(z, z, task="classification", name="y", permutations=19, seed=0)
    assert found.value == pytest.approx(math.log(2))
    assert found.null is not None
    assert found.null.p_value == 1 / 20


def test_the_record_is_json_without_surprises(tmp_path: Path) -> None:
    made(asked(people(tmp_path)), tmp_path / "out")
    document = json.loads((tmp_path / "out" / "record.json").read_text(encoding="utf-8"))
    assert document["run"]["stopped"] == f"All {ROWS} rows were released."
