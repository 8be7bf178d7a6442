"""fairlearn's ExponentiatedGradient (Agarwal et al. 2018): a mixture of reweighted refits."""

from __future__ import annotations

import warnings
from typing import Any, Literal

import numpy as np
from sklearn.base import BaseEstimator, clone

from infounlearn.experiments.rivals.base import Base
from infounlearn.experiments.rivals.postprocess import training_gap


class ExponentiatedGradientRival(BaseEstimator):
    """Demographic parity within ``share`` of the plain training gap; "default" is within .01.

    Args:
        base: its model is refitted with weights.
        share: the dial.
        eps, max_iter: as fairlearn's; the base model is fitted up to twice per iteration.
    """

    def __init__(
        self,
        base: Base,
        share: float | Literal["default"] = "default",
        eps: float = 0.01,
        max_iter: int = 50,
    ) -> None:
        self.base = base
        self.share = share
        self.eps = eps
        self.max_iter = max_iter

    def fit(self, X: np.ndarray, y: np.ndarray, sensitive: np.ndarray) -> Any:
        """Fit the plain model for its gap, then fairlearn's mixture."""
        from fairlearn.reductions import DemographicParity, ExponentiatedGradient

        plain = clone(self.base).fit(X, y)
        self.classes_, self.encoder_ = plain.classes_, plain.encoder_
        gap = training_gap(plain.scores(X), sensitive)
        bound = 0.01 if self.share == "default" else float(self.share) * gap
        self.mixture_ = ExponentiatedGradient(
            self.base.fresh(),
            DemographicParity(difference_bound=bound),
            eps=self.eps,
            max_iter=self.max_iter,
        )
        target = (y == self.classes_[1]).astype(int)
        with warnings.catch_warnings():
            # fairlearn 0.15 writes into pandas series in a way that pandas 3 announces to end.
            warnings.simplefilter("ignore", DeprecationWarning)
            warnings.simplefilter("ignore", FutureWarning)
            self.mixture_.fit(self.encoder_.transform(X), target, sensitive_features=sensitive)
        return self

    def decision_proba(self, X: np.ndarray) -> np.ndarray:
        """Expected decisions; fairlearn offers them in this private method only."""
        table = self.mixture_._pmf_predict(self.encoder_.transform(X))[:, 1]
        # The weights of its mixture come from a linear program, and miss 0 and 1 by its tolerance.
        one = np.clip(np.asarray(table, dtype=np.float64), 0, 1)
        return np.column_stack([1 - one, one])

    def predict(self, X: np.ndarray) -> np.ndarray:
        """The more probable decision; :meth:`decision_proba` is what is compared."""
        found: np.ndarray = self.classes_[self.decision_proba(X).argmax(1)]
        return found
