"""LinearPost (Xian & Zhao 2024), clean-room: the LP over decisions, for probabilities as given.

Their program has one variable per row and decision; rows of one group with nearly one score are
poured together here, which makes it small. Solved by HiGHS; they use Gurobi.
"""

from __future__ import annotations

import numpy as np

from infounlearn.experiments.rivals.base import Base
from infounlearn.experiments.rivals.postprocess import Decider, training_gap

CELLS = 400
"""Per group; each holds equally many rows."""


class LinearPostRival(Decider):
    """Least expected risk with each group's acceptance rate within alpha/2 of a common one.

    ``share`` 0 is their default alpha, .001; else alpha is that share of the plain training gap.
    """

    def __init__(self, base: Base, share: float = 0.0) -> None:
        self.base = base
        self.share = share

    def fit_scores(self, scores: np.ndarray, y: np.ndarray, z: np.ndarray) -> None:
        """Solve the program; a group's law of decisions is then a function of its score."""
        from scipy.optimize import linprog
        from scipy.sparse import csr_array

        groups = np.unique(z)
        alpha = self.share * training_gap(scores, z) if self.share else 1e-3
        edges, means, weights, owner = {}, [], [], []
        for number, group in enumerate(groups):
            own = scores[z == group]
            cuts = np.unique(np.quantile(own, np.linspace(0, 1, CELLS + 1)[1:-1]))
            # A cell that no fitted row is in would be refused for nothing: its neighbour takes it.
            held = np.unique(np.searchsorted(cuts, own, side="right"))
            cuts = cuts[held[1:] - 1]
            cell = np.searchsorted(cuts, own, side="right")
            count = np.bincount(cell, minlength=len(cuts) + 1)
            total = np.bincount(cell, own, len(cuts) + 1)
            edges[group] = cuts
            means.append(total / np.maximum(count, 1))
            weights.append(count / len(scores))
            owner.append(np.full(len(count), number))
        mean, weight, who = (np.concatenate(parts) for parts in (means, weights, owner))
        # Variables: acceptance of each cell, then the common rate. Accepting costs 1 - 2 mean.
        rate = (who == np.arange(len(groups))[:, None]) * weight
        rate = rate / rate.sum(axis=1, keepdims=True)
        common = np.ones((len(groups), 1))
        upper = np.block([[rate, -common], [-rate, common]])
        solved = linprog(
            np.append(weight * (1 - 2 * mean), 0.0),
            A_ub=csr_array(upper),
            b_ub=np.full(2 * len(groups), alpha / 2),
            bounds=(0, 1),
            method="highs",
        )
        if not solved.success:
            raise RuntimeError(f"HiGHS: {solved.message}")
        accepted = solved.x[:-1]
        self.law_ = {
            group: (edges[group], accepted[who == number]) for number, group in enumerate(groups)
        }

    def accept(self, scores: np.ndarray, z: np.ndarray) -> np.ndarray:
        """Acceptance of the cell a score lies in."""
        found = np.empty(len(scores))
        for group, (cuts, accepted) in self.law_.items():
            own = z == group
            found[own] = accepted[np.searchsorted(cuts, scores[own], side="right")]
        return found
