"""A bounded uniform sample of the rows of each group, the same for any split of one stream.

Every row of the stream draws a priority from the seed and its number in the stream; a group keeps
its rows of least priority. That is a uniform sample without replacement, and it merges: the least
of two parts are the least of the whole (bottom-k sampling, Cohen & Kaplan 2007).
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce

import numpy as np

from infounlearn.feature.columns import MixedTable
from infounlearn.feature.engine import Fitted, Settings
from infounlearn.math import row_noise

__all__ = ["Reservoir"]


@dataclass(frozen=True, eq=False)
class _Sample:
    table: MixedTable
    priority: np.ndarray
    number: np.ndarray
    target: np.ndarray | None
    seen: int


@dataclass
class Reservoir:
    """Rows kept of each group, for an engine that is fitted on rows.

    Attributes:
        engine: fits the rows kept.
        max_rows: most rows kept of one group.
        seed: of the priorities.
        seen: rows of the stream so far.
    """

    engine: Callable[..., Fitted]
    max_rows: int
    seed: int
    seen: int = 0
    cells: dict[Hashable, _Sample] = field(default_factory=dict)

    def add(
        self,
        table: MixedTable,
        codes: np.ndarray,
        labels: Sequence[Hashable],
        target: np.ndarray | None,
    ) -> None:
        numbers = np.arange(self.seen, self.seen + len(table))
        priority = row_noise(self.seed, numbers)
        self.seen += len(table)
        for group, label in enumerate(labels):
            rows = np.flatnonzero(codes == group)
            if not len(rows):
                continue
            part = None if target is None else target[rows]
            fresh = _Sample(table.take(rows), priority[rows], numbers[rows], part, len(rows))
            old = self.cells.get(label)
            joined = fresh if old is None else _joined(old, fresh)
            self.cells[label] = self._least(joined)

    def count(self, label: Hashable) -> int:
        return self.cells[label].seen

    def fit(self, groups: Sequence[Sequence[Hashable]], settings: Settings, seed: int) -> Fitted:
        """The engine on the rows kept, a group being one cell or several pooled."""
        pooled = [reduce(_joined, map(self.cells.__getitem__, keys)) for keys in groups]
        samples = list(map(self._least, pooled))
        codes = np.repeat(np.arange(len(samples)), [len(sample.table) for sample in samples])
        seen = np.array([sample.seen for sample in samples])
        whole = samples[0]
        for sample in samples[1:]:
            whole = _joined(whole, sample)
        # In the order of the stream, so that a table that fits is seen as it came.
        order = np.argsort(whole.number, kind="stable")
        return self.engine(
            whole.table.take(order),
            codes[order],
            seen / seen.sum(),
            target=None if whole.target is None else whole.target[order],
            settings=settings,
            seed=seed,
        )

    def _least(self, sample: _Sample) -> _Sample:
        if len(sample.priority) <= self.max_rows:
            return sample
        keep = np.argpartition(sample.priority, self.max_rows - 1)[: self.max_rows]
        keep = np.sort(keep)
        target = None if sample.target is None else sample.target[keep]
        return replace(
            sample,
            table=sample.table.take(keep),
            priority=sample.priority[keep],
            number=sample.number[keep],
            target=target,
        )


def _joined(first: _Sample, second: _Sample) -> _Sample:
    target = None
    if first.target is not None and second.target is not None:
        target = np.concatenate((first.target, second.target))
    return _Sample(
        first.table.merge(second.table),
        np.concatenate((first.priority, second.priority)),
        np.concatenate((first.number, second.number)),
        target,
        first.seen + second.seen,
    )
