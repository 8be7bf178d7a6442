"""EquiPy's FairWasserstein (Chzhen et al. 2020): the barycenter of the groups' score laws."""

from __future__ import annotations

import numpy as np

from infounlearn.experiments.rivals.base import Base
from infounlearn.experiments.rivals.postprocess import Rescorer


class EquiPyRival(Rescorer):
    """``epsilon`` 0, the published default, is the full barycenter; 1 leaves scores as they are."""

    def __init__(self, base: Base, epsilon: float = 0.0, sigma: float = 1e-4) -> None:
        self.base = base
        self.epsilon = epsilon
        self.sigma = sigma

    def fit_scores(self, scores: np.ndarray, y: np.ndarray, z: np.ndarray) -> None:
        """Fit EquiPy's quantile functions."""
        from equipy.fairness import FairWasserstein

        self.step_ = FairWasserstein(sigma=self.sigma)
        self.step_.fit(scores, z[:, None])

    def rescore(self, scores: np.ndarray, z: np.ndarray) -> np.ndarray:
        """Its scores, which depend on the groups of the whole batch (as published)."""
        found: np.ndarray = self.step_.transform(scores, z[:, None], epsilon=self.epsilon)
        return np.asarray(found, dtype=np.float64).reshape(-1)
