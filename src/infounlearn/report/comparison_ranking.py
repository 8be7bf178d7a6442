"""Who is nearest to the retrained networks, by how much, and whether that can be told from noise.

All methods share their seeds, and so the same original models, orders and references; differences
are therefore taken seed by seed (paired), and their interval is Student's.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from infounlearn.report.comparison import (
    ComparedCase,
    ComparedMethod,
    ComparedRun,
    Comparison,
    Entry,
)


@dataclass(frozen=True)
class Estimate:
    """A mean over seeds: its interval and standard error, None with a single seed."""

    mean: float
    low: float | None
    high: float | None
    error: float | None
    n: int


@dataclass(frozen=True)
class Standing:
    """One method in one ranking.

    Attributes:
        method: whose.
        distance: worst distance in floors, mean over seeds; over those seeds that ended where some
            diverged; None where nothing ended.
        rank: from 1; None without a complete result.
        behind: paired difference to the nearest method in floors; None for itself and unranked.
        tied: whether it is the nearest, or within noise of it: the interval of ``behind`` holds 0.
        scattered: whether it is tied though a nearer method is not: its own runs differ so much.
        note: why there is no complete result; empty where there is one.
    """

    method: ComparedMethod
    distance: Estimate | None
    rank: int | None
    behind: Estimate | None
    tied: bool
    note: str = ""
    scattered: bool = False


class Results:
    """A comparison with its runs found by key."""

    def __init__(self, comparison: Comparison) -> None:
        self.comparison = comparison
        self.cases = {case.name: case for case in comparison.cases}
        self._entries = {(e.case, e.method, e.budget): e for e in comparison.entries}
        self._runs: dict[tuple[str, str, float], dict[int, ComparedRun]] = {}
        for run in comparison.runs:
            self._runs.setdefault((run.case, run.method, run.budget), {})[run.seed] = run
        # Every table, drawing and sentence asks for the same rankings.
        self._standings: dict[tuple[str, float], tuple[Standing, ...]] = {}
        self._overall: dict[float, tuple[Standing, ...]] = {}

    @property
    def common_seeds(self) -> tuple[int, ...]:
        """Seeds that were run in every case, in the order of the first."""
        sets = [set(case.seeds) for case in self.comparison.cases]
        shared = set.intersection(*sets)
        return tuple(seed for seed in self.comparison.cases[0].seeds if seed in shared)

    def entry(self, case: str, method: str, budget: float) -> Entry:
        """What became of this method there."""
        return self._entries[case, method, budget]

    def runs(self, case: str, method: str, budget: float) -> tuple[ComparedRun, ...]:
        """Its runs that ended well, by seed."""
        if self.entry(case, method, budget).status != "ok":
            return ()
        found = self._runs.get((case, method, budget), {})
        return tuple(run for _, run in sorted(found.items()) if math.isfinite(run.worst))

    def worst(self, case: str, method: str, budget: float, seed: int) -> float:
        """The worst distance of one run in floors; infinite where there is none."""
        run = self._runs.get((case, method, budget), {}).get(seed)
        ok = self.entry(case, method, budget).status == "ok"
        return run.worst if run is not None and ok else math.inf

    def cost(self, case: str, method: str, budget: float) -> float | None:
        """Mean share of the cost of retraining; None where nothing ended well."""
        runs = self.runs(case, method, budget)
        return statistics.fmean(run.cost for run in runs) if runs else None

    def standings(self, case: ComparedCase, budget: float) -> tuple[Standing, ...]:
        """All methods on one case, nearest first, those without a complete result last."""
        key = case.name, budget
        if key not in self._standings:
            self._standings[key] = self._of_case(case, budget)
        return self._standings[key]

    def overall(self, budget: float) -> tuple[Standing, ...]:
        """All methods over all cases: of each seed the median over cases, then as above.

        A case without a result counts as farther than any.
        """
        if budget not in self._overall:
            self._overall[budget] = self._over_cases(budget)
        return self._overall[budget]

    def lost(self, case: ComparedCase, method: str, budget: float) -> str:
        """How many seeds of an entry that is "ok" gave nothing to rank; empty where none."""
        runs = self._runs.get((case.name, method, budget), {})
        left_out = [s for s in case.seeds if s not in runs or not math.isfinite(runs[s].worst)]
        diverged = all(s in runs and runs[s].status == "diverged" for s in left_out)
        what = "diverged" if diverged else "no finite distance"
        return f"{what} in {len(left_out)} of {len(case.seeds)} seeds" if left_out else ""

    def _of_case(self, case: ComparedCase, budget: float) -> tuple[Standing, ...]:
        values = {
            method.name: [self.worst(case.name, method.name, budget, s) for s in case.seeds]
            for method in self.comparison.methods
        }
        notes = {name: self._note(case, name, budget) for name in values}
        return self._rank(values, notes)

    def _over_cases(self, budget: float) -> tuple[Standing, ...]:
        values, notes = {}, {}
        cases = self.comparison.cases
        for method in self.comparison.methods:
            values[method.name] = [
                statistics.median(self.worst(c.name, method.name, budget, seed) for c in cases)
                for seed in self.common_seeds
            ]
            missing = [
                case
                for case in cases
                if len(self.runs(case.name, method.name, budget)) < len(case.seeds)
            ]
            where = (
                "any case"
                if len(missing) == len(cases)
                else f"{len(missing)} of {len(cases)} cases"
            )
            notes[method.name] = f"no complete result in {where}" if missing else ""
        return self._rank(values, notes)

    def _note(self, case: ComparedCase, method: str, budget: float) -> str:
        entry = self.entry(case.name, method, budget)
        if entry.status == "ok":
            return self.lost(case, method, budget)
        return f"needs {entry.reason}" if entry.status == "needs" else entry.status

    def _rank(self, values: dict[str, list[float]], notes: dict[str, str]) -> tuple[Standing, ...]:
        level = self.comparison.confidence
        whole = {name for name, found in values.items() if all(map(math.isfinite, found))}
        means = {name: statistics.fmean(values[name]) for name in whole}
        # Equal means keep the order in which the methods were given.
        order = sorted(whole, key=lambda name: (means[name], list(values).index(name)))
        methods = {method.name: method for method in self.comparison.methods}
        ranked: list[Standing] = []
        for place, name in enumerate(order):
            behind = paired(values[name], values[order[0]], level) if place else None
            tied = behind is None or not separates(behind)
            ranked.append(
                Standing(
                    methods[name],
                    estimate(values[name], level),
                    place + 1,
                    behind,
                    tied,
                    notes[name],
                    tied and not all(one.tied for one in ranked),
                )
            )
        rest = []
        for name in (name for name in values if name not in whole):
            ended = [value for value in values[name] if math.isfinite(value)]
            mean = estimate(ended, level) if ended else None
            rest.append(Standing(methods[name], mean, None, None, False, notes[name]))
        rest.sort(key=lambda one: math.inf if one.distance is None else one.distance.mean)
        return (*ranked, *rest)


def estimate(values: Sequence[float], confidence: float) -> Estimate:
    """Mean of finite ``values`` with Student's interval at ``confidence``."""
    mean, n = statistics.fmean(values), len(values)
    if n < 2:
        return Estimate(mean, None, None, None, n)
    from scipy.special import stdtrit

    error = statistics.stdev(values) / math.sqrt(n)
    half = float(stdtrit(n - 1, (1 + confidence) / 2)) * error
    return Estimate(mean, mean - half, mean + half, error, n)


def paired(one: Sequence[float], other: Sequence[float], confidence: float) -> Estimate:
    """Mean of ``one`` minus ``other``, seed by seed; above 0 where ``one`` is farther."""
    return estimate([a - b for a, b in zip(one, other, strict=True)], confidence)


def separates(difference: Estimate) -> bool:
    """Whether a paired difference can be told from 0: never with a single seed."""
    if difference.low is None or difference.high is None:
        return False
    return difference.low > 0 or difference.high < 0
