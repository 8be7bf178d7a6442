"""Affine engine: the W2 barycenter of Gaussians with the moments of the groups.

Exact for Gaussian rows; of other laws the first two moments lose the group and the rest keeps it. A
continuous sensitive variable is removed by the joint Gaussian residual X − Σ_xz Σ_zz⁺ (Z − E Z).
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce

import numpy as np

from infounlearn.errors import InputError
from infounlearn.feature.columns import MixedTable
from infounlearn.feature.engine import Noise, Release, Settings
from infounlearn.math import (
    GaussianBarycenter,
    GaussianResidual,
    GroupMoments,
    gaussian_barycenter,
    gaussian_residual,
)

__all__ = ["GaussianFitted", "MomentStream", "ResidualFitted", "ResidualStream"]

MOMENTS_ONLY = (
    "Affine maps match means and covariances: laws that are not Gaussian keep what their higher "
    "moments tell of the group, and equal atoms of two groups go to different places."
)


@dataclass(frozen=True, eq=False)
class GaussianFitted:
    """Maps of the groups to their Gaussian barycenter."""

    barycenter: GaussianBarycenter
    bank: None = None
    limits: tuple[str, ...] = (MOMENTS_ONLY,)

    @property
    def facts(self) -> Mapping[str, float]:
        """``value``: least mean squared change; ``push_residual``: error of the common moments."""
        found = self.barycenter
        return {"value": found.value, "push_residual": found.push_residual, "rank": found.rank}

    def transform(self, table: MixedTable, codes: np.ndarray | None, noise: Noise) -> Release:
        draws = None
        if self.barycenter.jitter > 0.0:
            from scipy.special import ndtri

            streams = [noise(column) for column in range(table.numeric.shape[1])]
            # Half a step up: a uniform of 0 would be an infinite normal.
            draws = ndtri(np.stack(streams, axis=1) + 2.0**-54)
        if codes is None:
            raise InputError("gaussian engine: a map needs its group: pass sensitive")
        return Release(numbers=self.barycenter.transport(table.numeric, codes, noise=draws))

    def kernels(self, table: MixedTable, codes: np.ndarray | None) -> None:
        return None


@dataclass
class MomentStream:
    """Moments of each group, from rows in any number of batches."""

    cells: dict[Hashable, GroupMoments] = field(default_factory=dict)

    def add(
        self,
        table: MixedTable,
        codes: np.ndarray,
        labels: Sequence[Hashable],
        target: np.ndarray | None,
    ) -> None:
        batch = GroupMoments.empty(len(labels), table.numeric.shape[1]).add(table.numeric, codes)
        for group, label in enumerate(labels):
            part = _stack([_slice(batch, group)])
            old = self.cells.get(label)
            self.cells[label] = part if old is None else old.merge(part)

    def count(self, label: Hashable) -> int:
        return round(float(self.cells[label].counts[0]))

    def fit(
        self, groups: Sequence[Sequence[Hashable]], settings: Settings, seed: int
    ) -> GaussianFitted:
        """One map per group, a group being one cell or several pooled."""
        pooled = [reduce(GroupMoments.merge, map(self.cells.__getitem__, keys)) for keys in groups]
        moments = _stack([_slice(part, 0) for part in pooled])
        return GaussianFitted(gaussian_barycenter(moments, jitter=settings.jitter))


@dataclass(frozen=True, eq=False)
class ResidualFitted:
    """Removal of a continuous Z that is jointly Gaussian with X."""

    residual: GaussianResidual
    bank: None = None
    limits: tuple[str, ...] = (
        "The residual is independent of a continuous Z where the two are jointly Gaussian; else "
        "it is uncorrelated with Z and no more.",
    )

    @property
    def facts(self) -> Mapping[str, float]:
        """``value``: least mean squared change; ``rank``: of the covariance of Z."""
        return {"value": self.residual.value, "rank": self.residual.rank}

    def transform(self, table: MixedTable, codes: np.ndarray | None, noise: Noise) -> Release:
        if codes is None:
            raise InputError("gaussian engine: the residual needs Z: pass sensitive")
        return Release(numbers=self.residual.transport(table.numeric, codes))

    def kernels(self, table: MixedTable, codes: np.ndarray | None) -> None:
        return None


@dataclass
class ResidualStream:
    """Joint moments of (X, Z), from rows in any number of batches."""

    moments: GroupMoments | None = None
    width: int = 0

    def add(self, table: MixedTable, values: np.ndarray) -> None:
        rows = np.concatenate((table.numeric, values), axis=1)
        start = self.moments or GroupMoments.empty(1, rows.shape[1])
        self.moments = start.add(rows, np.zeros(len(rows), dtype=np.int64))
        self.width = table.numeric.shape[1]

    def fit(self) -> ResidualFitted:
        if self.moments is None:
            raise InputError("gaussian engine: no rows were seen: call fit first")
        return ResidualFitted(gaussian_residual(self.moments, self.width))


def _slice(moments: GroupMoments, group: int) -> tuple[np.ndarray, ...]:
    return moments.counts[group], moments.means[group], moments.scatters[group]


def _stack(parts: list[tuple[np.ndarray, ...]]) -> GroupMoments:
    counts, means, scatters = (np.stack(column) for column in zip(*parts, strict=True))
    return GroupMoments(counts, means, scatters)
