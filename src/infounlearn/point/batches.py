"""Random access to record sets, and orders that need no memory.

A run visits rows in an order that is a function of (seed, purpose, number of the pass) alone. So a
resumed run continues where the killed one was without storing a generator, and every process of a
distributed run knows the whole batch and takes its own share.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
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
    stay random. A ``DataLoader`` lends its dataset and its collate function.
    """

    def __init__(self, data: Any, name: str, index: Tensor | None = None) -> None:
        self.name = name
        loader = data if isinstance(data, DataLoader) else None
        self._data: Any = loader.dataset if loader is not None else data
        self._collate = loader.collate_fn if loader is not None else default_collate
        self._tensors = as_tensors(self._data)
        if index is None:
            whole: Any = self._data if self._tensors is None else self._tensors[0]
            index = torch.arange(len(whole))
        self._index = index
        self._targets: Tensor | None = None
        self._hashes: list[bytes] | None = None

    def __len__(self) -> int:
        return len(self._index)

    def take(self, positions: Tensor) -> tuple[Any, Tensor]:
        """Inputs and targets of the rows at ``positions``."""
        rows = self._index[positions]
        if self._tensors is not None:
            return self._tensors[0][rows], self._tensors[1][rows]
        return split_batch(self._collate([self._data[int(row)] for row in rows]))

    def part(self, positions: Tensor, name: str) -> RecordSet:
        """The rows at ``positions`` as a set of their own."""
        return RecordSet(self._data, name, self._index[positions])

    @property
    def dataset(self) -> Any:
        """The rows as something that an audit reads: a Subset, or a pair of tensors."""
        if self._tensors is not None:
            return self._tensors[0][self._index], self._tensors[1][self._index]
        return torch.utils.data.Subset(self._data, self._index.tolist())

    @property
    def targets(self) -> Tensor:
        """(n,) or (n, d) targets, read once."""
        if self._targets is None:
            self._read()
        assert self._targets is not None
        return self._targets

    @property
    def hashes(self) -> list[bytes]:
        """SHA-256 of each record (input and target), read once."""
        if self._hashes is None:
            self._read()
        assert self._hashes is not None
        return self._hashes

    def _read(self) -> None:
        targets, hashes = [], []
        data = self.dataset
        if not isinstance(data, tuple):
            data = DataLoader(data, batch_size=1024, collate_fn=self._collate)
        with same_randomness(data):
            for inputs, labels in batches(data, 1024):
                targets.append(labels.detach().cpu())
                hashes += record_hashes(inputs, labels)
        self._targets, self._hashes = torch.cat(targets), hashes


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


def class_matched(labels: Tensor, pools: Mapping[int, Tensor], generator_seed: int) -> Tensor:
    """For each label one row position of its pool, drawn with replacement."""
    rng = np.random.default_rng(generator_seed)
    draws = rng.random(len(labels))
    picked = [
        pools[label][int(draw * len(pools[label]))]
        for label, draw in zip(labels.tolist(), draws, strict=True)
    ]
    return torch.stack(picked)
