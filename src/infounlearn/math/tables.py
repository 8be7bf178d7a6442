"""Joint tables: what every information in this package is computed from.

A *design* says with which probability each record is drawn. The joint law of stratum c, group z and
outcome y is then the table T[c,z,y] = Σ_j a_j p_j(y), linear in the outcome laws p_j, and

    I(Y; Z | C) = Σ_czy T ln(T / E),   E = T[c,z,·] T[c,·,y] / T[c,·,·].

Two designs are enough: disjoint groups, and the retain + forget pool against retain alone. Both
hand over the *gap* D = T - E without cancellation, so that terms E ψ(D/E), ψ(δ) = (1+δ)ln(1+δ) - δ,
keep their digits at information of 1e-13 nats, where Σ T ln(T/E) would return rounding noise.

Tables hold a few dozen numbers, so their arithmetic is NumPy's, on the CPU: a step costs a third of
the same operations as torch kernels, and a GPU waits for one transfer, not for thirty launches.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from infounlearn.errors import InputError, Problems

Prior = Sequence[float] | Tensor
"""Probabilities of the groups, in their order; they must sum to one."""


class Design(Protocol):
    """How records are drawn; see :class:`Groups` and :class:`Pools`."""

    @property
    def shape(self) -> tuple[int, int]:
        """Strata and groups that the cells of a table run over, in this order."""

    def __call__(self, sums: np.ndarray, counts: np.ndarray) -> tuple[float, np.ndarray]:
        """Information of the table, and its derivative by the outcome law of a row of each cell.

        Args:
            sums: (strata, groups, outcomes) float64, Σ p_j over the rows of each cell.
            counts: (strata, groups) float64, number of rows of each cell.

        Returns:
            Information in nats, and (strata, groups, outcomes) slopes ∂I/∂p_j(y).
        """


def pointwise(table: np.ndarray, expected: np.ndarray, gap: np.ndarray) -> tuple[float, np.ndarray]:
    """Information Σ E ψ(D/E), every term ≥ 0, and ln(T/E), for T = E + D.

    A term of an empty cell (T = 0) is E; its logarithm is returned as 0, because it only ever
    multiplies probabilities that are 0 (each p_j(y) ≥ 0 that T sums), so gradients stay finite.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        delta = gap / expected
        log_ratio = np.log1p(delta)
        # log1p keeps the digits of a small gap; log keeps those of a small table, where the gap
        # rounds to -E and log1p would see exactly -1.
        small = ~(delta > -0.5)
        if small.any():
            log_ratio[small] = np.log(table[small] / expected[small])
            log_ratio[table == 0.0] = 0.0
    return float((table * log_ratio - gap).sum()), log_ratio


@dataclass(frozen=True)
class Groups:
    """Disjoint groups: Z ~ prior, then a row of group Z, uniformly.

    Attributes:
        num_groups: number of groups m.
        prior: probability of each group; None weighs every row alike, that is the group shares.
        num_given: number of strata to condition on (1: none).
    """

    num_groups: int
    prior: Prior | None = None
    num_given: int = 1

    @property
    def shape(self) -> tuple[int, int]:
        """(strata, groups)."""
        return self.num_given, self.num_groups

    def __call__(self, sums: np.ndarray, counts: np.ndarray) -> tuple[float, np.ndarray]:
        """See :meth:`Design.__call__`."""
        weights = self.row_weights(counts)
        table = sums * weights
        share = mass = counts[:, :, None] * weights
        if self.num_given > 1:
            stratum = mass.sum(1, keepdims=True)
            # An empty stratum has mass 0 in every cell: any divisor will do.
            share = mass / np.where(stratum > 0, stratum, 1.0)
        expected = share * table.sum(1, keepdims=True)
        value, log_ratio = pointwise(table, expected, table - expected)
        return value, log_ratio * weights

    def row_weights(self, counts: np.ndarray) -> np.ndarray:
        """Probability with which each row of a group is drawn, shape (groups, 1) or 0-d.

        Raises:
            InputError: a group of positive declared probability has no row.
        """
        if self.prior is None:
            return np.reciprocal(counts.sum())
        shares = np.array(checked_prior(self.prior, self.num_groups))
        sizes = counts.sum(0)
        absent = np.flatnonzero((sizes == 0) & (shares > 0)).tolist()
        if absent:
            raise InputError(
                f"information: prior gives groups {absent} a positive probability, but they have "
                "no row: pass rows of every group, or leave prior out"
            )
        return (shares / np.where(sizes > 0, sizes, 1.0))[:, None]


@dataclass(frozen=True)
class Pools:
    """The marginal design: the retain + forget pool (Z = 0) against retain alone (Z = 1).

    Group 0 of the table holds retain rows, group 1 forget rows. Given Z = 0 a forget row is drawn
    with probability ``alpha``, else a retain row; given Z = 1 always a retain row.

    Attributes:
        alpha: share of forget rows in the pool; None is their natural share |F|/(|R|+|F|).
        prior: probabilities of the pool and of retain alone.
        num_given: number of strata to condition on (1: none).
    """

    alpha: float | None = None
    prior: Prior = (0.5, 0.5)
    num_given: int = 1

    @property
    def shape(self) -> tuple[int, int]:
        """(strata, 2)."""
        return self.num_given, 2

    def __call__(self, sums: np.ndarray, counts: np.ndarray) -> tuple[float, np.ndarray]:
        """See :meth:`Design.__call__`."""
        prior = tuple(self.prior.tolist() if isinstance(self.prior, Tensor) else self.prior)
        if self.num_given == 1:
            # Batches of one composition, as in training, share their maps.
            maps = _plain_maps(*counts[0].tolist(), self.alpha, prior)
        else:
            maps = pool_maps(counts, self.alpha, prior)
        table, expected, gap = (maps @ sums).reshape(len(sums), 3, 2, -1).swapaxes(0, 1)
        value, log_ratio = pointwise(table, expected, gap)
        return value, maps[:, :2].swapaxes(1, 2) @ log_ratio


def pool_maps(counts: np.ndarray, alpha: float | None, prior: Prior) -> np.ndarray:
    """What takes the sums of retain and forget rows to table, expected table and gap.

    Args:
        counts: (strata, 2) rows of retain and forget.
        alpha: share of forget rows in the pool; None is their natural share.
        prior: probabilities of the pool (Z = 0) and of retain alone (Z = 1).

    Returns:
        (strata, 6, 2): two rows each, pool before retain alone, for T, E and D.

    Raises:
        InputError: there is no retain or no forget row, or alpha or prior is no probability.
    """
    retained, forgotten = counts.sum(0).tolist()
    problems = Problems("marginal_information")
    for name, rows in (("forget", forgotten), ("retain", retained)):
        problems.require(
            rows > 0, f"there is no {name} row", fix="pass rows of both sets in one call"
        )
    problems.raise_if_any()
    alpha = forgotten / (retained + forgotten) if alpha is None else float(alpha)
    if not 0.0 < alpha <= 1.0:
        raise InputError(f"marginal_information: alpha is {alpha}: pass a share in (0, 1]")
    pool, alone = checked_prior(prior, 2)
    in_retain, in_forget = counts[:, 0] / retained, counts[:, 1] / forgotten
    in_pool = pool * ((1.0 - alpha) * in_retain + alpha * in_forget)
    stratum = in_pool + alone * in_retain
    # An empty stratum has sums of 0: any divisor will do.
    stratum = np.where(stratum > 0, stratum, 1.0)
    maps = np.zeros((len(counts), 6, 2))
    maps[:, 0] = pool * (1.0 - alpha) / retained, pool * alpha / forgotten
    maps[:, 1, 0] = alone / retained
    # E is the share of each pool in the stratum, of the sum of both rows of T.
    either = (1.0 - pool * alpha) / retained, pool * alpha / forgotten
    maps[:, 2] = np.outer(in_pool / stratum, either)
    maps[:, 3] = np.outer(alone * in_retain / stratum, either)
    # P - Q = α(P_u - P_r): never formed as a difference of pools, which agree to 1 - α.
    maps[:, 4, 0] = -(pool * alone * alpha / retained) * in_forget / stratum
    maps[:, 4, 1] = (pool * alone * alpha / forgotten) * in_retain / stratum
    maps[:, 5] = -maps[:, 4]
    return maps


@lru_cache(maxsize=256)
def _plain_maps(
    retained: float, forgotten: float, alpha: float | None, prior: tuple[float, ...]
) -> np.ndarray:
    return pool_maps(np.array([[retained, forgotten]]), alpha, prior)


def checked_prior(prior: Prior, num_groups: int) -> list[float]:
    """``prior`` as floats that sum to one to the last digit.

    Raises:
        InputError: wrong length, a negative or non-finite entry, or a sum away from one.
    """
    shares = [float(share) for share in (prior.tolist() if isinstance(prior, Tensor) else prior)]
    problems = Problems("information")
    problems.require(
        len(shares) == num_groups,
        f"prior has {len(shares)} entries for {num_groups} groups",
        fix="pass one probability per group",
    )
    total = math.fsum(shares)
    problems.require(
        all(share >= 0 for share in shares) and math.isclose(total, 1.0, abs_tol=1e-6),
        f"prior {shares} is no distribution",
        fix="pass non-negative numbers that sum to one",
    )
    problems.raise_if_any()
    return [share / total for share in shares]


# Below this many entries a table is summed by a product with the indicator matrix: one kernel, and
# the same bits on every run, which index_add on a GPU does not promise.
_DENSE = 1 << 24


def cell_sums(rows: Tensor, cells: Tensor, shape: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Sums of the rows of each cell, (strata, groups, outcomes), and counts, (strata, groups).

    Args:
        rows: (n, outcomes) float64 outcome laws.
        cells: (n,) int64 in [0, strata * groups), stratum by stratum.
        shape: strata and groups.
    """
    total = shape[0] * shape[1]
    if total * len(cells) <= _DENSE:
        indicator = (torch.arange(total, device=cells.device)[:, None] == cells).to(rows.dtype)
        sums, counts = indicator @ rows, indicator.sum(1)
    else:
        sums = rows.new_zeros(total, rows.shape[1]).index_add_(0, cells, rows)
        counts = torch.bincount(cells, minlength=total).to(rows.dtype)
    return sums.view(*shape, -1), counts.view(shape)
