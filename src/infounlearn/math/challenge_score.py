"""Score of the NeurIPS 2023 unlearning challenge, from sorted values instead of a grid search.

For one forget record, N models unlearned it and N never saw it. An attack decides from the record's
score which pool a model is from; with false-positive and false-negative rates FPR and FNR it shows
that unlearning is at best (ε, δ) with

    ε = max(ln(1 - δ - FPR) - ln FNR, ln(1 - δ - FNR) - ln FPR).

Two families of attacks are tried: a score of at least t is from the pool of the larger median; a
score in [l, r] is from the pool of the narrower range. An attack with exactly one rate 0 does not
count, one with both 0 gives ∞, a pool hundred times narrower than the other gives 50, and ε is
clipped to [0, 50]. A record is worth 2^-⌊2ε⌋ points, none from ε = ⌈ln(N - 1)⌉ on, and the
forgetting quality F is the mean over the forget records.

Source: Triantafillou et al. (2024), arXiv:2406.09073, and the published evaluation (δ = 1e-5,
N = 512), whose thresholds lie on a grid of 100 per unit of the score, with intervals whose ends are
within 2 units of the narrower pool's. Scores are margins φ and ε, both in nats.

Floor: the best of many attacks on few models always shows something. Two pools of the *same* law
have F near 0.2, not 1 (N = 32 to 512): put a second pool of retrained models in the place of the
unlearned ones and print its F beside the method's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import get_args

import numpy as np

from infounlearn.errors import Problems, is_number
from infounlearn.math.challenge_rules import Floats, Thresholds, strongest
from infounlearn.math.intervals import as_array

__all__ = [
    "ForgettingQuality",
    "challenge_epsilon",
    "challenge_final_score",
    "challenge_points",
    "forgetting_quality",
]

LARGEST = 50.0
LEAST_MODELS = 4


@dataclass(frozen=True)
class ForgettingQuality:
    """Forgetting quality of a pool of unlearned models.

    Attributes:
        value: F in [0, 1], the mean of ``points``; compare with the F of a second retrained pool.
        epsilon: (n,) strongest attack on each forget record, nats in [0, 50].
        points: (n,) 2^-⌊2ε⌋, or 0.
        models: size of the smaller pool.
        thresholds: which attacks were tried.
    """

    value: float
    epsilon: Floats
    points: Floats
    models: int
    thresholds: Thresholds


def challenge_epsilon(
    unlearned: object,
    retrained: object,
    *,
    thresholds: Thresholds = "published",
    delta: float = 1e-5,
) -> Floats:
    """Strongest ε that the challenge's attacks show on each record.

    Args:
        unlearned: (N, n) scores of n forget records under N ≥ 4 unlearned models, such as
            :func:`~infounlearn.math.logit_margin`.
        retrained: (M, n) the same under M ≥ 4 models that never saw them; N = M in the challenge.
        thresholds: "published": the attacks of the published grid and no other, so that ε is the
            published one. "exact": every threshold between two values, and every interval the
            published window has room for: the limit of an infinitely fine grid, never below
            "published". "every interval": also those outside the window; a stronger attack than the
            challenge's, with a lower floor (F near 0.08 at identical pools), not to be compared.
        delta: δ of the guarantee, in [0, 1).

    Returns:
        (n,) float64 in [0, 50]; 0 where no attack counts, as with constant equal pools (the
        published procedure stops there).

    Raises:
        InputError: fewer than 4 models, pools of different records, a score that is not finite,
            unknown thresholds or a bad delta.
    """
    one, two = _checked("challenge_epsilon", unlearned, retrained, thresholds, delta)
    return _epsilon(one, two, thresholds, delta)


def challenge_points(epsilon: object, models: int) -> Floats:
    """Points of each record: 2^-⌊2ε⌋, and 0 from ε = ⌈ln(models - 1)⌉ on.

    Args:
        epsilon: (n,) of :func:`challenge_epsilon`, nats; ∞ is allowed.
        models: size of the (smaller) pool, at least 4.

    Raises:
        InputError: an ε is negative or not a number, or there are fewer than 4 models.
    """
    values = as_array(epsilon).astype(np.float64)
    problems = Problems("challenge_points")
    problems.require(
        bool((values >= 0).all()), "an epsilon is negative or not a number", fix="pass ε ≥ 0"
    )
    problems.require(
        is_number(models, whole=True) and models >= LEAST_MODELS,
        f"models is {models}",
        fix=f"pass the number of models in a pool, at least {LEAST_MODELS}",
    )
    problems.raise_if_any()
    worthless = values >= np.ceil(np.log(models - 1))
    halvings = np.floor(2 * np.where(worthless, 0.0, values))
    return np.where(worthless, 0.0, 2.0**-halvings)


def forgetting_quality(
    unlearned: object,
    retrained: object,
    *,
    thresholds: Thresholds = "published",
    delta: float = 1e-5,
) -> ForgettingQuality:
    """Forgetting quality F: mean points of the forget records; arguments and errors as
    :func:`challenge_epsilon`.
    """
    one, two = _checked("forgetting_quality", unlearned, retrained, thresholds, delta)
    epsilon, models = _epsilon(one, two, thresholds, delta), min(len(one), len(two))
    points = challenge_points(epsilon, models)
    return ForgettingQuality(float(points.mean()), epsilon, points, models, thresholds)


def challenge_final_score(
    quality: float, *, retain: tuple[float, float], test: tuple[float, float]
) -> float:
    """Final score F·(RA_u/RA_r)·(TA_u/TA_r): forgetting quality times utility kept.

    Args:
        quality: F in [0, 1], ``forgetting_quality(...).value``.
        retain: mean accuracy on retain records of the (unlearned, retrained) models.
        test: the same on test records.

    Raises:
        InputError: a number outside [0, 1], or a retrained model of accuracy 0.
    """
    problems = Problems("challenge_final_score")
    named = {"quality": (quality,), "retain": retain, "test": test}
    for name, numbers in named.items():
        problems.require(
            all(is_number(float(number)) and 0 <= number <= 1 for number in numbers),
            f"{name} is {numbers}",
            fix="pass shares between 0 and 1",
        )
        if name != "quality" and problems.require(
            len(numbers) == 2, f"{name} has {len(numbers)} numbers", fix="pass (unlearned, gold)"
        ):
            problems.require(
                numbers[1] != 0,
                f"the retrained models' {name} accuracy is 0",
                fix="retrain models that learn",
            )
    problems.raise_if_any()
    return float(quality * (retain[0] / retain[1]) * (test[0] / test[1]))


def _epsilon(unlearned: Floats, retrained: Floats, thresholds: Thresholds, delta: float) -> Floats:
    best = strongest(unlearned, retrained, thresholds, delta)
    spreads = np.ptp(unlearned, 0), np.ptp(retrained, 0)
    # As published: a pool so much narrower is betrayed, whether or not the grid resolves it.
    peaked = np.minimum(*spreads) < 0.01 * np.maximum(*spreads)
    return np.clip(np.where(peaked, LARGEST, best), 0.0, LARGEST)


def _checked(
    where: str, unlearned: object, retrained: object, thresholds: object, delta: float
) -> tuple[Floats, Floats]:
    problems = Problems(where)
    pools = []
    for name, values in (("unlearned", unlearned), ("retrained", retrained)):
        pool = as_array(values).astype(np.float64)
        if problems.require(
            pool.ndim == 2 and len(pool) >= LEAST_MODELS and pool.shape[1] > 0,
            f"{name} has shape {pool.shape}",
            fix=f"pass (models, records) with {LEAST_MODELS} models or more",
        ):
            problems.require(
                bool(np.isfinite(pool).all()),
                f"{name} has {int((~np.isfinite(pool)).sum())} scores that are not finite",
                fix="pass finite scores, such as logit_margin of the logits",
            )
            pools.append(pool)
    if len(pools) == 2:
        problems.require(
            pools[0].shape[1] == pools[1].shape[1],
            f"unlearned has {pools[0].shape[1]} records, retrained {pools[1].shape[1]}",
            fix="pass the scores of the same records, in the same order",
        )
    problems.require(
        thresholds in get_args(Thresholds),
        f"thresholds is {thresholds!r}",
        fix=f"pass one of {', '.join(map(repr, get_args(Thresholds)))}",
    )
    problems.require(
        is_number(delta) and 0 <= delta < 1, f"delta is {delta}", fix="pass a δ such as 1e-5"
    )
    problems.raise_if_any()
    return pools[0], pools[1]
