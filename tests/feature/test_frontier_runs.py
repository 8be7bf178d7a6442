"""Runs of a frontier: failures are rows, and what is done is never done twice."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from infounlearn.errors import InputError
from infounlearn.feature import Frontier, frontier
from infounlearn.feature.frontiers import ranking
from tests.feature.tables import task


class Breaks(LogisticRegression):
    """Fails where its dial says so."""

    def __init__(self, when: str = "never") -> None:
        super().__init__()
        self.when = when

    def fit(self, X: np.ndarray, y: np.ndarray, sample_weight: Any = None) -> Breaks:
        if self.when == "always":
            raise RuntimeError("this is why")
        return super().fit(X, y, sample_weight)


def test_a_failed_run_is_a_row_with_its_reason() -> None:
    X, y, z = task(100)
    methods = {"plain": LogisticRegression(), "breaks": (Breaks(), "when", ("never", "always"))}
    found = frontier(methods, X, y, z, folds=3)
    assert len(found.failures) == 3
    assert all("RuntimeError" in str(cell.error) for cell in found.failures)
    assert "test_frontier_runs.py" in str(found.failures[0].error)
    text = found.table()
    assert "3: RuntimeError" in text[-1][-1]
    assert "this is why" in text[-1][-1]
    # Its other settings still count ...
    areas = {area.method: area for area in found.hypervolumes()}
    assert areas["breaks"].mean == pytest.approx(areas["plain"].mean)
    # ... and a method that never finished has no area, instead of a wrong one.
    broken = frontier({"plain": LogisticRegression(), "b": Breaks("always")}, X, y, z, folds=3)
    last = broken.hypervolumes()[-1]
    assert (last.method, last.mean, last.folds, last.difference) == ("b", None, (), None)
    assert ranking(broken.hypervolumes())[-1][1] == "failed"


def test_json_loses_nothing() -> None:
    X, y, z = task(100)
    methods = {"plain": LogisticRegression(), "breaks": Breaks("always")}
    found = frontier({**methods, "c": (LogisticRegression(), "C", (np.float64(0.1), 10))}, X, y, z)
    text = found.to_json()
    back = Frontier.from_json(text)
    assert back == found
    assert back.to_json() == text
    json.loads(text, parse_constant=lambda name: pytest.fail(name))
    with pytest.raises(InputError, match="no frontier"):
        Frontier.from_json('{"format": "something else"}')


def test_finished_runs_are_found_again_and_failed_ones_tried_again(tmp_path: Path) -> None:
    X, y, z = task(150)
    told: list[tuple[int, int, str]] = []
    methods = {"a": LogisticRegression(), "b": (Breaks(), "when", ("never", "always"))}

    def run(named: Any = None, **options: Any) -> Frontier:
        told.clear()
        return frontier(
            named or methods, X, y, z, folds=3, folder=tmp_path,
            progress=lambda *row: told.append(row), **options,
        )  # fmt: skip

    first = run()
    assert len(told) == 9
    assert len(list(tmp_path.glob("*.json"))) == 6
    again = run()
    # One line for what was found, three for what failed before.
    assert [row[0] for row in told] == [6, 7, 8, 9]
    assert [c.figures for c in again.cells] == [c.figures for c in first.cells]
    # Another setting, another seed, other data: nothing stale is taken.
    run({"a": LogisticRegression(C=2.0)})
    assert len(told) == 3
    run({"a": LogisticRegression()}, random_state=1)
    assert len(told) == 3
    X[0, 0] += 1.0
    run({"a": LogisticRegression()})
    assert len(told) == 3
    # A new name is no new run.
    renamed = run({"other": LogisticRegression()})
    assert [c.method for c in renamed.cells] == ["other"] * 3
    assert len(told) == 1


KILLED = """
import os, sys
import numpy as np
from sklearn.linear_model import LogisticRegression
from infounlearn.feature import frontier

def stop(done, total, text):
    print(done, flush=True)
    if sys.argv[2] == "kill" and done == 4:
        os._exit(9)

X = np.random.default_rng(0).normal(size=(90, 2))
y, z = (X[:, 0] > 0).astype(int), np.where(X[:, 1] > 0, "f", "m")
dial = (LogisticRegression(), "C", (0.1, 1.0))
found = frontier({"c": dial}, X, y, z, folds=3, folder=sys.argv[1], progress=stop)
print(found.table()[1][2])
"""


def test_a_killed_job_resumes_in_another_process(tmp_path: Path) -> None:
    def run(how: str, hash_seed: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", KILLED, str(tmp_path), how],
            capture_output=True,
            text=True,
            timeout=240,
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
        )

    killed = run("kill", "1")
    assert (killed.returncode, killed.stdout.split()) == (9, ["1", "2", "3", "4"])
    assert len(list(tmp_path.iterdir())) == 4
    resumed = run("finish", "2")
    assert resumed.stdout.split()[:3] == ["4", "5", "6"], resumed.stderr


def test_processes_and_order_change_nothing() -> None:
    X, y, z = task(120)
    methods = {"a": LogisticRegression(), "b": (LogisticRegression(), "C", (0.01, 100.0))}
    one = frontier(methods, X, y, z, folds=2)
    two = frontier(methods, X, y, z, folds=2, jobs=2)
    swapped = frontier(dict(reversed(methods.items())), X, y, z, folds=2)
    figures = {(c.method, c.value, c.fold): c.figures for c in one.cells}
    assert figures == {(c.method, c.value, c.fold): c.figures for c in two.cells}
    assert figures == {(c.method, c.value, c.fold): c.figures for c in swapped.cells}
