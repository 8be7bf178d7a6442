"""A small table file of people, and releases of it that take a moment."""

from __future__ import annotations

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
from infounlearn.experiments import feature_job
from infounlearn.experiments.feature_job import FeatureResult, release_table
from infounlearn.experiments.feature_request import FeatureRequest
from infounlearn.experiments.feature_utility import utility_findings

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
