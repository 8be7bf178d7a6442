"""The certified upper bound for class-conditional leakage: forget enumerated, held-out fresh.

Theorem (our proof: docs/proofs.md, section 1). Let class c have share w_c, the
forget records be enumerated, n_c held-out records per class be independent draws, and the release
kernels be fixed beforehand. With n_eff = min_c n_c/(w_c π_H), and Î the class-conditional plug-in,
the bound U(Î, n_eff) of :func:`infounlearn.math.upper_bounds.information_upper_bound` holds for
Σ_c w_c I_c.

The proof for one class carries over: in its second step every record of (c, z) has the weight
θ w_c π_z/n_zc, which is at most λ for θ = λ n_eff (enumerated records add constants only); in its
third the weights w_c π_z again sum to one.
"""

from __future__ import annotations

import math

import numpy as np

from infounlearn.math.upper_bounds import KERNEL_LAMBDA, information_upper_bound


def stratified_bound(
    estimate: float, shares: np.ndarray, holdout_sizes: np.ndarray, confidence: float
) -> float:
    """Upper bound, in nats, on the leakage information at prior one half; at most ln 2.

    Args:
        estimate: plug-in Î from known release kernels.
        shares: (k,) the forget set's class shares, summing to one.
        holdout_sizes: (k,) fresh held-out records per class.
        confidence: one-sided level.
    """
    prior = np.array([0.5, 0.5])
    upper = information_upper_bound(
        estimate,
        n_eff=float((holdout_sizes / (shares * prior[1])).min()),
        prior=prior,
        alpha=1 - confidence,
        lambda_=KERNEL_LAMBDA,
    )
    return min(math.log(2), float(upper))
