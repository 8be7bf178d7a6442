"""U-LiRA: can a likelihood ratio per record tell "trained, then unlearned" from "never saw it"?

For each record, one normal law is fitted to its margins φ under models that trained on it and then
unlearned it, one to those under models that never saw it; a further model is judged by the
logarithm of the ratio of the two densities, in nats. Every model is judged by laws fitted to
*other* models: fold f holds out models f, f + K, ... of both pools. Judging a model by laws it
helped to fit calls random noise an attack (accuracy near .7 with 4 models and nothing to find).

φ must be continuous: 0/1 correctness has no normal law. Standard deviations have a floor, so that
equal margins give a finite ratio.

Source: Hayes et al. (2024), arXiv:2403.01218; Carlini et al. (2022), arXiv:2112.03570.

Floor: put a second pool of retrained models in the place of the unlearned ones. Its expected
accuracy is exactly 1/2 for pools of equal size, whatever the margins' law, and its spread tells
what this many models and records can show. A true-positive rate at .1 % false positives needs at
least 1,000 (model, record) pairs never seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from infounlearn.errors import Problems, is_number
from infounlearn.math.intervals import as_array, check_confidence, clopper_pearson
from infounlearn.math.ranking import OperatingPoint, tpr_at_fpr

__all__ = ["LikelihoodAttack", "u_lira"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class LikelihoodAttack:
    """What U-LiRA achieves, every model judged out of sample.

    The intervals are Clopper-Pearson's, exact where (model, record) pairs are independent. Records
    of one model are not quite: compare with the same attack on a second retrained pool.

    Attributes:
        accuracy: balanced accuracy of calling "unlearned" where the ratio is above 1, a ratio of
            exactly 1 counting one half; 1/2 is perfect unlearning.
        interval: of the balanced accuracy; half the sum of the two rates' ends, each at half the
            error.
        per_record: (n,) balanced accuracy on each record alone.
        points: true-positive rate at each false-positive rate asked for.
        unlearned: (N, n) log likelihood ratios of the unlearned models, nats.
        unseen: (M, n) those of the models that never saw the records.
        confidence: level of the intervals.
    """

    accuracy: float
    interval: tuple[float, float]
    per_record: Floats
    points: tuple[OperatingPoint, ...]
    unlearned: Floats
    unseen: Floats
    confidence: float


def u_lira(
    unlearned: object,
    unseen: object,
    *,
    folds: int | None = None,
    least_deviation: float = 1e-3,
    rates: Sequence[float] = (0.01, 0.001),
    confidence: float = 0.95,
) -> LikelihoodAttack:
    """Attack n records through N unlearned models and M that never saw the records.

    Args:
        unlearned: (N, n) margins φ of the records under models trained on and made to forget them,
            nats, such as :func:`~infounlearn.math.logit_margin`; N ≥ 3.
        unseen: (M, n) margins under models that never saw them, M ≥ 3; N = M keeps the null exact.
        folds: models are judged in this many groups; default the smaller pool's size, that is one
            model at a time. Each fit must keep 2 models of either pool.
        least_deviation: floor of a law's standard deviation, nats.
        rates: false-positive rates.
        confidence: level of each interval.

    Raises:
        InputError: pools too small or of different records, margins that are not finite or not
            continuous (truth values, integers, or nothing but 0 and 1), or settings out of range.
    """
    check_confidence("u_lira", confidence)
    pools = _checked(unlearned, unseen, folds, least_deviation, rates)
    one, two = (np.empty_like(pool) for pool in pools)
    groups = min(len(one), len(two)) if folds is None else folds
    for fold in range(groups):
        laws = [_law(np.delete(pool, np.s_[fold::groups], 0), least_deviation) for pool in pools]
        for pool, ratios in zip(pools, (one, two), strict=True):
            judged = pool[fold::groups]
            ratios[fold::groups] = _log_density(judged, *laws[0]) - _log_density(judged, *laws[1])
    hits, passes = _above(one), 1 - _above(two)
    low, high = 0.0, 0.0
    each = (1 + confidence) / 2
    for right in (hits, passes):
        # A ratio of exactly 1 counts one half: floor and ceiling hold both ways to round.
        total = float(right.sum())
        low += float(clopper_pearson(int(np.floor(total)), right.size, each)[0]) / 2
        high += float(clopper_pearson(int(np.ceil(total)), right.size, each)[1]) / 2
    return LikelihoodAttack(
        accuracy=float((hits.mean() + passes.mean()) / 2),
        interval=(low, high),
        per_record=(hits.mean(0) + passes.mean(0)) / 2,
        points=tuple(
            tpr_at_fpr(one.ravel(), two.ravel(), rate, confidence=confidence) for rate in rates
        ),
        unlearned=one,
        unseen=two,
        confidence=confidence,
    )


def _law(pool: Floats, least: float) -> tuple[Floats, Floats]:
    return pool.mean(0), np.maximum(pool.std(0, ddof=1), least)


def _log_density(values: Floats, mean: Floats, deviation: Floats) -> Floats:
    """Without -½ ln 2π, which cancels in a ratio."""
    return -((values - mean) ** 2) / (2 * deviation**2) - np.log(deviation)


def _above(ratios: Floats) -> Floats:
    return (ratios > 0) + 0.5 * (ratios == 0)


def _checked(
    unlearned: object, unseen: object, folds: object, least: object, rates: Sequence[float]
) -> list[Floats]:
    problems = Problems("u_lira")
    pools = []
    for name, values in (("unlearned", unlearned), ("unseen", unseen)):
        pool = as_array(values)
        if not problems.require(
            pool.ndim == 2 and len(pool) >= 3 and pool.shape[1] > 0,
            f"{name} has shape {pool.shape}",
            fix="pass (models, records) with 3 models or more",
        ):
            continue
        problems.require(
            pool.dtype.kind == "f" and not np.isin(pool, (0, 1)).all(),
            f"{name} does not hold continuous margins",
            why="correct or not is no normal variable",
            fix="pass logit_margin of the logits",
        )
        pools.append(pool.astype(np.float64))
        problems.require(
            bool(np.isfinite(pools[-1]).all()), f"{name} is not finite", fix="pass finite margins"
        )
    if len(pools) == 2:
        problems.require(
            pools[0].shape[1] == pools[1].shape[1],
            f"unlearned has {pools[0].shape[1]} records, unseen {pools[1].shape[1]}",
            fix="pass the margins of the same records, in the same order",
        )
        fewest = min(map(len, pools))
        problems.require(
            folds is None
            or (isinstance(folds, int) and folds >= 2 and fewest - -(-fewest // folds) >= 2),
            f"folds is {folds} with {fewest} models",
            fix="leave it out, or pass 2 or more that leave 2 models to fit",
        )
    problems.require(
        is_number(least) and isinstance(least, int | float) and least > 0,
        f"least_deviation is {least}",
        fix="pass a positive number of nats",
    )
    problems.require(
        all(0 < rate < 1 for rate in rates), f"rates is {rates}", fix="pass rates such as 0.01"
    )
    problems.raise_if_any()
    return pools
