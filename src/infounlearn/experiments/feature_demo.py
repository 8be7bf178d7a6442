"""The feature half of the demo: the diabetes table without what it tells of sex."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from infounlearn.data import TableColumn, TableForm, TableWriter, load_diabetes
from infounlearn.errors import Problems
from infounlearn.experiments.feature_job import FeatureResult, Watch, release_table
from infounlearn.experiments.feature_request import FeatureRequest
from infounlearn.files import write_atomically

__all__ = ["check_demo", "demo_feature", "demo_request"]

TABLE = "diabetes.csv"


def demo_request(table: Path, seed: int) -> FeatureRequest:
    """What is asked of the table: few rows, half of them audited, and nearly all real numbers."""
    return FeatureRequest(table, ("sex",), "progression", method="gaussian", holdout=0.5, seed=seed)


def check_demo(out: Path) -> None:
    """Try whether the table may be written.

    Raises:
        InputError: another file of that name is there.
    """
    table, problems = out / TABLE, Problems("out")
    problems.require(
        not table.exists() or (table.is_file() and table.read_bytes() == _diabetes()),
        f"{str(table)!r} exists and is not the table of this demo",
        fix="choose another folder, or move that file away",
    )
    problems.raise_if_any()


def demo_feature(out: Path, *, seed: int, watch: Watch) -> FeatureResult:
    """Write the diabetes table, release it without sex, and audit the release.

    Args:
        out: folder of everything.
        seed: of the split and the audit; the draws have a secret one.
        watch: told what happens.

    Raises:
        InputError: the folder cannot be used.
    """
    check_demo(out)
    out.mkdir(parents=True, exist_ok=True)
    table = out / TABLE
    write_atomically(table, _diabetes())
    words = [
        "--sensitive",
        "sex",
        "--target",
        "progression",
        "--method",
        "gaussian",
        "--holdout",
        "0.5",
    ]
    command = ["feature", str(table), *words, "--seed", str(seed), "--out", str(out)]
    return release_table(demo_request(table, seed), out=out, command=command, watch=watch)


def _diabetes() -> bytes:
    """The table as a CSV file, the same bytes each time."""
    data = load_diabetes()
    columns: dict[str, Any] = {**data.columns, **data.sensitive, data.target_name: data.target}
    form = TableForm(
        tuple(
            TableColumn(name, "text" if values.dtype == object else "number")
            for name, values in columns.items()
        )
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / TABLE
        with TableWriter(path, form) as writer:
            writer.write(columns)
        return path.read_bytes()
