"""Experiments as commands: ``infounlearn figure NAME [--quick]``.

Each module holds one ``run(quick, out, seed, progress=None) -> FigureResult``. The loops of the
paper's own experiments are plain code on purpose: ``task_loss + gamma * marginal_information(...)``
in one's own loop is the direct way to use this package, and the paper's protocol needs no more.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

FIGURES = {
    "default-unlearning": "infounlearn.experiments.figures.default_unlearning:run",
    "default-parts": "infounlearn.experiments.figures.default_parts:run",
    "mnist-trajectories": "infounlearn.experiments.figures.mnist_trajectories:run",
    "output-densities": "infounlearn.experiments.figures.output_densities:run",
    "gaussian-toy": "infounlearn.experiments.figures.gaussian_toy:run",
    "adult-release": "infounlearn.experiments.figures.adult_release:run",
    "image-barycenter": "infounlearn.experiments.figures.image_barycenter:run",
    "tabular-frontiers": "infounlearn.experiments.figures.tabular_frontiers:run",
}
"""Name of each figure, and ``module:function`` of what makes it; loaded when first used."""


def figure(name: str) -> Callable[..., Any]:
    """The function that makes figure ``name``: ``run(quick, out, seed, progress=None)``.

    Raises:
        KeyError: no such figure.
    """
    module, function = FIGURES[name].split(":")
    run: Callable[..., Any] = getattr(import_module(module), function)
    return run
