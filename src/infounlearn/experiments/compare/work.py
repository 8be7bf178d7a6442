"""What a worker does: one tuning, or one run of the chosen settings, kept when finished."""

from __future__ import annotations

import math
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from infounlearn.experiments.compare import ours
from infounlearn.experiments.compare.cells import (
    Cell,
    Status,
    code_of,
    load_cell,
    make_key,
    store_cell,
)
from infounlearn.experiments.compare.gold import Gold, show
from infounlearn.experiments.compare.pack import Packed
from infounlearn.experiments.compare.runs import build, run, settings_of
from infounlearn.experiments.compare.tuning import tune
from infounlearn.experiments.recipe import one_thread
from infounlearn.experiments.relearn import relearn
from infounlearn.point.methods import METHODS

_OWN = tuple(f"infounlearn.experiments.compare.{name}" for name in ("gold", "runs"))
_ENGINE = ("infounlearn.point.methods.engine", "infounlearn.point.methods.task")


def modules_of(name: str) -> tuple[str, ...]:
    """The modules whose code decides what a run of a method gives."""
    own = ours.MODULES if name == ours.NAME else (METHODS[name].__module__,)
    return (*_OWN, *_ENGINE, *own)


def tuning_key(name: str, gold: Gold, rows: float, trials: int, seconds: float) -> str:
    """Hash of all that decides which settings are chosen, but for the speed of the machine."""
    return make_key(
        "tuning",
        gold.key,
        len(gold.tuning.ensemble["forget"]),
        code_of((*modules_of(name), "infounlearn.experiments.compare.tuning")),
        name,
        _plain(settings_of(build(name, {}))),
        rows,
        trials,
        seconds,
        version("optuna"),
    )


def run_key(
    name: str, settings: Mapping[str, Any] | None, gold: Gold, rows: float, seed: int, again: bool
) -> str:
    """Hash of all that decides what a run gives."""
    code, more = code_of(modules_of(name)), ["relearn"] if again else []
    return make_key("run", gold.key, code, name, settings, rows, seed, *more)


def tuning_cell(
    packed: Packed, folder: Path, name: str, budget: float, trials: int, seconds: float
) -> Cell:
    """Tune a method on a case within a budget, unless that is done."""
    with one_thread():
        gold = packed.gold()
        rows = gold.rows(budget)
        key = tuning_key(name, gold, rows, trials, seconds)
        kept = load_cell(folder, key)
        if kept is not None:
            return kept
        tuned = tune(name, gold, rows, trials=trials, seconds=seconds)
        best = tuned.best
        status, reason = _verdict(best.status, best.reason)
        facts = {
            "settings": _plain(best.settings),
            "source": best.source,
            "value": best.value if math.isfinite(best.value) else None,
            "seconds": tuned.seconds,
            "trials": [
                {
                    "settings": _plain(one.settings),
                    "value": one.value if math.isfinite(one.value) else None,
                    "status": one.status,
                    "source": one.source,
                    "rows": one.rows,
                    "reason": one.reason,
                }
                for one in tuned.trials
            ],
        }
        cell = Cell(key, "tuning", gold.name, name, budget, None, status, reason, facts)
        store_cell(folder, cell)
        return cell


def _verdict(status: str, reason: str) -> tuple[Status, str]:
    known: dict[str, Status] = {
        "done": "done", "diverged": "diverged", "over budget": "over budget",
        "not applicable": "not applicable",
    }  # fmt: skip
    return known.get(status, "failed"), reason


def run_cell(
    packed: Packed,
    folder: Path,
    name: str,
    settings: Mapping[str, Any] | None,
    budget: float,
    seed: int,
    again: bool = False,
) -> Cell:
    """Unlearn original ``seed`` and keep what the result shows, unless that is done.

    With ``again`` the result also learns the forget records anew, for relearn time.
    """
    with one_thread():
        gold = packed.gold()
        rows = gold.rows(budget)
        key = run_key(name, settings, gold, rows, seed, again)
        kept = load_cell(folder, key)
        if kept is not None:
            return kept
        ran = run(name, settings, gold.case, gold.originals[seed], rows, seed)
        status, reason, arrays = ran.status, ran.reason, None
        if ran.model is not None:
            shown = {part: show(ran.model, own) for part, own in gold.final.records.items()}
            if all(bool(torch.isfinite(own).all()) for own in shown.values()):
                # Half the disk; measures need six digits, not fifteen.
                arrays = {part: own.numpy().astype(np.float32) for part, own in shown.items()}
            else:
                status, reason = "diverged", "outputs are not finite"
        facts = {
            "rows": ran.rows,
            "share": ran.rows / gold.rows(1.0),
            "seconds": ran.seconds,
            "history": [dict(row) for row in ran.history],
            "remarks": list(ran.remarks),
        }
        if again and arrays is not None and ran.model is not None:
            facts["relearn"] = relearn_steps(gold, ran.model, gold.originals[seed])
        cell = Cell(key, "run", gold.name, name, budget, seed, status, reason, facts)
        store_cell(folder, cell, arrays)
        return cell


def relearn_steps(gold: Gold, model: nn.Module, original: nn.Module) -> float:
    """Median steps over three orders until the forget records are known again; at most the cap."""
    runs = relearn([model], original, gold.case.forget, gold.case.recipe, seeds=range(3))
    return float(runs.steps.double().median())


def _plain(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings as JSON gives them back."""
    return {
        name: list(value) if isinstance(value, tuple) else value for name, value in settings.items()
    }
