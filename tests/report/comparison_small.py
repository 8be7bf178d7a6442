"""A comparison with given distances and nothing else, for theorems about ranks and words."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from infounlearn.report.comparison import (
    ComparedCase,
    ComparedMethod,
    ComparedRun,
    Comparison,
    Entry,
)

SETS = ("forget", "retain", "test")


def small(
    worst: Mapping[str, Sequence[Sequence[float]]],
    *,
    ours: Sequence[str] = ("ours",),
    budgets: Sequence[float] = (0.05,),
    confidence: float = 0.95,
) -> Comparison:
    """Method -> case by case the worst distance of every seed; infinite is a diverged run.

    A method whose value in a case is an empty sequence has an entry that says it diverged.
    """
    cases = len(next(iter(worst.values())))
    seeds = max(1, *(len(values) for found in worst.values() for values in found))
    made = tuple(
        ComparedCase(
            f"c{i}", f"Case {i}", "", {"forget": 10}, tuple(range(seeds)),
            retrained=dict.fromkeys(SETS, (0.9, 1.0, 1.1)),
            original=dict.fromkeys(SETS, 4.0),
            tuning_references=3,
        )
        for i in range(cases)
    )  # fmt: skip
    entries, runs = [], []
    for budget in budgets:
        for name, found in worst.items():
            for case, values in zip(made, found, strict=True):
                keys = (case.name, name, budget)
                if not values:
                    entries.append(Entry(*keys, "diverged", "the loss was not finite"))
                    continue
                entries.append(Entry(*keys, trials=12))
                for seed, value in enumerate(values):
                    if math.isfinite(value):
                        distances = {"forget": value, "retain": 0.5 * value, "test": 0.1}
                        runs.append(ComparedRun(*keys, seed, 0.9 * budget, distances=distances))
                    else:
                        runs.append(
                            ComparedRun(*keys, seed, 0.9 * budget, status="diverged", reason="nan")
                        )
    methods = tuple(ComparedMethod(name, name.capitalize(), ours=name in ours) for name in worst)
    return Comparison(
        "t", made, methods, tuple(budgets), tuple(entries), tuple(runs), confidence=confidence
    )
