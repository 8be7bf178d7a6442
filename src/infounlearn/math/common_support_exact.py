"""Exact couplings with a common law on finitely many atoms, for small problems: linear programmes.

Used where n·J is at most some hundred thousand, and to check
:func:`~infounlearn.math.common_support.fit_common_support`, which needs neither.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from infounlearn.errors import InputError, Problems

__all__ = ["ExactCoupling", "exact_coupling", "exact_target"]


@dataclass(frozen=True, eq=False)
class ExactCoupling:
    """Kernels of the fitted rows, optimal among all whose mean is ``target`` in every group.

    Attributes:
        target: (J,) law of the released atom.
        kernel: (n, J) probability of each atom for each row.
        value: Σ w_z mean_i Σ_j κ(j|x_i) c_ij, in units of the cost.
    """

    target: np.ndarray
    kernel: np.ndarray
    value: float


def exact_coupling(
    costs: ArrayLike, groups: ArrayLike, target: ArrayLike, *, weights: ArrayLike | None = None
) -> ExactCoupling:
    """Optimal transport of each group's rows to ``target``, by the network simplex of POT.

    Args:
        costs: (n, J) finite c(x_i, s_j).
        groups: (n,) integers 0 ≤ z < m, every group present.
        target: (J,) law on the atoms.
        weights: (m,) weight of each group; by default its share of the rows.

    Raises:
        InputError: shapes that do not fit, a target or weights that are no law, or a simplex that
            stopped early.
    """
    import ot

    c, z, shares = _checked("exact_coupling", costs, groups, weights)
    law = np.asarray(target, dtype=np.float64)
    if law.shape != c.shape[1:] or not (law >= 0).all() or abs(law.sum() - 1.0) > 1e-9:
        raise InputError(f"exact_coupling: target is no law: pass {c.shape[1]} probabilities")
    law = law / law.sum()
    kernel, value = np.empty(c.shape), 0.0
    for group, share in enumerate(shares):
        rows = np.flatnonzero(z == group)
        plan, log = ot.emd(
            np.full(len(rows), 1 / len(rows)), law, c[rows], numItermax=10**7, log=True
        )
        if log["warning"] is not None:
            raise InputError(
                f"exact_coupling: group {group}: {log['warning']}: use fit_common_support"
            )
        kernel[rows] = plan / plan.sum(1, keepdims=True)
        value += float(share * np.vdot(plan, c[rows]))
    return ExactCoupling(law, kernel, value)


def exact_target(
    costs: ArrayLike, groups: ArrayLike, *, weights: ArrayLike | None = None
) -> ExactCoupling:
    """The law on the atoms, and kernels, of least expected cost: one linear programme (HiGHS).

    Variables are the kernels κ(j|x_i) and ν; rows sum to 1, and each group's mean is ν.

    Args:
        costs: as in :func:`exact_coupling`.
        groups: as in :func:`exact_coupling`.
        weights: as in :func:`exact_coupling`.

    Raises:
        InputError: as :func:`exact_coupling`.
    """
    from scipy.optimize import linprog
    from scipy.sparse import csr_array, eye_array, hstack, kron, vstack

    c, z, shares = _checked("exact_target", costs, groups, weights)
    n, atoms = c.shape
    sizes = np.bincount(z)
    mass = shares[z] / sizes[z]
    means = csr_array((1.0 / sizes[z], (z, np.arange(n))), shape=(len(shares), n))
    same = np.ones((len(shares), 1))
    equal = vstack(
        [
            hstack([kron(eye_array(n), np.ones((1, atoms))), csr_array((n, atoms))]),
            hstack([kron(means, eye_array(atoms)), -kron(same, eye_array(atoms))]),
        ]
    )
    right = np.concatenate((np.ones(n), np.zeros(len(shares) * atoms)))
    objective = np.concatenate(((mass[:, None] * c).ravel(), np.zeros(atoms)))
    found = linprog(objective, A_eq=equal.tocsr(), b_eq=right, method="highs")
    if not found.success:
        raise InputError(f"exact_target: {found.message}: use fit_common_support")
    kernel = found.x[: n * atoms].reshape(n, atoms)
    target = found.x[n * atoms :]
    kernel = kernel / kernel.sum(1, keepdims=True)
    return ExactCoupling(target / target.sum(), kernel, float(found.fun))


def _checked(
    where: str, costs: ArrayLike, groups: ArrayLike, weights: ArrayLike | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    c, z = np.asarray(costs, dtype=np.float64), np.asarray(groups)
    problems = Problems(where)
    problems.require(
        c.ndim == 2 and min(c.shape) > 0 and bool(np.isfinite(c).all()),
        f"costs have shape {c.shape} or are not all finite",
        fix="pass (n, J) finite costs",
    )
    usable = problems.require(
        z.shape == c.shape[:1] and z.dtype.kind in "iu" and bool((z >= 0).all()),
        f"groups have shape {z.shape} and type {z.dtype}",
        fix="number the groups from 0, one per row of costs",
    )
    counts = np.bincount(z) if usable and len(z) else np.ones(1)
    empty = np.flatnonzero(counts == 0).tolist()
    problems.require(not empty, f"groups {empty[:5]} have no rows", fix="number those present")
    shares = counts / counts.sum() if weights is None else np.asarray(weights, dtype=np.float64)
    problems.require(
        shares.shape == counts.shape
        and bool((shares >= 0).all())
        and abs(float(shares.sum()) - 1.0) <= 1e-9,
        "weights are no law",
        fix=f"pass {len(counts)} probabilities",
    )
    problems.raise_if_any()
    return c, z, shares
