"""Certified lower bounds on I(Y; Z): what attacks learned on one half achieve on the other.

Two attacks. The *event* attack (two groups) picks the set of outcomes that separates the groups
best on half A and bounds its rates on half B, by Clopper-Pearson for labels and by Chernoff's bound
for kernels: by data processing the information of a yes/no answer is no more than I. The *decoder*
attack fits q(z | y) on half A and bounds Σ_z π_z E ln(q(z | Y)/π_z) <= I (Barber & Agakov 2003) on
half B by the empirical Bernstein inequality of Maurer & Pontil (2009).
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
from scipy import special

from infounlearn.math.intervals import clopper_pearson
from infounlearn.math.laws import group_laws, information_of_laws

__all__ = ["information_lower_bound"]

SHRINK = (0.02, 0.05, 0.1, 0.2, 0.4, 0.7)
"""Shares of the prior mixed into the decoder: more of it narrows the range of its log ratios."""


def information_lower_bound(
    outcomes: np.ndarray,
    z: np.ndarray,
    *,
    prior: np.ndarray,
    alpha: float,
    width: int,
    enumerated: Collection[int] = (),
    rng: np.random.Generator,
) -> float:
    """Lower bound that holds with probability at least 1 - alpha; 0 where no attack succeeds.

    Args:
        outcomes: (n,) labels, or (n, K) kernels; groups outside ``enumerated`` must be independent
            draws.
        z: (n,) groups 0..m-1.
        prior: (m,) declared prior.
        alpha: probability of error.
        width: number of outcomes K.
        enumerated: groups whose kernels are a whole finite population, hence known exactly.
        rng: splits the sampled groups into halves.
    """
    m = len(prior)
    first = np.zeros(len(z), dtype=bool)
    for group in range(m):
        rows = np.flatnonzero(z == group)
        if group in enumerated:
            continue
        if len(rows) < 4:
            return 0.0
        first[rng.permutation(rows)[: len(rows) // 2]] = True
    known = np.isin(z, list(enumerated))
    fit, test = first | known, ~first
    if m != 2:
        return max(0.0, _decoder(outcomes, z, prior, alpha, width, enumerated, fit, test))
    attacks = (_decoder, _event)
    found = [
        attack(outcomes, z, prior, alpha / len(attacks), width, enumerated, fit, test)
        for attack in attacks
    ]
    return max(0.0, *found)


def _event(
    outcomes: np.ndarray,
    z: np.ndarray,
    prior: np.ndarray,
    alpha: float,
    width: int,
    enumerated: Collection[int],
    fit: np.ndarray,
    test: np.ndarray,
) -> float:
    """GJSD of the event that looked best on the half ``fit``, by its rates on ``test``."""
    counted = outcomes.ndim == 1
    laws = group_laws(outcomes[fit], z[fit], 2, width)
    sizes = np.bincount(z[fit], minlength=2)
    # Half a count per cell only orders the outcomes; no rate is computed from it.
    ratio = np.log(laws[0] * sizes[0] + 0.5) - np.log(laws[1] * sizes[1] + 0.5)
    order = np.argsort(-ratio, kind="stable")
    rates = np.minimum(np.cumsum(laws[:, order], axis=1), 1.0)
    promised = _rate_information(rates, sizes, prior, alpha, enumerated, counted)
    event = order[: int(np.argmax(promised)) + 1]
    held = group_laws(outcomes[test], z[test], 2, width)[:, event].sum(1, keepdims=True)
    sizes = np.bincount(z[test], minlength=2)
    held = np.minimum(held, 1.0)
    return float(_rate_information(held, sizes, prior, alpha, enumerated, counted)[0])


def _rate_information(
    rates: np.ndarray,
    sizes: np.ndarray,
    prior: np.ndarray,
    alpha: float,
    enumerated: Collection[int],
    counted: bool,
) -> np.ndarray:
    """Lower bound on GJSD of events of which group 0 is suspected; each rate errs at alpha/2."""

    def end(group: int, side: int) -> np.ndarray:
        if group in enumerated:
            return rates[group]
        if counted:
            hits = np.rint(rates[group] * sizes[group]).astype(np.int64)
            return clopper_pearson(hits, sizes[group], 1 - alpha)[side]
        return chernoff_end(rates[group], int(sizes[group]), alpha / 2, side)

    t, f = end(0, 0), end(1, 1)
    laws = np.stack([np.stack([t, 1 - t], -1), np.stack([f, 1 - f], -1)], -2)
    return np.where(t > f, information_of_laws(laws, prior), 0.0)


def chernoff_end(mean: np.ndarray, n: int, alpha: float, side: int) -> np.ndarray:
    """One-sided bound on the mean of variables in [0, 1]: where n kl(mean ‖ p) = ln(1/alpha).

    Clopper-Pearson needs yes/no records; the probability that a kernel puts on an event is not.
    ``side`` 0 gives the lower, 1 the upper end. Hoeffding (1963), theorem 1.
    """
    level = -np.log(alpha) / n
    inner, outer = np.array(mean, dtype=np.float64), np.full(np.shape(mean), float(side))
    for _ in range(60):
        p = 0.5 * (inner + outer)
        within = special.rel_entr(mean, p) + special.rel_entr(1 - mean, 1 - p) <= level
        inner, outer = np.where(within, p, inner), np.where(within, outer, p)
    return outer


def _decoder(
    outcomes: np.ndarray,
    z: np.ndarray,
    prior: np.ndarray,
    alpha: float,
    width: int,
    enumerated: Collection[int],
    fit: np.ndarray,
    test: np.ndarray,
) -> float:
    """Barber-Agakov bound on ``test`` of the decoder that looked best on ``fit``."""
    m = len(prior)
    laws = group_laws(outcomes[fit], z[fit], m, width)
    joint = prior[:, None] * laws
    pooled = joint.sum(0)
    # An outcome that half A never showed tells nothing: its decoder is the prior.
    posterior = np.where(pooled > 0, joint / np.where(pooled > 0, pooled, 1.0), prior[:, None])
    log_ratios = [
        np.log(((1 - share) * posterior + share * prior[:, None]) / prior[:, None])
        for share in SHRINK
    ]
    scored = [
        _bernstein(outcomes[fit], z[fit], prior, alpha, enumerated, ratio) for ratio in log_ratios
    ]
    chosen = log_ratios[int(np.argmax(scored))]
    return _bernstein(outcomes[test], z[test], prior, alpha, enumerated, chosen)


def _bernstein(
    outcomes: np.ndarray,
    z: np.ndarray,
    prior: np.ndarray,
    alpha: float,
    enumerated: Collection[int],
    log_ratio: np.ndarray,
) -> float:
    """Σ_z π_z (mean - deviation); enumerated groups are known and deviate by nothing."""
    total = 0.0
    sampled = len(prior) - len(enumerated)
    level = np.log(2 * sampled / alpha) if sampled else 0.0
    for group, weight in enumerate(prior):
        rows = outcomes[z == group]
        values = log_ratio[group][rows] if rows.ndim == 1 else rows @ log_ratio[group]
        total += weight * float(values.mean())
        if group in enumerated:
            continue
        n = len(values)
        spread = float(np.ptp(log_ratio[group]))
        deviation = np.sqrt(2 * values.var(ddof=1) * level / n) + 7 * spread * level / (3 * (n - 1))
        total -= weight * float(deviation)
    return float(total)
