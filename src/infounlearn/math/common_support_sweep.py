"""Sweeps over rows in bounded memory, and the ascent of the dual, behind the common support."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from infounlearn.errors import InputError

Costs = Callable[[np.ndarray], np.ndarray]
"""(b, J) costs of an array of b row numbers."""
FEW = 4096
"""Rows on which potentials and target are found first."""
CURVED = 2**16
"""Rows that tell the curvature."""
_CELLS = 2**17
"""Costs in work at once."""
_FACTOR = 4.0
"""By how much the strength of the entropy falls from one round to the next."""


def blocks_of(rows: int, atoms: int) -> Iterator[slice]:
    """Slices of rows whose costs stay in the cache."""
    step = max(1, _CELLS // atoms)
    return (slice(start, start + step) for start in range(0, rows, step))


@dataclass(frozen=True)
class Sweep:
    """Means over the rows of one group, each of the same weight.

    Attributes:
        law: (J,) mean kernel P.
        soft: mean of reg ln Σ_j exp((height_j - c_ij)/reg).
        cost: mean of Σ_j κ(j|x_i) c_ij.
        mean_cost: (J,) mean of c_ij over the rows.
        pairs: (J, J) mean of κκᵀ over the first ``CURVED`` rows, 0 where not asked for.
    """

    law: np.ndarray
    soft: float
    cost: float
    mean_cost: np.ndarray
    pairs: np.ndarray

    @classmethod
    def over(
        cls, take: Costs, rows: np.ndarray, heights: np.ndarray, reg: float, curve: bool = False
    ) -> Sweep:
        """One pass over the rows."""
        size, atoms = len(rows), len(heights)
        law, mean_cost = np.zeros(atoms), np.zeros(atoms)
        soft = cost = 0.0
        pairs, curved = np.zeros((atoms, atoms)), 0
        for some in blocks_of(size, atoms):
            c = checked_costs(take, rows[some], atoms)
            kernel = heights - c
            kernel /= reg
            top = kernel.max(1)
            kernel -= top[:, None]
            np.exp(kernel, out=kernel)
            sums = kernel.sum(1)
            kernel /= sums[:, None]
            soft += float((top + np.log(sums)).sum()) * reg
            law += kernel.sum(0)
            mean_cost += c.sum(0)
            cost += float(np.vdot(kernel, c))
            if curve and curved < CURVED:
                pairs += kernel.T @ kernel
                curved += len(c)
        pairs /= max(curved, 1)
        return cls(law / size, soft / size, cost / size, mean_cost / size, pairs)

    @staticmethod
    def floor(take: Costs, rows: np.ndarray, potentials: np.ndarray) -> np.ndarray:
        """(k,) mean over the rows of min_j c_ij - g_j, for each of k potentials."""
        total = np.zeros(len(potentials))
        for some in blocks_of(len(rows), potentials.shape[1]):
            c = checked_costs(take, rows[some], potentials.shape[1])
            for k, own in enumerate(potentials):
                total[k] += (c - own).min(1).sum()
        return total / len(rows)


def checked_costs(take: Costs, rows: np.ndarray, atoms: int) -> np.ndarray:
    """The costs of the rows; refused where they are not (b, J) finite numbers."""
    c = np.asarray(take(rows), dtype=np.float64)
    if c.shape != (len(rows), atoms) or not np.isfinite(c).all():
        raise InputError(
            f"common support: costs of {len(rows)} rows have shape {c.shape} or are not finite: "
            f"return ({len(rows)}, {atoms}) finite numbers"
        )
    return c


def ascend(
    take: Costs,
    rows: np.ndarray,
    target: np.ndarray,
    reg: float,
    start: np.ndarray,
    tolerance: float,
    max_passes: int,
) -> tuple[np.ndarray, int]:
    """(J,) potentials of one group, found on growing parts of its rows, and the last passes."""
    g, size, passes = start, min(FEW, len(rows)), 0
    while True:
        whole = size == len(rows)
        # A part of the rows is off by its own sampling; more digits than that would be wasted.
        aim = tolerance if whole else max(tolerance, 0.25 / np.sqrt(size))
        g, passes = climb(take, rows[:size], target, reg, g, aim, max_passes)
        if whole:
            return g, passes
        size = min(4 * size, len(rows))


def anneal(take: Costs, rows: np.ndarray, target: np.ndarray, reg: float) -> np.ndarray:
    """(J,) potentials from strong to weak entropy on the first few rows."""
    few = rows[:FEW]
    c = checked_costs(take, few, len(target))
    g = np.zeros(len(target))
    for strength in strengths(c, reg):
        g, _ = climb(lambda at: c[at], np.arange(len(few)), target, strength, g, 0.01, 30)
    return g


def strengths(costs: np.ndarray, reg: float) -> list[float]:
    """Falling strengths of the entropy, from the spread of the costs to ``reg``."""
    spread = float((costs.max(1) - costs.min(1)).max())
    steps = int(np.ceil(np.log(max(spread / reg, 1.0)) / np.log(_FACTOR)))
    return [reg * _FACTOR**k for k in range(steps, -1, -1)]


def climb(
    take: Costs,
    rows: np.ndarray,
    target: np.ndarray,
    reg: float,
    start: np.ndarray,
    tolerance: float,
    max_passes: int,
) -> tuple[np.ndarray, int]:
    """Damped Newton steps, and Sinkhorn steps where one fails, until P is near the target."""
    used = target > 0
    law, g = target[used], start[used]
    logs = reg * np.log(law)
    best, before = -np.inf, None
    bold = damping = 1.0
    for passes in range(1, max_passes + 1):
        heights = np.full(len(target), -np.inf)
        heights[used] = logs + g
        sweep = Sweep.over(take, rows, heights, reg, curve=True)
        own = sweep.law[used]
        value = float(law @ g) - sweep.soft
        if before is not None and value < best - 1e-12 * abs(best):
            # The step was too bold, or the curvature of a part misled: take the one that cannot.
            g, before = before, None
            bold, damping = 1.0, 10.0 * damping
            continue
        residual = 0.5 * np.abs(own - law).sum()
        if residual <= tolerance or passes == max_passes:
            break
        best = value
        # An atom whose mass underflows rises as far as the exponent of a float reaches.
        least = np.full(len(law), np.log(np.finfo(np.float64).tiny))
        sinkhorn = reg * (np.log(law) - np.log(own, out=least, where=own > 0))
        before = g + sinkhorn
        g = g + newton(sweep, law, used, reg, min(1e-2, residual) * damping, bold, sinkhorn)
        bold, damping = 2.0 * bold, max(1.0, damping / 3.0)
    result = np.zeros(len(target))
    result[used] = g - law @ g
    return result, passes


def newton(
    sweep: Sweep,
    law: np.ndarray,
    used: np.ndarray,
    reg: float,
    damping: float,
    bold: float,
    sinkhorn: np.ndarray,
) -> np.ndarray:
    """The damped step; see the head of ``common_support``. Bolder than 1 it may lower the dual.

    An atom with little of its mass grows like an exponential, which Newton follows by one unit of
    the exponent a step: it takes its Sinkhorn step at once, and Newton leaves it out.
    """
    own = sweep.law[used]
    near = own > law / 4
    if near.sum() < 2:
        return sinkhorn
    pairs = sweep.pairs[np.ix_(used, used)]
    # On the rows of the curvature the mean kernel is its row sums: their Laplacian is exact.
    curve = np.diag(pairs.sum(1)) - pairs
    curve[np.diag_indices(len(law))] += damping * law
    step = sinkhorn.copy()
    step[near] = reg * np.linalg.solve(curve[np.ix_(near, near)], (law - own)[near])
    reach = float(np.ptp(step[near])) / reg
    step[near] *= min(1.0, bold * np.log1p(reach) / reach) if reach > 0 else 1.0
    return step


def entropic_target(
    take: Costs, rows: list[np.ndarray], weights: np.ndarray, reg: float, cap: int = 200
) -> tuple[np.ndarray, list[np.ndarray]]:
    """Law of the entropic barycenter on the atoms, and potentials, on a few rows of each group.

    The iteration of Benamou et al. (2015), ln ν = Σ w_z ln P_z and h_z ← h_z + reg (ln ν - ln P_z),
    with falling strengths.
    """
    few = [own[:FEW] for own in rows]
    first = np.asarray(take(few[0][:1]), dtype=np.float64)
    atoms = first.shape[1] if first.ndim == 2 else 0
    costs = [checked_costs(take, own, atoms) for own in few]
    heights = np.zeros((len(rows), atoms))
    for strength in strengths(np.concatenate(costs), reg):
        for _ in range(cap):
            logs = np.stack(
                [_log_law(c, own, strength) for c, own in zip(costs, heights, strict=True)]
            )
            center = weights @ logs
            heights += strength * (center - logs)
            gap = np.abs(np.exp(logs) - np.exp(center)).sum(1).max() / 2
            if gap <= 0.01:
                break
    # In logs: an atom too dear for its mass to be a float has target 0, and still a potential.
    center -= center.max()
    center -= np.log(np.exp(center).sum())
    target = np.exp(center)
    target /= target.sum()
    potentials = heights - reg * center
    return target, list(potentials - (potentials @ target)[:, None])


def _log_law(costs: np.ndarray, heights: np.ndarray, reg: float) -> np.ndarray:
    """(J,) ln of the mean kernel."""
    scores = (heights - costs) / reg
    scores -= scores.max(1, keepdims=True)
    scores -= np.log(np.exp(scores).sum(1, keepdims=True))
    top = scores.max(0)
    return top + np.log(np.exp(scores - top).mean(0))


def weighted_jensen_shannon(laws: np.ndarray, weights: np.ndarray) -> float:
    """Σ w_z KL(P_z‖P̄) in nats, each term P̄ ψ(P_z/P̄ - 1) ≥ 0, ψ(δ) = (1+δ) ln(1+δ) - δ."""
    middle = weights @ laws
    alive = middle > 0
    delta = laws[:, alive] / middle[alive] - 1.0
    logs = np.log1p(delta, out=np.zeros_like(delta), where=delta > -1.0)
    return float(weights @ (((1.0 + delta) * logs - delta) @ middle[alive]))
