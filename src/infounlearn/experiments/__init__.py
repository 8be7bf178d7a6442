"""Real trained networks to unlearn from: cases, recipes, ensembles, and the paper's figures.

Names are loaded when first used, so that importing this room costs nothing.
"""

# ruff: noqa: F401 - the names below are exported, by __getattr__.

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

_HOME = {
    "Case": "cases",
    "case": "cases",
    "Recipe": "recipe",
    "TrainedModel": "recipe",
    "train": "recipe",
    "trained": "ensemble",
}

__all__ = [*sorted(_HOME)]

if TYPE_CHECKING:
    from infounlearn.experiments.cases import Case, case
    from infounlearn.experiments.ensemble import trained
    from infounlearn.experiments.recipe import Recipe, TrainedModel, train


def __getattr__(name: str) -> object:
    """Import a public name of this room the first time it is asked for."""
    if name not in _HOME:
        raise AttributeError(f"module 'infounlearn.experiments' has no attribute {name!r}")
    value = getattr(import_module(f"infounlearn.experiments.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOME])
