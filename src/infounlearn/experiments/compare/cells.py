"""Finished pieces of a comparison on disk: one JSON each, and one npz for what a network showed.

A killed comparison started again finds its finished cells by their keys, which hash everything they
depend on. A method that diverged is a finished cell like any other. The arrays are written before
the JSON that vouches for them, each in one atomic step.
"""

from __future__ import annotations

import ast
import hashlib
import io
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

from infounlearn import __version__
from infounlearn.files import write_atomically

_ROOM = "infounlearn.point."

Status = Literal["done", "diverged", "over budget", "not applicable", "failed"]
"""Diverged: numbers stopped being finite. Over budget: even the shortest run costs more. Not
applicable: the case lacks what the method needs."""


@dataclass(frozen=True)
class Cell:
    """One finished piece of work.

    Attributes:
        key: hash of everything it depends on.
        kind: "tuning" or "run".
        case, method: names, for people; not part of the key.
        budget: share of retraining.
        seed: of a run.
        status: how it ended.
        reason: why, where it is not "done".
        facts: numbers and settings, as JSON holds them.
    """

    key: str
    kind: Literal["tuning", "run"]
    case: str
    method: str
    budget: float
    seed: int | None = None
    status: Status = "done"
    reason: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)


def load_cell(folder: Path, key: str) -> Cell | None:
    """The finished cell of that key; None where there is none, or a damaged one."""
    try:
        return Cell(**json.loads((folder / f"{key}.json").read_bytes()))
    except (OSError, ValueError, TypeError):
        return None  # any of these says that it is not what store_cell wrote: do it again


def store_cell(folder: Path, cell: Cell, arrays: Mapping[str, np.ndarray] | None = None) -> None:
    """Keep a finished cell, and what its network showed."""
    if arrays is not None:
        packed = io.BytesIO()
        np.savez_compressed(packed, **arrays)  # type: ignore[arg-type]
        write_atomically(folder / f"{cell.key}.npz", packed.getvalue())
    text = json.dumps(asdict(cell), indent=1) + "\n"
    write_atomically(folder / f"{cell.key}.json", text.encode())


def load_arrays(folder: Path, key: str) -> dict[str, np.ndarray]:
    """What the network of a run showed, by record set."""
    with np.load(folder / f"{key}.npz", allow_pickle=False) as packed:
        return {name: packed[name] for name in packed.files}


def make_key(*parts: Any) -> str:
    """Hash of values that JSON can hold, and of the versions of torch and of this package."""
    text = json.dumps([__version__, torch.__version__, *parts], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


@lru_cache(maxsize=64)
def code_of(modules: tuple[str, ...]) -> str:
    """Hash of the source of modules, and of all that those of ``infounlearn.point`` import there.

    The rest of the package is left out: a change of a message or of a measure repeats no run.
    """
    found: dict[str, str] = {}
    waiting = list(modules)
    while waiting:
        name = waiting.pop()
        source = None if name in found else _source(name)
        if source is None:
            continue
        found[name] = hashlib.sha256(source).hexdigest()
        # What starts the methods, all of them, is not followed: each names its own modules.
        if name.startswith(_ROOM):
            waiting += [one for one in _imports(source) if one.startswith(_ROOM)]
    return hashlib.sha256(json.dumps(sorted(found.items())).encode()).hexdigest()


def _source(module: str) -> bytes | None:
    """Source of a module; None of a name in one, such as a class."""
    try:
        spec = find_spec(module)
    except ModuleNotFoundError:
        return None
    return Path(spec.origin).read_bytes() if spec is not None and spec.origin else None


def _imports(source: bytes) -> Iterable[str]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            # "from package import module" names a module, too.
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
