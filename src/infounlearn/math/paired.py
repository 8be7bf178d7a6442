"""Which method is nearer to retraining, when all ran with the same seeds.

*Definition.* Methods that start from the same original models and seeds are compared seed by seed:
mean and standard error s/√S of the difference over S seeds, and Student's t interval with S - 1
degrees of freedom. The spread that seeds share cancels. Units are those of the values; lower is
better throughout.

*Floor.* The interval itself: a difference whose interval holds 0 is not distinguishable with these
seeds. It is conditional on what all seeds share (data, forget set, retrained ensemble); other cases
are other comparisons. Folds that share training rows need the larger error of
:func:`infounlearn.math.paired_difference` instead.

*Source.* Student (1908); several comparisons at once by Bonferroni's inequality; mean ranks as in
Demšar (2006), JMLR 7.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from infounlearn.errors import Problems, is_number

__all__ = ["RankedMethod", "SeedDifference", "paired_over_seeds", "rank_methods"]


@dataclass(frozen=True)
class SeedDifference:
    """Mean difference of two methods over the seeds they share.

    Attributes:
        mean: of first minus second; negative where the first is better.
        standard_error: s/√S of the differences.
        interval: of the mean.
        confidence: of the interval, before it is shared by several comparisons.
        seeds: S.
    """

    mean: float
    standard_error: float
    interval: tuple[float, float]
    confidence: float
    seeds: int

    @property
    def separated(self) -> bool:
        """Whether the interval excludes 0; never where all differences are 0."""
        low, high = self.interval
        return low > 0 or high < 0


@dataclass(frozen=True)
class RankedMethod:
    """A method's place among others.

    Attributes:
        name: of the method.
        mean: of its values; inf where one of its runs diverged.
        mean_rank: over seeds, 1 for the lowest value; equal values share their ranks' mean.
        diverged: number of its runs without a finite value.
        to_best: its difference to the first method; None for the first, or where one diverged.
    """

    name: str
    mean: float
    mean_rank: float
    diverged: int
    to_best: SeedDifference | None


def paired_over_seeds(
    first: ArrayLike, second: ArrayLike, *, confidence: float = 0.95, comparisons: int = 1
) -> SeedDifference:
    """Difference of two methods over the same seeds.

    Args:
        first: (S,) values of one method, seed by seed, S ≥ 2.
        second: (S,) of the other, for the same seeds in the same order.
        confidence: of the interval, or of all ``comparisons`` intervals together.
        comparisons: how many such intervals are made; each then errs with a probability of at most
            (1 - confidence) / comparisons.

    Raises:
        InputError: fewer than two seeds, lengths that differ, a number that is not finite, or a
            confidence or number of comparisons out of range.
    """
    a, b = (np.asarray(values, dtype=np.float64) for values in (first, second))
    problems = Problems("paired_over_seeds")
    if problems.require(
        a.ndim == 1 and a.shape == b.shape and len(a) >= 2,
        f"first has shape {a.shape}, second {b.shape}",
        fix="pass one number per seed, of two or more seeds that both share",
    ):
        problems.require(
            bool(np.isfinite(a).all() and np.isfinite(b).all()),
            "a number is not finite",
            fix="report the run as diverged; a mean without it would favour the method",
        )
    _check_levels(problems, confidence, comparisons)
    problems.raise_if_any()
    from scipy.stats import t as student

    difference, seeds = a - b, len(a)
    mean = float(difference.mean())
    error = float(difference.std(ddof=1)) / math.sqrt(seeds)
    tail = (1 - confidence) / comparisons / 2
    reach = float(student.isf(tail, seeds - 1)) * error
    return SeedDifference(mean, error, (mean - reach, mean + reach), confidence, seeds)


def rank_methods(
    values: Mapping[str, ArrayLike], *, confidence: float = 0.95, all_pairs: bool = False
) -> tuple[RankedMethod, ...]:
    """Methods from the lowest mean to the highest, each compared with the lowest.

    Args:
        values: (S,) values per method for the same S ≥ 2 seeds, lower is better; inf or NaN is a
            run that diverged, and ranks last.
        confidence: of the intervals.
        all_pairs: the best was chosen by the same values, so intervals that cover it whichever
            method it is must hold for all m (m - 1) / 2 pairs at once; true makes them so
            (Bonferroni). False: each interval on its own.

    Returns:
        One entry per method; equal means keep the order of the mapping.

    Raises:
        InputError: no method, values that are not (S,) with one S ≥ 2, or a bad confidence.
    """
    problems = Problems("rank_methods")
    columns = {name: np.asarray(own, dtype=np.float64) for name, own in values.items()}
    shapes = {name: column.shape for name, column in columns.items()}
    problems.require(
        len(set(shapes.values())) == 1
        and all(len(shape) == 1 and shape[0] >= 2 for shape in shapes.values()),
        f"values have shapes {shapes}",
        fix="pass one number per seed for each method, two or more seeds that all share",
    )
    _check_levels(problems, confidence, 1)
    problems.raise_if_any()
    from scipy.stats import rankdata

    # NaN and -inf are no better than any other failed run.
    table = np.stack([np.where(np.isfinite(own), own, np.inf) for own in columns.values()])
    means, ranks = table.mean(1), rankdata(table, axis=0).mean(1)
    names, order = list(columns), np.argsort(means, kind="stable")
    comparisons = max(1, len(names) * (len(names) - 1) // 2) if all_pairs else 1
    best = order[0]

    def to_best(place: int) -> SeedDifference | None:
        if place == best or not (math.isfinite(means[place]) and math.isfinite(means[best])):
            return None
        return paired_over_seeds(
            table[place], table[best], confidence=confidence, comparisons=comparisons
        )

    return tuple(
        RankedMethod(
            names[place],
            float(means[place]),
            float(ranks[place]),
            int(np.isinf(table[place]).sum()),
            to_best(place),
        )
        for place in order
    )


def _check_levels(problems: Problems, confidence: float, comparisons: int) -> None:
    problems.require(
        is_number(confidence) and 0 < confidence < 1,
        f"confidence is {confidence!r}",
        fix="pass a level such as 0.95",
    )
    problems.require(
        is_number(comparisons, whole=True) and comparisons >= 1,
        f"comparisons is {comparisons!r}",
        fix="pass 1 or more",
    )
