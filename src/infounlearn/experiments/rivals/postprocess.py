"""What post-processing methods share: a base model, its out-of-fold scores, and a second step."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin

from infounlearn.experiments.rivals.base import Base, cross_fit
from infounlearn.math.parity import demographic_parity_difference


class Scored(ClassifierMixin, BaseEstimator):
    """A classifier that passes column 0, a probability, on: the base of a package's own step."""

    def __init__(self, classes: tuple[Any, ...] = (0, 1)) -> None:
        self.classes = classes
        self.classes_ = np.asarray(classes)

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def fit(self, X: np.ndarray, y: np.ndarray | None = None) -> Scored:
        """Nothing is fitted."""
        return self

    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        """(n, 2)."""
        return np.column_stack([1 - X[:, 0], X[:, 0]])

    def predict(self, X: np.ndarray) -> np.ndarray:
        """(n,) classes at one half."""
        found: np.ndarray = self.classes_[(X[:, 0] >= 0.5).astype(int)]
        return found


class PostProcessor(BaseEstimator, ABC):
    """Cross-fits a base model, then fits a step on its out-of-fold training scores."""

    base: Base

    def fit(self, X: np.ndarray, y: np.ndarray, sensitive: np.ndarray) -> PostProcessor:
        """Fit the base models, shared with all that have the same ones, and then the step."""
        if self.base.task == "classification":
            self.classes_ = np.unique(y)
            y = (y == self.classes_[1]).astype(int)
        self.base_ = cross_fit(self.base, X, y, sensitive)
        self.fit_scores(self.base_.out_of_fold, y, sensitive)
        return self

    @abstractmethod
    def fit_scores(self, scores: np.ndarray, y: np.ndarray, z: np.ndarray) -> None:
        """Fit the step on (n,) scores, targets and groups."""


class Decider(PostProcessor):
    """A step that gives the probability of each decision."""

    @abstractmethod
    def accept(self, scores: np.ndarray, z: np.ndarray) -> np.ndarray:
        """(n,) probability of the second class as the decision."""

    def decision_proba(self, X: np.ndarray, sensitive: np.ndarray) -> np.ndarray:
        """(n, 2) probabilities of the two decisions."""
        one = self.accept(self.base_.scores(X), sensitive)
        return np.column_stack([1 - one, one])

    def predict(self, X: np.ndarray, sensitive: np.ndarray) -> np.ndarray:
        """The more probable decision; :meth:`decision_proba` is what is compared."""
        found: np.ndarray = self.classes_[self.decision_proba(X, sensitive).argmax(1)]
        return found


class Rescorer(PostProcessor):
    """A step that gives another score, cut at one half where it is a classification."""

    @abstractmethod
    def rescore(self, scores: np.ndarray, z: np.ndarray) -> np.ndarray:
        """(n,) new scores."""

    def decision_function(self, X: np.ndarray, sensitive: np.ndarray) -> np.ndarray:
        """(n,) new scores."""
        return self.rescore(self.base_.scores(X), sensitive)

    def predict(self, X: np.ndarray, sensitive: np.ndarray) -> np.ndarray:
        """Classes, or the new scores of a regression."""
        scores = self.decision_function(X, sensitive)
        if self.base.task == "regression":
            return scores
        found: np.ndarray = self.classes_[(scores >= 0.5).astype(int)]
        return found


def training_gap(scores: np.ndarray, z: np.ndarray) -> float:
    """Demographic parity difference of the plain decisions on training rows.

    Dials that are bounds on a gap are shares of it: the same six shares then cover every table.
    """
    return demographic_parity_difference(scores >= 0.5, z)
