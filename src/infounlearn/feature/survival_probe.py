"""Out-of-fold scores of a probe: what each row contributes to each utility."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from infounlearn.errors import Problems
from infounlearn.feature.frames import read_frame
from infounlearn.feature.recognise import Declared, encode_table, recognise

__all__ = ["ProbeTable", "Scored", "probe_matrix", "scored"]

PRIOR_SHARE = 1e-3
"""Weight of the class frequencies in what is scored: a predictor like any other, whose log-loss is
bounded where the probe is sure and wrong."""
MOST_LEVELS = 255
"""Largest number of categories that histogram gradient boosting takes as such."""


@dataclass(frozen=True, eq=False)
class ProbeTable:
    """A table as one matrix: numbers, then codes; ``categorical`` (d,) says which are codes."""

    values: np.ndarray
    categorical: np.ndarray


@dataclass(frozen=True, eq=False)
class Scored:
    """Probabilities of each row's class, and the sums of squares, of the probe and of the prior."""

    own: np.ndarray
    squares: np.ndarray
    prior: np.ndarray
    prior_squares: np.ndarray

    def rows(self, name: str) -> np.ndarray:
        """(n,) contribution of each row to a utility, whose mean it is."""
        if name == "information":
            return np.log(self.own) - np.log(self.prior)
        if name == "conditional_entropy":
            return -np.log(self.own)
        return 2 * self.own - self.squares

    def prior_rows(self, name: str) -> np.ndarray:
        """The same for a probe that knows the class frequencies only."""
        if name == "information":
            return np.zeros(len(self.own))
        if name == "conditional_entropy":
            return -np.log(self.prior)
        return 2 * self.prior - self.prior_squares


def probe_matrix(X: Any, name: str, problems: Problems) -> ProbeTable:
    """Any table as numbers and codes; missing values and rare categories are allowed."""
    own = Problems(f"{problems.where}: {name}")
    frame = read_frame(X, own)
    if frame is None:
        own.raise_if_any()
        return ProbeTable(np.empty((0, 0)), np.empty(0, dtype=bool))
    features = tuple(range(len(frame.names)))
    layout = recognise(frame, features, Declared(missing="level"), own)
    table = encode_table(frame, features, layout, own)
    own.raise_if_any()
    sizes = np.array(layout.sizes, dtype=np.int64)
    kinds = np.array([kind == "categorical" for kind in layout.kinds], dtype=bool)
    values = np.concatenate((table.numeric, table.codes.astype(np.float64)), axis=1)
    numeric = np.zeros(table.numeric.shape[1], dtype=bool)
    return ProbeTable(values, np.concatenate((numeric, kinds & (sizes <= MOST_LEVELS))))


def scored(table: ProbeTable, codes: np.ndarray, probe: Any, folds: int, seed: int) -> Scored:
    """Scores of every row by a probe fitted on the other folds."""
    from sklearn.base import clone
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.model_selection import StratifiedKFold

    if probe is None:
        probe = HistGradientBoostingClassifier(
            categorical_features=table.categorical, early_stopping=True, random_state=seed
        )
    count = int(codes.max()) + 1
    found = np.empty((len(codes), count))
    prior = np.empty((len(codes), count))
    splitter = StratifiedKFold(folds, shuffle=True, random_state=seed)
    for train, test in splitter.split(codes, codes):
        fitted = clone(probe).fit(table.values[train], codes[train])
        share = np.bincount(codes[train], minlength=count) / len(train)
        # Folds are stratified and every class has a row in each: none is absent from training.
        found[test] = (1 - PRIOR_SHARE) * fitted.predict_proba(table.values[test])
        found[test] += PRIOR_SHARE * share
        prior[test] = share
    rows = np.arange(len(codes))
    return Scored(found[rows, codes], (found**2).sum(1), prior[rows, codes], (prior**2).sum(1))
