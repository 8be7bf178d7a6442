"""A yardstick as plain bytes and arrays, so that joblib hands large arrays to workers as files.

joblib writes an array to a file that all workers map, once per array object; tensors it would copy
into every task.
"""

from __future__ import annotations

import io
import pickle
from typing import Any

import numpy as np
import torch
from torch import Tensor

from infounlearn.experiments.compare.gold import Gold

_unpacked: dict[str, Gold] = {}


class Packed:
    """A :class:`Gold` on its way to another process."""

    def __init__(self, gold: Gold) -> None:
        self.arrays: list[np.ndarray] = []
        self.key = f"{gold.key} {len(gold.originals)} {gold.final.ensemble['forget'].shape}"
        out = io.BytesIO()
        _Pickler(out, self.arrays).dump(gold)
        self.rest = out.getvalue()

    def gold(self) -> Gold:
        """The yardstick; the last one asked for is kept, since a worker's next task needs it."""
        if self.key not in _unpacked:
            _unpacked.clear()
            _unpacked[self.key] = _Unpickler(io.BytesIO(self.rest), self.arrays).load()
        return _unpacked[self.key]


class _Pickler(pickle.Pickler):
    def __init__(self, out: io.BytesIO, arrays: list[np.ndarray]) -> None:
        super().__init__(out, protocol=pickle.HIGHEST_PROTOCOL)
        self._arrays = arrays

    def persistent_id(self, thing: Any) -> int | None:
        # Parameters are a subclass and stay what they are.
        if type(thing) is not Tensor or thing.requires_grad:
            return None
        self._arrays.append(thing.numpy())
        return len(self._arrays) - 1


class _Unpickler(pickle.Unpickler):
    def __init__(self, source: io.BytesIO, arrays: list[np.ndarray]) -> None:
        super().__init__(source)
        self._arrays = arrays

    def persistent_load(self, place: Any) -> Tensor:
        return torch.from_numpy(self._arrays[place])
