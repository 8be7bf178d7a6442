"""Fitted maps on disk: tensors in safetensors, the rest in JSON, nothing that runs code."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from infounlearn.errors import InputError
from infounlearn.feature.images.batches import Rows
from infounlearn.feature.images.checkpoint import read_tensors, tensor_bytes
from infounlearn.feature.images.fitting import CLOSED, Fitted, build_maps
from infounlearn.feature.images.inquiring import restored
from infounlearn.feature.images.pictures import WHERE
from infounlearn.feature.images.settings import FLOWS
from infounlearn.feature.images.starts import AffineChange
from infounlearn.feature.sensitive import encode_sensitive
from infounlearn.files import write_atomically

MAPS, FACTS = "maps.safetensors", "barycenter.json"
VERSION = 2
PASSING = ("checkpoint", "progress")
"""Settings of one run, which the next need not share."""


def save_folder(
    folder: Path, settings: dict[str, Any], fitted: Fitted, facts: dict[str, Any]
) -> None:
    """Write both files of a fit."""
    held = {
        "version": VERSION,
        "settings": {k: v for k, v in settings.items() if k not in PASSING},
        "shape": fitted.shape,
        "labels": [_plain(label) for label in fitted.groups.labels],
        "counts": fitted.groups.counts.tolist(),
        "shift": fitted.rows.shift,
        "scale": fitted.rows.scale,
        "bound": fitted.bound,
        "net_scale": getattr(fitted.maps, "scale"),  # noqa: B009
        **facts,
    }
    write_atomically(folder / MAPS, tensor_bytes(fitted.maps.state_dict(), {}))
    write_atomically(folder / FACTS, json.dumps(held, indent=1).encode())


def load_folder(folder: Path) -> tuple[dict[str, Any], Fitted, dict[str, Any]]:
    """Settings, fit and facts that :func:`save_folder` wrote.

    Raises:
        InputError: files that are absent, damaged or of another version.
    """
    path = folder / FACTS
    try:
        held = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(
            f"{WHERE}: {path} cannot be read ({error}): pass a saved folder"
        ) from error
    if not isinstance(held, dict) or held.get("version") != VERSION:
        raise InputError(f"{WHERE}: {path} is of another version: save it anew")
    tensors, _ = read_tensors(folder / MAPS, WHERE)
    settings, shape = held["settings"], tuple(held["shape"])
    labels = [tuple(label) if isinstance(label, list) else label for label in held["labels"]]
    values = np.empty((len(labels), len(labels[0]) if isinstance(labels[0], tuple) else 1), object)
    for row, label in enumerate(labels):
        values[row] = label if isinstance(label, tuple) else (label,)
    groups = encode_sensitive(
        values if values.shape[1] > 1 else values[:, 0], where=WHERE, min_count=1, missing="group"
    )
    groups = replace(groups, counts=np.array(held["counts"], dtype=np.int64)).without_rows()
    own = {k.removeprefix("start."): v for k, v in tensors.items() if k.startswith("start.")}
    change = None
    if own:
        turn = own["turn"].numpy() + np.eye(own["turn"].shape[1])
        change = AffineChange(own["centre"], own.get("basis"), turn, own["offsets"])
    maps: nn.Module
    if settings["method"] in FLOWS:
        maps = restored(change, tensors, shape, len(groups))
    else:
        network = "closed" if settings["method"] in CLOSED else settings["network"]
        maps = build_maps(shape, len(groups), network, change, held["net_scale"])
        maps.load_state_dict(tensors)
        maps.eval().requires_grad_(False)
    none = torch.zeros(0, *shape)
    weights = torch.from_numpy(np.asarray(groups.weights))
    rows = Rows(none, torch.zeros(0, dtype=torch.long), weights, held["shift"], held["scale"])
    facts = {name: held[name] for name in ("facts", "history", "value")}
    pairwise = settings["method"] == "pairwise"
    fit = Fitted(
        maps, groups, rows, shape, pairwise, held["bound"], facts["history"], facts["facts"]
    )
    return settings, fit, facts


def _plain(label: Any) -> Any:
    if isinstance(label, tuple):
        return [_plain(part) for part in label]
    return label.item() if isinstance(label, np.generic) else label
