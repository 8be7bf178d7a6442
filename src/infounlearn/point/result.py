"""What an unlearning run hands back."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from torch import nn

from infounlearn.files import writable_folder, write_atomically
from infounlearn.interface import RunSummary
from infounlearn.point.checkpoint import snapshot, weights_bytes


@dataclass(frozen=True, eq=False)
class Unlearned:
    """The model after unlearning and the story of how it came about.

    Attributes:
        model: a new model in eval mode; the caller's is untouched.
        history: one row per evaluation, the first of the original model; ``step``, ``epoch``,
            ``seconds``, ``loss``, ``gamma``, ``information`` (nats), accuracies, ``validation_auc``
            with ``auc_tolerance``, ``marginal_information`` (nats).
        stopped: why the run ended, and which state it returns.
        audit_holdout: held-out records that the run never touched; give these to ``audit``. None
            without held-out data.
        summary: the same story for a report, with settings, warnings and cost.
    """

    model: nn.Module
    history: tuple[Mapping[str, float], ...]
    stopped: str
    audit_holdout: Any
    summary: RunSummary

    @property
    def warnings(self) -> tuple[str, ...]:
        """Blind spots and other things worth knowing before trusting the result."""
        return self.summary.warnings

    def save(self, folder: str | os.PathLike[str]) -> Path:
        """Write ``weights.safetensors`` and ``run.json`` and return the folder.

        Raises:
            InputError: the folder cannot be written.
        """
        path = writable_folder(folder, "save", "folder")
        story = json.dumps(asdict(self.summary), indent=2, default=str)
        write_atomically(path / "weights.safetensors", weights_bytes(snapshot(self.model)))
        write_atomically(path / "run.json", story.encode())
        return path
