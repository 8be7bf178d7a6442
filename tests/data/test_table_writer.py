"""A written table is whole or absent, and reads back as what was written."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from infounlearn.data import TableColumn, TableForm, TableScan, TableWriter, scan_table
from infounlearn.errors import InputError

FORM = TableForm(
    (
        TableColumn("i", "integer", 0),
        TableColumn("x", "number"),
        TableColumn("b", "boolean"),
        TableColumn("w", "text"),
    )
)


def batch(**changes: Any) -> dict[str, Any]:
    columns: dict[str, Any] = {
        "i": np.array([1, 2**60]),
        "x": np.array([0.1, np.nan]),
        "b": np.array([True, False]),
        "w": np.array(['a,"\n', None], dtype=object),
    }
    return columns | changes


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def read(path: Path) -> tuple[TableScan, dict[str, list[Any]]]:
    scan = scan_table(path)
    parts = [*scan.batches(1)]
    return scan, {name: [part[name][0] for part in parts] for name in scan.names}


@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz", "a.parquet"])
def test_what_is_written_is_read_back(tmp_path: Path, name: str) -> None:
    with TableWriter(tmp_path / name, FORM) as writer:
        writer.write(batch())
        writer.write(batch(x=[1e-300, np.inf], w=["é", ""]))
        assert writer.rows == 4
        assert not (tmp_path / name).exists()
    assert files(tmp_path) == [name]
    scan, found = read(tmp_path / name)
    assert scan.rows == 4
    assert found["i"] == [1, 2**60, 1, 2**60]
    assert np.array_equal(found["x"], [0.1, np.nan, 1e-300, np.inf], equal_nan=True)
    csv = name != "a.parquet"
    assert found["b"] == (["true", "false"] * 2 if csv else [True, False] * 2)
    assert found["w"] == ['a,"\n', None, "é", None if csv else ""]


@pytest.mark.parametrize("name", ["b.csv", "b.parquet"])
def test_a_transformed_copy(tmp_path: Path, name: str) -> None:
    (tmp_path / "a.csv").write_text("age;sex;job\n30;f;b\n;m;\n40;f;a\n")
    scan = scan_table(tmp_path / "a.csv", delimiter=";")
    with TableWriter(
        tmp_path / name, like=scan.changed(numeric=["age"], without=["sex"])
    ) as writer:
        for part in scan.batches(2):
            writer.write({"job": part["job"], "age": part["age"] + 0.5})
    copy = scan_table(tmp_path / name, delimiter=";")
    assert copy.names == ["age", "job"]
    (found,) = copy.batches()
    assert np.array_equal(found["age"], [30.5, np.nan, 40.5], equal_nan=True)
    assert found["job"].tolist() == ["b", None, "a"]
    with pytest.raises(InputError, match=r"columns \['x'\] are absent"):
        scan.changed(numeric=["x"])


def test_an_unchanged_integer_column_with_gaps_stays_one(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("age,job\n30,b\n,c\n")
    scan = scan_table(tmp_path / "a.csv")
    for name in ("b.csv", "b.parquet"):
        with TableWriter(tmp_path / name, like=scan) as writer:
            for part in scan.batches():
                writer.write(part)
        copy = scan_table(tmp_path / name)
        assert copy.columns[0] == TableColumn("age", "integer", 1)
        assert np.array_equal(next(copy.batches())["age"], [30, np.nan], equal_nan=True)


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz", "a.parquet"])
def test_an_error_leaves_nothing_and_the_old_file(
    tmp_path: Path, error: type[BaseException], name: str
) -> None:
    (tmp_path / name).write_text("old")

    def fail() -> None:
        with TableWriter(tmp_path / name, FORM) as writer:
            writer.write(batch())
            raise error

    with pytest.raises(error):
        fail()
    assert files(tmp_path) == [name]
    assert (tmp_path / name).read_text() == "old"


def test_control_c_in_another_process_leaves_nothing(tmp_path: Path) -> None:
    code = (
        "from infounlearn.data import TableColumn, TableForm, TableWriter\n"
        "with TableWriter('a.csv', TableForm((TableColumn('w', 'text'),))) as writer:\n"
        "    print('open', flush=True)\n"
        "    while True: writer.write({'w': ['x'] * 1000})\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == "open\n"
        assert len(files(tmp_path)) == 1
        process.send_signal(signal.SIGINT)
        assert "KeyboardInterrupt" in process.stderr.read()
    assert files(tmp_path) == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"i": np.array([1, 2, 3])}, "columns differ in length"),
        ({"i": np.array([1.5, np.nan])}, r"'i' is of type integer and got \[1.5\]"),
        ({"i": np.array(["1", "2"])}, "'i' is of type integer and got <U1"),
        ({"x": np.array(["a", "b"], object)}, "'x' is of type number and got object"),
        ({"x": np.zeros((2, 1))}, r"shape \(2, 1\)"),
        ({"w": np.array([1, "b"], object)}, "'w' is of type text"),
        ({"b": np.array([1, 0])}, "'b' is of type boolean"),
        ({"more": [1, 2]}, "the batch has columns"),
    ],
)
def test_refuses_what_does_not_fit(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message), TableWriter(tmp_path / "a.csv", FORM) as writer:
        writer.write(batch(**changes))
    assert files(tmp_path) == []


def test_refuses_targets(tmp_path: Path) -> None:
    source = tmp_path / "a.csv"
    source.write_text("a,b\n1,2\n")
    scan = scan_table(source)
    for form in (scan, scan.changed(without=["a"])):
        with pytest.raises(InputError, match="is the table that is read"):
            TableWriter(source, form)
    with pytest.raises(InputError, match="is a folder"):
        TableWriter(tmp_path, scan)
    with pytest.raises(InputError, match="no column is left"):
        TableWriter(tmp_path / "b.csv", scan.changed(without=["a", "b"]))
    with pytest.raises(InputError, match="cannot be written"):
        TableWriter(tmp_path / "absent" / "b.csv", scan).__enter__()
    with pytest.raises(InputError, match="not open"):
        TableWriter(tmp_path / "b.csv", scan).write({"a": [1], "b": [2]})
    assert files(tmp_path) == ["a.csv"]
