"""Nearest score whose group laws are within τ of each other in Kolmogorov distance.

The barycenter makes a score f independent of the group Z. Its relaxation solved here is

    min E(f - g)²   subject to   sup_c |P(g > c | a) - P(g > c | b)| <= τ for all groups a, b:

demographic parity within τ at *every* threshold. Because (f - g)²/2 = ∫ (f - c)(1[f>c] - 1[g>c])
dc, the problem falls into one decision problem per threshold c, each solved by clipping acceptance
rates to a window (:mod:`infounlearn.math.decision_curve`). The windows are nested, so that one
score solves them all. With A_z = Q_z(u), B_z = Q_z(u - τ) (-∞ for u <= τ) and the *barycenter of
intervals*

    C(u) = argmin_c Σ_z w_z dist(c, [B_z, A_z])²        (Q̄(u) at τ = 0),

a value x at rank u of its own group goes to g = min(max(x, C(u)), C(u + τ)), with C = ∞ above 1.

*Within τ:* C rises, so {u >= u*} ⊂ {g > c} ⊂ {u >= u* - τ} with u* = inf{u: C(u) > c}: all groups'
rates at c lie in one window of width τ. *Optimal:* at each c these are the rates of the decision
problem. Where f is P(Y=1|x,z) the same holds for every cost-weighted error, hence the decision g >
½ is the most accurate one within τ. McCann's dial, (1-t)f + tf̄, is optimal in Wasserstein
distance; at equal Kolmogorov distance it costs more.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from infounlearn.errors import Problems
from infounlearn.math.barycenter_1d import LineBarycenter
from infounlearn.math.decision_curve import check_tolerance

__all__ = ["KolmogorovBarycenter"]


@dataclass(frozen=True, eq=False)
class KolmogorovBarycenter:
    """The map x → g above, for the laws of a fitted :class:`LineBarycenter`.

    Attributes:
        line: laws and weights of the groups.
        tolerance: τ in [0, 1]: 0 is the barycenter, 1 leaves every value.
    """

    line: LineBarycenter
    tolerance: float

    def __post_init__(self) -> None:
        problems = Problems("kolmogorov barycenter")
        check_tolerance(problems, self.tolerance)
        problems.raise_if_any()

    def center(self, ranks: ArrayLike) -> np.ndarray:
        """C at ranks u in [0, 1); a middle of Q_z(u - τ) and Q_z(u) over the groups.

        Where no group need move any value between the largest lower end and the smallest upper end
        will do; the latter is taken.

        Raises:
            InputError: a rank outside [0, 1).
        """
        u = np.asarray(ranks, dtype=np.float64)
        groups = self.line.labels.tolist()
        upper = [self.line.quantile(u, group=name, amount=0.0) for name in groups]
        if self.tolerance == 0.0:
            return self.line.quantile(u)
        back = np.maximum(u - self.tolerance, 0.0)
        inside = u >= self.tolerance
        lower = [
            np.where(inside, self.line.quantile(back, group=name, amount=0.0), -np.inf)
            for name in groups
        ]
        return _middle(lower, upper, self.line.weights)

    def at_ranks(self, values: np.ndarray, ranks: np.ndarray) -> np.ndarray:
        """g of values at given ranks of their own groups, both (n,)."""
        if self.tolerance == 0.0:
            return self.center(ranks)
        ahead = ranks + self.tolerance
        top = np.full(len(ranks), np.inf)
        top[ahead < 1.0] = self.center(ahead[ahead < 1.0])
        return np.minimum(np.maximum(values, self.center(ranks)), top)

    def transport(
        self,
        values: ArrayLike,
        groups: ArrayLike,
        *,
        noise: ArrayLike | None = None,
        seed: int | None = None,
        keys: ArrayLike | None = None,
    ) -> np.ndarray:
        """g of fitted or new rows; each depends on its own value, group and ξ only.

        Args:
            values: (n,) finite numbers.
            groups: (n,) fitted labels.
            noise: ξ, as in :meth:`LineBarycenter.ranks`; so are ``seed`` and ``keys``.
            seed: see ``noise``.
            keys: see ``noise``.

        Returns:
            (n,) float64. Of fitted rows the Kolmogorov distance between groups is at most τ,
            exactly over ξ; of new rows up to sampling error.

        Raises:
            InputError: as :meth:`LineBarycenter.ranks`.
        """
        if self.tolerance == 1.0:
            return np.array(values, dtype=np.float64)
        ranks = self.line.ranks(values, groups, noise=noise, seed=seed, keys=keys)
        return self.at_ranks(np.asarray(values, dtype=np.float64), ranks)


def _middle(lower: list[np.ndarray], upper: list[np.ndarray], weights: np.ndarray) -> np.ndarray:
    """argmin_c Σ w dist(c, [lower, upper])², columnwise; the smallest upper end where it is 0."""
    least, most = np.min(upper, axis=0), np.max(lower, axis=0)
    # The slope Σ w (c - upper)₊ - Σ w (lower - c)₊ rises and is linear between the ends.
    left, right = least.copy(), np.maximum(most, least)
    at_left, at_right = np.full(len(least), -np.inf), np.full(len(least), np.inf)
    for end in (*lower, *upper):
        inner = (end >= least) & (end <= most)
        place = np.where(inner, end, least)
        slope = np.zeros(len(least))
        for weight, low, high in zip(weights, lower, upper, strict=True):
            slope += weight * np.maximum(place - high, 0.0)
            slope -= weight * np.maximum(low - place, 0.0)
        below = inner & (slope <= 0.0) & (slope >= at_left)
        above = inner & (slope >= 0.0) & (slope <= at_right)
        left, at_left = np.where(below, place, left), np.where(below, slope, at_left)
        right, at_right = np.where(above, place, right), np.where(above, slope, at_right)
    bound = most > least
    rise = np.where(bound & (at_right > at_left), at_right - at_left, 1.0)
    share = np.where(bound & (at_right > at_left), -at_left, 0.0) / rise
    return np.where(bound, left + share * (right - left), least)
