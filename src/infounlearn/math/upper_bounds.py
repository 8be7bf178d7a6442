"""Certified upper bound on I(Y; Z) from a finite sample, for any finite outcome.

Theorem (our proof: docs/proofs.md). Let n_z draws per group be independent, groups independent,
π the declared prior, n_eff = min_z n_z/π_z, b = 1/π_min, L = ln(1/α) and λ in (0, 1) fixed before
the audit sample is seen. With probability at least 1 - α,

    I <= U = φ_λ(b) (1 - exp(-λc)) / λ,     c = Î + L / (λ n_eff),
    φ_λ(b) = λ (b ln b - b + 1) / ((1 - λ) b + λ - b^(1-λ)),

where Î is the plug-in information of label counts or of means of known release kernels. The number
of outcomes enters only through the upward bias of Î, so no table is too sparse.
"""

from __future__ import annotations

import numpy as np
from scipy import optimize

from infounlearn.errors import Problems

__all__ = ["default_lambda", "growth_factor", "information_upper_bound"]

KERNEL_LAMBDA = 0.45
"""Near the best choice at m = 2, prior ½ and Î near 0; gives U <= 2.03 Î + 13.5/n_eff."""


def growth_factor(lambda_: float, b: float) -> float:
    """φ_λ(b): largest ratio of KL to Hellinger-type divergence at likelihood ratios up to b."""
    return float(
        lambda_ * (b * np.log(b) - b + 1) / ((1 - lambda_) * b + lambda_ - b ** (1 - lambda_))
    )


def information_upper_bound(
    estimate: np.ndarray | float,
    *,
    n_eff: float,
    prior: np.ndarray,
    alpha: float,
    lambda_: float,
) -> np.ndarray:
    """U of the theorem, before the cap at H(π).

    Args:
        estimate: plug-in information Î in nats, any shape.
        n_eff: min_z n_z/π_z over the groups that are sampled.
        prior: (m,) declared prior.
        alpha: probability of error.
        lambda_: in (0, 1), fixed before the sample.
    Returns:
        float64 of the shape of ``estimate``.
    Raises:
        InputError: lambda_ or alpha outside (0, 1), or n_eff not positive.
    """
    problems = Problems("information_upper_bound")
    problems.require(0 < lambda_ < 1, f"lambda_ is {lambda_}", fix="pass a number in (0, 1)")
    problems.require(0 < alpha < 1, f"alpha is {alpha}", fix="pass 1 - confidence")
    problems.require(n_eff > 0, f"n_eff is {n_eff}", fix="sample every group")
    problems.raise_if_any()
    c = np.asarray(estimate, dtype=np.float64) - np.log(alpha) / (lambda_ * n_eff)
    factor = growth_factor(lambda_, 1 / float(np.min(prior)))
    return factor * -np.expm1(-lambda_ * c) / lambda_


def default_lambda(
    n_eff: float,
    *,
    prior: np.ndarray,
    alpha: float,
    num_outcomes: int | None,
    expected: float = 0.0,
) -> float:
    """λ that makes U smallest where Î is what is expected: from sizes alone, never from outcomes.

    Args:
        n_eff: effective sample size.
        prior: (m,) declared prior.
        alpha: probability of error.
        num_outcomes: K for label counts, whose plug-in is biased by (m-1)(K-1)/2n_eff; None for
            release kernels, or where K was not declared beforehand.
        expected: information expected from a *pilot*, nats.
    Returns:
        λ in [0.001, 0.9]; 0.45 with neither K nor a pilot.
    """
    if num_outcomes is None and expected == 0:
        return KERNEL_LAMBDA
    floor = (len(prior) - 1) * ((num_outcomes or 1) - 1) / (2 * n_eff) + expected

    def bound(log_lambda: float) -> float:
        return float(
            information_upper_bound(
                floor, n_eff=n_eff, prior=prior, alpha=alpha, lambda_=float(np.exp(log_lambda))
            )
        )

    found = optimize.minimize_scalar(
        bound, bounds=(np.log(1e-3), np.log(0.9)), method="bounded", options={"xatol": 1e-4}
    )
    return float(np.exp(found.x))
