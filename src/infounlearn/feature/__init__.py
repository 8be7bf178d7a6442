"""Unlearning a feature: from a table, from a model, and at the decision.

Names are loaded when first used, so that importing the room costs nothing.
"""

from __future__ import annotations

from importlib import import_module

_ROOM = {
    "barycenter": ("WassersteinBarycenter",),
    "callbacks": ("PenalizedLoss",),
    "decisions": ("ParityHead",),
    "estimators": ("InformationRegularizedClassifier", "InformationRegularizedRegressor"),
    "frontiers": ("Dial", "Frontier", "frontier"),
    "images": ("NeuralBarycenter",),
    "penalty": ("InformationPenalty",),
    "scores": ("ScoreBarycenter",),
    "sensitive": ("SensitiveGroups", "encode_sensitive"),
    "survival": ("Survival", "survival"),
}
_HOME = {name: f"infounlearn.feature.{module}" for module, names in _ROOM.items() for name in names}

__all__ = [
    "Dial",
    "Frontier",
    "InformationPenalty",
    "InformationRegularizedClassifier",
    "InformationRegularizedRegressor",
    "NeuralBarycenter",
    "ParityHead",
    "PenalizedLoss",
    "ScoreBarycenter",
    "SensitiveGroups",
    "Survival",
    "WassersteinBarycenter",
    "encode_sensitive",
    "frontier",
    "survival",
]


def __getattr__(name: str) -> object:
    """Import a public name from its module the first time it is asked for."""
    if name not in _HOME:
        raise AttributeError(f"module 'infounlearn.feature' has no attribute {name!r}")
    value = getattr(import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME})
