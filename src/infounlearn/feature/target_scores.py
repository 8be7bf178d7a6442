"""What a row says of its target, by models that have not seen the row.

A release that keeps the target predictable looks at p̂(Y | x). On a fitted row that must come from
a model that was fitted without it: a model's memory of a row's own target would travel with the
released row, and whoever learns from the release would trust it. Which model that is follows from a
hash of the row's content, so that a fitted row, its copies and a new row are all scored alike, and
no list of fitted rows is kept.

A probability p is scored as arcsin √p, on which equal steps cost equal information about Y.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from infounlearn.feature.columns import MixedTable
from infounlearn.feature.keys import content_keys
from infounlearn.math import row_noise

__all__ = ["TargetScores", "fit_target_scores"]

LEADING = 4
"""Classes that get a score of their own, where there are more than two."""
MOST_LEVELS = 254
"""Levels of a category a tree can tell apart."""
BLOCK = 2**17
"""Rows in work at once."""
_STREAM = 0x9E3779B97F4A7C15


@dataclass(frozen=True, eq=False)
class TargetScores:
    """Cross-fitted models of a target; see the module's opening.

    Attributes:
        models: per round, one model per fold, fitted on the rows of the other folds.
        columns: how a table is shown to the models.
        classes: (c,) class codes; None where the target is a number.
        leading: (k,) places of the classes that are scored.
        spread: standard deviation of a target that is a number; 1 for classes.
        seed: of the folds.
    """

    models: tuple[tuple[Any, ...], ...]
    columns: TreeColumns
    classes: np.ndarray | None
    leading: np.ndarray
    spread: float
    seed: int

    @property
    def width(self) -> int:
        """k, how many scores a row has."""
        return len(self.leading)

    def folds(self, table: MixedTable) -> np.ndarray:
        """(r, n) fold of each row in each round, by its content."""
        return folds_of(table, len(self.models[0]), len(self.models), self.seed)

    def predictions(self, table: MixedTable, fold: np.ndarray | None = None) -> np.ndarray:
        """(n, c) class probabilities, or (n, 1) predicted numbers, the mean of all rounds.

        Args:
            table: rows, fitted or new.
            fold: (r, n) folds, or (n,) one fold for all rounds; by default those of the rows.
        """
        width = 1 if self.classes is None else len(self.classes)
        result = np.zeros((len(table), width))
        for start in range(0, len(table), BLOCK):
            some = np.arange(start, min(start + BLOCK, len(table)))
            part = table.take(some)
            own = self.folds(part) if fold is None else np.atleast_2d(fold)[:, some]
            x = self.columns.read(part)
            own = np.broadcast_to(own, (len(self.models), len(some)))
            for models, which in zip(self.models, own, strict=True):
                for k, model in enumerate(models):
                    rows = np.flatnonzero(which == k)
                    if len(rows):
                        result[some[rows]] += self._one(model, x[rows])
        return result / len(self.models)

    def of(self, table: MixedTable, fold: np.ndarray | None = None) -> np.ndarray:
        """(n, k) scores: arcsin √p of each leading class, or the number in units of its spread.

        Args:
            table: rows, fitted or new.
            fold: as in :meth:`predictions`.
        """
        found = self.predictions(table, fold)
        if self.classes is None:
            return found / self.spread
        # A mean of probabilities may pass 1 by rounding.
        return np.arcsin(np.sqrt(np.minimum(found[:, self.leading], 1.0)))

    def _one(self, model: Any, x: np.ndarray) -> np.ndarray:
        if self.classes is None:
            return model.predict(x)[:, None]
        result = np.zeros((len(x), len(self.classes)))
        # A fold may lack a class: its probability there is 0.
        result[:, np.searchsorted(self.classes, model.classes_)] = model.predict_proba(x)
        return result


@dataclass(frozen=True, eq=False)
class TreeColumns:
    """A table as one matrix: numbers, ordered codes, and categories that a tree may split freely.

    Attributes:
        ordered: whether each column of codes is an order.
        kept: per column of codes, (size + 1,) its number for a tree; NaN for the levels beyond the
            most frequent ones, and for an unseen level, which comes last.
    """

    ordered: tuple[bool, ...]
    kept: tuple[np.ndarray, ...]

    def read(self, table: MixedTable) -> np.ndarray:
        """(n, d) numbers."""
        marks = [own[table.codes[:, at]] for at, own in enumerate(self.kept)]
        return np.column_stack([table.numeric, *marks]) if marks else table.numeric

    def categorical(self, numbers: int) -> list[int]:
        """Columns that are categories, of a table with so many numbers."""
        return [numbers + at for at, ordered in enumerate(self.ordered) if not ordered]


def fit_target_scores(
    table: MixedTable,
    target: np.ndarray,
    *,
    seed: int,
    folds: int = 5,
    rounds: int = 1,
    every_class: bool = False,
) -> TargetScores:
    """Boosted trees of the target, each fitted without one fold.

    A fold whose complement holds no row, or one class only, is scored by a constant.

    Args:
        table: (n) rows.
        target: (n,) class codes (integers) or numbers.
        seed: of the folds.
        folds: models per round.
        rounds: times that rows are dealt anew; scores are means over them.
        every_class: score all classes, not the leading ones.
    """
    columns = _tree_columns(table)
    x = columns.read(table)
    numbers = target.dtype.kind == "f"
    classes = None if numbers else np.unique(target)
    spread = float(np.std(target)) if numbers else 1.0
    categorical = columns.categorical(table.numeric.shape[1])
    dealt = folds_of(table, folds, rounds, seed)
    models = tuple(
        tuple(_model(x, target, fold != k, categorical) for k in range(folds)) for fold in dealt
    )
    return TargetScores(
        models, columns, classes, _leading(target, classes, every_class), spread or 1.0, seed
    )


def folds_of(table: MixedTable, folds: int, rounds: int, seed: int) -> np.ndarray:
    """(r, n) fold of each row in each round: equal rows are never on both sides."""
    keys = content_keys(table)
    noise = [row_noise((seed + (k + 1) * _STREAM) % 2**64, keys) for k in range(rounds)]
    return np.floor(folds * np.stack(noise)).astype(np.int64)


def _model(x: np.ndarray, target: np.ndarray, rows: np.ndarray, categorical: list[int]) -> Any:
    from sklearn.dummy import DummyClassifier, DummyRegressor
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    kind: Literal["number", "class"] = "number" if target.dtype.kind == "f" else "class"
    settings: dict[str, Any] = {
        "learning_rate": 0.05,
        "max_iter": 200,
        "max_leaf_nodes": 8,
        "early_stopping": False,
        "categorical_features": categorical or None,
        "random_state": 0,
    }
    if not rows.any() or (kind == "class" and len(np.unique(target[rows])) < 2):
        rows = rows if rows.any() else np.ones(len(rows), dtype=bool)
        constant = DummyRegressor() if kind == "number" else DummyClassifier(strategy="prior")
        return constant.fit(x[rows], target[rows])
    trees = (
        HistGradientBoostingRegressor(**settings)
        if kind == "number"
        else HistGradientBoostingClassifier(**settings)
    )
    return trees.fit(x[rows], target[rows])


def _leading(target: np.ndarray, classes: np.ndarray | None, every: bool) -> np.ndarray:
    if classes is None:
        return np.zeros(1, dtype=np.int64)
    if every:
        return np.arange(len(classes))
    if len(classes) <= 2:
        # One of two probabilities says both.
        return np.array([len(classes) - 1])
    counts = np.array([(target == label).sum() for label in classes])
    return np.sort(np.argsort(-counts, kind="stable")[:LEADING])


def _tree_columns(table: MixedTable) -> TreeColumns:
    ordered, kept = [], []
    for at, (size, kind) in enumerate(zip(table.layout.sizes, table.layout.kinds, strict=True)):
        own = np.full(size + 1, np.nan)
        if kind == "ordinal":
            own[:size] = np.arange(size)
        else:
            code = table.codes[:, at]
            counts = np.bincount(code[code >= 0], minlength=size)
            most = np.argsort(-counts, kind="stable")[:MOST_LEVELS]
            own[np.sort(most)] = np.arange(len(most))
        ordered.append(kind == "ordinal")
        kept.append(own)
    return TreeColumns(tuple(ordered), tuple(kept))
