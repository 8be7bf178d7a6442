"""The settings of a run in plain values, and a fingerprint of all that determines it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import fields, is_dataclass
from typing import Any

from torch import nn

from infounlearn.point.checkpoint import weights_bytes
from infounlearn.point.evaluation import Sets


def describe(value: Any) -> Any:
    """A setting as plain values with its name; the same in every process and run."""
    if is_dataclass(value) and not isinstance(value, type):
        own = {field.name: describe(getattr(value, field.name)) for field in fields(value)}
        return {"name": type(value).__name__, **own}
    if isinstance(value, tuple | list):
        return [describe(one) for one in value]
    if value is None or isinstance(value, bool | int | float | str):
        return value
    # The text of a function or object holds its address, which no other process repeats.
    named = value if hasattr(value, "__qualname__") else type(value)
    return f"{named.__module__}.{named.__qualname__}"


def fingerprint(original: nn.Module, sets: Sets, settings: dict[str, Any]) -> str:
    """SHA-256 of everything that determines a run."""
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
    digest.update(weights_bytes(original.state_dict()))
    for part in (sets.forget, sets.retain, sets.targets, sets.validation):
        if part is not None:
            digest.update(b"".join(part.hashes))
    return digest.hexdigest()
