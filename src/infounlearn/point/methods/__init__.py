"""Published ways to unlearn, one file each, behind one contract.

``METHODS`` maps the name of a method to its class; each is loaded when it is first asked for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Any

_HOME = {
    "restart-teacher": ("restart_teacher", "RestartTeacher"),
    "retrain": ("retrain", "Retrain"),
    "warm-restart": ("warm_restart", "WarmRestart"),
    "fine-tune": ("fine_tune", "FineTune"),
    "cf-k": ("last_layers", "CatastrophicForgetting"),
    "eu-k": ("last_layers", "ExactUnlearning"),
    "l1-sparse": ("l1_sparse", "L1Sparse"),
    "gradient-ascent": ("gradient_ascent", "GradientAscent"),
    "neg-grad-plus": ("neg_grad_plus", "NegGradPlus"),
    "random-label": ("random_label", "RandomLabel"),
    "salun": ("salun", "SalUn"),
    "scrub": ("scrub", "Scrub"),
    "bad-teacher": ("bad_teacher", "BadTeacher"),
    "ssd": ("ssd", "SelectiveDampening"),
    "influence": ("influence", "Influence"),
}


class _Methods(Mapping[str, Any]):
    """Name of a method to its class, imported on first use."""

    def __getitem__(self, name: str) -> Any:
        module, kind = _HOME[name]
        return getattr(import_module(f"infounlearn.point.methods.{module}"), kind)

    def __iter__(self) -> Iterator[str]:
        return iter(_HOME)

    def __len__(self) -> int:
        return len(_HOME)


METHODS: Mapping[str, Any] = _Methods()
"""Every published method, by its name on the command line."""

_CLASSES = {kind: name for name, (_, kind) in _HOME.items()}

__all__ = ["METHODS", *_CLASSES]


def __getattr__(name: str) -> Any:
    """Import a method class the first time it is asked for."""
    if name not in _CLASSES:
        raise AttributeError(f"module 'infounlearn.point.methods' has no attribute {name!r}")
    return METHODS[_CLASSES[name]]
