"""What must hold before an unlearning run starts. Everything that is wrong is said at once."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import IterableDataset

from infounlearn.data.reading import check_readable
from infounlearn.errors import Problems
from infounlearn.point.batches import RecordSet, to_device
from infounlearn.point.evaluation import forward

_APART = (
    ("forget", "retain", "a record cannot be both kept and forgotten"),
    ("forget", "holdout", "held-out records must never have been trained on"),
    ("retain", "holdout", "held-out records must never have been trained on"),
)


def read_sets(given: dict[str, Any], problems: Problems) -> dict[str, RecordSet]:
    """The record sets that can be read; collects why others cannot."""
    sets = {}
    for name, data in given.items():
        if data is None:
            continue
        if isinstance(getattr(data, "dataset", data), IterableDataset):
            problems.add(
                f"{name} is an iterable dataset",
                why="rows are visited in shuffled order, by position",
                fix="pass a map-style Dataset",
            )
        elif check_readable(data, name, problems):
            records = RecordSet(data, name)
            if problems.require(
                len(records) > 0, f"{name} is empty", fix="pass at least one record"
            ):
                sets[name] = records
    return sets


def check_sets(sets: dict[str, RecordSet], problems: Problems) -> None:
    """Collect overlaps (by SHA-256 of input and target) and sizes that make no sense."""
    for first, second, why in _APART:
        if first in sets and second in sets:
            shared = set(sets[first].hashes) & set(sets[second].hashes)
            problems.require(
                not shared,
                f"{len(shared)} record(s) are in both {first} and {second}",
                why=why,
                fix=f"remove them from {first} or {second}",
            )
    if "forget" in sets and "retain" in sets:
        problems.require(
            len(sets["forget"]) <= len(sets["retain"]),
            f"forget holds {len(sets['forget'])} records, retain {len(sets['retain'])}",
            why="then training on retain from scratch costs less and is exact",
            fix="check that the two are not swapped; otherwise retrain",
        )
        problems.require(
            len(sets["retain"]) > 1,
            "retain holds one record",
            why="no model can be kept useful with it",
            fix="pass the whole retain set",
        )


def check_model(
    model: nn.Module, sets: dict[str, RecordSet], device: torch.device, problems: Problems
) -> None:
    """Collect outputs that are not finite, of a wrong shape, or too narrow for the labels."""
    problems.require(
        any(weight.requires_grad for weight in model.parameters()),
        "model has no trainable parameter",
        fix="set requires_grad on the parameters that may change",
    )
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        with torch.no_grad():
            for name, records in sets.items():
                inputs, _ = records.take(torch.arange(min(len(records), 64)))
                try:
                    outputs = forward(model, to_device(inputs, device))
                except (RuntimeError, TypeError, ValueError, IndexError) as error:
                    problems.add(
                        f"model cannot be applied to {name} records: {error}",
                        fix="pass records of the shape and type the model was built for",
                    )
                    continue
                _check_outputs(outputs, records.targets, name, problems)
    finally:
        for module, training in modes:
            module.training = training


def _check_outputs(outputs: Any, targets: Tensor, name: str, problems: Problems) -> None:
    if not isinstance(outputs, Tensor) or outputs.ndim != 2:
        shape = tuple(outputs.shape) if isinstance(outputs, Tensor) else type(outputs).__name__
        problems.add(
            f"model returns {shape} for {name} records",
            fix="return one row per record: (n, classes) logits or (n, d) predictions",
        )
        return
    problems.require(
        bool(torch.isfinite(outputs).all()),
        f"model outputs on {name} are not finite",
        fix="repair the model first; nothing can be measured on NaN or infinite outputs",
    )
    if targets.dtype.is_floating_point:
        width = targets[0].numel()
        problems.require(
            outputs.shape[1] == width,
            f"model returns {outputs.shape[1]} numbers for {width} target(s) of {name}",
            fix="give the model one output per target",
        )
        return
    problems.require(
        outputs.shape[1] >= 2,
        "model returns a single logit",
        fix="return two logits (0, z) for a binary classifier",
    )
    outside = int(((targets < 0) | (targets >= outputs.shape[1])).sum())
    problems.require(
        targets.ndim == 1 and outside == 0,
        f"{outside} label(s) of {name} lie outside 0..{outputs.shape[1] - 1}",
        fix="number classes from 0 and give the model one output per class",
    )


def check_classes(forget: RecordSet, holdout: dict[str, RecordSet], problems: Problems) -> None:
    """Collect classes of the forget set that a part of the held-out set lacks."""
    if forget.targets.dtype.is_floating_point:
        return
    wanted = set(forget.targets.unique().tolist())
    for name, records in holdout.items():
        lost = sorted(wanted - set(records.targets.unique().tolist()))
        problems.require(
            not lost,
            f"classes {lost} of the forget set have no record in the {name} part of holdout",
            why="forget and held-out records are compared within classes",
            fix="pass more held-out records of these classes, or objective and stop that need no "
            "holdout",
        )
