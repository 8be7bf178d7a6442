"""Running models over record sets and keeping what they show: nothing else reaches the audit."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any, Literal

import numpy as np
import torch
from torch import nn

from infounlearn.audit.checks import check_outputs, check_overlap
from infounlearn.data.reading import batches, check_readable, record_hashes, same_randomness
from infounlearn.errors import Problems
from infounlearn.interface import Outputs, OutputSet, Task


def collect_outputs(
    model: nn.Module,
    *,
    name: str,
    forget: Any,
    retain: Any,
    holdout: Any,
    test: Any = None,
    validation: Any = None,
    batch_size: int = 1024,
    device: str | torch.device | None = None,
    task: Task | Literal["auto"] = "auto",
    seconds: float | None = None,
) -> Outputs:
    """What ``model`` shows on each record set, as arrays that can be saved and audited anywhere.

    The model runs in eval mode without gradients; the mode of every submodule, the buffers and all
    global random states are afterwards as they were.

    Args:
        model: returns (n, c) logits or (n, d) predictions, or an object with ``.logits``.
        name: how reports call it.
        forget, retain, holdout, test, validation: Datasets, DataLoaders or (inputs, targets) tensor
            pairs. ``validation`` holds unaudited records on which score bins may be fixed.
        batch_size: rows per forward.
        device: where to run; the model's own device by default. A model elsewhere is copied there.
        task: "classification", "regression", or "auto": by the type of the targets.
        seconds: what producing the model took, for run-time efficiency.

    Returns:
        Outputs in float64 with the SHA-256 of each record set.

    Raises:
        InputError: a set is empty, sets overlap, outputs are not finite or of the wrong shape,
            labels are out of range.
    """
    sets = {
        "forget": forget,
        "retain": retain,
        "holdout": holdout,
        "test": test,
        "validation": validation,
    }
    return collect_many({name: model}, sets, batch_size, device, task, {name: seconds})[name]


def collect_many(
    models: Mapping[str, nn.Module],
    sets: Mapping[str, Any],
    batch_size: int = 1024,
    device: str | torch.device | None = None,
    task: Task | Literal["auto"] = "auto",
    seconds: Mapping[str, float | None] | None = None,
) -> dict[str, Outputs]:
    """:func:`collect_outputs` of several models, reading every record once."""
    problems = Problems("collect_outputs")
    for required in ("forget", "retain", "holdout"):
        problems.require(
            sets.get(required) is not None,
            f"{required} is missing",
            fix=f"pass the {required} records, or saved outputs in place of the model",
        )
    given = {name: data for name, data in sets.items() if data is not None}
    for name, data in given.items():
        if check_readable(data, name, problems):
            length = len(data[0]) if isinstance(data, tuple | list) else _length(data)
            problems.require(length != 0, f"{name} is empty", fix="pass at least one record")
    problems.raise_if_any()

    shown: dict[str, dict[str, OutputSet]] = {name: {} for name in models}
    hashes: dict[str, list[bytes]] = {}
    with ExitStack() as stack:
        ready = {n: stack.enter_context(_evaluating(m, device)) for n, m in models.items()}
        for set_name, data in given.items():
            outputs, targets, hashes[set_name] = _run(ready, data, batch_size, problems)
            for name, array in outputs.items():
                shown[name][set_name] = OutputSet(array, targets)
    check_overlap(hashes, problems)
    digests = {name: hashlib.sha256(b"".join(rows)).hexdigest() for name, rows in hashes.items()}
    found = {}
    for name in models:
        kind = _task_of(task, shown[name]["forget"].targets)
        if kind == "regression":
            shown[name] = {key: _as_columns(part) for key, part in shown[name].items()}
        cost = (seconds or {}).get(name)
        found[name] = Outputs(name, kind, shown[name], digests, cost)
        check_outputs(found[name], problems)
    problems.raise_if_any()
    return found


def _run(
    models: Mapping[str, tuple[nn.Module, torch.device]],
    data: Any,
    batch_size: int,
    problems: Problems,
) -> tuple[dict[str, np.ndarray], np.ndarray, list[bytes]]:
    """Outputs of each model, targets and record hashes of one set."""
    outputs: dict[str, list[np.ndarray]] = {name: [] for name in models}
    targets: list[np.ndarray] = []
    hashes: list[bytes] = []
    with torch.no_grad(), same_randomness(data):
        for inputs, labels in batches(data, batch_size):
            hashes += record_hashes(inputs, labels)
            targets.append(labels.detach().cpu().numpy())
            for name, (model, device) in models.items():
                shown = _forward(model, inputs, device)
                if not isinstance(shown, torch.Tensor) or len(shown) != len(labels):
                    problems.add(
                        f"model {name!r} does not return one row per record",
                        fix="return a tensor (n, classes), or an object whose .logits is one",
                    )
                    problems.raise_if_any()
                outputs[name].append(shown.detach().to("cpu", torch.float64).numpy())
    return (
        {name: np.concatenate(rows) for name, rows in outputs.items()},
        np.concatenate(targets),
        hashes,
    )


def _forward(model: nn.Module, inputs: Any, device: torch.device) -> Any:
    if isinstance(inputs, Mapping):
        shown = model(**{key: value.to(device) for key, value in inputs.items()})
    else:
        shown = model(inputs.to(device))
    return getattr(shown, "logits", shown)


@contextmanager
def _evaluating(
    model: nn.Module, device: str | torch.device | None
) -> Iterator[tuple[nn.Module, torch.device]]:
    """The model in eval mode on ``device``; every submodule's own mode comes back afterwards."""
    tensors = [*model.parameters(), *model.buffers()]
    home = tensors[0].device if tensors else torch.device("cpu")
    where = torch.device(device) if device is not None else home
    if where != home:
        model = copy.deepcopy(model).to(where)
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield model, where
    finally:
        for module, training in modes:
            module.training = training


def _length(data: Any) -> int | None:
    dataset = getattr(data, "dataset", data)
    return len(dataset) if hasattr(dataset, "__len__") else None


def _task_of(task: Task | Literal["auto"], targets: np.ndarray) -> Task:
    if task != "auto":
        return task
    return "regression" if np.issubdtype(targets.dtype, np.floating) else "classification"


def _as_columns(part: OutputSet) -> OutputSet:
    """A regressor that returns (n,) predicts one number per record: (n, 1)."""
    shown = part.outputs[:, None] if part.outputs.ndim == 1 else part.outputs
    same_size = part.targets.size == shown.size
    return OutputSet(shown, part.targets.reshape(shown.shape) if same_size else part.targets)
