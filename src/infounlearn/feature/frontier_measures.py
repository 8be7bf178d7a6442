"""What is measured of one fitted method on the rows of one fold that it was not fitted on."""

from __future__ import annotations

from typing import Any

import numpy as np

from infounlearn.feature.frontier_methods import decisions_of, scores_of
from infounlearn.math.parity import (
    decision_rates,
    demographic_parity_difference,
    equalized_odds_difference,
    ks_distance,
    wasserstein_gap,
)

__all__ = ["GAPS", "UTILITIES", "constant_utilities", "information_of_rates", "measure"]

UTILITIES = {"accuracy": 1.0, "auroc": 1.0, "mse": -1.0}
"""Measures of utility, and the sign that makes larger better."""
GAPS = ("parity", "odds", "ks", "wasserstein", "nats")
"""parity, odds: demographic parity and equalized odds difference of the decisions. ks, wasserstein:
largest distance of two groups' score laws. nats: plug-in information between the decision (for a
regression: the tenth of all predictions it lies in) and Z; biased up by about
(K - 1)(m - 1)/2n."""

BINS = 10


def measure(
    estimator: Any, X: Any, y: np.ndarray, sensitive: Any, groups: np.ndarray, task: str
) -> dict[str, float]:
    """Utilities and gaps on (n,) fresh rows; ``groups`` are the codes of ``sensitive``."""
    if task == "regression":
        from infounlearn.feature.frontier_methods import call

        predictions = np.asarray(call(estimator, "predict", X, sensitive=sensitive), np.float64)
        found = {"mse": float(np.mean((predictions.reshape(-1) - y) ** 2))}
        return {**found, **_of_scores(predictions.reshape(-1), groups)}
    law = decisions_of(estimator, X, sensitive)
    classes = np.asarray(estimator.classes_)
    truth = np.asarray(y)[:, None] == classes[None, :]
    _, rates = decision_rates(law, groups)
    found = {
        "accuracy": float(law[truth].sum() / len(law)),
        "parity": demographic_parity_difference(law, groups),
        "odds": equalized_odds_difference(law, groups, y),
        "nats": information_of_rates(rates, groups),
    }
    scores = scores_of(estimator, X, sensitive)
    if scores is None:
        # The decision is all that is shown: its probability is the only ranking there is.
        scores = law[:, 1] if law.shape[1] == 2 else law
    if scores.ndim == 1:
        from sklearn.metrics import roc_auc_score

        found["auroc"] = float(roc_auc_score(truth[:, -1], scores))
        shown = _of_scores(scores, groups)
        found |= {name: shown[name] for name in ("ks", "wasserstein")}
    return found


def constant_utilities(y_train: np.ndarray, y_test: np.ndarray, task: str) -> dict[str, float]:
    """Utilities of the best predictor that ignores its input; its gaps are 0."""
    if task == "regression":
        return {"mse": float(np.mean((y_test - np.mean(y_train)) ** 2))}
    classes, counts = np.unique(y_train, return_counts=True)
    usual = classes[counts.argmax()]
    found = {"accuracy": float(np.mean(y_test == usual))}
    return {**found, "auroc": 0.5} if len(classes) == 2 else found


def information_of_rates(rates: np.ndarray, groups: np.ndarray) -> float:
    """I(decision; Z) in nats: H(Σ w_z p_z) - Σ w_z H(p_z), from (m, K) rates of the groups."""
    from scipy.special import entr

    _, counts = np.unique(groups, return_counts=True)
    weights = counts / counts.sum()
    # Never below 0 but by rounding, which a difference of entropies leaves at independence.
    return float(max(entr(weights @ rates).sum() - weights @ entr(rates).sum(1), 0.0))


def _of_scores(scores: np.ndarray, groups: np.ndarray) -> dict[str, float]:
    edges = np.quantile(scores, np.linspace(0, 1, BINS + 1)[1:-1])
    tenth = np.searchsorted(edges, scores, side="right")
    _, rates = decision_rates(tenth, groups)
    return {
        "ks": ks_distance(scores, groups),
        "wasserstein": wasserstein_gap(scores, groups),
        "nats": information_of_rates(rates, groups),
    }
