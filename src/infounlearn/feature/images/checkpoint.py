"""A run on disk: one safetensors file that appears whole or not at all, with its JSON inside."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from infounlearn.errors import InputError
from infounlearn.files import write_atomically

if TYPE_CHECKING:
    from infounlearn.feature.images.training import Training

FILE = "training.safetensors"


def tensor_bytes(tensors: dict[str, Tensor], facts: dict[str, Any]) -> bytes:
    """Tensors and plain values as one safetensors file."""
    held = {name: value.detach().cpu().contiguous().clone() for name, value in tensors.items()}
    return save(held, {"facts": json.dumps(facts)})


def read_tensors(path: Path, where: str) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """What :func:`tensor_bytes` wrote.

    Raises:
        InputError: the file is absent, damaged or another one.
    """
    try:
        with safe_open(path, framework="pt") as file:
            facts = json.loads((file.metadata() or {})["facts"])
            return {key: file.get_tensor(key) for key in file.keys()}, facts  # noqa: SIM118
    except (SafetensorError, OSError, KeyError, ValueError) as error:
        raise InputError(
            f"{where}: {path.name} in {path.parent} cannot be read ({error}): "
            "remove it to start anew, or choose another folder"
        ) from error


def save_checkpoint(run: Training, folder: Path) -> None:
    """Replace the last state of a run."""
    tensors = {f"best/{name}": value for name, value in run.best.items()}
    for part, net in _nets(run):
        tensors |= {f"{part}/{name}": value for name, value in net.state_dict().items()}
    for number, optimizer in enumerate(run.optimizers):
        for owner, entries in optimizer.state_dict()["state"].items():
            tensors |= {f"adam{number}/{owner}/{key}": value for key, value in entries.items()}
    facts = {
        "fingerprint": run.fingerprint,
        "step": run.step,
        "history": run.history,
        "best_step": run.best_step,
        "best_score": run.best_score,
    }
    write_atomically(folder / FILE, tensor_bytes(tensors, facts))


def load_checkpoint(run: Training, folder: Path) -> None:
    """Put a run where it was, if it left a state.

    Raises:
        InputError: the file is damaged, or belongs to another run.
    """
    path, where = folder / FILE, "NeuralBarycenter"
    if not path.exists():
        return
    tensors, facts = read_tensors(path, where)
    refuse_other(facts, run.fingerprint, path, where)
    run.best = _part(tensors, "best")
    for part, net in _nets(run):
        net.load_state_dict(_part(tensors, part))
    for number, optimizer in enumerate(run.optimizers):
        state: dict[int, dict[str, Tensor]] = {}
        for key, value in _part(tensors, f"adam{number}").items():
            owner, name = key.split("/")
            state.setdefault(int(owner), {})[name] = value
        groups = optimizer.state_dict()["param_groups"]
        optimizer.load_state_dict({"state": state, "param_groups": groups})
    run.step, run.history = facts["step"], facts["history"]
    run.best_step, run.best_score = facts["best_step"], facts["best_score"]


def refuse_other(facts: dict[str, Any], fingerprint: str, path: Path, where: str) -> None:
    """Take up no state of another run.

    Raises:
        InputError: other data or settings.
    """
    if facts["fingerprint"] != fingerprint:
        raise InputError(
            f"{where}: checkpoint {path} belongs to other images or other settings: choose "
            "another folder, or remove it to start anew"
        )


def _nets(run: Training) -> list[tuple[str, Any]]:
    players = run.players
    return [("maps", players.maps), ("potential", players.potential), ("shadow", players.shadow)]


def _part(tensors: dict[str, Tensor], name: str) -> dict[str, Tensor]:
    """Tensors of one part, without its name."""
    return {k.split("/", 1)[1]: v for k, v in tensors.items() if k.startswith(f"{name}/")}
