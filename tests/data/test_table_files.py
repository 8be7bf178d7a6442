"""A table file of any size: types that no later row changes, and one clear error for a bad line."""

from __future__ import annotations

import gzip
import sys
from pathlib import Path
from subprocess import run
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from infounlearn.data import TableScan, table_csv
from infounlearn.data.table_files import scan_table
from infounlearn.errors import InputError


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks of a few rows, so that a small file has many."""
    monkeypatch.setattr(table_csv, "_BLOCK", 64)


def saved(folder: Path, content: str | bytes, name: str = "a.csv") -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def column(scan: TableScan, name: str, rows: int = 3) -> np.ndarray:
    parts = [batch[name] for batch in scan.batches(rows, [name])]
    assert len({part.dtype for part in parts}) == 1
    assert parts[0].dtype == scan.columns[scan.names.index(name)].dtype
    return np.concatenate(parts)


def types(scan: TableScan) -> dict[str, str]:
    return {column.name: column.type for column in scan.columns}


@pytest.mark.parametrize(
    ("late", "kind", "dtype"),
    [
        ("7", "integer", np.int64),
        ("", "integer", np.float64),
        ("?", "integer", np.float64),
        (" 7 ", "integer", np.int64),
        ("-7", "integer", np.int64),
        ("7.5", "number", np.float64),
        ("1e3", "number", np.float64),
        ("seven", "text", object),
        ("007", "text", object),
        ("+49", "text", object),
        ("0x1F", "text", object),
        ("123456789012345678901", "text", object),
    ],
)
@pytest.mark.parametrize("first", [True, False])
def test_one_cell_settles_the_type_wherever_it_stands(
    tmp_path: Path, late: str, kind: str, dtype: type, first: bool
) -> None:
    cells = [str(value) for value in range(200)]
    cells.insert(0 if first else 200, late)
    scan = scan_table(saved(tmp_path, "a,b\n" + "".join(f"{cell},x\n" for cell in cells)))
    assert types(scan) == {"a": kind, "b": "text"}
    assert scan.rows == 201
    values = column(scan, "a")
    assert values.dtype == dtype
    others = values[1:] if first else values[:-1]
    assert [str(int(value)) if kind != "text" else value for value in others] == [
        str(value) for value in range(200)
    ]
    if kind == "text":
        assert values[0 if first else -1] == late


def test_long_integers_lose_no_digit(tmp_path: Path) -> None:
    long = 2**53 + 1
    exact = scan_table(saved(tmp_path, f"a,b\n{long},1\n1,1\n"))
    assert column(exact, "a").tolist() == [long, 1]
    gappy = scan_table(saved(tmp_path, f"a,b\n{long},1\n,1\n"))  # float64 would round it
    assert column(gappy, "a").tolist() == [str(long), None]


def test_missing_cells(tmp_path: Path) -> None:
    text = "n,w,none\n1, a,\nNA,NA,\n,,\n null ,?,\n"
    scan = scan_table(saved(tmp_path, text))
    assert types(scan) == {"n": "integer", "w": "text", "none": "text"}
    assert [one.missing for one in scan.columns] == [3, 1, 4]
    assert np.array_equal(column(scan, "n"), [1, np.nan, np.nan, np.nan], equal_nan=True)
    assert column(scan, "w").tolist() == [" a", "NA", None, "?"]  # a word stays what it was
    assert column(scan, "none").tolist() == [None] * 4


def test_quotes_breaks_marks_and_packing(tmp_path: Path) -> None:
    content = '\ufeff a ,"b, c"\r\n1,"x,\n""y"""\r\n\r\n2,z\r\n'
    for name, data in (("a.csv", content.encode()), ("a.csv.gz", gzip.compress(content.encode()))):
        scan = scan_table(saved(tmp_path, data, name))
        assert scan.names == ["a", "b, c"]
        assert column(scan, "b, c").tolist() == ['x,\n"y"', "z"]
    tabs = scan_table(saved(tmp_path, "a\tb\n1,5\tx\n", "a.tsv"))
    assert column(tabs, "a").tolist() == ["1,5"]
    semicolons = scan_table(saved(tmp_path, "a;b\n1;2\n"), delimiter=";")
    assert types(semicolons) == {"a": "integer", "b": "integer"}


def test_the_only_cell_of_a_row_may_be_missing(tmp_path: Path) -> None:
    scan = scan_table(saved(tmp_path, "a\n1\n\n3\n"))
    assert np.array_equal(column(scan, "a"), [1, np.nan, 3], equal_nan=True)


@given(
    st.lists(
        st.tuples(st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False), st.text('ab,\n" ')),
        min_size=1,
        max_size=40,
    ),
    st.integers(1, 50),
)
def test_batches_are_the_rows_in_order(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[int, float, str]], size: int
) -> None:
    lines = [f'{i},{x!r},"{w.replace(chr(34), chr(34) * 2)}",.' for i, x, w in rows]
    path = saved(tmp_path_factory.mktemp("t"), "i,x,w,end\n" + "\n".join(lines))
    scan = scan_table(path)
    batches = [*scan.batches(size)]
    assert [len(batch["i"]) for batch in batches[:-1]] == [size] * (
        len(rows) // size - (len(rows) % size == 0)
    )
    found = [row for batch in batches for row in zip(*batch.values(), strict=True)]
    assert found == [(i, x, w or None, ".") for i, x, w in rows]


@pytest.mark.parametrize("rows", [1, 7, 20, 40, 41])
def test_batches_have_the_size_asked_for(tmp_path: Path, rows: int) -> None:
    path = saved(tmp_path, "a,b\n" + "".join(f"{value},x\n" for value in range(40)))
    found = [batch["a"].tolist() for batch in scan_table(path).batches(rows)]
    assert found == [[*range(start, min(start + rows, 40))] for start in range(0, 40, rows)]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "it is empty"),
        (b"\n\n", "it is empty"),
        (b"a,b\n", "column names and no rows"),
        (b"a,b,a\n1,2,3\n", r"line 1: \['a'\] name several columns"),
        (b"a,, \n1,2,3\n", r"line 1: columns \[2, 3\] have no name"),
        (b"1,2\n3,4\n", "line 1 holds numbers only"),
        (b"a;b\n1;2\n", r"line 1 is one column, 'a;b' .*pass delimiter=';'"),
        (b"a,b\n" + b"1,2\n" * 50 + b"3\n", "line 52 has 1 cells, the header has 2"),
        (b'a,b\n"1\n",2\n' + b"1,2\n" * 50 + b"3,4,5\n", "line 54 has 3 cells"),
        (b"a,b\n" + b"1,2\n" * 50 + b"3,caf\xe9\n", r"line 52 is not UTF-8 \(byte 0xe9\)"),
        (b"\xe9,b\n1,2\n", "line 1 is not UTF-8"),
        ("a,b\n1,2\n".encode("utf-16"), "line 1 is not UTF-8"),
        (b'a,b\n1,"2\n3,4\n', "line 2 opens a quote that is never closed"),
        (b"a,b\n1," + b"x" * 500 + b"\n", "it cannot be read"),  # longer than a block
        (b"PAR1", "it is no Parquet file"),
        (b"PAR1" + b"\0" * 99, "it is no Parquet file"),
    ],
)
def test_a_bad_file_is_one_error_that_names_it(
    tmp_path: Path, content: bytes, message: str
) -> None:
    path = saved(tmp_path, content)
    with pytest.raises(InputError, match=message) as caught:
        scan_table(path)
    assert str(path) in str(caught.value)


def test_names_and_settings_are_checked(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="2 problems"):
        scan_table(tmp_path / "absent.csv", delimiter="||")
    path = saved(tmp_path, "a,b\n1,2\n")
    scan = scan_table(path)
    with pytest.raises(InputError, match=r"columns \['c'\] are absent"):
        scan.batches(columns=["c"])
    with pytest.raises(InputError, match="rows is 0"):
        scan.batches(0)
    saved(tmp_path, "a,b\n1,2\n3,x\n")
    with pytest.raises(InputError, match="has changed since it was scanned"):
        scan.batches()


def test_parquet_types(tmp_path: Path) -> None:
    table: dict[str, Any] = {
        "i": pa.array([1, 2, 3], pa.int8()),
        "gaps": pa.array([1, None, 3], pa.int64()),
        "x": pa.array([1.5, None, float("nan")], pa.float32()),
        "b": [True, False, True],
        "maybe": [True, None, False],
        "w": ["a", None, ""],
        "coded": pa.array(["u", "v", "u"]).dictionary_encode(),
        "day": pa.array([0, 1, None], pa.date32()),
    }
    for statistics in (True, False):
        path = tmp_path / "a.data"  # known by its content
        pq.write_table(pa.table(table), path, row_group_size=2, write_statistics=statistics)
        scan = scan_table(path)
        assert (scan.format, scan.rows) == ("parquet", 3)
        assert column(scan, "i").dtype == np.int64
        assert np.array_equal(column(scan, "gaps"), [1, np.nan, 3], equal_nan=True)
        assert np.array_equal(column(scan, "x"), [1.5, np.nan, np.nan], equal_nan=True)
        assert column(scan, "b").dtype == bool
        assert column(scan, "maybe").tolist() == [True, None, False]
        assert column(scan, "w").tolist() == ["a", None, ""]
        assert column(scan, "coded").tolist() == ["u", "v", "u"]
        assert column(scan, "day").tolist() == ["1970-01-01", "1970-01-02", None]
        assert [len(batch["i"]) for batch in scan.batches(2)] == [2, 1]


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (pa.table({"a": pa.array([], pa.int64())}), "it has no rows"),
        (pa.table({"a": [[1], [2]]}), "neither numbers nor text: {'a': 'list"),
        (pa.table({"a": [b"x"]}), "neither numbers nor text: {'a': 'binary'}"),
        (pa.table({"": [1]}), "a column has no name"),
        (pa.table([[1], [2]], names=["a", "a"]), r"\['a'\] name several columns"),
    ],
)
def test_parquet_refuses(tmp_path: Path, table: pa.Table, message: str) -> None:
    pq.write_table(table, tmp_path / "a.parquet")
    with pytest.raises(InputError, match=message):
        scan_table(tmp_path / "a.parquet")


def test_long_integers_beside_gaps_are_refused_in_parquet(tmp_path: Path) -> None:
    pq.write_table(pa.table({"a": [2**53 + 2, None]}), tmp_path / "a.parquet")
    with pytest.raises(InputError, match="column 'a': it has missing cells beside integers"):
        [*scan_table(tmp_path / "a.parquet").batches()]


def test_neither_pandas_nor_polars_is_needed(tmp_path: Path) -> None:
    saved(tmp_path, "a,w\n1,x\n,y\n")
    code = (
        "import sys\n"
        "class Absent:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.partition('.')[0] in ('pandas', 'polars'):\n"
        "            raise ModuleNotFoundError(name)\n"
        "sys.meta_path.insert(0, Absent())\n"
        "from infounlearn.data import TableWriter, scan_table\n"
        "scan = scan_table('a.csv')\n"
        "for name in ('b.csv', 'b.parquet'):\n"
        "    with TableWriter(name, like=scan) as writer:\n"
        "        for batch in scan.batches(): writer.write(batch)\n"
        "    print(scan_table(name).rows)\n"
    )
    done = run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert (done.stdout.split(), done.stderr) == (["2", "2"], "")
