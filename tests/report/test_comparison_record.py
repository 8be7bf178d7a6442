"""record.json of a comparison: nothing lost, nothing left out, nothing changed unnoticed."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from infounlearn.errors import InputError
from infounlearn.report import (
    check_comparison_folder,
    codec,
    comparison_files,
    comparison_page,
    read_comparison,
    read_record,
    write_comparison,
    write_report,
)
from infounlearn.report.comparison import (
    BETTERS,
    DISTANCES,
    SOURCES,
    STATUSES,
    ComparedCase,
    ComparedMethod,
    ComparedRun,
    Comparison,
    Entry,
    Yardstick,
)
from tests.report.comparison_example import example
from tests.report.comparison_small import small
from tests.report.report_example import example as audit_example


@pytest.fixture
def tiny() -> Comparison:
    return small({"ours": [[1.0, 1.2], [2.0, 2.1]], "rival": [[2.0, 2.5], []]})


def test_round_trip_restores_the_comparison(tmp_path: Path) -> None:
    comparison = example()
    write_comparison(comparison, tmp_path, formats=("record",))
    assert read_comparison(tmp_path) == comparison
    assert read_comparison(tmp_path / "record.json") == comparison


def test_infinities_and_lists_survive(tiny: Comparison) -> None:
    entry = replace(tiny.entries[0], settings={"lr": float("inf"), "layers": [1, (2, 3)]})
    comparison = replace(tiny, entries=(entry, *tiny.entries[1:]))
    text = json.dumps(comparison_files.encode(comparison), allow_nan=False)
    assert comparison_files.decode(json.loads(text)) == comparison


def test_schema_is_valid_and_covers_the_document() -> None:
    schema = codec.schema(comparison_files.SCHEMA)
    Draft202012Validator.check_schema(schema)
    assert set(schema["properties"]) == set(comparison_files.encode(example()))
    for part, cls in (
        ("case", ComparedCase),
        ("yardstick", Yardstick),
        ("method", ComparedMethod),
        ("entry", Entry),
        ("run", ComparedRun),
    ):
        assert set(schema["$defs"][part]["properties"]) == set(cls.__dataclass_fields__)
        assert set(schema["$defs"][part]["required"]) == set(cls.__dataclass_fields__)
    assert set(schema["$defs"]["status"]["enum"]) == set(STATUSES)
    assert set(schema["$defs"]["entry"]["properties"]["source"]["enum"]) == set(SOURCES)
    assert set(schema["$defs"]["yardstick"]["properties"]["better"]["enum"]) == set(BETTERS)


def _without(comparison: Comparison, field: str, keep) -> Comparison:
    return replace(comparison, **{field: tuple(filter(keep, getattr(comparison, field)))})


BROKEN = {
    "entries are missing: c1, rival, 0.05": lambda c: _without(
        c, "entries", lambda e: (e.case, e.method) != ("c1", "rival")
    ),
    r"Entry c0, ours, 0.05 has runs of the seeds \[0\]": lambda c: _without(
        c, "runs", lambda r: (r.case, r.method, r.seed) != ("c0", "ours", 1)
    ),
    "entry given twice": lambda c: replace(c, entries=(*c.entries, c.entries[0])),
    "run given twice": lambda c: replace(c, runs=(*c.runs, c.runs[0])),
    "Run c0, other, 0.05 is not among": lambda c: replace(
        c, runs=(*c.runs, replace(c.runs[0], method="other"))
    ),
    "without a reason": lambda c: replace(
        c, entries=tuple(replace(e, reason="") for e in c.entries)
    ),
    "has status 'lost'": lambda c: replace(
        c, entries=(replace(c.entries[0], status="lost"), *c.entries[1:])
    ),
    "gives measures without a yardstick: klom": lambda c: replace(
        c, entries=(replace(c.entries[0], pooled={"klom": 1.0}), *c.entries[1:])
    ),
    "has the distances": lambda c: replace(
        c, runs=(replace(c.runs[0], distances={"forget": 1.0}), *c.runs[1:])
    ),
    "costs 0": lambda c: replace(c, runs=(replace(c.runs[0], cost=0), *c.runs[1:])),
    "no seed was run in every case": lambda c: replace(
        c, cases=(replace(c.cases[0], seeds=(7,)), *c.cases[1:])
    ),
    "methods is empty": lambda c: replace(c, methods=(), entries=(), runs=()),
    "networks": lambda c: replace(
        c, cases=(replace(c.cases[0], retrained=dict.fromkeys(DISTANCES, ())), *c.cases[1:])
    ),
    "a floor of 0 cannot be a unit": lambda c: replace(
        c,
        cases=(replace(c.cases[0], original=dict.fromkeys(DISTANCES, float("inf"))), *c.cases[1:]),
    ),
    "original has the sets": lambda c: replace(
        c, cases=(replace(c.cases[0], original={"forget": 1.0}), *c.cases[1:])
    ),
    "confidence is 95": lambda c: replace(c, confidence=95),
}


@pytest.mark.parametrize("told", BROKEN)
def test_what_is_left_out_or_contradicts_itself_is_refused(tiny, told, tmp_path) -> None:
    with pytest.raises(InputError, match=told):
        write_comparison(BROKEN[told](tiny), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_all_problems_are_listed_at_once(tiny: Comparison, tmp_path: Path) -> None:
    broken = BROKEN["costs 0"](BROKEN["without a reason"](tiny))
    with pytest.raises(InputError, match="2 problems"):
        write_comparison(replace(broken, confidence=0.9), tmp_path)


def test_what_was_changed_is_refused(tiny: Comparison, tmp_path: Path) -> None:
    write_comparison(tiny, tmp_path, formats=("record",))
    file = tmp_path / "record.json"
    document = json.loads(file.read_text())
    document["runs"][0]["distances"]["forget"] = 0.5
    file.write_text(json.dumps(document))
    with pytest.raises(InputError, match="changed after it was written"):
        read_comparison(tmp_path)
    file.write_text(json.dumps({**document, "schema_version": 9}))
    with pytest.raises(InputError, match="schema version 9"):
        read_comparison(tmp_path)


def test_records_of_audits_and_comparisons_are_not_mistaken(tiny, tmp_path) -> None:
    audit = audit_example()
    write_report(audit, tmp_path / "audit", formats=("record",))
    write_comparison(tiny, tmp_path / "comparison", formats=("record",))
    with pytest.raises(InputError, match="is not an infounlearn comparison"):
        read_comparison(tmp_path / "audit")
    with pytest.raises(InputError, match="is not an infounlearn record"):
        read_record(tmp_path / "comparison")
    with pytest.raises(InputError, match="is not ours"):
        write_report(audit, tmp_path / "comparison")
    with pytest.raises(InputError, match="is not ours"):
        check_comparison_folder(tmp_path / "audit")


def test_failing_render_leaves_the_old_report(tiny, tmp_path, monkeypatch) -> None:
    write_comparison(tiny, tmp_path)
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    assert set(before) == {"record.json", "report.html", "card.md"}

    def fail(*args: object) -> str:
        raise RuntimeError("no ink")

    monkeypatch.setattr(comparison_page, "render_page", fail)
    with pytest.raises(RuntimeError, match="no ink"):
        write_comparison(replace(tiny, title="another"), tmp_path)
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == before


def test_same_comparison_same_bytes(tiny: Comparison, tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_comparison(tiny, tmp_path / name)
    for name in ("record.json", "report.html", "card.md"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_reading_and_writing_import_no_torch(tiny: Comparison, tmp_path: Path) -> None:
    write_comparison(tiny, tmp_path)
    code = (
        "import sys; from infounlearn.report import read_comparison, write_comparison\n"
        "comparison = read_comparison(sys.argv[1])\n"
        "assert not {'torch', 'matplotlib', 'jinja2'} & set(sys.modules), 'reading is not light'\n"
        "write_comparison(comparison, sys.argv[1])\n"
        "assert 'torch' not in sys.modules\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
