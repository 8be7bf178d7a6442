"""fairlearn's ThresholdOptimizer (Hardt, Price & Srebro 2016): randomised group thresholds."""

from __future__ import annotations

import numpy as np

from infounlearn.experiments.rivals.base import Base
from infounlearn.experiments.rivals.postprocess import Decider, Scored, training_gap


class ThresholdOptimizerRival(Decider):
    """``share`` 0 is the published default, no gap; else ``tol`` is that share of the plain gap."""

    def __init__(self, base: Base, share: float = 0.0, grid_size: int = 1000) -> None:
        self.base = base
        self.share = share
        self.grid_size = grid_size

    def fit_scores(self, scores: np.ndarray, y: np.ndarray, z: np.ndarray) -> None:
        """Fit fairlearn's thresholds on probabilities (its own default would cut them first)."""
        from fairlearn.postprocessing import ThresholdOptimizer

        self.head_ = ThresholdOptimizer(
            estimator=Scored(),
            constraints="demographic_parity",
            grid_size=self.grid_size,
            prefit=True,
            predict_method="predict_proba",
            tol=self.share * training_gap(scores, z) if self.share else None,
        )
        self.head_.fit(scores[:, None], y, sensitive_features=z)

    def accept(self, scores: np.ndarray, z: np.ndarray) -> np.ndarray:
        """Expected decisions; fairlearn offers them in this private method only."""
        table: np.ndarray = self.head_._pmf_predict(scores[:, None], sensitive_features=z)
        return table[:, 1]
