"""Fair timing on a machine that is never quite idle: A and B take turns, medians are reported.

A ratio is formed within each round, from pieces run one right after the other, so that what slows
the machine for minutes slows both sides alike; the median over rounds ignores what hits one piece.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from time import perf_counter


@dataclass(frozen=True)
class Timing:
    """Seconds of each contestant in each round, per repetition.

    Attributes:
        seconds: by name, one number per round.
        baseline: the contestant that the others are divided by.
    """

    seconds: Mapping[str, tuple[float, ...]]
    baseline: str

    def median(self, name: str) -> float:
        """Median seconds of one repetition."""
        return statistics.median(self.seconds[name])

    def ratio(self, name: str, *, is_speedup: bool = False) -> tuple[float, float, float]:
        """Median, lower and upper quartile over the rounds of own / baseline, or its inverse."""
        pairs = zip(self.seconds[name], self.seconds[self.baseline], strict=True)
        ratios = [base / own if is_speedup else own / base for own, base in pairs]
        if len(ratios) < 2:
            return (ratios[0],) * 3
        low, middle, high = statistics.quantiles(ratios, n=4, method="inclusive")
        return middle, low, high


def interleave(
    contestants: Mapping[str, Callable[[], object]], *, rounds: int, repetitions: int = 1
) -> Timing:
    """Time every contestant in every round, in alternating order; the first is the baseline.

    Args:
        contestants: what to call; each is called ``repetitions`` times per round.
        rounds: how often; one more goes before, untimed, to warm up.
        repetitions: calls per round.
    """
    names = list(contestants)
    seconds: dict[str, list[float]] = {name: [] for name in names}
    for turn in range(rounds + 1):
        for name in names if turn % 2 else reversed(names):
            call = contestants[name]
            start = perf_counter()
            for _ in range(repetitions):
                call()
            if turn:
                seconds[name].append((perf_counter() - start) / repetitions)
    return Timing({name: tuple(some) for name, some in seconds.items()}, names[0])


@dataclass(frozen=True)
class Line:
    """One line of the report.

    Attributes:
        group: which benchmark.
        name: what was compared.
        baseline: seconds of what it is compared with (median).
        seconds: its own (median).
        ratio: median, lower and upper quartile; seconds / baseline, or the inverse for speed-ups.
        target: the largest ratio allowed, or the smallest speed-up; None where there is none.
        is_speedup: whether larger is better.
    """

    group: str
    name: str
    baseline: float
    seconds: float
    ratio: tuple[float, float, float]
    target: float | None = None
    is_speedup: bool = False

    @property
    def met(self) -> bool | None:
        """Whether the median meets the target."""
        if self.target is None:
            return None
        middle = self.ratio[0]
        return middle >= self.target if self.is_speedup else middle <= self.target


def lines_of(
    timing: Timing, group: str, prefix: str, *, target: float | None, is_speedup: bool = False
) -> list[Line]:
    """A line for every contestant but the baseline."""
    lines = []
    for name in timing.seconds:
        if name == timing.baseline:
            continue
        ratio = timing.ratio(name, is_speedup=is_speedup)
        label = f"{prefix}{name}"
        base, own = timing.median(timing.baseline), timing.median(name)
        lines.append(Line(group, label, base, own, ratio, target, is_speedup))
    return lines
