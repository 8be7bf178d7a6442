"""The fit of :class:`~infounlearn.math.common_support.CommonSupport`, at any number of rows."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from infounlearn.errors import Problems, is_number
from infounlearn.math.common_support import CommonSupport, heights_of
from infounlearn.math.common_support_sweep import (
    Costs,
    Sweep,
    anneal,
    ascend,
    entropic_target,
    weighted_jensen_shannon,
)

__all__ = ["fit_common_support"]

_WHERE = "common support"


def fit_common_support(
    costs: ArrayLike | Callable[[np.ndarray], np.ndarray],
    groups: ArrayLike,
    *,
    reg: float,
    target: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    tolerance: float = 1e-3,
    max_passes: int = 50,
    seed: int = 0,
) -> CommonSupport:
    """Kernels that send every group to the same law on J atoms, at small expected cost.

    Memory beside the costs is a few blocks of 8 MB and (m, J, J); time is about ten sweeps over
    all rows, for potentials are found on a few thousand rows first.

    Args:
        costs: (n, J) c(x_i, s_j), or a function that gives these rows for an (b,) array of row
            numbers, so that the matrix need never exist.
        groups: (n,) integers 0 ≤ z < m, every group present.
        reg: strength of the entropy, > 0, in units of the cost.
        target: (J,) law ν; by default that of the entropic barycenter on these atoms, from at most
            4096 rows per group.
        weights: (m,) weight of each group; by default its share of the rows.
        tolerance: total variation between each group's law and ν at which to stop. Independence
            on the fitted rows does not depend on it, see the head of this module.
        max_passes: cap on the sweeps over all rows of a group.
        seed: picks the rows of the first rounds.

    Raises:
        InputError: shapes or settings that do not fit, a group without rows, a cost that is not
            finite, or a target or weights that are no law.
    """
    z, law, shares = _checked_fit(costs, groups, reg, target, weights, tolerance, max_passes)
    take: Costs = costs if callable(costs) else _rows_of(np.asarray(costs, dtype=np.float64))
    order = np.random.default_rng(seed).permutation(len(z))
    rows = [order[z[order] == group] for group in range(len(shares))]
    start = None
    if law is None:
        law, start = entropic_target(take, rows, shares, reg)
    potentials, passes = [], 0
    for group, own in enumerate(rows):
        first = anneal(take, own, law, reg) if start is None else start[group]
        found, took = ascend(take, own, law, reg, first, tolerance, max_passes)
        potentials.append(found)
        passes = max(passes, took)
    g = np.stack(potentials)
    used = law > 0
    middle = shares @ g
    sweeps = [Sweep.over(take, own, heights_of(g[k], law, reg), reg) for k, own in enumerate(rows)]
    marginals = np.stack([sweep.law for sweep in sweeps])
    top = marginals.max(0)
    total = top.sum()
    fill = top - marginals
    final = (marginals + fill) / total
    residual = float(0.5 * np.abs(marginals - law).sum(1).max())
    bounds = [
        Sweep.floor(take, own, np.stack((g[k] - middle, np.where(used, g[k], -np.inf))))
        for k, own in enumerate(rows)
    ]
    least, to_target = (float(shares @ [bound[i] for bound in bounds]) for i in (0, 1))
    costs_of = [(sweep.cost + fill[k] @ sweep.mean_cost) / total for k, sweep in enumerate(sweeps)]
    return CommonSupport(
        weights=shares,
        target=law,
        potentials=g,
        reg=float(reg),
        fill=fill,
        law=top / total,
        marginals=marginals,
        residual=residual,
        spill=float(1.0 - 1.0 / total),
        leak=weighted_jensen_shannon(final, shares),
        value=float(shares @ costs_of),
        least=least,
        least_to_target=to_target + float(shares @ (g[:, used] @ law[used])),
        converged=residual <= tolerance,
        passes=passes,
    )


def _rows_of(matrix: np.ndarray) -> Costs:
    return lambda rows: matrix[rows]


def _checked_fit(
    costs: object,
    groups: ArrayLike,
    reg: float,
    target: ArrayLike | None,
    weights: ArrayLike | None,
    tolerance: float,
    max_passes: int,
) -> tuple[np.ndarray, np.ndarray | None, np.ndarray]:
    """Groups, target and weights, checked."""
    problems = Problems(_WHERE)
    z = np.asarray(groups)
    usable = problems.require(
        z.ndim == 1 and z.dtype.kind in "iu" and len(z) > 0 and bool((z >= 0).all()),
        f"groups have shape {z.shape} and type {z.dtype}",
        fix="number the groups from 0",
    )
    counts = np.bincount(z) if usable else np.ones(1)
    empty = np.flatnonzero(counts == 0).tolist()
    problems.require(not empty, f"groups {empty[:5]} have no rows", fix="number those present")
    if not callable(costs):
        c = np.asarray(costs, dtype=np.float64)
        problems.require(
            c.ndim == 2 and len(c) == len(z) and c.shape[1] > 0 and bool(np.isfinite(c).all()),
            f"costs have shape {c.shape} for {len(z)} groups, or are not all finite",
            fix="pass (n, J) finite costs",
        )
    for name, value, fine in (
        ("reg", reg, is_number(reg) and reg > 0),
        ("tolerance", tolerance, is_number(tolerance) and tolerance > 0),
        ("max_passes", max_passes, is_number(max_passes, whole=True) and max_passes > 0),
    ):
        problems.require(fine, f"{name} is {value!r}", fix="pass a number above 0")
    laws = []
    for name, given in (("target", target), ("weights", weights)):
        law = None if given is None else np.asarray(given, dtype=np.float64)
        laws.append(law)
        size = len(counts) if name == "weights" else None
        problems.require(
            law is None
            or (
                law.ndim == 1
                and (size is None or len(law) == size)
                and bool((law >= 0).all())
                and abs(float(law.sum()) - 1.0) <= 1e-9
            ),
            f"{name} is no law",
            fix="pass probabilities that sum to 1" + (f", {size} of them" if size else ""),
        )
    problems.raise_if_any()
    law, shares = laws
    return (
        z,
        None if law is None else law / law.sum(),
        counts / counts.sum() if shares is None else shares / shares.sum(),
    )
