"""Line engine: the barycenter of each numeric column by randomised ranks.

For one column the release is independent of the group. For several, each column is; what they tell
together stays visible.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce

import numpy as np

from infounlearn.errors import InputError
from infounlearn.feature.columns import MixedTable
from infounlearn.feature.engine import Noise, Release, Settings
from infounlearn.math import LineBarycenter, fit_line_barycenter

__all__ = ["LineFitted", "LineStream"]

BY_COLUMN = (
    "Each column is independent of the group on its own; the dependence between columns still "
    "tells of it."
)


@dataclass(frozen=True, eq=False)
class LineFitted:
    """One barycenter on the line per numeric column."""

    columns: tuple[LineBarycenter, ...]
    bank: None = None

    @property
    def limits(self) -> tuple[str, ...]:
        return (BY_COLUMN,) if len(self.columns) > 1 else ()

    @property
    def facts(self) -> Mapping[str, float]:
        """``value``: least mean squared change, summed over the columns."""
        return {"value": sum(column.value for column in self.columns)}

    def transform(self, table: MixedTable, codes: np.ndarray | None, noise: Noise) -> Release:
        if codes is None:
            raise InputError("line engine: a rank needs its group: pass sensitive")
        numbers = np.empty_like(table.numeric)
        for at, column in enumerate(self.columns):
            values = np.ascontiguousarray(table.numeric[:, at])
            numbers[:, at] = column.transport(values, codes, noise=noise(at))
        return Release(numbers=numbers)

    def kernels(self, table: MixedTable, codes: np.ndarray | None) -> None:
        return None


@dataclass
class LineStream:
    """Distinct values and their counts, per group and column: grows with the distinct values."""

    cells: dict[Hashable, list[LineBarycenter]] = field(default_factory=dict)

    def add(
        self,
        table: MixedTable,
        codes: np.ndarray,
        labels: Sequence[Hashable],
        target: np.ndarray | None,
    ) -> None:
        for group, label in enumerate(labels):
            rows = table.numeric[codes == group]
            if not len(rows):
                continue
            none = np.zeros(len(rows), dtype=np.int64)
            # A group alone is a law; laws of several groups are joined when all rows are seen.
            fresh = [fit_line_barycenter(np.ascontiguousarray(column), none) for column in rows.T]
            old = self.cells.get(label)
            self.cells[label] = (
                fresh if old is None else list(map(LineBarycenter.merge, old, fresh))
            )

    def count(self, label: Hashable) -> int:
        return int(self.cells[label][0].counts[0].sum())

    def fit(
        self, groups: Sequence[Sequence[Hashable]], settings: Settings, seed: int
    ) -> LineFitted:
        """One barycenter per column, a group being one cell or several pooled."""
        joined = []
        for number, keys in enumerate(groups):
            columns = zip(*map(self.cells.__getitem__, keys), strict=True)
            laws = [reduce(LineBarycenter.merge, column) for column in columns]
            joined.append([replace(law, labels=np.array([number])) for law in laws])
        return LineFitted(
            tuple(reduce(LineBarycenter.merge, column) for column in zip(*joined, strict=True))
        )
