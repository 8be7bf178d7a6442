"""What methods that change the columns share: encode, change, mix by the dial, fit the base."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.metaestimators import available_if

from infounlearn.experiments.rivals.base import Base, Kind, Task
from infounlearn.experiments.rivals.encoding import Encoder

Change = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""(n, e) encoded columns and (n,) group codes to (n, e) changed columns."""


class Preprocessor(BaseEstimator, ABC):
    """The base model reads (1 - amount) times the columns plus amount times the changed ones.

    The attribute's own column is left out, at ``amount=0`` too.
    """

    def __init__(
        self,
        kind: Kind = "linear",
        task: Task = "classification",
        levels: tuple[int, ...] = (),
        amount: float = 1.0,
        random_state: int = 0,
    ) -> None:
        self.kind = kind
        self.task = task
        self.levels = levels
        self.amount = amount
        self.random_state = random_state

    def fit(self, X: np.ndarray, y: np.ndarray) -> Any:
        """Fit the change on the columns and codes of X, then the base model."""
        self.encoder_ = Encoder.fit(X[:, :-1], self.levels[:-1])
        self.change_ = self.fit_change(self.encoder_.transform(X[:, :-1]), X[:, -1].astype(int))
        base = Base(self.kind, self.task, None, True, self.random_state)
        self.model_ = base.fit_anew(self._changed(X), y)
        if self.task == "classification":
            self.classes_ = self.model_.classes_
        return self

    @abstractmethod
    def fit_change(self, columns: np.ndarray, codes: np.ndarray) -> Change:
        """The fitted change."""

    def predict(self, X: np.ndarray) -> np.ndarray:
        """(n,) classes or values."""
        return self.model_.predict(self._changed(X))

    @available_if(lambda self: self.task == "classification")
    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        """(n, K) probabilities."""
        return self.model_.predict_proba(self._changed(X))

    def _changed(self, X: np.ndarray) -> np.ndarray:
        columns = self.encoder_.transform(X[:, :-1])
        if self.amount == 0:
            return columns
        changed = self.change_(columns, X[:, -1].astype(int))
        return (1 - self.amount) * columns + self.amount * changed
