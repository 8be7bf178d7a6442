"""A run on disk: one file that appears whole or not at all.

Orders and random numbers are functions of the seed and the step (see
:mod:`infounlearn.point.batches`), so weights, optimizer, step and gamma are all there is to keep.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from infounlearn.errors import InputError
from infounlearn.files import write_atomically

FILE = "checkpoint.safetensors"


@dataclass
class Progress:
    """Where a run stands. ``facts`` is everything that is not a tensor."""

    weights: dict[str, Tensor]
    best: dict[str, Tensor]
    optimizer: dict[str, Any]
    facts: dict[str, Any] = field(default_factory=dict)


def weights_bytes(tensors: dict[str, Tensor], metadata: dict[str, str] | None = None) -> bytes:
    """Tensors as safetensors; tied weights are written twice, which the format needs."""
    return save({k: v.detach().cpu().clone().contiguous() for k, v in tensors.items()}, metadata)


def save_checkpoint(folder: Path, fingerprint: str, progress: Progress) -> None:
    """Write the state of a run, replacing the last one."""
    tensors = {f"weights/{name}": value for name, value in progress.weights.items()}
    tensors |= {f"best/{name}": value for name, value in progress.best.items()}
    plain: dict[str, dict[str, Any]] = {}
    for owner, entries in progress.optimizer["state"].items():
        for key, value in entries.items():
            if isinstance(value, Tensor):
                tensors[f"optimizer/{owner}/{key}"] = value
            else:
                plain.setdefault(str(owner), {})[key] = value
    run = {
        "fingerprint": fingerprint,
        "facts": progress.facts,
        "optimizer": plain,
        "groups": progress.optimizer["param_groups"],
    }
    write_atomically(folder / FILE, weights_bytes(tensors, {"run": json.dumps(run)}))


def load_checkpoint(folder: Path, fingerprint: str) -> Progress | None:
    """The state kept in ``folder``, or None where there is none.

    Raises:
        InputError: the file is damaged, or belongs to another run.
    """
    path = folder / FILE
    if not path.exists():
        return None
    try:
        with safe_open(path, framework="pt") as file:
            run = json.loads((file.metadata() or {})["run"])
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, KeyError, ValueError) as error:
        raise InputError(
            f"unlearn: checkpoint {path} cannot be read ({error}): remove it to start anew"
        ) from error
    if run["fingerprint"] != fingerprint:
        raise InputError(
            f"unlearn: checkpoint {path} belongs to a run with another model, other records or "
            "other settings: choose another folder, or remove it to start anew"
        )
    state: dict[int, dict[str, Any]] = {int(k): dict(v) for k, v in run["optimizer"].items()}
    parts: dict[str, dict[str, Tensor]] = {"weights": {}, "best": {}}
    for key, value in tensors.items():
        kind, rest = key.split("/", 1)
        if kind == "optimizer":
            owner, name = rest.split("/", 1)
            state.setdefault(int(owner), {})[name] = value
        else:
            parts[kind][rest] = value
    optimizer = {"state": state, "param_groups": run["groups"]}
    return Progress(parts["weights"], parts["best"], optimizer, run["facts"])


def snapshot(model: nn.Module) -> dict[str, Tensor]:
    """A copy of all weights and buffers."""
    return {name: value.detach().clone() for name, value in model.state_dict().items()}
