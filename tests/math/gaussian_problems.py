"""Groups with Gaussian moments, well or ill conditioned, for the tests of their barycenter."""

from __future__ import annotations

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st

from infounlearn.math import GroupMoments

CASES = settings(max_examples=25, deadline=None, derandomize=True)
seeds = st.integers(0, 10**6)


def covariance(rng: np.random.Generator, d: int, condition: float = 20.0) -> np.ndarray:
    """(d, d) with largest eigenvalue 1 and axes at random."""
    basis = np.linalg.qr(rng.normal(size=(d, d)))[0]
    square = (basis * np.logspace(0, -np.log10(condition), d)) @ basis.T
    return (square + square.T) / 2


def problem(seed: int, m: int, d: int, condition: float = 20.0) -> GroupMoments:
    """Moments of ``m`` groups of unequal weight, each covariance on axes of its own."""
    rng = np.random.default_rng(seed)
    covariances = np.stack([covariance(rng, d, condition) for _ in range(m)])
    return GroupMoments.of(rng.uniform(0.5, 3, m), rng.normal(size=(m, d)), covariances)


def push_residual(result, moments: GroupMoments) -> float:
    """How far the maps leave a group from the common covariance, as a share of it."""
    pushed = result.maps @ moments.covariances @ result.maps - result.covariance
    return np.linalg.norm(pushed, axis=(1, 2)).max() / np.linalg.norm(result.covariance)
