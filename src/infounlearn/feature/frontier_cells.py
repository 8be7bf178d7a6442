"""One run of a frontier, a cell: one method at one setting on one fold, kept on disk when done."""

from __future__ import annotations

import hashlib
import json
import time
import traceback
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from infounlearn import __version__, files
from infounlearn.feature.frontier_measures import measure
from infounlearn.feature.frontier_methods import Dial, call

__all__ = ["Cell", "Rows", "cell_key", "load_cell", "run_cell", "store_cell"]


@dataclass(frozen=True)
class Cell:
    """What one run gave.

    Attributes:
        method: its name.
        parameter: name of its dial, or None.
        value: where the dial stood: a number, text, truth value or None.
        fold: number of the fold, over all repeats.
        figures: measures by name; empty where the run failed.
        seconds: of fitting and predicting.
        error: what went wrong, or None.
        key: hash of everything the run depends on.
    """

    method: str
    parameter: str | None
    value: Any
    fold: int
    figures: Mapping[str, float] = field(default_factory=dict)
    seconds: float = 0.0
    error: str | None = None
    key: str = ""


@dataclass(frozen=True)
class Rows:
    """The table that all cells share: inputs, targets, the attribute as given and as groups."""

    X: Any
    y: np.ndarray
    sensitive: Any
    groups: np.ndarray
    task: str

    def take(self, positions: np.ndarray) -> tuple[Any, np.ndarray, Any, np.ndarray]:
        """The rows at ``positions``, in the containers they came in."""
        from sklearn.utils import _safe_indexing

        return (
            _safe_indexing(self.X, positions),
            self.y[positions],
            _safe_indexing(self.sensitive, positions),
            self.groups[positions],
        )


def run_cell(
    name: str, dial: Dial, value: Any, fold: int, split: tuple[np.ndarray, np.ndarray], rows: Rows
) -> Cell:
    """Fit on the training rows, measure on the others; a failure is a result like any other."""
    X, y, sensitive, _ = rows.take(split[0])
    started = time.perf_counter()
    figures: dict[str, float] = {}
    error = None
    try:
        estimator = dial.at(value)
        call(estimator, "fit", X, y, sensitive=sensitive)
        X, y, sensitive, groups = rows.take(split[1])
        figures = measure(estimator, X, y, sensitive, groups, rows.task)
        odd = [name for name, figure in figures.items() if not np.isfinite(figure)]
        if odd:
            figures, error = {}, f"not finite: {', '.join(odd)}"
    # Whatever somebody's estimator raises, the other runs must not be lost with it; the text of
    # the error stands in the table.
    except Exception as problem:
        last = traceback.extract_tb(problem.__traceback__)[-1]
        place = f"{Path(last.filename).name}:{last.lineno}"
        error = f"{type(problem).__name__} at {place}: {str(problem)[:400]}"
    seconds = time.perf_counter() - started
    return Cell(name, dial.parameter, plain(value), fold, figures, seconds, error)


def cell_key(data: str, dial: Dial, value: Any, split: tuple[np.ndarray, np.ndarray]) -> str:
    """Hash of the data, the estimator with all its parameters, the fold and this version."""
    # The name of the method is left out: renaming it repeats nothing.
    estimator = dial.at(value)
    parts: dict[str, Any] = estimator.get_params()
    kind = f"{type(estimator).__module__}.{type(estimator).__qualname__}"
    return digest(
        __version__, data, kind, *split, *(x for pair in sorted(parts.items()) for x in pair)
    )


def digest(*parts: Any) -> str:
    """Hash of values, each by itself: whether two of them are one object must not matter."""
    from joblib import hash as one

    return hashlib.sha256(" ".join(str(one(part)) for part in parts).encode()).hexdigest()[:32]


def load_cell(folder: Path, key: str, name: str) -> Cell | None:
    """The finished cell of that key, under its present name; None where it has not finished."""
    path = folder / f"{key}.json"
    if not path.exists():
        return None
    stored = json.loads(path.read_text(encoding="utf-8"))
    return Cell(**{**stored, "method": name})


def store_cell(folder: Path, cell: Cell) -> None:
    """Keep a finished cell. A failed one is not kept: it is tried again on the next run."""
    if cell.error is None:
        text = json.dumps(asdict(cell), allow_nan=False) + "\n"
        files.write_atomically(folder / f"{cell.key}.json", text.encode())


def plain(value: Any) -> Any:
    """A dial value as JSON can hold it; what it cannot is told in words."""
    if isinstance(value, np.generic):
        value = value.item()
    known = isinstance(value, bool | int | str | None) or (
        isinstance(value, float) and np.isfinite(value)
    )
    return value if known else repr(value)
