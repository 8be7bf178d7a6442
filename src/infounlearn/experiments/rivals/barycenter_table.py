"""Our table transformer before a base model: the columns change, the model is as before."""

from __future__ import annotations

import warnings
from copy import copy
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.metaestimators import available_if

from infounlearn.experiments.rivals.base import Base, Kind, Task, kept
from infounlearn.feature.frontier_cells import digest


class BarycenterTable(BaseEstimator):
    """:class:`infounlearn.feature.WassersteinBarycenter`, then the base model on what it gives.

    ``use_target`` shows the transformer the training targets. The model never sees the attribute.
    """

    def __init__(
        self,
        kind: Kind = "linear",
        task: Task = "classification",
        levels: tuple[int, ...] = (),
        amount: float = 1.0,
        use_target: bool = True,
        random_state: int = 0,
    ) -> None:
        self.kind = kind
        self.task = task
        self.levels = levels
        self.amount = amount
        self.use_target = use_target
        self.random_state = random_state

    def fit(self, X: np.ndarray, y: np.ndarray, sensitive: np.ndarray) -> Any:
        """Fit the transformer on the columns but the last, then the model on released rows."""
        from infounlearn.feature.barycenter import WassersteinBarycenter
        from infounlearn.feature.policies import FeatureWarning

        columns = self.levels[:-1]
        settings: dict[str, Any] = {
            "numeric": [place for place, count in enumerate(columns) if count == 0],
            "categorical": [place for place, count in enumerate(columns) if count > 0],
            "use_target": self.use_target,
            "unseen_categories": "other",
            "random_state": self.random_state,
        }
        with warnings.catch_warnings():
            # Public tables hold rows of equal content; they are released alike.
            warnings.simplefilter("ignore", FeatureWarning)
            # The dial acts in ``transform`` alone, so one fit serves all of its settings.
            key = digest("barycenter", sorted(settings.items()), X, y, sensitive)
            fitted = kept(
                key,
                lambda: WassersteinBarycenter(**settings).fit(X[:, :-1], y, sensitive=sensitive),
            )
            self.transformer_ = copy(fitted).set_params(amount=self.amount)
            released = self._released(X, sensitive)
        base = Base(self.kind, self.task, columns, True, self.random_state)
        self.model_ = base.fit_anew(released, y)
        if self.task == "classification":
            self.classes_ = self.model_.classes_
        return self

    def predict(self, X: np.ndarray, sensitive: np.ndarray) -> np.ndarray:
        """(n,) classes or values."""
        return self.model_.predict(self._released(X, sensitive))

    @available_if(lambda self: self.task == "classification")
    def predict_proba(self, X: np.ndarray, sensitive: np.ndarray) -> np.ndarray:
        """(n, K) probabilities."""
        return self.model_.predict_proba(self._released(X, sensitive))

    def _released(self, X: np.ndarray, sensitive: np.ndarray) -> np.ndarray:
        released = self.transformer_.transform(X[:, :-1], sensitive=sensitive)
        return np.asarray(released, dtype=np.float64)
