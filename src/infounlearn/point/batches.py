"""Random access to record sets, and orders that need no memory.

A run visits rows in an order that is a function of (seed, purpose, number of the pass) alone. So a
resumed run continues where the killed one was without storing a generator, and every process of a
distributed run knows the whole batch and takes its own share.
"""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, default_collate

from infounlearn.data.reading import (
    as_tensors,
    batches,
    record_hashes,
    same_randomness,
    split_batch,
)

Inputs = Tensor | Mapping[str, Tensor]


def stream_seed(seed: int, *purpose: object) -> int:
    """A seed for one purpose, so that no two purposes of a run share random numbers."""
    text = "/".join(map(str, (seed, *purpose)))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:7], "big")


def shuffled(rows: int, seed: int, *purpose: object) -> Tensor:
    """(rows,) a random order of 0..rows-1 that depends on the arguments only."""
    generator = torch.Generator().manual_seed(stream_seed(seed, *purpose))
    return torch.randperm(rows, generator=generator)


@contextmanager
def own_randomness(device: torch.device) -> Iterator[None]:
    """Lend a run torch's global generators, and put them back afterwards."""
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        yield


def seed_step(device: torch.device, seed: int) -> None:
    """Seed the generators that layers such as dropout draw from."""
    # torch.manual_seed would also seed devices that nothing puts back.
    torch.default_generator.manual_seed(seed)
    if device.type == "cuda":
        with torch.cuda.device(device):
            torch.cuda.manual_seed(seed)


class Stream:
    """An endless sequence of row positions: shuffled passes, one after another.

    Every row occurs once per pass, whatever the batch size: nothing is dropped.
    """

    def __init__(self, rows: int, seed: int, *purpose: object) -> None:
        self._rows, self._seed, self._purpose = rows, seed, purpose
        self._passes: dict[int, Tensor] = {}

    def batch(self, number: int, size: int) -> Tensor:
        """(size,) positions of batch ``number``, counted from 0 in batches of ``size``."""
        first, last = number * size, (number + 1) * size
        parts = []
        for turn in range(first // self._rows, (last - 1) // self._rows + 1):
            low, high = max(first - turn * self._rows, 0), min(last - turn * self._rows, self._rows)
            parts.append(self._pass(turn)[low:high])
        return parts[0] if len(parts) == 1 else torch.cat(parts)

    def _pass(self, turn: int) -> Tensor:
        if turn not in self._passes:
            self._passes = {k: v for k, v in self._passes.items() if k >= turn - 1}
            self._passes[turn] = shuffled(self._rows, self._seed, *self._purpose, turn)
        return self._passes[turn]


class RecordSet:
    """Rows of any record set by position.

    Sets held as two tensors are sliced; others are asked item by item, so that random transforms
    stay random, each time from a seed. A ``DataLoader`` lends its dataset and its collate function.
    """

    def __init__(self, data: Any, name: str) -> None:
        self.name = name
        self._loader = data if isinstance(data, DataLoader) else None
        self._data: Any = self._loader.dataset if self._loader is not None else data
        self._collate = self._loader.collate_fn if self._loader is not None else default_collate
        self._tensors = as_tensors(self._data)
        whole: Any = self._data if self._tensors is None else self._tensors[0]
        self._index = torch.arange(len(whole))
        self._targets: Tensor | None = None
        self._hashes: list[bytes] | None = None

    def __len__(self) -> int:
        return len(self._index)

    def take(self, positions: Tensor, seed: int = 0) -> tuple[Any, Tensor]:
        """Inputs and targets of the rows at ``positions``; random transforms draw from ``seed``."""
        rows = self._index[positions]
        if self._tensors is not None:
            return self._tensors[0][rows], _whole(self._tensors[1][rows])
        # A process of many may have no row of a small batch; an item tells what none looks like.
        items = rows if len(rows) else self._index[:1]
        with same_randomness(seed=seed):
            inputs, targets = split_batch(self._collate([self._data[int(row)] for row in items]))
        if len(rows) == 0:
            inputs, targets = _no_rows(inputs), targets[:0]
        return inputs, _whole(targets)

    def part(self, positions: Tensor, name: str) -> RecordSet:
        """The rows at ``positions`` as a set of their own."""
        one = copy.copy(self)
        one.name, one._index = name, self._index[positions]
        one._targets = self.targets[positions]
        one._hashes = [self.hashes[position] for position in positions.tolist()]
        return one

    @property
    def dataset(self) -> Any:
        """The rows as something that an audit reads: two tensors, a Subset, or a loader of one."""
        if self._tensors is not None:
            return self._tensors[0][self._index], self._tensors[1][self._index]
        rows = torch.utils.data.Subset(self._data, self._index.tolist())
        if self._collate is default_collate:
            return rows
        return DataLoader(rows, batch_size=1024, collate_fn=self._collate)

    @property
    def targets(self) -> Tensor:
        """(n,) int64 labels or (n, ...) real targets, read once."""
        return self._read()[0]

    @property
    def hashes(self) -> list[bytes]:
        """SHA-256 of each record (input and target), read once."""
        return self._read()[1]

    def _read(self) -> tuple[Tensor, list[bytes]]:
        if self._targets is None or self._hashes is None:
            targets, hashes = [], []
            with same_randomness():
                for inputs, labels in batches(self.dataset, 1024):
                    targets.append(_whole(labels.detach().cpu()))
                    hashes += record_hashes(inputs, targets[-1])
            self._targets, self._hashes = torch.cat(targets), hashes
        return self._targets, self._hashes


def _whole(targets: Tensor) -> Tensor:
    """Labels of any integer type as int64, which losses ask for; real targets as they are."""
    return targets if targets.dtype.is_floating_point else targets.long()


def _no_rows(inputs: Any) -> Any:
    if isinstance(inputs, Mapping):
        return {key: value[:0] for key, value in inputs.items()}
    return inputs[:0]


def join(parts: Sequence[Any]) -> Any:
    """Inputs of several batches as one: tensors, or mappings of tensors."""
    if len(parts) == 1:
        return parts[0]
    if isinstance(parts[0], Mapping):
        return {key: torch.cat([part[key] for part in parts]) for key in parts[0]}
    return torch.cat(list(parts))


def to_device(inputs: Any, device: torch.device) -> Any:
    """Inputs on ``device``."""
    if isinstance(inputs, Mapping):
        return {key: value.to(device) for key, value in inputs.items()}
    return inputs.to(device)


class ClassPools:
    """Row positions by class, from which partners of the same classes are drawn."""

    def __init__(self, targets: Tensor) -> None:
        labels = classes(targets)
        self._order = torch.argsort(labels, stable=True)
        self._sizes = torch.bincount(labels)
        self._starts = torch.cumsum(self._sizes, 0) - self._sizes

    def draw(self, targets: Tensor, seed: int) -> Tensor:
        """For each target one row position of its class, with replacement."""
        labels = classes(targets)
        generator = torch.Generator().manual_seed(seed)
        share = torch.rand(len(labels), dtype=torch.float64, generator=generator)
        return self._order[self._starts[labels] + (share * self._sizes[labels]).long()]


def classes(targets: Tensor) -> Tensor:
    """Class labels; one class for all where the targets are real numbers."""
    if targets.dtype.is_floating_point:
        return torch.zeros(len(targets), dtype=torch.long, device=targets.device)
    return targets
