"""record.json: nothing lost, nothing invented, nothing changed unnoticed."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from infounlearn.errors import InputError
from infounlearn.interface import Audit, Curve, Finding, Null, Record, RunSummary
from infounlearn.report import codec, read_record, write_report

EMPTY = Audit("m", (), ())
floats = st.floats(allow_nan=False)
leaves = st.none() | st.booleans() | st.integers() | floats | st.text(max_size=8)
values = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=8,
)


def test_round_trip_restores_the_record(
    record: Record, bare_record: Record, tmp_path: Path
) -> None:
    for given_record, folder in ((record, tmp_path / "a"), (bare_record, tmp_path / "b")):
        write_report(given_record, folder, formats=("record",))
        assert read_record(folder) == given_record
        assert read_record(folder / "record.json") == given_record


@given(
    settings=st.dictionaries(st.text(max_size=5), values, max_size=3),
    history=st.lists(st.dictionaries(st.text(max_size=4), floats, max_size=2), max_size=2),
    value=st.none() | floats,
    retrained=st.lists(floats, max_size=3).map(tuple),
)
def test_any_record_survives_json(settings, history, value, retrained) -> None:
    finding = Finding(
        "a/b",
        "t",
        value,
        "nats",
        interval=(-math.inf, math.inf),
        null=Null(0.0, math.inf, 0.5, 9),
        retrained=retrained,
    )
    given_record = Record(
        "t",
        Audit("m", (), (finding,), settings=settings),
        RunSummary("m", settings, history, "done"),
        settings,
    )
    text = json.dumps(codec.encode(given_record), allow_nan=False)
    assert codec.decode(json.loads(text)) == given_record


def test_nonfinite_numbers_are_null_and_named(tmp_path: Path) -> None:
    finding = Finding("a/b", "t", math.nan, "nats", original=-math.inf)
    write_report(Record("t", replace(EMPTY, findings=(finding,))), tmp_path, formats=("record",))
    text = (tmp_path / "record.json").read_text()
    assert "NaN" not in text
    assert "Infinity" not in text
    document = json.loads(text)
    assert document["audit"]["findings"][0]["value"] is None
    assert document["restore"]["nonfinite"] == {
        "/audit/findings/0/original": "-inf",
        "/audit/findings/0/value": "nan",
    }
    back = read_record(tmp_path).audit.findings[0]
    assert math.isnan(back.value)
    assert back.original == -math.inf


def test_numpy_scalars_and_paths_become_plain(tmp_path: Path) -> None:
    settings = {
        "a": np.float64(0.5),
        "b": np.int64(3),
        "c": np.bool_(True),
        "d": Path("x/y"),
        "e": np.float32(0.25),
        "f": np.array(2.0),
    }
    write_report(Record("t", replace(EMPTY, settings=settings)), tmp_path, formats=("record",))
    assert read_record(tmp_path).audit.settings == {
        "a": 0.5,
        "b": 3,
        "c": True,
        "d": "x/y",
        "e": 0.25,
        "f": 2.0,
    }


def test_schema_is_valid_and_covers_the_document(record: Record) -> None:
    Draft202012Validator.check_schema(codec.schema())
    document = codec.encode(record)
    assert set(codec.schema()["properties"]) == set(document)
    for part, cls in (
        ("finding", Finding),
        ("curve", Curve),
        ("run", RunSummary),
        ("audit", Audit),
    ):
        assert set(codec.schema()["$defs"][part]["properties"]) == set(cls.__dataclass_fields__)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"kind": "guessed"}, r"findings\[0\].kind"),
        ({"interval": (1.0,)}, r"findings\[0\].interval"),
        ({"n": {"forget": -1}}, r"findings\[0\].n"),
        ({"value": "0.5"}, r"findings\[0\].value"),
    ],
)
def test_schema_refuses_on_writing(change, told, tmp_path: Path) -> None:
    finding = replace(Finding("a/b", "t", 0.5, "nats"), **change)
    with pytest.raises(InputError, match=told):
        write_report(Record("t", replace(EMPTY, findings=(finding,))), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_all_unwritable_values_are_listed_at_once(tmp_path: Path) -> None:
    bad = replace(
        EMPTY,
        settings={"model": object(), "n": {1: 2}, "law": np.zeros(3)},
        curves=(Curve("roc", "after", (0.0, 1.0), (0.0,)),),
    )
    with pytest.raises(InputError) as error:
        write_report(Record("t", bad), tmp_path)
    for part in ("/audit/settings/model holds a object", "key 1", "ndarray", "2 x for 1 y"):
        assert part in str(error.value)


def _edit(folder: Path, **changes: object) -> None:
    file = folder / "record.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"title": "a nicer one"}, "changed after it was written"),
        ({"schema_version": 2}, "schema version 2"),
        ({"format": "other"}, "not an infounlearn record"),
        ({"audit": {}}, "required property"),
        ({"surprise": 1}, "Additional properties"),
    ],
)
def test_reading_refuses_what_was_changed(record: Record, tmp_path, changes, told) -> None:
    write_report(record, tmp_path, formats=("record",))
    _edit(tmp_path, **changes)
    with pytest.raises(InputError, match=told):
        read_record(tmp_path)


@pytest.mark.parametrize("text", ["", "{", "[1]", '{"a": NaN}', "\udcff"])
def test_reading_refuses_other_files(text: str, tmp_path: Path) -> None:
    (tmp_path / "record.json").write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(InputError, match="read_record"):
        read_record(tmp_path)
    with pytest.raises(InputError, match="cannot read"):
        read_record(tmp_path / "absent.json")


def test_reading_and_writing_import_no_torch(record: Record, tmp_path: Path) -> None:
    write_report(record, tmp_path)
    code = (
        "import sys; from infounlearn.report import read_record, write_report\n"
        "record = read_record(sys.argv[1])\n"
        "assert not {'torch', 'matplotlib', 'jinja2'} & set(sys.modules), 'reading is not light'\n"
        "write_report(record, sys.argv[1])\n"
        "assert 'matplotlib' in sys.modules and 'torch' not in sys.modules\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
