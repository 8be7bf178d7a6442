"""Unlearning a feature of images: optimal transport to one shared law, by closed form or networks.

Names are loaded when first used, so that importing the room costs nothing.
"""

from __future__ import annotations

from importlib import import_module

_ROOM = {
    "latent_gaussian": ("LatentGaussian", "fit_latent_gaussian"),
    "neural_barycenter": ("NeuralBarycenter",),
}
_HOME = {
    name: f"infounlearn.feature.images.{module}"
    for module, names in _ROOM.items()
    for name in names
}

__all__ = ["LatentGaussian", "NeuralBarycenter", "fit_latent_gaussian"]


def __getattr__(name: str) -> object:
    """Import a public name from its module the first time it is asked for."""
    if name not in _HOME:
        raise AttributeError(f"module 'infounlearn.feature.images' has no attribute {name!r}")
    value = getattr(import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME})
