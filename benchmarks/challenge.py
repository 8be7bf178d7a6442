"""Challenge epsilon from sorted values against the grid search of the published procedure."""

from __future__ import annotations

import numpy as np

from benchmarks.timing import Line, Timing, interleave, lines_of
from infounlearn.math import challenge_epsilon

TARGET = 100.0
DELTA, PER_UNIT, BUFFER = 1e-5, 100, 2.0


def run(*, rounds: int, tiny: bool) -> list[Line]:
    """Seconds a record: a forget set of 200 here, the first few of them there, seen to agree.

    Turns are long on both sides, so that what a busy machine takes away hits both alike.
    """
    lines = []
    for models in (8,) if tiny else (8, 64, 512):
        rng = np.random.default_rng(models)
        forget, few = (20, 1) if tiny else (200, 4 if models <= 64 else 2)
        unlearned = rng.normal(5.5, 1, (models, forget))
        retrained = rng.normal(5, 1, (models, forget))
        part = unlearned[:, :few], retrained[:, :few]
        if not np.allclose(published_epsilon(*part), challenge_epsilon(*part), atol=1e-9):
            raise RuntimeError("the two ways disagree: this is no comparison")
        turns = interleave(
            {
                "published grid search": lambda both=part: published_epsilon(*both),
                "challenge_epsilon": lambda u=unlearned, r=retrained: challenge_epsilon(u, r),
            },
            rounds=rounds,
        )
        slow, own = turns.seconds.values()
        each = {
            "published grid search": tuple(seconds / few for seconds in slow),
            "challenge_epsilon": tuple(seconds / forget for seconds in own),
        }
        timing = Timing(each, "published grid search")
        target = None if tiny else TARGET
        prefix = f"{models} models, a record: "
        lines += lines_of(timing, "challenge", prefix, target=target, is_speedup=True)
    return lines


def published_epsilon(unlearned: np.ndarray, retrained: np.ndarray) -> np.ndarray:
    """ε of each record by comparing every score with every threshold, from the description.

    Rates are float64 throughout. Rule 1: 100 thresholds per unit from the least to the largest
    score. Rule 2: right ends r, 100 per unit, from b - 2 to b + 2, and for each 400 left ends from
    r - w - 2 to r - w + 2.
    """
    columns = zip(unlearned.T, retrained.T, strict=True)
    return np.array([_one_record(one, two) for one, two in columns])


def _one_record(unlearned: np.ndarray, retrained: np.ndarray) -> float:
    positive, negative = unlearned, retrained
    if np.median(retrained) > np.median(unlearned):
        positive, negative = retrained, unlearned
    spreads = np.ptp(positive), np.ptp(negative)
    if min(spreads) < 0.01 * max(spreads):
        return 50.0
    least, largest = min(positive.min(), negative.min()), max(positive.max(), negative.max())
    t = published_thresholds(least, largest)
    rule1 = _best((positive[:, None] >= t).mean(0), (negative[:, None] >= t).mean(0))
    if spreads[0] >= spreads[1]:
        positive, negative = negative, positive
    left, right = published_intervals(positive)

    def inside(pool: np.ndarray) -> np.ndarray:
        return ((left <= pool[:, None]) & (pool[:, None] <= right)).mean(0)

    return float(np.clip(max(rule1, _best(inside(positive), inside(negative))), 0, 50))


def published_thresholds(least: float, largest: float) -> np.ndarray:
    """100 thresholds per unit between the extremes of both pools."""
    return np.linspace(least, largest, int(np.ceil((largest - least) * PER_UNIT)))


def published_intervals(narrower: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Left and right end of every interval tried for the narrower pool."""
    width = narrower.max() - narrower.min()
    ends = narrower.min() + width - BUFFER, narrower.max() + BUFFER
    right = np.linspace(*ends, int(np.ceil((ends[1] - ends[0]) * PER_UNIT)))
    each = int(np.ceil(2 * BUFFER * PER_UNIT))
    left = [np.linspace(r - width - BUFFER, r - width + BUFFER, each) for r in right]
    return np.concatenate(left), np.repeat(right, each)


def _best(tpr: np.ndarray, fpr: np.ndarray) -> float:
    fnr = 1 - tpr
    with np.errstate(divide="ignore", invalid="ignore"):
        ends = (
            np.log(1 - DELTA - fpr) - np.log(fnr),
            np.log(1 - DELTA - fnr) - np.log(fpr),
        )
    epsilon = np.fmax(*ends)
    epsilon[(fnr == 0) ^ (fpr == 0)] = -np.inf
    epsilon[(fnr == 0) & (fpr == 0)] = np.inf
    return float(np.nanmax(epsilon, initial=-np.inf))
