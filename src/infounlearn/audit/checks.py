"""What must hold of outputs before any number is computed from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np

from infounlearn.errors import Problems
from infounlearn.interface import SETS, Outputs, OutputSet

KNOWN_SETS = (*SETS, "validation")
"""Sets an audit reads; ``validation`` only to fix score bins."""

REQUIRED_SETS = ("forget", "retain", "holdout")

# Pairs whose overlap would make the audit's answer meaningless.
_APART = (
    ("forget", "retain", "a record cannot be both kept and forgotten"),
    ("forget", "holdout", "held-out records must never have been trained on"),
    ("retain", "holdout", "held-out records must never have been trained on"),
    ("forget", "test", "test records must never have been trained on"),
    ("retain", "test", "test records must never have been trained on"),
    ("holdout", "validation", "bins must be fixed on records that are not audited"),
    ("forget", "validation", "bins must be fixed on records that are not audited"),
)


def check_overlap(hashes: Mapping[str, Sequence[bytes]], problems: Problems) -> None:
    """Collect every pair of sets that shares records, found by their SHA-256."""
    members = {name: set(rows) for name, rows in hashes.items()}
    for first, second, why in _APART:
        shared = members.get(first, set()) & members.get(second, set())
        problems.require(
            not shared,
            f"{len(shared)} record(s) are in both {first} and {second}",
            why=why,
            fix=f"remove them from {first} or {second}",
        )


def check_outputs(outputs: Outputs, problems: Problems) -> None:
    """Collect every reason why ``outputs`` cannot be audited."""
    owner = f"model {outputs.name!r}"
    problems.require(
        outputs.task in ("classification", "regression"),
        f"{owner}: unknown task {outputs.task!r}",
        fix='use "classification" or "regression"',
    )
    for name in REQUIRED_SETS:
        problems.require(
            name in outputs.sets, f"{owner} has no {name} outputs", fix=f"add the {name} set"
        )
    for name, part in outputs.sets.items():
        known = problems.require(
            name in KNOWN_SETS,
            f"{owner}: unknown record set {name!r}",
            fix=f"use {', '.join(KNOWN_SETS)}",
        )
        if known:
            check_set(part, outputs.task, f"{owner}, {name}", problems)
    grouped = {name for name, part in outputs.sets.items() if part.groups is not None}
    problems.require(
        not grouped or grouped == set(outputs.sets),
        f"{owner}: only {', '.join(sorted(grouped))} carry groups",
        why="records are compared within groups, so groups would be matched with class labels",
        fix="give groups to every set, or to none",
    )
    shapes = {part.outputs.shape[1:] for part in outputs.sets.values()}
    problems.require(
        len(shapes) <= 1,
        f"{owner}: the sets have rows of different shapes {sorted(shapes)}",
        fix="run one model over all sets",
    )


def check_set(part: OutputSet, task: str, where: str, problems: Problems) -> None:
    """Collect what is wrong with the outputs and targets of one record set."""
    shown, targets = part.outputs, part.targets
    n = len(shown)
    if not problems.require(n > 0, f"{where}: no records", fix="pass at least one record"):
        return
    problems.require(
        shown.ndim == 2 and (task == "regression" or shown.shape[1] >= 2),
        f"{where}: outputs have shape {shown.shape}",
        fix="return (n, classes) logits with at least 2 classes"
        " (a single logit z as the pair (0, z)), or (n, d) predictions",
    )
    bad = int(n - np.isfinite(shown.reshape(n, -1)).all(axis=1).sum())
    problems.require(
        bad == 0,
        f"{where}: outputs of {bad} record(s) are not finite",
        fix="repair the model; an audit of NaN or infinite outputs means nothing",
    )
    if not problems.require(
        len(targets) == n, f"{where}: {n} outputs but {len(targets)} targets", fix="align them"
    ):
        return
    if part.groups is not None:
        problems.require(
            part.groups.shape == (n,) and np.issubdtype(part.groups.dtype, np.integer),
            f"{where}: groups have shape {part.groups.shape} and type {part.groups.dtype}",
            fix="pass one integer per record",
        )
    if task == "regression":
        problems.require(
            targets.size == shown.size and bool(np.isfinite(targets.astype(float)).all()),
            f"{where}: targets of shape {targets.shape} do not match outputs {shown.shape}, "
            "or are not finite",
            fix="pass finite targets, one per prediction",
        )
        return
    whole = targets.ndim == 1 and np.issubdtype(targets.dtype, np.integer)
    if problems.require(
        whole,
        f"{where}: labels have shape {targets.shape} and type {targets.dtype}",
        fix="pass one integer class label per record",
    ):
        classes = shown.shape[-1]
        outside = int(((targets < 0) | (targets >= classes)).sum())
        problems.require(
            outside == 0,
            f"{where}: {outside} label(s) outside 0..{classes - 1}",
            fix="number the classes from 0 and give the model one output per class",
        )


def distinct(models: Sequence[Outputs]) -> list[Outputs]:
    """The models without copies: outputs of the same weights tell no spread, however often given.

    Copies differ by no more than 1e-4 standard deviations of the outputs anywhere: the arithmetic
    of another device, not another training.
    """
    kept: list[Outputs] = []
    for one in models:
        if not any(are_copies(one, other) for other in kept):
            kept.append(one)
    return kept


def are_copies(one: Outputs, other: Outputs, tolerance: float = 1e-4) -> bool:
    """Whether two aligned models show the same outputs on every set that both have."""
    return all(
        float(np.abs(part.outputs - other[name].outputs).max())
        <= tolerance * float(part.outputs.std())
        for name, part in one.sets.items()
        if name in other.sets
    )


def check_references(
    audited: Outputs, original: Outputs | None, references: Sequence[Outputs], problems: Problems
) -> None:
    """Collect references that cannot be retrained models beside the audited one."""
    for one in references:
        problems.require(
            original is None or not are_copies(one, original, 0.0),
            f"reference {one.name!r} shows exactly the outputs of the original model",
            why="the original was trained on the forget set",
            fix="pass models retrained without it",
        )
        problems.require(
            not are_copies(one, audited, 0.0),
            f"reference {one.name!r} shows exactly the outputs of the audited model",
            why="a model is no evidence about itself",
            fix="pass other retrained models",
        )


def check_aligned(models: Sequence[Outputs], problems: Problems) -> None:
    """Collect every way in which models were not shown the same records."""
    for first, other in pairwise(models):
        pair = f"{first.name!r} and {other.name!r}"
        problems.require(
            first.task == other.task, f"{pair} have different tasks", fix="compare like with like"
        )
        for name in first.sets.keys() | other.sets.keys():
            if name not in first.sets or name not in other.sets:
                # Only the audited model needs a validation set beside the compared sets.
                problems.require(
                    name == "validation",
                    f"only one of {pair} has {name} outputs",
                    fix=f"collect {name} for both",
                )
                continue
            a, b = first[name], other[name]
            same = (
                a.outputs.shape == b.outputs.shape
                and np.array_equal(a.targets, b.targets)
                and (a.groups is None) == (b.groups is None)
                and (a.groups is None or b.groups is None or np.array_equal(a.groups, b.groups))
            )
            hashes = {one.hashes[name] for one in (first, other) if name in one.hashes}
            problems.require(
                same and len(hashes) <= 1,
                f"{pair} were not shown the same {name} records",
                why="number, targets, groups, order or SHA-256 differ",
                fix="collect the outputs of all models on the same records in the same order",
            )
    for one in models:
        for first_set, second_set, why in _APART:
            pair_hashes = (one.hashes.get(first_set), one.hashes.get(second_set))
            problems.require(
                pair_hashes[0] is None or pair_hashes[0] != pair_hashes[1],
                f"model {one.name!r}: {first_set} and {second_set} are the same records",
                why=why,
                fix="collect the outputs of disjoint sets",
            )
