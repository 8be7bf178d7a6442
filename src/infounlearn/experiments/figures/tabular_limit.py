"""How far post-processing of one score could go: its best thresholds, chosen on the test rows.

No rule that accepts by a (randomised) threshold on the score in each group is more accurate on
these rows within the same gap: the upper hull of a group's ROC curve is what isotonic regression of
its labels on its score gives, and :class:`~infounlearn.math.decision_curve.ParityCurve` is exact
from there. The choice has seen the test labels, so the limit itself is out of reach by a little.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from infounlearn import files
from infounlearn.data.folds import stratified_folds
from infounlearn.experiments.rivals.base import Base, cross_fit
from infounlearn.experiments.rivals.encoding import Coded
from infounlearn.feature.frontier_cells import digest
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


def limit_areas(
    base: Base, rows: Coded, folds: int, seed: int, limit: float, folder: Path
) -> list[float]:
    """Per fold, the mean of the best accuracy over gaps from 0 to ``limit``; kept in ``folder``.

    The score is the one that post-processing methods are given.
    """
    from scipy.integrate import trapezoid

    key = digest("limit", base.get_params(), rows.X, rows.y, rows.sensitive, folds, seed, limit)
    path = folder / f"limit-{key}.json"
    if path.exists():
        return [float(area) for area in json.loads(path.read_text(encoding="utf-8"))]
    codes = np.unique(rows.sensitive, return_inverse=True)[1]
    gaps = np.linspace(0, limit, GRID)
    found = []
    for train, test in stratified_folds(rows.y, codes, folds, seed):
        target = (rows.y == np.unique(rows.y)[1]).astype(int)
        fitted = cross_fit(base, rows.X[train], target[train], rows.sensitive[train])
        best = best_accuracies(fitted.scores(rows.X[test]), target[test], codes[test], gaps)
        found.append(float(trapezoid(best, gaps) / limit))
    files.write_atomically(path, json.dumps(found).encode())
    return found
