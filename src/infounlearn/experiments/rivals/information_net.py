"""Our information-regularised net with the size and the training length of the other nets."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.metaestimators import available_if

from infounlearn.experiments.rivals.base import Task
from infounlearn.experiments.rivals.encoding import Encoder
from infounlearn.experiments.rivals.net import BATCH, EPOCHS, HIDDEN, RATE


class InformationNet(BaseEstimator):
    """:class:`infounlearn.feature.InformationRegularizedClassifier`, or ``...Regressor``.

    The attribute's column is an input, as in the other nets.
    """

    def __init__(
        self,
        task: Task = "classification",
        levels: tuple[int, ...] = (),
        gamma: float = 1.0,
        level: Literal["label", "score"] = "label",
        random_state: int = 0,
    ) -> None:
        self.task = task
        self.levels = levels
        self.gamma = gamma
        self.level = level
        self.random_state = random_state

    def fit(self, X: np.ndarray, y: np.ndarray, sensitive: np.ndarray) -> Any:
        """Train."""
        from infounlearn.feature.estimators import (
            InformationRegularizedClassifier,
            InformationRegularizedRegressor,
        )

        self.encoder_ = Encoder.fit(X, self.levels)
        common: dict[str, Any] = {
            "gamma": self.gamma,
            "hidden": HIDDEN,
            "epochs": EPOCHS,
            "batch_size": BATCH,
            "learning_rate": RATE,
            "random_state": self.random_state,
        }
        if self.task == "classification":
            self.net_: Any = InformationRegularizedClassifier(level=self.level, **common)
        else:
            self.net_ = InformationRegularizedRegressor(**common)
        self.net_.fit(self.encoder_.transform(X), y, sensitive=sensitive)
        if self.task == "classification":
            self.classes_ = self.net_.classes_
        return self

    def predict(self, X: np.ndarray) -> np.ndarray:
        """(n,) classes or values."""
        found: np.ndarray = self.net_.predict(self.encoder_.transform(X))
        return found

    @available_if(lambda self: self.task == "classification")
    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        """(n, K) probabilities."""
        found: np.ndarray = self.net_.predict_proba(self.encoder_.transform(X))
        return found
