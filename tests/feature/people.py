"""People whose inputs tell their group, and the estimators that are to learn a score of them."""

from __future__ import annotations

from typing import Any

import numpy as np

from infounlearn.feature.estimators import (
    InformationRegularizedClassifier,
    InformationRegularizedRegressor,
)

Classifier = InformationRegularizedClassifier
Regressor = InformationRegularizedRegressor
FAST: dict[str, Any] = {"epochs": 30, "learning_rate": 0.02, "hidden": (8,), "random_state": 0}


def people(rows: int = 1500, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Two inputs, one of which tells Z; a score of both; Z as text."""
    rng = np.random.default_rng(seed)
    z = rng.random(rows) < 0.4
    x = rng.normal(size=(rows, 3))
    x[:, 0] += 1.5 * z
    score = x[:, 0] + x[:, 1] + 0.5 * rng.normal(size=rows)
    return x * [1.0, 100.0, 0.01], score, np.where(z, "m", "f")


def gap(values: np.ndarray, z: np.ndarray) -> float:
    """Difference of the groups' means."""
    return abs(float(values[z == "m"].mean() - values[z == "f"].mean()))
