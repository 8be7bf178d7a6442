"""Which rows a training step visits, and this process's share of them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from infounlearn.point.batches import ClassPools, RecordSet, Stream, stream_seed, to_device
from infounlearn.point.evaluation import Sets
from infounlearn.point.processes import Processes
from infounlearn.point.schedule import Schedule


@dataclass(frozen=True)
class Rows:
    """This process's rows of one part of a step, and how many all processes hold."""

    inputs: object
    targets: Tensor
    index: Tensor
    total: int


class StepRows:
    """The rows of every step: functions of the seed and the step's number alone."""

    def __init__(
        self,
        sets: Sets,
        schedule: Schedule,
        seed: int,
        device: torch.device,
        processes: Processes,
    ) -> None:
        self._seed, self._device, self._processes = seed, device, processes
        self._retain = _Part(sets.retain, schedule.batch_size, seed, "retain")
        self._forget = _Part(sets.forget, schedule.forget_batch_size, seed, "forget")
        self._held = sets.targets
        self._pools: ClassPools | None = None

    def retain(self, step: int) -> Rows:
        """The next rows of the shuffled retain set."""
        return self._take(self._retain.records, self._retain.batch(step), "retain", step)

    def forget(self, step: int) -> Rows:
        """The next rows of the shuffled forget set."""
        return self._take(self._forget.records, self._forget.batch(step), "forget", step)

    def matched_holdout(self, step: int) -> Rows:
        """Held-out rows of the classes of this step's forget rows."""
        assert self._held is not None  # needs_holdout: checked before the run
        if self._pools is None:
            self._pools = ClassPools(self._held.targets)
        wanted = self._forget.records.targets[self._forget.batch(step)]
        drawn = self._pools.draw(wanted, stream_seed(self._seed, "holdout", step))
        return self._take(self._held, drawn, "holdout", step)

    def _take(self, records: RecordSet, index: Tensor, *purpose: object) -> Rows:
        own = self._processes.share(index)
        seed = stream_seed(self._seed, *purpose, self._processes.rank)
        inputs, targets = records.take(own, seed)
        device = self._device
        return Rows(to_device(inputs, device), targets.to(device), own.to(device), len(index))


class _Part:
    """One record set, visited in shuffled passes."""

    def __init__(self, records: RecordSet, batch_size: int, seed: int, name: str) -> None:
        self.records = records
        self._size = min(batch_size, len(records))
        self._stream = Stream(len(records), seed, name)

    def batch(self, step: int) -> Tensor:
        """Positions of the step's rows over all processes."""
        return self._stream.batch(step, self._size)
