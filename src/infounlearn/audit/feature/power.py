"""How small a leak this audit would have seen: known leaks, planted and looked for.

The groups are shuffled, which takes away whatever the rows tell, and one column is added that tells
exactly ε nats: with probability q it shows the group, else a group drawn from the shares. The
smallest ε of a ladder that a probe calls visible is its power, in the easiest form a leak can take;
one draw is made per size.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import optimize

from infounlearn.audit.feature.case import Case
from infounlearn.audit.feature.inference import gain_interval
from infounlearn.audit.feature.probes import Job, read_all
from infounlearn.interface import Null
from infounlearn.math.laws import information_of_laws

STEP = 2**0.5
DOWN = 10
"""The ladder goes from the limit up to H(Z) and down this many steps, each by a factor of √2."""


@dataclass(frozen=True)
class Power:
    """What became of planted leaks: (nats planted, nats recovered) and the smallest one seen."""

    tried: tuple[tuple[float, float], ...]
    smallest: float | None


def channel_information(show: float, counts: np.ndarray) -> float:
    """I(W; Z | C) in nats of a column that shows Z with probability ``show``, else a random group.

    Args:
        show: in [0, 1].
        counts: (c, m) rows of each stratum and group; one row where there are no strata.
    """
    shares = counts.sum(0) / counts.sum()
    laws = (1 - show) * shares + show * np.eye(len(shares))
    within = counts / counts.sum(1, keepdims=True)
    weights = counts.sum(1) / counts.sum()
    return float(weights @ information_of_laws(laws[None], within))


def channel(information: float, counts: np.ndarray) -> float:
    """The ``show`` at which a column tells ``information`` nats; 1 where that is all there is."""
    if information >= channel_information(1.0, counts):
        return 1.0
    root = optimize.brentq(
        lambda show: channel_information(show, counts) - information, 0.0, 1.0, xtol=1e-12
    )
    return float(root)


def plant(z: np.ndarray, show: float, rng: np.random.Generator) -> np.ndarray:
    """(n,) column of that channel; its random groups are a shuffle of z, so shares stay exact."""
    return np.where(rng.random(len(z)) < show, z, rng.permutation(z))


def visible(gains: np.ndarray, folds: np.ndarray, null: Null, confidence: float) -> bool:
    """Above the null's 95 % point, with an interval that lies above zero."""
    low = gain_interval(gains, folds, confidence)[0]
    return float(gains.mean()) > null.quantile95 and low > 0


def find_power(case: Case, probe: str, null: Null) -> Power:
    """Bisection of the ladder for the smallest leak that ``probe`` calls visible."""
    settings = case.settings
    z = case.shuffled(settings.generator(20))
    strata = np.zeros(len(z), dtype=np.int64) if case.given is None else case.given
    counts = np.zeros((int(strata.max()) + 1, len(case.groups)))
    np.add.at(counts, (strata, z), 1.0)
    top = max(0, int(np.log(case.ceiling / settings.limit) / np.log(STEP)))
    ladder = [settings.limit * STEP**rung for rung in range(top, -DOWN - 1, -1)]
    ladder = [case.ceiling, *(rung for rung in ladder if rung < case.ceiling)]
    tried: dict[int, tuple[float, float]] = {}

    def seen(rung: int) -> bool:
        column = plant(z, channel(ladder[rung], counts), settings.generator(21, rung))
        table = case.after.table.with_category(column)
        job = Job(probe, table, z, case.given, settings.folds, (settings.seed, 22, rung))
        reading = read_all([job], case.probes, settings.jobs)[0]
        tried[rung] = (ladder[rung], reading.information)
        return visible(reading.gains, reading.folds, null, settings.confidence)

    # The limit first, which the verdict asks about; then only one side of it.
    start = min(range(len(ladder)), key=lambda rung: abs(ladder[rung] - settings.limit))
    if seen(start):
        low, high = start, len(ladder)  # low is seen; high, beyond the ladder, is taken not to be
    elif start > 0 and seen(0):
        low, high = 0, start
    else:
        return Power(tuple(tried[rung] for rung in sorted(tried)), None)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if seen(middle) else (low, middle)
    return Power(tuple(tried[rung] for rung in sorted(tried)), ladder[low])
