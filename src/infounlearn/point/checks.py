"""What must hold before an unlearning run starts. Everything that is wrong is said at once."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from infounlearn.errors import Problems, is_number
from infounlearn.point.batches import RecordSet, to_device
from infounlearn.point.evaluation import forward
from infounlearn.point.restart import Restart
from infounlearn.point.schedule import Schedule
from infounlearn.point.utility import Loss, Utility

_OF_A_STOP = ("check", "reason", "needs_holdout", "keeps")


def check_settings(
    problems: Problems,
    *,
    objective: Any,
    restart: Any,
    utility: Any,
    stops: tuple[Any, ...],
    schedule: Any,
    callables: dict[str, Any],
    audit_share: Any,
    seed: Any,
    has_holdout: bool,
) -> None:
    """Collect settings that cannot be used, alone or together."""
    for name, value, kind in (
        ("schedule", schedule, Schedule),
        ("utility", utility, Utility),
        ("restart", restart, Restart),
    ):
        if name == "restart" and (value is None or value == "auto"):
            continue
        if problems.require(
            isinstance(value, kind), f"{name} is {value!r}", fix=f"pass {kind.__name__}(...)"
        ):
            value.check(problems)
    for one in stops:
        if problems.require(
            all(hasattr(one, part) for part in _OF_A_STOP) and not isinstance(one, type),
            f"stop is {one!r}",
            fix="pass Calibrated(), Steps(n), another stop, several of them, or 'auto'",
        ):
            one.check(problems)
    known = objective is None or objective == "auto"
    problems.require(
        known or (hasattr(objective, "start") and not isinstance(objective, type)),
        f"objective is {objective!r}",
        fix='pass an objective such as ScoreTransport(), "auto" or None',
    )
    for name, value in callables.items():
        problems.require(
            value is None or callable(value), f"{name} is {value!r}", fix="pass a callable or None"
        )
    problems.require(
        is_number(audit_share) and 0 <= audit_share < 1,
        f"audit_share is {audit_share!r}",
        fix="pass a share from 0 up to 1",
    )
    problems.require(
        is_number(seed, whole=True) and seed >= 0, f"seed is {seed!r}", fix="pass a whole number"
    )
    wants = [
        type(one).__name__ for one in (*stops, objective) if getattr(one, "needs_holdout", False)
    ]
    problems.require(
        has_holdout or not wants,
        f"{' and '.join(wants)} compare(s) forget with held-out records, and holdout is missing",
        fix="pass holdout, or another objective and stop",
    )


def check_model(
    model: nn.Module,
    sets: dict[str, RecordSet],
    parts: dict[str, RecordSet],
    loss: Loss | None,
    problems: Problems,
) -> None:
    """Collect outputs that are not finite, of a wrong shape, or too narrow for the labels.

    The model sees some rows of each set; of the held-out ones none of the audit part, which no
    model of the run may ever see.
    """
    problems.require(
        any(weight.requires_grad for weight in model.parameters()),
        "model has no trainable parameter",
        fix="set requires_grad on the parameters that may change",
    )
    kinds = {name: records.targets.dtype.is_floating_point for name, records in sets.items()}
    problems.require(
        len(set(kinds.values())) < 2,
        f"targets of {' and '.join(k for k, real in kinds.items() if real)} are real numbers, "
        f"those of {' and '.join(k for k, real in kinds.items() if not real)} class labels",
        fix="pass targets of one kind",
    )
    device = next((weight.device for weight in model.parameters()), torch.device("cpu"))
    model.eval()
    with torch.no_grad():
        for name, records in sets.items():
            shown = parts.get("targets", records) if name == "holdout" else records
            inputs, targets = shown.take(torch.arange(min(len(shown), 64)))
            try:
                outputs = forward(model, to_device(inputs, device))
            except (RuntimeError, TypeError, ValueError, IndexError, AttributeError) as error:
                problems.add(
                    f"model cannot be applied to {name} records: {error}",
                    fix="pass records of the shape and type the model was built for",
                )
                continue
            if _check_outputs(outputs, records.targets, name, problems) and loss is not None:
                _check_loss(loss(outputs, targets.to(device)), len(targets), problems)


def _check_loss(rows: Any, count: int, problems: Problems) -> None:
    shape = tuple(rows.shape) if isinstance(rows, Tensor) else type(rows).__name__
    problems.require(
        shape == (count,),
        f"loss returns {shape} for {count} records",
        fix="return one loss per record, such as functional.cross_entropy(..., reduction='none')",
    )


def _check_outputs(outputs: Any, targets: Tensor, name: str, problems: Problems) -> bool:
    """Whether outputs fit the targets; collects why not."""
    before = len(problems.found)
    if not isinstance(outputs, Tensor) or outputs.ndim != 2:
        shape = tuple(outputs.shape) if isinstance(outputs, Tensor) else type(outputs).__name__
        problems.add(
            f"model returns {shape} for {name} records",
            fix="return one row per record: (n, classes) logits or (n, d) predictions",
        )
        return False
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
            fix="give the model one output per target; class labels must be integers",
        )
        return len(problems.found) == before
    problems.require(
        outputs.shape[1] >= 2,
        "model returns a single logit",
        fix="return two logits (0, z) for a binary classifier",
    )
    outside = int(((targets < 0) | (targets >= outputs.shape[1])).sum())
    problems.require(
        outside == 0,
        f"{outside} label(s) of {name} lie outside 0..{outputs.shape[1] - 1}",
        fix="number classes from 0 and give the model one output per class",
    )
    return len(problems.found) == before
