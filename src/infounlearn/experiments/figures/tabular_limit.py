"""How far post-processing of one score could go: its best thresholds, chosen on the test rows.

No rule that accepts by a (randomised) threshold on the score in each group is more accurate on
these rows within the same gap: the upper hull of a group's ROC curve is what isotonic regression of
its labels on its score gives, and :class:`~infounlearn.math.decision_curve.ParityCurve` is exact
from there. The choice has seen the test labels, so the limit itself is out of reach by a little.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import clone

from infounlearn.data.folds import stratified_folds
from infounlearn.experiments.rivals.base import Base
from infounlearn.experiments.rivals.encoding import Coded
from infounlearn.math.decision_curve import fit_parity_curve

LIMIT = "limit of thresholds"
GRID = 2001


def best_accuracies(
    scores: np.ndarray, y: np.ndarray, z: np.ndarray, gaps: np.ndarray
) -> np.ndarray:
    """(k,) largest accuracy on these rows of group thresholds within each of (k,) gaps.

    Args:
        scores: (n,) the score.
        y: (n,) 0 or 1.
        z: (n,) group.
        gaps: (k,) numbers in [0, 1].
    """
    from sklearn.isotonic import IsotonicRegression

    chance = np.empty(len(y))
    for group in np.unique(z):
        own = z == group
        # By ranks: scikit-learn interpolates, and between scores one rounding apart gives NaN.
        _, ranks = np.unique(scores[own], return_inverse=True)
        chance[own] = IsotonicRegression(y_min=0, y_max=1).fit_transform(ranks, y[own])
    gains, _ = fit_parity_curve(2 * chance - 1, z).frontier(gaps)
    found: np.ndarray = gains + np.mean(y == 0)
    return found


def limit_areas(base: Base, rows: Coded, folds: int, seed: int, limit: float) -> list[float]:
    """Per fold, the mean of the best accuracy over gaps from 0 to ``limit``."""
    from scipy.integrate import trapezoid

    codes = np.unique(rows.sensitive, return_inverse=True)[1]
    gaps = np.linspace(0, limit, GRID)
    found = []
    for train, test in stratified_folds(rows.y, codes, folds, seed):
        fitted: Any = clone(base).fit(rows.X[train], rows.y[train])
        target = (rows.y[test] == fitted.classes_[1]).astype(int)
        best = best_accuracies(fitted.scores(rows.X[test]), target, codes[test], gaps)
        found.append(float(trapezoid(best, gaps) / limit))
    return found
