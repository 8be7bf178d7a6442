"""The models that all methods share: logistic (or ridge) regression, boosted trees, a small net.

A fitted model, and a cross-fit with its out-of-fold scores, are kept by this process, so that a
dial over post-processing fits them once per fold.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from sklearn.base import BaseEstimator

from infounlearn.data.folds import stratified_folds
from infounlearn.experiments.rivals.encoding import Encoder
from infounlearn.feature.frontier_cells import digest

Kind = Literal["linear", "trees", "net"]
Task = Literal["classification", "regression"]

INNER_FOLDS = 3
_KEPT: OrderedDict[str, Any] = OrderedDict()
_LARGEST = 16


class Base(BaseEstimator):
    """A base model on a coded table (see :class:`Coded`), which it encodes itself.

    Args:
        kind: "linear", "trees" or "net".
        task: "classification" or "regression".
        levels: of the columns of X; None where X is a matrix already.
        aware: whether it reads the last column, the attribute.
        random_state: of trees and nets.
    """

    def __init__(
        self,
        kind: Kind = "linear",
        task: Task = "classification",
        levels: tuple[int, ...] | None = None,
        aware: bool = True,
        random_state: int = 0,
    ) -> None:
        self.kind = kind
        self.task = task
        self.levels = levels
        self.aware = aware
        self.random_state = random_state

    def fit(self, X: np.ndarray, y: np.ndarray) -> Base:
        """Fit, or find again what the same arguments fitted in this process."""
        key = digest("base", self.get_params(), X, y)
        return self._take(*kept(key, lambda: self._fit(X, y)))

    def fit_anew(self, X: np.ndarray, y: np.ndarray) -> Base:
        """Fit, and keep nothing."""
        return self._take(*self._fit(X, y))

    def predict(self, X: np.ndarray) -> np.ndarray:
        """(n,) classes or values."""
        found: np.ndarray = self.model_.predict(self._encoded(X))
        return found

    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        """(n, K) probabilities; of a classification only."""
        found: np.ndarray = self.model_.predict_proba(self._encoded(X))
        return found

    def scores(self, X: np.ndarray) -> np.ndarray:
        """(n,) probability of the second class, or the predicted value."""
        return self.predict_proba(X)[:, 1] if self.task == "classification" else self.predict(X)

    def fresh(self) -> Any:
        """An unfitted model for encoded columns."""
        return model_of(self.kind, self.task, self.random_state)

    def encoder(self, X: np.ndarray) -> Encoder | None:
        """Of the columns this model reads, fitted on X; None where X is a matrix already."""
        if self.levels is None:
            return None
        levels = self.levels if self.aware else self.levels[:-1]
        return Encoder.fit(X[:, : len(levels)], levels)

    def _take(self, encoder: Encoder | None, model: Any) -> Base:
        self.encoder_, self.model_ = encoder, model
        if self.task == "classification":
            self.classes_ = self.model_.classes_
        return self

    def _fit(self, X: np.ndarray, y: np.ndarray) -> tuple[Encoder | None, Any]:
        encoder = self.encoder(X)
        return encoder, self.fresh().fit(X if encoder is None else encoder.transform(X), y)

    def _encoded(self, X: np.ndarray) -> np.ndarray:
        return X if self.encoder_ is None else self.encoder_.transform(X)


@dataclass(frozen=True, eq=False)
class Crossed:
    """Models of the parts of a cross-fit, what they say of rows they did not see, and their mean.

    Attributes:
        out_of_fold: (n,) scores of the training rows, each by the model that was fitted without it.
        parts: the models; new rows are scored by their mean.
    """

    out_of_fold: np.ndarray
    parts: tuple[Base, ...]

    def scores(self, X: np.ndarray) -> np.ndarray:
        """(n,) mean score of new rows."""
        found: np.ndarray = np.mean([part.scores(X) for part in self.parts], axis=0)
        return found


def cross_fit(base: Base, X: np.ndarray, y: np.ndarray, z: np.ndarray) -> Crossed:
    """The score that all post-processing is given, as our heads make it by default.

    Scores of the rows a model was fitted on are too sure, of boosted trees on small tables by far;
    and what is learned of some models' scores need not hold of another's: a net that is fitted
    again moves a whole group. So new rows are scored by the models that scored the training rows.
    """
    from sklearn.base import clone

    def crossed() -> Crossed:
        found, parts = np.empty(len(y)), []
        for train, test in stratified_folds(y, z, INNER_FOLDS, base.random_state):
            parts.append(clone(base).fit_anew(X[train], y[train]))
            found[test] = parts[-1].scores(X[test])
        return Crossed(found, tuple(parts))

    result: Crossed = kept(digest("crossed", base.get_params(), X, y, z), crossed)
    return result


def model_of(kind: Kind, task: Task, random_state: int) -> Any:
    """An unfitted base model with scikit-learn's defaults, but for more steps of the solver."""
    if kind == "net":
        from infounlearn.experiments.rivals.net import Net

        return Net(task=task, random_state=random_state)
    if kind == "trees":
        from sklearn import ensemble

        trees = {
            "classification": ensemble.HistGradientBoostingClassifier,
            "regression": ensemble.HistGradientBoostingRegressor,
        }
        return trees[task](random_state=random_state)
    from sklearn.linear_model import LogisticRegression, Ridge

    return LogisticRegression(max_iter=1000) if task == "classification" else Ridge()


def kept(key: str, make: Callable[[], Any]) -> Any:
    """What ``make`` returns, made once per key while it is among the last few."""
    if key not in _KEPT:
        made = make()
        while len(_KEPT) >= _LARGEST:
            _KEPT.popitem(last=False)
        _KEPT[key] = made
    _KEPT.move_to_end(key)
    return _KEPT[key]
