"""Tables whose information about a feature is known."""

from __future__ import annotations

import numpy as np

QUICK = {"refits": 19, "permutations": 199, "folds": 3}
LINE = QUICK | {"probes": ["logistic"]}
FEW = QUICK | {"refits": 2}


def noise(n: int, columns: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n, columns))


def feature(n: int, seed: int, share: float = 0.4) -> np.ndarray:
    """Texts, of which a share says "a"."""
    return np.where(np.random.default_rng([seed, 1]).random(n) < share, "a", "b")


def fingerprint(n: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Bern(.3) and Bern(.7) before, their group means matched after, and the groups (n,)."""
    rng = np.random.default_rng([seed, 2])
    z = rng.permutation(np.arange(n) % 2)
    before = (rng.random(n) < np.where(z == 0, 0.3, 0.7)).astype(np.float64)
    after = before - np.where(z == 0, 0.3, 0.7)
    return before[:, None], after[:, None], z


def mixed(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """One-hot job, a count, and wages that depend on a feature (n,); columns as they are."""
    rng = np.random.default_rng([seed, 3])
    z = (rng.random(n) < 0.4).astype(np.int64)
    job = np.where(rng.random(n) < 0.3, z, rng.integers(0, 4, n))
    count = rng.poisson(2 + z)
    wage = rng.normal(size=n) + 0.8 * z + 0.3 * job
    return np.column_stack([np.eye(4)[job], count, wage]), z


def mean_matched(table: np.ndarray, z: np.ndarray) -> np.ndarray:
    """Every column less the mean of its group: what correlation removal does with one feature."""
    moved = table.copy()
    for group in np.unique(z):
        moved[z == group] += table.mean(0) - table[z == group].mean(0)
    return moved
