"""What marginal unlearning bounds about the records themselves: drift, anchors, accuracy, scores.

Setting: D is the retain set R and the forget set F; a share α (``forget_share``) of the pool
P = (1-α) P_r + α P_u comes from F, and Q = P_r. The outcome f is ε-marginally unlearned where
I(f; Z) <= ε between P (Z = 0) and Q (Z = 1) under a declared prior.

All statements are about the mean law over a set of records, none about a single record, and only
about the audited outcome. Analogues of Xu & Strohmer 2025 (arXiv:2502.05684); our proofs:
docs/proofs.md.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from infounlearn.errors import Problems
from infounlearn.math.equivalents import UNIFORM, Prior, check_information, total_variation
from infounlearn.math.laws import entropy

__all__ = [
    "anchor_bound",
    "attack_accuracy_floor",
    "demographic_parity_bound",
    "forget_accuracy_bound",
    "forget_anchor_bound",
    "forget_retain_bound",
    "necessity_bound",
    "score_gap_bound",
    "score_gap_moment_bound",
]


def _share(where: str, forget_share: float) -> float:
    problems = Problems(where)
    problems.require(
        0 < forget_share <= 1,
        f"forget_share is {forget_share}",
        fix="pass the share of the pool that comes from the forget set, in (0, 1]",
    )
    problems.raise_if_any()
    return float(forget_share)


def attack_accuracy_floor(information: float, prior: Prior = UNIFORM) -> float:
    """Accuracy that the best attacker certainly reaches: 1 - (H(Z) - I)/(2 ln 2).

    The opposite direction of :func:`attack_accuracy`: feed it the information itself or a certified
    *lower* bound. Hellman & Raviv (1970).
    """
    weights = check_information("attack_accuracy_floor", information, prior)
    floor = 1 - (entropy(weights) - information) / (2 * np.log(2))
    return float(min(1.0, max(floor, weights.max())))


def forget_retain_bound(information: float, forget_share: float, prior: Prior = UNIFORM) -> float:
    """TV(P_u, P_r) <= v(I)/α: how far outputs on F may be from outputs on R.

    Because TV(P, Q) = α TV(P_u, P_r) in the pooled design. Capped at 1, which says nothing.
    """
    share = _share("forget_retain_bound", forget_share)
    return min(1.0, total_variation(information, prior) / share)


def anchor_bound(
    information: float,
    reference_information: float,
    retain_distance: float,
    prior: Prior = UNIFORM,
) -> float:
    """TV(f#P, g#P) <= v(I_f) + η + v(I_g): distance to an anchor g, say retrained, on the pool.

    Args:
        information: I of the unlearned model, nats.
        reference_information: I of the anchor under the same design.
        retain_distance: η >= TV(f#P_r, g#P_r); the mean per-record total variation, or
            √(mean per-record KL / 2), will do.
        prior: prior of both.
    """
    total = total_variation(information, prior) + total_variation(reference_information, prior)
    return min(1.0, total + retain_distance)


def forget_anchor_bound(
    information: float,
    reference_information: float,
    retain_distance: float,
    forget_share: float,
    prior: Prior = UNIFORM,
) -> float:
    """TV(f#P_u, g#P_u) <= (v(I_f) + v(I_g))/α + η: the same distance on the forget set."""
    share = _share("forget_anchor_bound", forget_share)
    total = total_variation(information, prior) + total_variation(reference_information, prior)
    return min(1.0, total / share + retain_distance)


def necessity_bound(
    distance: float,
    reference_information: float,
    forget_share: float,
    prior: Prior = UNIFORM,
) -> float:
    """I(f; Z) <= h(π_0) (2αδ + v(I_g)) where f is δ-close in TV to g on F and on R.

    Closeness to a retrained model thus forces small marginal information only as far as the
    retrained model itself has little; that has to be measured.
    """
    share = _share("necessity_bound", forget_share)
    weights = check_information("necessity_bound", reference_information, prior)
    drift = 2 * share * distance + total_variation(reference_information, prior)
    return entropy(weights) * min(1.0, drift)


def forget_accuracy_bound(
    retain_frequency: float, information: float, forget_share: float, prior: Prior = UNIFORM
) -> float:
    """P_u(y) <= P_r(y) + v(I)/α: accuracy on a forget set of the single class y.

    With I near 0 it is forced down to the share of retain records predicted as y: this is
    over-forgetting wherever a retrained model still recognises the class.
    """
    gap = forget_retain_bound(information, forget_share, prior)
    return min(1.0, retain_frequency + gap)


def score_gap_bound(
    information: float, score_range: float, forget_share: float, prior: Prior = UNIFORM
) -> float:
    """|E_u s - E_r s| <= range(s) v(I)/α for a bounded score *of the audited outcome*.

    The information of predicted labels bounds no loss: a loss needs the true label too.
    """
    return score_range * forget_retain_bound(information, forget_share, prior)


def score_gap_moment_bound(information: float, forget_moment: float, retain_moment: float) -> float:
    """|E_u s - E_r s| <= 2√(I (E_u (s-c)² + E_r (s-c)²)) for unbounded s of the outcome, any c.

    Here I is the information between forget and retain records *themselves* (α = 1) at prior ½.
    Cauchy-Schwarz and JSD >= ¼ Σ (P-Q)²/(P+Q) (Topsøe 2000).
    """
    check_information("score_gap_moment_bound", information)
    return 2 * float(np.sqrt(information * (forget_moment + retain_moment)))


def demographic_parity_bound(information: float, prior: Sequence[float] | np.ndarray) -> float:
    """Largest demographic parity difference of a decision, any number of groups.

    For groups y, z: I >= (π_y + π_z) I_yz, hence |rate_y - rate_z| <= v(I/(π_y + π_z)) under the
    prior of the pair; the largest over pairs is returned (tight for two groups, where it is at
    most √(I/2π_0π_1)). With I of a hard label it holds for that label; with I of a score it holds
    for every threshold.
    """
    weights = np.asarray(prior, dtype=np.float64)
    problems = Problems("demographic_parity_bound")
    problems.require(
        weights.ndim == 1
        and len(weights) >= 2
        and bool((weights > 0).all())
        and abs(float(weights.sum()) - 1) < 1e-9,
        f"prior is {weights.tolist()}",
        fix="pass at least two positive weights that sum to one",
    )
    problems.raise_if_any()
    bounds = []
    for first in range(len(weights)):
        for second in range(first + 1, len(weights)):
            pair = weights[[first, second]]
            mass = float(pair.sum())
            bounds.append(total_variation(information / mass, pair / mass))
    return max(bounds)
