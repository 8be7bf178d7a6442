"""Small tables with a group that shows, and a plug that stands in for the mixed-data engine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from infounlearn.feature.columns import MixedTable
from infounlearn.feature.engine import Noise, Release, Settings

PLUG = "infounlearn.feature.common_support"


def numbers(rows: int = 300, columns: int = 3, groups: int = 2, seed: int = 0) -> tuple:
    """(X, z): Gaussian rows whose mean and spread depend on the group."""
    rng = np.random.default_rng(seed)
    z = np.sort(rng.integers(0, groups, rows))
    mix = rng.normal(size=(groups, columns, columns)) + 2 * np.eye(columns)
    X = np.einsum("nij,nj->ni", mix[z], rng.normal(size=(rows, columns)))
    order = rng.permutation(rows)
    return (X + z[:, None] * rng.normal(size=columns))[order], z[order]


X, Z = numbers()
FRAME = pd.DataFrame(X, columns=list("abc")).assign(s=np.where(Z, "m", "f"))
"""The same rows with their group as a column."""


def mixed(rows: int = 200, seed: int = 0) -> pd.DataFrame:
    """A frame with every kind of column, and ``sex``."""
    rng = np.random.default_rng(seed)
    sex = rng.choice(["f", "m"], rows)
    male = sex == "m"
    work = np.where(rng.random(rows) < 0.3 + 0.3 * male, "office", "field")
    level = rng.integers(0, 3, rows)
    color = rng.integers(0, 3, rows)
    return pd.DataFrame(
        {
            "age": rng.normal(40, 10, rows) + 3 * male,
            "sex": sex,
            "work": work.astype(object),
            "grade": pd.Categorical(
                np.array(["low", "mid", "top"])[level],
                categories=["low", "mid", "top", "none"],
                ordered=True,
            ),
            "owner": rng.random(rows) < 0.5,
            "children": rng.integers(0, 5, rows),
            "color_red": (color == 0).astype(int),
            "color_green": (color == 1).astype(int),
            "color_blue": (color == 2).astype(int),
        }
    )


def task(rows: int = 400, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(X, y, z): two classes that lean on a number which tells the group, "a" or "b"."""
    generator = np.random.default_rng(seed)
    z = generator.random(rows) < 0.4
    X = generator.normal(size=(rows, 3)) + np.outer(z, [1.0, 0.0, 0.0])
    y = (X[:, 0] + X[:, 1] + generator.normal(size=rows) > 0.5).astype(int)
    return X, y, np.where(z, "b", "a")


@dataclass(frozen=True, eq=False)
class Anyone:
    """Releases any fitted row with equal probability: independent of everything, exactly."""

    bank: MixedTable
    facts: Mapping[str, float] = field(default_factory=lambda: {"leak": 0.0})
    limits: tuple[str, ...] = ("Keeps nothing.",)
    target: np.ndarray | None = None

    def transform(self, table: MixedTable, codes: Any, noise: Noise) -> Release:
        rows = np.floor(noise(0) * len(self.bank)).astype(np.int64)
        return Release(rows=rows)

    def kernels(self, table: MixedTable, codes: Any) -> np.ndarray:
        return np.full((len(table), len(self.bank)), 1.0 / len(self.bank))


def fit_common_support(
    table: MixedTable,
    codes: np.ndarray,
    weights: np.ndarray,
    *,
    target: np.ndarray | None = None,
    settings: Settings,
    seed: int,
) -> Anyone:
    """What the plug of the estimator expects."""
    assert abs(weights.sum() - 1) < 1e-12
    assert len(codes) == len(table)
    return Anyone(table, target=target)
