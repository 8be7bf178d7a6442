"""Reading record sets: anything that holds (inputs, targets), in batches, with a hash per record.

The audit compares several models on the same records, so every set is read once and shown to all
models; a set whose transforms are random then still shows each model the same inputs.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset, Subset, TensorDataset

from infounlearn.errors import Problems

LABEL_KEYS = ("labels", "label")
"""Where a dictionary batch keeps its targets."""

Batch = tuple[Any, torch.Tensor]


def batches(data: Any, batch_size: int) -> Iterator[Batch]:
    """The records of ``data`` as (inputs, targets) batches, always in the same order.

    Args:
        data: a ``Dataset`` or ``DataLoader`` yielding (inputs, target) pairs or dictionaries with a
            "labels" entry, or a pair of tensors (inputs, targets).
        batch_size: rows per batch; a ``DataLoader`` keeps its own.

    Yields:
        Inputs (tensor, or mapping of tensors) and targets (n, ...).
    """
    tensors = as_tensors(data)
    if tensors is not None:
        inputs, targets = tensors
        for start in range(0, len(inputs), batch_size):
            yield inputs[start : start + batch_size], targets[start : start + batch_size]
        return
    loader = data if isinstance(data, DataLoader) else DataLoader(data, batch_size=batch_size)
    for batch in loader:
        yield split_batch(batch)


def check_readable(data: Any, name: str, problems: Problems) -> bool:
    """Whether ``data`` can be read as a record set; collects what is wrong with it."""
    if isinstance(data, DataLoader):
        return problems.require(
            not data.drop_last,
            f"the {name} loader drops its last batch",
            why="records it leaves out would go unaudited",
            fix="build it with drop_last=False",
        )
    if _is_tensor_pair(data):
        return problems.require(
            len(data[0]) == len(data[1]),
            f"{name} pairs {len(data[0])} inputs with {len(data[1])} targets",
            fix="pass equally many of both",
        )
    readable = hasattr(data, "__getitem__") and hasattr(data, "__len__")
    return problems.require(
        # A tuple is a pair that holds no two tensors: arrays, say, or a mapping and labels. Read as
        # a set it would have two records.
        readable and not isinstance(data, str | tuple | Mapping),
        f"{name} is a {type(data).__name__}",
        fix="pass a Dataset or DataLoader of (input, target) pairs, or two tensors",
    )


def record_hashes(inputs: Any, targets: torch.Tensor) -> list[bytes]:
    """SHA-256 of every record of a batch: its input and its target, with dtype and shape."""
    parts = [inputs[key] for key in sorted(inputs)] if isinstance(inputs, Mapping) else [inputs]
    arrays = [_array(part) for part in [*parts, targets] if isinstance(part, torch.Tensor)]
    head = hashlib.sha256("".join(f"{a.dtype}{a.shape[1:]}" for a in arrays).encode())
    found = []
    for row in range(len(targets)):
        one = head.copy()
        for array in arrays:
            one.update(array[row].tobytes())
        found.append(one.digest())
    return found


def _array(part: torch.Tensor) -> np.ndarray:
    """Rows of memory; numpy has no bfloat16, so its bits stand for it."""
    values = part.detach().cpu()
    array = values.view(torch.int16) if values.dtype == torch.bfloat16 else values
    return np.ascontiguousarray(array.numpy())


@contextmanager
def same_randomness(data: Any = None, seed: int = 0) -> Iterator[None]:
    """Set every global random state to ``seed`` while a set is read, and put each back as it was.

    Loaders draw from the global torch state even when they do not shuffle, and transforms draw
    from any of the three. Readings then repeat, and the caller's own random numbers do not move.
    """
    generator = getattr(data, "generator", None) if isinstance(data, DataLoader) else None
    own = generator.get_state() if generator is not None else None
    python_state = random.getstate()
    numpy_state = np.random.get_state()  # noqa: NPY002 - saved to be restored, never drawn from
    with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
        torch.manual_seed(seed)
        random.seed(seed)
        np.random.seed(seed % 2**32)  # noqa: NPY002 - transforms may draw from it
        if generator is not None:
            generator.manual_seed(seed)
        try:
            yield
        finally:
            random.setstate(python_state)
            np.random.set_state(numpy_state)  # noqa: NPY002 - restores the caller's state
            if generator is not None and own is not None:
                generator.set_state(own)


def split_batch(batch: Any) -> Batch:
    """Inputs and targets of one collated batch."""
    problems = Problems("records")
    if isinstance(batch, Mapping):
        key = next((key for key in LABEL_KEYS if key in batch), None)
        if key is not None:
            return {k: v for k, v in batch.items() if k != key}, torch.as_tensor(batch[key])
    elif isinstance(batch, tuple | list) and len(batch) == 2:
        return batch[0], torch.as_tensor(batch[1])
    problems.add(
        f"a record set yields {type(batch).__name__} batches that are no (inputs, targets) pair",
        fix='yield (input, target), or a dictionary with a "labels" entry',
    )
    problems.raise_if_any()
    raise AssertionError("unreachable")


def _is_tensor_pair(data: Any) -> bool:
    return (
        isinstance(data, tuple | list)
        and len(data) == 2
        and all(isinstance(part, torch.Tensor) and part.ndim > 0 for part in data)
    )


def as_tensors(data: Any) -> tuple[torch.Tensor, torch.Tensor] | None:
    """(inputs, targets) where the set is held as two tensors: slicing them is much faster."""
    if _is_tensor_pair(data):
        return data[0], data[1]
    if isinstance(data, Subset):
        whole = as_tensors(data.dataset)
        index = torch.as_tensor(list(data.indices), dtype=torch.long)
        return None if whole is None else (whole[0][index], whole[1][index])
    if type(data) is TensorDataset:
        return (data.tensors[0], data.tensors[1]) if len(data.tensors) == 2 else None
    inputs, targets = getattr(data, "inputs", None), getattr(data, "targets", None)
    if not isinstance(data, Dataset) or inputs is None or targets is None:
        return None
    if not _is_tensor_pair((inputs, targets)):
        return None
    # Only where its items are those very rows: a transform in __getitem__ must not be skipped.
    if len(inputs) == 0 or not isinstance(first := data[0], tuple) or len(first) != 2:
        return None
    same = all(
        isinstance(item, torch.Tensor) and item.dtype == rows.dtype and torch.equal(item, rows[0])
        for item, rows in zip(first, (inputs, targets), strict=True)
    )
    return (inputs, targets) if same else None
