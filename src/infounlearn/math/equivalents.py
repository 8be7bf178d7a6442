"""What a value of I(Y; Z), in nats, allows: plain statements for two groups.

Every function takes the information I of *one audited outcome* Y about a group Z of two values, and
returns what holds for every pair of laws (P_0, P_1) with at most that information. Put a certified
upper bound in, and the statement inherits its confidence. Where a prior is taken, it must be the
one under which I was computed.

*Tight* bounds are attained by a pair of two-point laws: by data processing the event that an
attacker uses carries no more information than Y, so the worst case is binary. MI is an average
guarantee: a small I still allows a visible true-positive rate at very low false-positive rates,
which is why :func:`tpr_at_fpr_bound` belongs beside every quoted I.

Sources: Pinsker (1964), Fano (1961), Hellman & Raviv (1970), Lin (1991), Majani & Rumsey (1991);
the drift, ceiling and anchor forms are our analogues of Xu & Strohmer 2025 (arXiv:2502.05684),
proved in docs/proofs.md.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from scipy import optimize

from infounlearn.errors import Problems
from infounlearn.math.laws import entropy, information_of_laws

__all__ = [
    "attack_accuracy",
    "auc_bound",
    "auc_from_total_variation",
    "binary_information",
    "capacity_bound",
    "change_of_prior",
    "delta_at_epsilon",
    "drift_bound",
    "largest_information",
    "total_variation",
    "tpr_at_fpr_bound",
]

Prior = Sequence[float] | np.ndarray
UNIFORM = (0.5, 0.5)


def check_information(where: str, information: float, prior: Prior = UNIFORM) -> np.ndarray:
    """Prior as an array; InputError for a negative I or a prior that is not one of two groups."""
    weights = np.asarray(prior, dtype=np.float64)
    problems = Problems(where)
    problems.require(
        float(information) >= 0,
        f"information is {information}",
        fix="pass a non-negative number of nats; use an upper bound, not a de-biased estimate",
    )
    problems.require(
        weights.shape == (2,)
        and bool((weights > 0).all())
        and abs(float(weights.sum()) - 1) < 1e-9,
        f"prior is {weights.tolist()}",
        fix="pass two positive weights that sum to one",
    )
    problems.raise_if_any()
    return weights


def binary_information(a: float, b: float, prior: Prior = UNIFORM) -> float:
    """I of a yes/no outcome with rates ``a`` under group 0 and ``b`` under group 1.

    This is the Jensen-Shannon divergence of Bern(a) and Bern(b), weighted by ``prior``.
    """
    weights = check_information("binary_information", 0.0, prior)
    return float(information_of_laws(np.array([[a, 1 - a], [b, 1 - b]]), weights))


def largest_information(total_variation: float, prior: Prior = UNIFORM) -> float:
    """Largest I that a total variation v between the laws allows: h(π_0) v (tight)."""
    return entropy(check_information("largest_information", 0.0, prior)) * total_variation


def drift_bound(information: float, prior: Prior = UNIFORM) -> float:
    """r(I) = √(I / 2π_0π_1), capped at 1: a bound on the total variation, by Pinsker.

    Simple but not tight; :func:`total_variation` is never larger.
    """
    weights = check_information("drift_bound", information, prior)
    return min(1.0, float(np.sqrt(information / (2 * weights.prod()))))


def _largest(inside: Callable[[float], bool], low: float, high: float) -> float:
    """Largest x in [low, high] with ``inside(x)``, which is true up to some point: bisection.

    Returns the outer end of the last bracket, so that rounding never tightens a bound.
    """
    if inside(high):
        return high
    for _ in range(200):
        middle = 0.5 * (low + high)
        if middle in (low, high):
            break
        low, high = (middle, high) if inside(middle) else (low, middle)
    return high


def total_variation(information: float, prior: Prior = UNIFORM) -> float:
    """Largest TV(P_0, P_1) that information I allows (tight, any prior).

    At prior ½ it solves ln 2 - h((1 - v)/2) = I, the least information of a pair at distance v.

    Returns:
        v in [0, 1].
    """
    weights = check_information("total_variation", information, prior)

    def least(v: float) -> float:
        if weights[0] == weights[1]:
            # ½[(1+v) ln(1+v) + (1-v) ln(1-v)] without cancellation.
            return 0.0 if v == 0 else float(v * np.arctanh(v) + 0.5 * np.log1p(-v * v))

        def information_at(b: float) -> float:
            laws = np.array([[b + v, 1 - b - v], [b, 1 - b]])
            return float(information_of_laws(laws, weights))

        # I is convex along {a - b = v}. Evaluating above the minimum would only overstate `least`
        # to second order in the search tolerance.
        found = optimize.minimize_scalar(
            information_at, bounds=(0.0, 1 - v), method="bounded", options={"xatol": 1e-10}
        )
        return min(float(found.fun), information_at(0.0), information_at(1 - v))

    if information == 0:
        return 0.0
    if information >= entropy(weights):
        return 1.0
    return _largest(lambda v: least(v) <= information, 0.0, float(np.nextafter(1.0, 0.0)))


def attack_accuracy(information: float, prior: Prior = UNIFORM) -> float:
    """Largest accuracy of any attacker who guesses Z from one outcome, Z ~ prior (tight).

    Fano's inequality for two groups, h(error) >= H(Z) - I; at prior ½ this is (1 + v)/2 with v of
    :func:`total_variation`. With I = 0 it is the share of the larger group.
    """
    weights = check_information("attack_accuracy", information, prior)
    left = entropy(weights) - information
    if left <= 0:
        return 1.0
    return 1 - _smallest_error(left, float(weights.min()))


def _smallest_error(left: float, ceiling: float) -> float:
    """Smallest e <= ceiling with h(e) >= left; the inner end of the bracket."""

    def short(e: float) -> bool:
        return entropy(np.array([e, 1 - e])) < left

    low, high = 0.0, ceiling
    if short(high):
        return high
    for _ in range(200):
        middle = 0.5 * (low + high)
        if middle in (low, high):
            break
        low, high = (middle, high) if short(middle) else (low, middle)
    return low


def auc_from_total_variation(distance: float) -> float:
    """Largest area under the ROC curve at total variation v: ½ + v - v²/2 (tight in v)."""
    return 0.5 + distance - distance * distance / 2


def auc_bound(information: float, prior: Prior = UNIFORM) -> float:
    """Bound on the area under the ROC curve of any score of the outcome (not tight in I)."""
    return auc_from_total_variation(total_variation(information, prior))


def tpr_at_fpr_bound(information: float, fpr: float, prior: Prior = UNIFORM) -> float:
    """Largest true-positive rate of any test of false-positive rate ``fpr`` (tight).

    Positives are group 0. Solves JSD_π(Bern t, Bern fpr) = I for t >= fpr.
    """
    weights = check_information("tpr_at_fpr_bound", information, prior)
    problems = Problems("tpr_at_fpr_bound")
    problems.require(0 <= fpr <= 1, f"fpr is {fpr}", fix="pass a rate in [0, 1]")
    problems.raise_if_any()

    def allowed(t: float) -> bool:
        laws = np.array([[t, 1 - t], [fpr, 1 - fpr]])
        return float(information_of_laws(laws, weights)) <= information

    return fpr if information == 0 else _largest(allowed, fpr, 1.0)


def delta_at_epsilon(information: float, epsilon: float, prior: Prior = UNIFORM) -> float:
    """Largest δ such that some event has P_0 > e^ε P_1 + δ: the hockey-stick divergence (tight).

    max {a - e^ε b : JSD_π(Bern a, Bern b) <= I}. At ε = 0 this is :func:`total_variation`. It
    bounds the divergence between the two laws of this outcome; it is not differential privacy,
    which quantifies over all data sets.
    """
    check_information("delta_at_epsilon", information, prior)
    problems = Problems("delta_at_epsilon")
    problems.require(epsilon >= 0, f"epsilon is {epsilon}", fix="pass a non-negative number")
    problems.raise_if_any()
    if information == 0:
        return 0.0

    # The allowed (a, b) form a convex set, so the largest a is concave in b and one search does.
    # The root of b resolves the tiny b that a large epsilon asks for.
    def loss(root: float) -> float:
        b = root * root
        return np.exp(epsilon) * b - tpr_at_fpr_bound(information, b, prior)

    grid = np.concatenate([[0.0], np.geomspace(1e-8, 1.0, 65)])
    values = [loss(root) for root in grid]
    best = int(np.argmin(values))
    window = (grid[max(best - 1, 0)], grid[min(best + 1, len(grid) - 1)])
    found = optimize.minimize_scalar(
        loss, bounds=window, method="bounded", options={"xatol": 1e-12 + 1e-9 * window[1]}
    )
    return max(0.0, -min(float(found.fun), values[best]))


def change_of_prior(information: float, prior: Prior, new_prior: Prior) -> float:
    """Bound on the information of the same laws under another prior, any number of groups.

    I_new <= max_z(new_z / old_z) I_old, because I is the least mean divergence to one law. Capped
    at H(new prior).
    """
    old, new = np.asarray(prior, dtype=np.float64), np.asarray(new_prior, dtype=np.float64)
    problems = Problems("change_of_prior")
    problems.require(
        old.shape == new.shape and old.ndim == 1 and bool((old > 0).all() and (new >= 0).all()),
        f"priors are {old.tolist()} and {new.tolist()}",
        fix="pass two priors over the same groups, the old one positive",
    )
    problems.raise_if_any()
    return min(entropy(new), float((new / old).max()) * information)


def capacity_bound(information: float) -> float:
    """Bound on the information under *every* prior, from I at prior ½ (two groups).

    The uniform prior reaches a share of at least ½ e ln 2 = 0.94208 of the capacity.
    """
    check_information("capacity_bound", information)
    return min(float(np.log(2)), information / (0.5 * np.e * np.log(2)))
