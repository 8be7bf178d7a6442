"""Records: rows with names that survive every split.

A forget request names records, not positions. So each row carries an ``id`` that it keeps through
subsets, label noise and concatenation; two sets overlap exactly when they share an id, and two
rows hold the same content exactly when their hashes agree, whatever they are called.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from infounlearn.errors import Problems


@dataclass(frozen=True, eq=False, repr=False)
class Records(Dataset[tuple[Tensor, Tensor]]):
    """Inputs, targets and ids of n records; a map-style Dataset that yields (input, target).

    Args:
        inputs: (n, ...) tensor of any dtype: vectors, images or token ids.
        targets: (n,) int64 class labels, or (n, d) floating-point targets of a regression.
        ids: (n,) int64, all different.
        name: how messages call these records.

    Raises:
        InputError: lengths, dtypes or shapes do not fit, or an id occurs twice.
    """

    inputs: Tensor
    targets: Tensor
    ids: Tensor
    name: str = "records"

    def __post_init__(self) -> None:
        problems = Problems(f"Records({self.name!r})")
        shapes = [tuple(part.shape) for part in (self.inputs, self.targets, self.ids)]
        sized = problems.require(
            min(map(len, shapes)) > 0 and len({shape[0] for shape in shapes if shape}) == 1,
            f"inputs, targets and ids have shapes {shapes}",
            fix="give each the same number of rows n in its first dimension",
        )
        labels = self.targets.dtype == torch.int64 and self.targets.ndim == 1
        reals = self.targets.dtype.is_floating_point and self.targets.ndim == 2
        problems.require(
            labels or reals,
            f"targets are {self.targets.dtype} of shape {shapes[1]}",
            fix="pass (n,) int64 class labels or (n, d) floating-point targets",
        )
        named = problems.require(
            self.ids.dtype == torch.int64 and self.ids.ndim == 1,
            f"ids are {self.ids.dtype} of shape {shapes[2]}",
            fix="pass (n,) int64 ids",
        )
        if sized and named:
            twice = len(self.ids) - len(torch.unique(self.ids))
            problems.require(
                twice == 0, f"{twice} ids occur more than once", fix="number every row differently"
            )
        problems.raise_if_any()

    def __repr__(self) -> str:
        row = "x".join(map(str, self.inputs.shape[1:])) or "scalars"
        return f"Records({self.name!r}, {len(self):,} rows of {row}, {self.inputs.dtype})"

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        """(input, target) of one row; ``IndexError`` past the end."""
        return self.inputs[index], self.targets[index]

    @property
    def is_classification(self) -> bool:
        """Whether the targets are class labels."""
        return not self.targets.dtype.is_floating_point

    def subset(self, indices: Tensor | Sequence[int], name: str | None = None) -> Records:
        """The rows at positions ``indices`` in that order (not ids), or where a (n,) mask is true.

        Raises:
            InputError: a position lies outside the records or occurs twice.
        """
        problems = Problems(f"{self.name}.subset")
        index = torch.as_tensor(indices)
        if index.dtype == torch.bool:
            problems.require(
                index.shape == self.ids.shape,
                f"the mask has shape {tuple(index.shape)}",
                fix=f"pass one truth value for each of the {len(self)} records",
            )
            index = torch.nonzero(index.flatten()).flatten()
        problems.require(
            index.numel() == 0 or not index.dtype.is_floating_point,
            f"positions are {index.dtype}",
            fix="pass integers",
        )
        problems.raise_if_any()
        index = index.long()
        outside = int(((index < 0) | (index >= len(self))).sum())
        problems.require(
            outside == 0,
            f"{outside} of {len(index)} positions lie outside 0..{len(self) - 1}",
            fix="pass positions of rows; use where_ids for ids",
        )
        problems.raise_if_any()
        return Records(self.inputs[index], self.targets[index], self.ids[index], name or self.name)

    def where_ids(self, ids: Tensor | Iterable[int], name: str | None = None) -> Records:
        """The rows that carry one of ``ids``, in the order of these records.

        Raises:
            InputError: an id is not among these records, or is asked for twice.
        """
        return self.subset(self._carrying(ids), name)

    def except_ids(self, ids: Tensor | Iterable[int], name: str | None = None) -> Records:
        """The rows that carry none of ``ids``, in the order of these records.

        Raises:
            InputError: an id is not among these records, or is named twice.
        """
        return self.subset(~self._carrying(ids), name)

    def _carrying(self, ids: Tensor | Iterable[int]) -> Tensor:
        wanted = ids if isinstance(ids, Tensor) else torch.tensor(list(ids))
        problems = Problems(f"ids of {self.name}")
        problems.require(
            wanted.numel() == 0 or not wanted.dtype.is_floating_point,
            f"ids are {wanted.dtype}",
            fix="pass integers",
        )
        problems.raise_if_any()
        wanted = wanted.long()
        absent = wanted[~torch.isin(wanted, self.ids)]
        shown = ", ".join(str(int(value)) for value in absent[:5])
        problems.require(
            len(absent) == 0,
            f"{len(absent)} of {len(wanted)} ids are not among the {len(self)} records: {shown}",
            fix="name ids of these records only",
        )
        twice = len(wanted) - len(torch.unique(wanted))
        problems.require(twice == 0, f"{twice} ids are named more than once", fix="name each once")
        problems.raise_if_any()
        return torch.isin(self.ids, wanted)

    def sha256(self) -> str:
        """SHA-256 of what a model sees: dtype, shape and bytes of inputs and targets, in order.

        Ids and name are left out: they are ours, and no model learns from them.
        """
        digest = hashlib.sha256()
        for part in (self.inputs, self.targets):
            digest.update(f"{part.dtype} {tuple(part.shape)};".encode())
            digest.update(_bytes(part).data)
        return digest.hexdigest()

    def record_hashes(self) -> list[bytes]:
        """16-byte BLAKE2b digest of each row's input, to find held-out rows in training data.

        Targets are left out, so that a row is found again under another label. The dtype counts:
        compare records that went through the same loader.
        """
        rows = _bytes(self.inputs)
        prefix = f"{self.inputs.dtype} {tuple(self.inputs.shape[1:])};".encode()
        start = hashlib.blake2b(prefix, digest_size=16)
        digests = []
        for row in rows:
            digest = start.copy()
            digest.update(row.data)
            digests.append(digest.digest())
        return digests


def concatenate(*parts: Records, name: str | None = None) -> Records:
    """All rows of ``parts``, in order; the name is theirs, joined with "+".

    Raises:
        InputError: no parts, parts of different row shape or dtype, or a shared id.
    """
    problems = Problems("concatenate")
    problems.require(len(parts) > 0, "there are no records", fix="pass at least one part")
    kinds = {
        (p.inputs.dtype, p.inputs.shape[1:], p.targets.dtype, p.targets.shape[1:]) for p in parts
    }
    problems.require(
        len(kinds) <= 1,
        f"the parts differ in the shape or dtype of a row: {sorted(map(str, kinds))}",
        fix="bring every part into one form first",
    )
    problems.raise_if_any()
    return Records(
        torch.cat([part.inputs for part in parts]),
        torch.cat([part.targets for part in parts]),
        torch.cat([part.ids for part in parts]),
        name or "+".join(part.name for part in parts),
    )


def _bytes(tensor: Tensor) -> np.ndarray:
    """The memory of ``tensor`` as a (rows, bytes) uint8 array, for any dtype torch knows."""
    if tensor.numel() == 0:
        return np.empty((len(tensor), 0), np.uint8)
    rows = tensor.detach().cpu().contiguous().reshape(len(tensor), -1)
    array: np.ndarray = rows.view(torch.uint8).numpy()
    return array
