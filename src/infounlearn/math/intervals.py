"""Intervals for a rate, a mean, a distribution function, and anything by bootstrap.

Sources: Clopper & Pearson (1934), Student's t, Dvoretzky-Kiefer-Wolfowitz with Massart's constant
(1990), Efron's percentile bootstrap. Randomness comes from a seed or a generator, never from
global state.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy import special, stats

from infounlearn.errors import Problems

__all__ = ["bootstrap_interval", "clopper_pearson", "dkw_band", "mean_interval"]


def as_array(values: object) -> np.ndarray:
    """Array of a sequence, a numpy array or a torch tensor on any device."""
    if hasattr(values, "detach"):
        values = values.detach().cpu().numpy()
    return np.asarray(values)


def as_vector(problems: Problems, name: str, values: object, *, least: int = 1) -> np.ndarray:
    """(n,) float64 array of finite numbers; what is wrong goes to ``problems``."""
    vector = as_array(values)
    if not problems.require(
        vector.ndim == 1 and len(vector) >= least,
        f"{name} has shape {vector.shape}",
        fix=f"pass a one-dimensional array of at least {least} value{'s' * (least > 1)}",
    ):
        return np.zeros(least)
    vector = vector.astype(np.float64)
    bad = int(np.count_nonzero(~np.isfinite(vector)))
    problems.require(
        bad == 0, f"{name} has {bad} values that are not finite", fix="remove or repair them"
    )
    return vector


def check_confidence(where: str, confidence: float) -> None:
    """Raise InputError unless 0 < confidence < 1."""
    problems = Problems(where)
    problems.require(
        0 < confidence < 1, f"confidence is {confidence}", fix="pass a level such as 0.95"
    )
    problems.raise_if_any()


def clopper_pearson(
    k: object, n: object, confidence: float = 0.95
) -> tuple[np.ndarray, np.ndarray]:
    """Exact two-sided interval of a proportion: k successes in n independent trials.

    Coverage is at least ``confidence`` at every true proportion. For a one-sided bound at level
    1 - a, take the end of interest at ``confidence = 1 - 2 a``.

    Args:
        k: successes, integer or array.
        n: trials (at least 1), integer or array that broadcasts with ``k``.
        confidence: two-sided level.
    Returns:
        Lower and upper end, float64 arrays of the broadcast shape (0-d for integers).
    Raises:
        InputError: k outside 0..n, n below 1 or a bad confidence.
    References:
        Clopper & Pearson (1934).
    """
    check_confidence("clopper_pearson", confidence)
    hits, trials = np.broadcast_arrays(as_array(k), as_array(n))
    problems = Problems("clopper_pearson")
    problems.require(bool(np.all(trials >= 1)), "n is below 1", fix="pass at least one trial")
    problems.require(
        bool(np.all((hits >= 0) & (hits <= trials))),
        "k lies outside 0..n",
        fix="pass the number of successes among the n trials",
    )
    problems.raise_if_any()
    tail = (1 - confidence) / 2
    misses = trials - hits
    # betaincinv is not defined at a zero parameter, where the end is 0 or 1 by definition.
    low = np.where(hits == 0, 0.0, special.betaincinv(np.maximum(hits, 1), misses + 1.0, tail))
    high = np.where(
        misses == 0, 1.0, special.betaincinv(hits + 1.0, np.maximum(misses, 1), 1 - tail)
    )
    return low, high


def mean_interval(values: object, confidence: float = 0.95) -> tuple[float, float]:
    """Student's t interval of a mean (exact for normal values, asymptotic otherwise).

    Args:
        values: (n,) independent values, n >= 2, for example one figure per seed.
        confidence: two-sided level.
    Raises:
        InputError: fewer than two values, values not finite, or a bad confidence.
    """
    check_confidence("mean_interval", confidence)
    problems = Problems("mean_interval")
    vector = as_vector(problems, "values", values, least=2)
    problems.raise_if_any()
    half = stats.t.ppf((1 + confidence) / 2, len(vector) - 1) * vector.std(ddof=1)
    half /= np.sqrt(len(vector))
    return float(vector.mean() - half), float(vector.mean() + half)


def dkw_band(values: object, confidence: float = 0.95) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Band that holds the whole distribution function with probability ``confidence``.

    Args:
        values: (n,) independent draws from any law.
        confidence: simultaneous two-sided level.
    Returns:
        (x, lower, upper): sorted distinct values and the band of F there, within [0, 1]. Between
        two values of x the band is that of the left one.
    Raises:
        InputError: empty or not finite values, or a bad confidence.
    References:
        Massart (1990).
    """
    check_confidence("dkw_band", confidence)
    problems = Problems("dkw_band")
    vector = as_vector(problems, "values", values)
    problems.raise_if_any()
    x, counts = np.unique(vector, return_counts=True)
    share = np.cumsum(counts) / len(vector)
    half = np.sqrt(np.log(2 / (1 - confidence)) / (2 * len(vector)))
    return x, np.maximum(share - half, 0.0), np.minimum(share + half, 1.0)


def bootstrap_interval(
    statistic: Callable[..., float],
    *samples: object,
    confidence: float = 0.95,
    resamples: int = 1999,
    seed: int | np.random.Generator,
) -> tuple[float, float]:
    """Percentile bootstrap interval; each sample is resampled on its own (stratified).

    Asymptotic. Do not use it for a maximum, a mutual information near zero (biased upwards: use
    the permutation null) or fewer than about 20 records per sample.

    Args:
        statistic: function of as many arrays as there are samples, returning a number.
        samples: arrays whose first axis runs over independent records.
        confidence: two-sided level.
        resamples: number of resamples.
        seed: integer or generator.
    Raises:
        InputError: an empty sample or a bad confidence.
    References:
        Efron & Tibshirani (1993).
    """
    check_confidence("bootstrap_interval", confidence)
    arrays = [as_array(sample) for sample in samples]
    problems = Problems("bootstrap_interval")
    problems.require(
        bool(arrays) and all(array.ndim > 0 and len(array) > 0 for array in arrays),
        "a sample is missing or empty",
        fix="pass at least one record per sample",
    )
    problems.require(resamples >= 1, f"resamples is {resamples}", fix="pass 1999")
    problems.raise_if_any()
    rng = np.random.default_rng(seed)
    values = [
        float(statistic(*(a[rng.integers(len(a), size=len(a))] for a in arrays)))
        for _ in range(resamples)
    ]
    low, high = np.quantile(values, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)
