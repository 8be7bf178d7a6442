"""One numeric column and a continuous Z: the conditional quantile map, by interpolated bins.

    U = F(X|Z) at a randomised rank,    X̄ = Q̄(U),    Q̄(u) = E_Z Q(u|Z)

makes X̄ independent of Z at the least change if F(·|Z) is known. Here Q(u|z) is estimated: Z is cut
at its quantiles, each bin has its own quantiles of X, and between the centres of two bins their
quantile functions are mixed, so that what moves within a bin is followed to first order. If no
two rows share a value of X, a linear trend in Z is taken out first, and so also followed beyond
the outermost centres. What is left of Z is *not* bounded: audit with the raw Z, not with its bins.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from infounlearn.errors import Problems, is_number
from infounlearn.math.line_laws import check_amount, checked

__all__ = ["ConditionalLine", "fit_conditional_line"]

_WHERE = "conditional line"
_SMALLEST = 30
"""Rows per bin by default: fewer tell too little of its quantiles."""
_BLOCK = 2048


@dataclass(frozen=True, eq=False)
class ConditionalLine:
    """Quantile curves of X along Z; see :func:`fit_conditional_line`.

    Attributes:
        centers: (B,) mean Z of each bin, ascending.
        weights: (B,) Σ of the mixing weights of the fitted rows, as shares.
        levels: (K,) levels of the quantiles, 0 to 1.
        curves: (B, K) quantiles of X minus the trend in each bin.
        slope: linear trend of X in Z; 0 where values of X repeat.
        mean: mean of Z.
    """

    centers: np.ndarray
    weights: np.ndarray
    levels: np.ndarray
    curves: np.ndarray
    slope: float
    mean: float

    @property
    def center(self) -> np.ndarray:
        """(K,) Q̄ at the levels."""
        return self.weights @ self.curves

    def transport(
        self, x: ArrayLike, z: ArrayLike, *, noise: ArrayLike, amount: float = 1.0
    ) -> np.ndarray:
        """(1 - t) x + t Q̄(U), each row by its own x, z and ξ.

        Args:
            x: (n,) finite numbers; beyond the fitted quantiles nothing is extrapolated.
            z: (n,) finite numbers.
            noise: ξ in [0, 1), (n,) or one number: where in its interval of ranks an atom falls.
            amount: t in [0, 1]; 0 returns x bit for bit.

        Raises:
            InputError: shapes that do not fit, values that are not finite, noise or an amount
                outside their ranges.
        """
        problems = Problems(_WHERE)
        values, given = _columns(problems, x, z)
        xi = np.asarray(noise, dtype=np.float64)
        problems.require(
            xi.shape in ((), values.shape) and bool(((xi >= 0) & (xi < 1)).all()),
            f"noise has shape {xi.shape} or leaves [0, 1)",
            fix="pass one number in [0, 1) per row",
        )
        check_amount(problems, amount)
        problems.raise_if_any()
        if amount == 0.0:
            return values.copy()
        xi, moved = np.broadcast_to(xi, values.shape), np.empty(len(values))
        for start in range(0, len(values), _BLOCK):
            some = slice(start, start + _BLOCK)
            moved[some] = np.interp(
                self._ranks(values[some], given[some], xi[some]), self.levels, self.center
            )
        return moved if amount == 1.0 else values + amount * (moved - values)

    def _ranks(self, x: np.ndarray, z: np.ndarray, xi: np.ndarray) -> np.ndarray:
        left, share = mixing(z, self.centers)
        right = np.minimum(left + 1, len(self.centers) - 1)
        low = self.curves[left]
        # Exactly the common value where both bins have the same atom.
        curve = low + share[:, None] * (self.curves[right] - low)
        at = (x - self.slope * (z - self.mean))[:, None]
        below, upto = (curve < at).sum(1), (curve <= at).sum(1)
        rows, last = np.arange(len(x)), len(self.levels) - 1
        before, after = np.maximum(below - 1, 0), np.minimum(below, last)
        gap = curve[rows, after] - curve[rows, before]
        part = np.divide(at[:, 0] - curve[rows, before], gap, out=np.zeros(len(x)), where=gap > 0)
        between = self.levels[before] + np.minimum(part, 1.0) * (
            self.levels[after] - self.levels[before]
        )
        first, end = self.levels[after], self.levels[np.maximum(upto - 1, 0)]
        return np.where(upto > below, first + xi * (end - first), between)


def mixing(z: np.ndarray, centers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Number of the centre at or before z, and the share of the next one; flat at the ends."""
    left = np.clip(np.searchsorted(centers, z, side="right") - 1, 0, max(len(centers) - 2, 0))
    right = np.minimum(left + 1, len(centers) - 1)
    gap = np.where(right > left, centers[right] - centers[left], 1.0)
    return left, np.clip((z - centers[left]) / gap, 0.0, 1.0)


def fit_conditional_line(
    x: ArrayLike, z: ArrayLike, *, bins: int | None = None, levels: int = 201
) -> ConditionalLine:
    """Quantile curves of x along z.

    Args:
        x: (n,) finite numbers.
        z: (n,) finite numbers; equal values share a bin, so there may be fewer bins than asked.
        bins: number of bins, at most n; by default ∛n, of at least 30 rows each, at most 64.
        levels: number K of quantile levels; ranks of atoms are right to 1/(K - 1).

    Raises:
        InputError: shapes that do not fit, no rows, values that are not finite, or settings out of
            range.
    """
    problems = Problems(_WHERE)
    values, given = _columns(problems, x, z)
    n = len(values)
    problems.require(n > 0, "there are no rows", fix="pass at least one row")
    problems.require(
        bins is None or (is_number(bins, whole=True) and 1 <= bins <= max(n, 1)),
        f"bins is {bins!r}",
        fix="pass a whole number from 1 to the number of rows",
    )
    problems.require(
        is_number(levels, whole=True) and levels >= 2, f"levels is {levels!r}", fix="pass 2 or more"
    )
    problems.raise_if_any()
    count = bins or int(max(1, min(round(n ** (1 / 3)), n // _SMALLEST, 64)))
    cuts = np.unique(np.quantile(given, np.arange(1, count) / count))
    bin_of = np.searchsorted(cuts, given, side="left")
    _, bin_of = np.unique(bin_of, return_inverse=True)
    mean = float(given.mean())
    slope, spread = 0.0, float(np.square(given - mean).sum())
    if spread > 0 and len(np.unique(values)) == n:
        slope = float((given - mean) @ values / spread)
    rest = values - slope * (given - mean)
    grid = np.linspace(0.0, 1.0, levels)
    number = int(bin_of.max()) + 1
    curves = np.stack([np.quantile(rest[bin_of == b], grid) for b in range(number)])
    centers = np.bincount(bin_of, given) / np.bincount(bin_of)
    left, share = mixing(given, centers)
    weights = np.bincount(left, 1.0 - share, number)
    weights += np.bincount(np.minimum(left + 1, number - 1), share, number)
    return ConditionalLine(centers, weights / n, grid, curves, slope, mean)


def _columns(problems: Problems, x: ArrayLike, z: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    values, given = checked(problems, x, z)
    fits = given.dtype.kind in "iuf" and given.shape == values.shape
    if not problems.found:
        problems.require(fits, f"z is of type {given.dtype}", fix="pass numbers")
    return values, given.astype(np.float64) if fits else np.zeros(len(values))
