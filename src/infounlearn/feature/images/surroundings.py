"""What a run has around it: looks at kept images, a folder, a fingerprint, someone to tell."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from infounlearn.feature.images.batches import Rows
from infounlearn.feature.images.pictures import WHERE
from infounlearn.feature.images.probe import probe_groups
from infounlearn.feature.images.release import figures_of
from infounlearn.files import writable_folder


def looking(
    one: Any, rows: Rows, pixels: Tensor, codes: Tensor, pairwise: bool
) -> Callable[[nn.Module], dict[str, float]] | None:
    """What is looked at in the images kept from training, if any were."""
    if not len(pixels):
        return None
    groups = len(rows.weights)
    probe = partial(probe_groups, codes=codes, groups=groups, seed=one.random_state)
    return figures_of(pixels, codes, rows, pairwise, probe)


def folder_of(one: Any) -> Path | None:
    """Where the state of a run is kept, checked; None: nowhere."""
    return None if one.checkpoint is None else writable_folder(one.checkpoint, WHERE, "checkpoint")


def fingerprint_of(one: Any, rows: Rows, settings: dict[str, Any]) -> str:
    """SHA-256 of what a run depends on."""
    plain = [settings, one.network, one.start, str(one.dims), rows.shift, rows.scale]
    digest = hashlib.sha256(json.dumps(plain).encode())
    digest.update(rows.pixels.contiguous().numpy().tobytes())
    digest.update(rows.codes.numpy().tobytes())
    return digest.hexdigest()


def teller(progress: Any) -> Callable[[dict[str, float]], None] | None:
    """Who is told of each row of the history."""
    if callable(progress):
        return progress
    if not progress:
        return None

    def tell(row: dict[str, float]) -> None:
        told = "  ".join(f"{name} {value:.4g}" for name, value in row.items())
        print(told, file=sys.stderr, flush=True)

    return tell
