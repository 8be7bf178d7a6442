"""KL divergence of Margins: how far the law of a record's margin is from that of retraining.

Per record, the margins φ of N unlearned and M retrained models, clipped to ±100, fall into 20 equal
bins on their joint range, the last one closed (dropping the maximum hides exactly the outliers one
looks for). With shares p and q, where an empty bin has 1e-5 and nothing is rescaled,

    KLoM = Σ p_b ln(p_b / q_b)    nats, KL(unlearned ‖ retrained).

Source: Georgiev et al. (2024), arXiv:2410.23232. Reported are the mean and the 95th percentile over
the records of a split (forget, retain, test).

Floor: few models fill 20 bins unevenly and an empty bin costs up to ln(1e5) of its share, so two
pools of the same normal law are about 3.05 apart with 20 models each, .91 with 50, .35 with 100,
.15 with 200 and .05 with 500. Never compare with 0 nor across N: put a second pool of retrained
models in the place of the unlearned ones and print its KLoM beside the method's.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from infounlearn.errors import Problems
from infounlearn.math.intervals import as_array

__all__ = ["KlOfMargins", "kl_of_margins"]

BINS = 20
LARGEST = 100.0
EMPTY = 1e-5


@dataclass(frozen=True)
class KlOfMargins:
    """KLoM of one split.

    Attributes:
        per_record: (n,) nats, about 0 to ln(1e5) = 11.5 (a hair below 0 is possible: shares of
            empty bins are not rescaled).
        mean: over the records.
        percentile95: over the records.
        models: sizes (N, M) of the pools, on which the floor depends.
    """

    per_record: NDArray[np.float64]
    mean: float
    percentile95: float
    models: tuple[int, int]


def kl_of_margins(unlearned: object, retrained: object) -> KlOfMargins:
    """KLoM of each record, its mean and 95th percentile.

    Args:
        unlearned: (N, n) margins of n records under N ≥ 2 models, nats, such as
            :func:`~infounlearn.math.logit_margin`; infinite ones are clipped like large ones.
        retrained: (M, n) the same records under M ≥ 2 retrained models; N = M as published.

    Raises:
        InputError: fewer than 2 models, no records, different records, or a margin that is not a
            number.
    References:
        Georgiev et al. (2024), arXiv:2410.23232.
    """
    problems = Problems("kl_of_margins")
    pools = []
    for name, values in (("unlearned", unlearned), ("retrained", retrained)):
        pool = as_array(values).astype(np.float64)
        if problems.require(
            pool.ndim == 2 and len(pool) >= 2 and pool.shape[1] > 0,
            f"{name} has shape {pool.shape}",
            fix="pass (models, records) with 2 models or more",
        ):
            problems.require(
                not np.isnan(pool).any(),
                f"{name} has {int(np.isnan(pool).sum())} margins that are not numbers",
                fix="pass logit_margin of the logits",
            )
            pools.append(np.clip(pool, -LARGEST, LARGEST))
    if len(pools) == 2:
        problems.require(
            pools[0].shape[1] == pools[1].shape[1],
            f"unlearned has {pools[0].shape[1]} records, retrained {pools[1].shape[1]}",
            fix="pass the margins of the same records, in the same order",
        )
    problems.raise_if_any()
    low = np.minimum(*(pool.min(0) for pool in pools))
    high = np.maximum(*(pool.max(0) for pool in pools))
    edges = np.linspace(low, high, BINS + 1)
    p, q = (_shares(pool, edges) for pool in pools)
    per_record = (p * np.log(p / q)).sum(1)
    return KlOfMargins(
        per_record=per_record,
        mean=float(per_record.mean()),
        percentile95=float(np.percentile(per_record, 95)),
        models=(len(pools[0]), len(pools[1])),
    )


def _shares(pool: NDArray[np.float64], edges: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n, bins) share of models in each bin. Only inner edges are asked: both end bins are closed.

    Where all margins are equal every edge is that value, and all models fall into the last bin.
    """
    place = np.zeros(pool.shape, dtype=np.int64)
    for edge in edges[1:-1]:
        place += pool >= edge
    records = pool.shape[1]
    place += BINS * np.arange(records)
    counts = np.bincount(place.ravel(), minlength=BINS * records).reshape(records, BINS)
    return np.where(counts == 0, EMPTY, counts / len(pool))
