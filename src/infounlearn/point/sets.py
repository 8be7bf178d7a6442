"""The record sets of a run: read, told apart, cut, and everything that is wrong with them."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn
from torch.utils.data import DataLoader, IterableDataset, RandomSampler, SequentialSampler

from infounlearn.data.reading import check_readable
from infounlearn.errors import Problems, is_number
from infounlearn.point.batches import RecordSet
from infounlearn.point.checks import check_model
from infounlearn.point.evaluation import Sets
from infounlearn.point.holdout import cut_holdout
from infounlearn.point.stop import Calibrated, Stop
from infounlearn.point.utility import Loss

_APART = (
    ("forget", "retain", "a record cannot be both kept and forgotten"),
    ("forget", "holdout", "held-out records must never have been trained on"),
    ("retain", "holdout", "held-out records must never have been trained on"),
)


def gather(
    model: nn.Module | None,
    given: dict[str, Any],
    loss: Loss | None,
    stops: tuple[Stop, ...],
    audit_share: float,
    seed: int,
    problems: Problems,
) -> Sets | None:
    """The records of the run; collects what is wrong with them, alone or shown to the model."""
    sets = read_sets(given, problems)
    check_sets(sets, problems)
    parts = {}
    if "holdout" in sets and is_number(audit_share) and 0 <= audit_share < 1:
        parts = cut_holdout(sets["holdout"], audit_share, seed, problems)
    if "forget" in sets:
        steering = {name: part for name, part in parts.items() if name != "audit"}
        check_classes(sets["forget"], steering, problems)
        problems.require(
            len(sets["forget"]) > 1 or not any(isinstance(stop, Calibrated) for stop in stops),
            "forget holds one record",
            why="no test tells one record from held-out ones, so a calibrated stop has nothing to "
            "say",
            fix="pass stop=Steps(n), or more records",
        )
    if model is not None:
        check_model(model, sets, parts, loss, problems)
    if problems.found:
        return None
    return Sets(sets["forget"], sets["retain"], **parts)


def read_sets(given: dict[str, Any], problems: Problems) -> dict[str, RecordSet]:
    """The record sets that can be read; collects why others cannot."""
    sets = {}
    for name, data in given.items():
        if data is None:
            problems.require(name == "holdout", f"{name} is missing", fix="pass the records")
            continue
        if isinstance(getattr(data, "dataset", data), IterableDataset):
            problems.add(
                f"{name} is an iterable dataset",
                why="rows are visited in shuffled order, by position",
                fix="pass a map-style Dataset",
            )
        elif check_readable(data, name, problems) and _whole_loader(data, name, problems):
            records = RecordSet(data, name)
            if problems.require(
                len(records) > 0, f"{name} is empty", fix="pass at least one record"
            ) and _one_label_each(records.targets, name, problems):
                sets[name] = records
    return sets


def _one_label_each(targets: Tensor, name: str, problems: Problems) -> bool:
    """Class labels in two dimensions would be cut and compared as if they were many."""
    return problems.require(
        targets.dtype.is_floating_point or targets.ndim == 1,
        f"labels of {name} have shape {tuple(targets.shape)}",
        fix="pass one class number per record",
    )


def _whole_loader(data: Any, name: str, problems: Problems) -> bool:
    """A sampler may leave records out; the run would visit them all the same."""
    sampler = getattr(data, "sampler", None) if isinstance(data, DataLoader) else None
    return problems.require(
        sampler is None or isinstance(sampler, SequentialSampler | RandomSampler),
        f"the {name} loader draws by a {type(sampler).__name__}",
        why="rows are visited by the run's own shuffled order of the whole dataset",
        fix="pass a Subset of the dataset, or a loader of one",
    )


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
