"""Best accept/reject decisions under demographic parity: the whole frontier from one sort.

A row gains g when it is accepted (2η - 1 for accuracy, η = P(Y=1 | x, z)). Whatever the rate p_z at
which a group is accepted, its best rows go first, so its gain G_z(p) is concave, and

    max Σ_z w_z G_z(p_z)   subject to   max_z p_z - min_z p_z <= τ

has the solution p_z = the free optimum of the group, clipped to a window [q, q + τ], where one
number q maximises a concave function (fair classification by thresholds: Hardt et al. 2016; Corbett
-Davies et al. 2017; the reduction to one dimension is elementary). Bisection finds q exactly up to
rounding; atoms of the score are split at random. O(n log n) for the sort, then O(m log n) per τ.
Optimal for the gains passed: how good they are on new rows is a question of calibration.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from infounlearn.errors import Problems, is_number
from infounlearn.math.line_laws import checked, family

__all__ = ["GroupThresholds", "ParityCurve", "fit_parity_curve"]


@dataclass(frozen=True, eq=False)
class GroupThresholds:
    """Randomised thresholds: accept above the threshold of the group, at it with ``shares``.

    Attributes:
        labels: (m,) names of the groups, sorted.
        thresholds: (m,) in units of the gain; infinite where a group is wholly refused or accepted.
        shares: (m,) probability of acceptance at the threshold itself.
        rates: (m,) share of the fitted rows accepted.
        gain: Σ w_z G_z: mean gain over refusing every fitted row.
        tolerance: the bound on max p_z - min p_z.
    """

    labels: np.ndarray
    thresholds: np.ndarray
    shares: np.ndarray
    rates: np.ndarray
    gain: float
    tolerance: float

    def accept(self, gains: ArrayLike, z: ArrayLike) -> np.ndarray:
        """(n,) probability of acceptance of each row, from its own gain and group alone.

        Args:
            gains: (n,) finite numbers.
            z: (n,) fitted labels.

        Raises:
            InputError: lengths differ, gains not finite, or a group that was not fitted.
        """
        problems = Problems("thresholds")
        values, labels = checked(problems, gains, z)
        codes = np.zeros(len(values), dtype=np.int64)
        if not problems.found and len(values):
            same = family(labels) == family(self.labels)
            unseen = np.unique(labels if not same else labels[~np.isin(labels, self.labels)])
            problems.require(
                not len(unseen),
                f"groups {unseen.tolist()[:5]} were not fitted",
                fix=f"pass labels among {self.labels.tolist()[:9]}",
            )
            codes = np.searchsorted(self.labels, labels) if not problems.found else codes
        problems.raise_if_any()
        return self.accept_codes(values, codes)

    def accept_codes(self, gains: np.ndarray, codes: np.ndarray) -> np.ndarray:
        """As :meth:`accept` for the numbers of the groups in ``labels``; nothing is checked."""
        at = self.thresholds[codes]
        return np.where(gains == at, self.shares[codes], gains > at)


@dataclass(frozen=True, eq=False)
class ParityCurve:
    """Gain against parity for every tolerance; see :func:`fit_parity_curve`.

    Attributes:
        labels: (m,) names of the groups, sorted.
        weights: (m,) share of the mass in each group.
        atoms: per group, its distinct gains, descending.
        tops: per group, share of its mass at or above each atom, ascending to 1.
        sums: per group, G_z at those shares.
        free: (m,) rates of the unconstrained optimum: the share of rows with a positive gain.
    """

    labels: np.ndarray
    weights: np.ndarray
    atoms: tuple[np.ndarray, ...]
    tops: tuple[np.ndarray, ...]
    sums: tuple[np.ndarray, ...]
    free: np.ndarray

    @property
    def gap(self) -> float:
        """Gap of the unconstrained optimum: from this tolerance on nothing is given up."""
        return float(np.ptp(self.free))

    def solve(self, tolerance: float) -> GroupThresholds:
        """The optimum under one bound.

        Args:
            tolerance: τ in [0, 1].

        Raises:
            InputError: a tolerance outside [0, 1].
        """
        gains, rates = self.frontier([tolerance])
        found = [self._threshold(z, float(rates[0, z])) for z in range(len(self.labels))]
        thresholds, shares = (np.array(column) for column in zip(*found, strict=True))
        return GroupThresholds(
            self.labels, thresholds, shares, rates[0], float(gains[0]), float(tolerance)
        )

    def frontier(self, tolerances: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
        """Best gain and rates for each bound; concave and non-decreasing in the bound.

        Args:
            tolerances: (t,) numbers in [0, 1].

        Returns:
            (t,) gains over refusing everyone, and (t, m) rates of acceptance.

        Raises:
            InputError: a tolerance outside [0, 1].
        """
        bound = np.asarray(tolerances)
        problems = Problems("parity curve")
        fits = bound.ndim == 1 and bound.dtype.kind in "iuf"
        problems.require(
            fits and bool(((bound >= 0) & (bound <= 1)).all()),
            f"tolerance is {np.array2string(bound, threshold=5)}",
            fix="pass numbers in [0, 1]: 0 asks for equal rates",
        )
        problems.raise_if_any()
        low, high = np.zeros(bound.shape), 1.0 - bound
        # Halved until floats end: the slope has one sign on each side of the optimum.
        for _ in range(60):
            middle = (low + high) / 2
            rising = self._slope(middle, bound) > 0
            low = np.where(rising, middle, low)
            high = np.where(rising, high, middle)
        rates = np.clip(self.free, high[:, None], (high + bound)[:, None])
        gains = sum(
            (w * self._gain(z, rates[:, z]) for z, w in enumerate(self.weights)),
            start=np.zeros(bound.shape),
        )
        return gains, rates

    def _slope(self, q: np.ndarray, bound: np.ndarray) -> np.ndarray:
        """Right derivative by q of Σ w_z G_z(clip(free_z, q, q + τ))."""
        total = np.zeros(q.shape)
        for weight, atoms, tops, free in zip(
            self.weights, self.atoms, self.tops, self.free, strict=True
        ):
            for at, moved in ((q, free <= q), (q + bound, free > q + bound)):
                index = np.minimum(np.searchsorted(tops, at, side="right"), len(atoms) - 1)
                total += weight * np.where(moved, atoms[index], 0.0)
        return total

    def _gain(self, z: int, rates: np.ndarray) -> np.ndarray:
        return np.interp(
            rates, np.concatenate(([0.0], self.tops[z])), np.concatenate(([0.0], self.sums[z]))
        )

    def _threshold(self, z: int, rate: float) -> tuple[float, float]:
        atoms, tops = self.atoms[z], self.tops[z]
        if rate == self.free[z]:
            return 0.0, 0.0
        if rate <= 0.0:
            return np.inf, 0.0
        if rate >= 1.0:
            return -np.inf, 0.0
        at = int(np.searchsorted(tops, rate, side="left"))
        before = tops[at - 1] if at else 0.0
        return float(atoms[at]), float((rate - before) / (tops[at] - before))


def fit_parity_curve(
    gains: ArrayLike, z: ArrayLike, *, masses: ArrayLike | None = None
) -> ParityCurve:
    """Sort the gains of each group, once for all tolerances.

    Args:
        gains: (n,) finite numbers, utility of accepting a row less that of refusing it.
        z: (n,) group of each row.
        masses: (n,) positive weights of the rows; by default all count alike.

    Raises:
        InputError: no rows, lengths differ, gains not finite, labels missing, masses not positive.
    """
    problems = Problems("parity curve")
    values, groups = checked(problems, gains, z)
    problems.require(len(values) > 0 or bool(problems.found), "there are no rows", fix="pass some")
    mass = None if masses is None else np.asarray(masses)
    if mass is not None:
        usable = mass.shape == values.shape and mass.dtype.kind in "iuf"
        problems.require(
            usable and bool((np.isfinite(mass) & (mass > 0)).all()),
            f"masses of shape {mass.shape} and type {mass.dtype} for {len(values)} rows",
            fix="pass one finite number > 0 per row",
        )
    problems.raise_if_any()
    labels, codes = np.unique(groups, return_inverse=True)
    atoms, tops, sums, free, weights = [], [], [], [], []
    for number in range(len(labels)):
        own = codes == number
        if mass is None:
            ordered = np.sort(values[own])[::-1] + 0.0
            earned, total = np.cumsum(ordered), np.arange(1.0, len(ordered) + 1)
        else:
            order = np.argsort(values[own], kind="stable")[::-1]
            ordered, weight = values[own][order] + 0.0, mass[own][order].astype(np.float64)
            earned, total = np.cumsum(weight * ordered), np.cumsum(weight)
        ends = np.flatnonzero(np.concatenate((ordered[1:] != ordered[:-1], [True])))
        atoms.append(ordered[ends])
        tops.append(total[ends] / total[-1])
        sums.append(earned[ends] / total[-1])
        positive = int(np.count_nonzero(atoms[-1] > 0))
        free.append(tops[-1][positive - 1] if positive else 0.0)
        weights.append(total[-1])
    share = np.array(weights) / sum(weights)
    return ParityCurve(labels, share, tuple(atoms), tuple(tops), tuple(sums), np.array(free))


def check_tolerance(problems: Problems, tolerance: object) -> None:
    """Add a problem unless the bound is a number in [0, 1]."""
    fits = isinstance(tolerance, int | float) and is_number(tolerance) and 0 <= tolerance <= 1
    problems.require(
        fits, f"tolerance is {tolerance!r}", fix="pass a number in [0, 1]: 0 asks for equal rates"
    )
