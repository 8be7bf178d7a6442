"""Wasserstein-2 barycenter of group laws on the line: one sort, exact value, randomised ranks.

With quantile functions Q_z and weights w_z = P(Z=z) the barycenter has Q̄ = Σ w_z Q_z, and X̄ = Q̄(U)
at the rank U of X in its own group is independent of Z at the least possible mean squared change,
V = Σ w_z ∫ (Q_z - Q̄)² (Agueh & Carlier 2011; Xu & Strohmer 2023, 2025). The rank of an atom is
drawn from its whole interval of ranks: without that, equal values of two groups go to different
places, and the place names the group. The dial X_t = (1-t)X + tX̄ is McCann's interpolation: its
cost is t²V, its distance from the barycenter (1-t)√V.

Applied to each column of a table this leaves the dependence *between* columns visible.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike

from infounlearn.errors import Problems
from infounlearn.math.keyed_noise import noise_of_rows
from infounlearn.math.line_laws import check_amount, checked, codes_of, family, members, shares
from infounlearn.math.line_levels import distances, joined, law, mixed, places, ranked, steps

__all__ = ["LineBarycenter", "fit_line_barycenter"]

_WHERE = "line barycenter"


@dataclass(frozen=True, eq=False)
class LineBarycenter:
    """Fitted barycenter of the laws of groups on the line; see :func:`fit_line_barycenter`.

    Attributes:
        labels: (m,) names of the groups, sorted.
        weights: (m,) weight of each group.
        atoms: per group, its distinct values, ascending.
        counts: per group, how many fitted rows have each value.
        distances: (m,) squared Wasserstein-2 distance of each group's law from the barycenter.
        declared: whether the weights were given; else they are the shares of the rows.
    """

    labels: np.ndarray
    weights: np.ndarray
    atoms: tuple[np.ndarray, ...]
    counts: tuple[np.ndarray, ...]
    distances: np.ndarray
    declared: bool

    @property
    def value(self) -> float:
        """V = Σ w_z W2²(μ_z, μ̄): least mean squared change that makes the values independent."""
        return float(self.weights @ self.distances)

    @property
    def levels(self) -> np.ndarray:
        """(k,) upper ends, ascending to 1, of the intervals on which Q̄ is constant."""
        return self._steps[0]

    @property
    def points(self) -> np.ndarray:
        """(k,) Q̄ on those intervals."""
        return self._steps[1]

    @property
    def _laws(self) -> list[tuple[np.ndarray, np.ndarray]]:
        return list(zip(self.atoms, self.counts, strict=True))

    @cached_property
    def _steps(self) -> tuple[np.ndarray, np.ndarray]:
        """Levels and points, put together when first asked for: no map needs them."""
        return steps(self._laws, self.weights)

    def quantile(
        self, levels: ArrayLike, *, group: object = None, amount: float = 1.0
    ) -> np.ndarray:
        """Quantile function of X_t in a group, (1-t)Q_z + tQ̄, or Q̄ where ``group`` is None.

        Args:
            levels: (n,) numbers in [0, 1); each interval of ranks holds its lower end.
            group: a fitted label.
            amount: t in [0, 1]; has no effect without ``group``.

        Raises:
            InputError: a level is outside [0, 1), an unknown group, or an amount outside [0, 1].
        """
        at = np.asarray(levels, dtype=np.float64)
        problems = Problems(_WHERE)
        inside = bool(((at >= 0.0) & (at < 1.0)).all())
        problems.require(inside, "a level is outside [0, 1)", fix="pass levels in [0, 1)")
        check_amount(problems, amount)
        known = self.labels.tolist()
        problems.require(
            group is None or group in known, f"group {group!r} is unknown", fix=f"one of {known}"
        )
        problems.raise_if_any()
        center = self._center(at)
        if group is None or amount == 1.0:
            return center
        z = known.index(group)
        own = self.atoms[z][places(self.counts[z], at)]
        return own + amount * (center - own)

    def ranks(
        self,
        values: ArrayLike,
        groups: ArrayLike,
        *,
        noise: ArrayLike | None = None,
        seed: int | None = None,
        keys: ArrayLike | None = None,
    ) -> np.ndarray:
        """Randomised ranks U = F_z(x-) + ξ (F_z(x) - F_z(x-)): uniform on [0, 1) in every group.

        Between two fitted values both ends of the interval of ranks are interpolated, so that for a
        fixed ξ the rank is continuous and never falls as x rises. A value beyond the fitted range
        of its group takes the interval of the nearest fitted value: nothing is extrapolated.

        Args:
            values: (n,) finite numbers.
            groups: (n,) fitted labels.
            noise: ξ in [0, 1), (n,) or one number for all. One number draws nothing: 0.5 gives
                mid-ranks, which keep the group of atoms visible.
            seed: with ``keys``, instead of ``noise``: ξ is ``row_noise`` of the two.
            keys: (n,) integers that name the rows, such as an index: a row's ξ, hence its rank,
                depends on its own key only, never on the other rows of the call.

        Returns:
            (n,) float64 in [0, 1).

        Raises:
            InputError: lengths differ, a value is not finite, a label was not fitted, or neither
                noise nor seed and keys can be used.
        """
        problems = Problems(_WHERE)
        x, codes = self._rows(problems, values, groups)
        xi = noise_of_rows(problems, len(x), noise, seed, keys)
        problems.raise_if_any()
        ranks = np.empty(len(x))
        for rows, drawn in ranked(self._laws, x, codes, xi):
            ranks[rows] = drawn
        return ranks

    def transport(
        self,
        values: ArrayLike,
        groups: ArrayLike,
        *,
        amount: float = 1.0,
        noise: ArrayLike | None = None,
        seed: int | None = None,
        keys: ArrayLike | None = None,
    ) -> np.ndarray:
        """X_t = (1-t)X + tX̄ with X̄ = Q̄(U): every row moves by its own value, group and ξ only.

        At t = 1 the result of fitted rows has the barycenter's law in each group, exactly over ξ;
        for t < 1 it is nearer to it in Wasserstein distance, but atoms may still name the group
        (in nats nothing need be gained before t = 1).

        Args:
            values: (n,) finite numbers, fitted or new; new ones as in :meth:`ranks`.
            groups: (n,) fitted labels.
            amount: t in [0, 1]; 0 returns the values bit for bit and needs no noise.
            noise: as in :meth:`ranks`.
            seed: as in :meth:`ranks`.
            keys: as in :meth:`ranks`.

        Returns:
            (n,) float64; at t = 1 inside the barycenter's range.

        Raises:
            InputError: as :meth:`ranks`, or an amount outside [0, 1].
        """
        problems = Problems(_WHERE)
        x, codes = self._rows(problems, values, groups)
        moves = not check_amount(problems, amount) or amount > 0.0
        xi = noise_of_rows(problems, len(x), noise, seed, keys) if moves else np.zeros(len(x))
        problems.raise_if_any()
        if not moves:
            return x.copy()
        center = np.empty(len(x))
        for rows, drawn in ranked(self._laws, x, codes, xi):
            center[rows] = self._center(drawn)
        # This form leaves a value alone, to the last bit, where its place is the value itself.
        return center if amount == 1.0 else x + amount * (center - x)

    def merge(
        self, other: LineBarycenter, *, weights: Mapping[object, float] | None = None
    ) -> LineBarycenter:
        """The barycenter of the rows of both, equal bit for bit to one fit of all rows.

        Args:
            other: fitted on other rows of the same stream; it may have other groups.
            weights: as in :func:`fit_line_barycenter`; needed if either fit declared weights.

        Raises:
            InputError: labels are of unlike types, or weights that were declared are not passed.
        """
        problems = Problems(_WHERE)
        problems.require(
            family(self.labels) == family(other.labels),
            f"labels are {self.labels.dtype} here and {other.labels.dtype} there",
            fix="fit both parts with labels of one type",
        )
        problems.require(
            weights is not None or not (self.declared or other.declared),
            "one part was fitted with declared weights",
            fix="pass weights for the groups of the whole",
        )
        problems.raise_if_any()
        labels = np.unique(np.concatenate((self.labels, other.labels)))
        laws = [
            joined(
                [
                    part._laws[z]
                    for part in (self, other)
                    for z in np.flatnonzero(part.labels == label)
                ]
            )
            for label in labels
        ]
        return _build(labels, laws, weights)

    def _rows(
        self, problems: Problems, values: ArrayLike, groups: ArrayLike
    ) -> tuple[np.ndarray, np.ndarray]:
        """Values as float64 and the number of each row's group."""
        x, z = checked(problems, values, groups)
        codes = np.zeros(len(x), dtype=np.int8)
        if problems.found or not len(x):
            return x, codes
        if family(z) != family(self.labels):
            problems.add(
                f"groups are {z.dtype}, those fitted {self.labels.dtype}", fix="use one type"
            )
            return x, codes
        codes = codes_of(z, self.labels)
        unseen = np.unique(z[self.labels[codes] != z]).tolist()
        problems.require(
            not unseen,
            f"groups {unseen[:5]} were not fitted",
            fix=f"fit on rows of every group, or pass labels among {self.labels.tolist()[:9]}",
        )
        return x, codes

    def _center(self, ranks: np.ndarray) -> np.ndarray:
        """Q̄ at the ranks."""
        spans = [atoms[places(counts, ranks)] for atoms, counts in self._laws]
        return mixed(spans, self.weights)


def fit_line_barycenter(
    values: ArrayLike, groups: ArrayLike, *, weights: Mapping[object, float] | None = None
) -> LineBarycenter:
    """Barycenter of the empirical laws of the groups, in O(n log n).

    A single group is its own barycenter and stays put; a group of one row is a point mass, whose
    rows spread over the whole barycenter. The order of the rows has no effect.

    Args:
        values: (n,) finite numbers of absolute value at most 1e150.
        groups: (n,) labels of one type: truth values, integers, finite numbers or texts.
        weights: weight of each group by its label, summing to 1. By default P(Z=z) = n_z/n; with
            other weights the result is still independent of Z, but not at the least change.

    Raises:
        InputError: no rows, lengths differ, values not finite, labels missing or of mixed types, or
            weights that are no probabilities of exactly the groups present.
    """
    problems = Problems(_WHERE)
    x, z = checked(problems, values, groups)
    problems.require(len(x) > 0, "there are no rows", fix="pass at least one row")
    problems.raise_if_any()
    labels, rows = members(z)
    laws = []
    for own in rows:
        part = x[own]
        part.sort()
        part += 0.0  # -0 and 0 are one atom, whatever their order.
        laws.append(law(part))
    return _build(labels, laws, weights)


def _build(
    labels: np.ndarray,
    laws: list[tuple[np.ndarray, np.ndarray]],
    weights: Mapping[object, float] | None,
) -> LineBarycenter:
    problems = Problems(_WHERE)
    sizes = np.array([counts.sum() for _, counts in laws])
    share = shares(problems, labels, sizes, weights)
    problems.raise_if_any()
    atoms, counts = zip(*laws, strict=True)
    return LineBarycenter(labels, share, atoms, counts, distances(laws, share), weights is not None)
