"""Images whose feature is known: digits, plain or inverted."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import nn

from infounlearn.data.digits import load_digits

FAST = {"folds": 3, "refits": 1, "epochs": 4, "splits": 2, "limit": 0.5}
"""Few trainings: a leak of half a nat is found at once."""


class World(NamedTuple):
    """Images, whether each is inverted, the image before that, and whether the digit is even."""

    shown: np.ndarray
    z: np.ndarray
    plain: np.ndarray
    even: np.ndarray


def inverted(n: int, seed: int = 0) -> World:
    """(n, 1, 8, 8) digits of which half, drawn at random, are inverted: 1 - x is their map."""
    records = load_digits()
    rng = np.random.default_rng([seed, 7])
    rows = rng.permutation(len(records.targets))[:n]
    plain = records.inputs.numpy().reshape(-1, 1, 8, 8)[rows]
    z = rng.permutation(np.arange(n) % 2)
    shown = np.where(z[:, None, None, None] == 1, 1 - plain, plain)
    return World(shown, z, plain, records.targets.numpy()[rows] % 2 == 0)


def mean_shifted(shown: np.ndarray, z: np.ndarray) -> np.ndarray:
    """Each group moved to the common mean image: of inverted digits, the Gaussian optimal map."""
    means = np.stack([shown[z == group].mean(0) for group in range(int(z.max()) + 1)])
    return (shown - means[z] + shown.mean(0)).astype(np.float32)


def larger(images: np.ndarray, times: int) -> np.ndarray:
    """Every pixel a square of ``times`` by ``times``."""
    return images.repeat(times, 2).repeat(times, 3)


def extractor(seed: int = 0) -> nn.Module:
    """A small module with dropout, which must be read in evaluation mode."""
    module = nn.Sequential(nn.Flatten(), nn.Linear(64, 5), nn.Dropout(0.5))
    weights = np.random.default_rng(seed).normal(size=(5, 64))
    module[1].weight.data = torch.from_numpy(weights.astype(np.float32))
    module[1].bias.data = torch.zeros(5)
    return module
