"""Permutation tests: what a statistic shows when the groups are shuffled.

The p-value (#{permuted >= observed} + 1) / (permutations + 1) is exact under exchangeability
within strata and never zero. Not rejecting proves nothing: it is no certificate of forgetting.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from infounlearn.errors import Problems
from infounlearn.interface import Null
from infounlearn.math.intervals import as_array
from infounlearn.math.laws import (
    group_laws,
    information_of_laws,
    read_groups,
    read_outcomes,
    read_prior,
)

__all__ = ["information_null", "permutation_null"]

Draw = Callable[[np.random.Generator, int], np.ndarray]
"""Draws (B, m, K) group laws of shuffled groups."""

CHUNK = 1 << 22
"""Numbers held at once while shuffling kernels (32 MiB)."""


NOTHING = 1e-20
"""Nats below which information is the square of rounding: then every shuffle ties."""


def permutation_null(
    statistic: Callable[[np.ndarray], float],
    z: object,
    *,
    permutations: int = 999,
    strata: object = None,
    seed: int | np.random.Generator,
) -> Null:
    """Permutation law of any statistic of the groups.

    Args:
        statistic: function of a (n,) integer array of groups; called permutations + 1 times.
        z: (n,) groups as observed.
        permutations: number of shuffles.
        strata: (n,) integers; groups are shuffled within each value only, as a claim conditional
            on that value needs.
        seed: integer or generator.
    Raises:
        InputError: z or strata are not integers of one length, or permutations below 1.
    """
    problems = Problems("permutation_null")
    groups = as_array(z)
    groups = read_groups(problems, "z", groups, len(groups) if groups.ndim else 0)
    cells = _read_strata(problems, "strata", strata, len(groups), permutations)
    problems.raise_if_any()
    rng = np.random.default_rng(seed)
    parts = [np.flatnonzero(cells == cell) for cell in np.unique(cells)]
    observed = float(statistic(groups.copy()))
    shuffled = groups.copy()
    values = np.empty(permutations)
    for index in range(permutations):
        for part in parts:
            shuffled[part] = rng.permutation(groups[part])
        values[index] = statistic(shuffled.copy())
    return _summary(observed, values)


def information_null(
    outcomes: object,
    z: object,
    *,
    prior: object = None,
    given: object = None,
    mixing: object = None,
    num_outcomes: int | None = None,
    permutations: int = 999,
    seed: int | np.random.Generator,
) -> Null:
    """Permutation law of I(Y; Z), or of I(Y; Z | given), without touching every record each time.

    Label counts are drawn directly: with shuffled groups the table of counts is multivariate
    hypergeometric. Kernels (softmax rows, soft bins) are shuffled and summed in blocks.

    Args:
        outcomes: (n,) integer labels or bins, or (n, K) rows of probabilities.
        z: (n,) groups 0..m-1.
        prior: (m,) declared weights (of the rows of ``mixing``, where that is given); the shares
            observed (within each stratum) where absent.
        given: (n,) integer strata; the statistic is then Σ_c w_c I_c with w_c the share of c among
            all records, and groups are shuffled within strata. With a declared prior, strata that
            lack a group cannot be scored and are left out of the weights.
        mixing: (j, m) rows that sum to one; the laws compared are ``mixing @ P``. The paper's
            marginal design with forget share a and z = 1 for forget is
            ``[[1 - a, a], [1, 0]]``: pool against retain. Needs ``prior`` of length j.
        num_outcomes: K of labels; the largest label + 1 where absent.
        permutations: number of shuffles.
        seed: integer or generator.
    Raises:
        InputError: bad outcomes, groups, prior or mixing; or no stratum can be scored.
    """
    problems = Problems("information_null")
    rows = read_outcomes(problems, outcomes, num_outcomes)
    groups = read_groups(problems, "z", z, len(rows))
    cells = _read_strata(problems, "given", given, len(rows), permutations)
    m = int(groups.max(initial=0)) + 1
    matrix = np.eye(m) if mixing is None else as_array(mixing).astype(np.float64)
    problems.require(
        matrix.ndim == 2
        and matrix.shape[1] == m
        and bool((matrix >= 0).all())
        and np.allclose(matrix.sum(-1), 1),
        f"mixing has shape {matrix.shape} for {m} groups",
        fix="pass one row of weights, summing to one, per law that is compared",
    )
    problems.require(
        mixing is None or prior is not None, "mixing without prior", fix="declare the prior"
    )
    declared = None if prior is None else read_prior(problems, prior, np.zeros(len(matrix)))
    problems.raise_if_any()
    width = rows.shape[1] if rows.ndim == 2 else (num_outcomes or int(rows.max()) + 1)
    rng = np.random.default_rng(seed)
    observed, values, weight = 0.0, np.zeros(permutations), 0
    for cell in np.unique(cells):
        part = np.flatnonzero(cells == cell)
        inside, here = rows[part], groups[part]
        sizes = np.bincount(here, minlength=m)
        if declared is not None and bool((sizes == 0).any()):
            continue
        shares = declared if declared is not None else sizes / len(here)
        laws = group_laws(inside, here, m, width)
        observed += len(part) * float(information_of_laws(matrix @ laws, shares))
        drawn = _shuffled_laws(inside, sizes, width, permutations, rng)
        values += len(part) * information_of_laws(matrix @ drawn, shares)
        weight += len(part)
    problems.require(
        weight > 0,
        "no stratum holds every group",
        fix="merge strata, or leave prior out to use the shares within each",
    )
    problems.raise_if_any()
    return _summary(observed / weight, values / weight, rounding=NOTHING)


def _shuffled_laws(
    rows: np.ndarray, sizes: np.ndarray, width: int, draws: int, rng: np.random.Generator
) -> np.ndarray:
    """(draws, m, K) laws of groups of the given sizes, drawn without replacement."""
    n, m = len(rows), len(sizes)
    sums = np.zeros((draws, m, width))
    if rows.ndim == 1:
        left = np.tile(np.bincount(rows, minlength=width), (draws, 1))
        for group in range(m - 1):
            for_all = group == 0
            picked = (
                rng.multivariate_hypergeometric(left[0], sizes[group], size=draws)
                if for_all
                else np.stack([rng.multivariate_hypergeometric(row, sizes[group]) for row in left])
            )
            sums[:, group] = picked
            left = left - picked
        sums[:, m - 1] = left
    else:
        # The largest group is what the others leave, so only the others are drawn.
        largest = int(sizes.argmax())
        others = [group for group in range(m) if group != largest]
        cuts = np.cumsum([0, *sizes[others]])
        block = max(1, CHUNK // n)
        for start in range(0, draws, block):
            count = min(block, draws - start)
            picks = [rng.choice(n, int(cuts[-1]), replace=False) for _ in range(count)]
            for index, group in enumerate(others):
                marks = np.zeros((count, n))
                for line, pick in enumerate(picks):
                    marks[line, pick[cuts[index] : cuts[index + 1]]] = 1.0
                sums[start : start + count, group] = marks @ rows
        sums[:, largest] = rows.sum(0) - sums[:, others].sum(1)
        # Subtraction leaves rounding of either sign where the true sum is zero.
        sums[:, largest] = np.maximum(sums[:, largest], 0.0)
    return sums / np.maximum(sizes, 1)[:, None]


def _read_strata(
    problems: Problems, name: str, strata: object, length: int, permutations: int
) -> np.ndarray:
    problems.require(
        permutations >= 1, f"permutations is {permutations}", fix="pass 999 for p down to 0.001"
    )
    if strata is None:
        return np.zeros(length, dtype=np.int64)
    return read_groups(problems, name, strata, length)


def _summary(observed: float, values: np.ndarray, rounding: float = 0.0) -> Null:
    # A shuffle that reproduces the observed table must count as a tie although its sums were
    # added up in another order.
    reached = values >= observed - 1e-9 * abs(observed) - rounding
    return Null(
        mean=float(values.mean()),
        quantile95=float(np.quantile(values, 0.95)),
        p_value=(int(np.count_nonzero(reached)) + 1) / (len(values) + 1),
        permutations=len(values),
    )
