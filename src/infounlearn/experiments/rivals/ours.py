"""Our own heads in the shape of the rivals: the same base model, the same out-of-fold scores."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from sklearn.base import BaseEstimator, RegressorMixin

from infounlearn.experiments.rivals.base import Base
from infounlearn.experiments.rivals.postprocess import (
    Decider,
    PostProcessor,
    Scored,
    training_gap,
)
from infounlearn.math.parity import ks_distance


class Given(RegressorMixin, BaseEstimator):
    """A regressor that passes column 0, a prediction, on."""

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def fit(self, X: np.ndarray, y: np.ndarray | None = None) -> Given:
        """Nothing is fitted."""
        return self

    def predict(self, X: np.ndarray) -> np.ndarray:
        """(n,)."""
        return X[:, 0]


class ParityHeadCurve(Decider):
    """:class:`infounlearn.feature.ParityHead` within ``share`` of the plain training gap."""

    def __init__(
        self,
        base: Base,
        share: float = 0.0,
        ranking: Literal["auto", "kept"] = "auto",
        random_state: int = 0,
    ) -> None:
        self.base = base
        self.share = share
        self.ranking = ranking
        self.random_state = random_state

    def fit_scores(self, scores: np.ndarray, y: np.ndarray, z: np.ndarray) -> None:
        """Fit the head on scores as they are."""
        from infounlearn.feature.decisions import ParityHead

        self.head_ = ParityHead(
            Scored(),
            tolerance=self.share * training_gap(scores, z),
            ranking=self.ranking,
            cv="prefit",
            random_state=self.random_state,
        ).fit(scores[:, None], y, sensitive=z)

    def accept(self, scores: np.ndarray, z: np.ndarray) -> np.ndarray:
        """Expected decisions."""
        table: np.ndarray = self.head_.decision_proba(scores[:, None], sensitive=z)
        return table[:, 1]

    def predict_proba(self, X: np.ndarray, sensitive: np.ndarray) -> np.ndarray:
        """(n, 2) what the head ranks by; a row's draw is a hash of the whole row."""
        scores = self.base_.scores(X)
        found: np.ndarray = self.head_.predict_proba(
            scores[:, None], sensitive=sensitive, keys=row_keys(X)
        )
        return found


class ScoreBarycenterCurve(PostProcessor):
    """:class:`infounlearn.feature.ScoreBarycenter` over either of its dials.

    Args:
        base: the scorer.
        amount: McCann's dial.
        share: or None; else the tolerance is this share of the plain training gap (for a
            regression: of the Kolmogorov distance), and ``amount`` is not used.
        random_state: of the ranks.
    """

    def __init__(
        self,
        base: Base,
        amount: float = 1.0,
        share: float | None = None,
        random_state: int = 0,
    ) -> None:
        self.base = base
        self.amount = amount
        self.share = share
        self.random_state = random_state

    def fit_scores(self, scores: np.ndarray, y: np.ndarray, z: np.ndarray) -> None:
        """Fit the barycenter of scores as they are."""
        from infounlearn.feature.scores import ScoreBarycenter

        sorts = self.base.task == "classification"
        dial: dict[str, Any] = {"amount": self.amount}
        if self.share is not None:
            gap = training_gap(scores, z) if sorts else ks_distance(scores, z)
            dial = {"tolerance": self.share * gap}
        self.step_ = ScoreBarycenter(
            Scored() if sorts else Given(), cv="prefit", random_state=self.random_state, **dial
        ).fit(scores[:, None], y, sensitive=z)

    def decision_function(self, X: np.ndarray, sensitive: np.ndarray) -> np.ndarray:
        """(n,) moved scores; a row's rank among equal scores is a hash of the whole row."""
        table = self.base_.scores(X)[:, None]
        if self.base.task == "regression":
            found: np.ndarray = self.step_.predict(table, sensitive=sensitive, keys=row_keys(X))
            return found
        moved = self.step_.predict_proba(table, sensitive=sensitive, keys=row_keys(X))
        return np.asarray(moved)[:, 1]

    def predict(self, X: np.ndarray, sensitive: np.ndarray) -> np.ndarray:
        """Classes at one half, or the moved predictions of a regression."""
        scores = self.decision_function(X, sensitive)
        if self.base.task == "regression":
            return scores
        found: np.ndarray = self.classes_[(scores >= 0.5).astype(int)]
        return found


def row_keys(X: np.ndarray) -> np.ndarray:
    """(n,) names of rows: a hash of their content, so that equal scores are ranked apart."""
    weights = np.random.default_rng(0).integers(1, 2**62, X.shape[1], dtype=np.uint64) | 1
    bits = np.ascontiguousarray(X, dtype=np.float64).view(np.uint64)
    mixed = (bits * weights).sum(axis=1, dtype=np.uint64)
    return (mixed >> np.uint64(2)).astype(np.int64)
