"""One kernel for all groups: Z is unknown when rows are released. Convex, with a certified gap.

Over kernels κ(j|x) from rows to atoms s_1..s_J, with γ in units of the cost per nat,

    F(κ) = E c(X, X̃) + γ I(X̃; Z),   q_jz = mean_i p_i(z) κ_ij,   u_jz = ln q_jz/(q_j π_z),

where p_i(z) = p(z|x_i). q is linear in κ and I convex in q, so F is convex, with gradient
s_ij = c_ij + γ Σ_z p_i(z) u_jz at κ_ij (times 1/n).

**Lower bound.** I = max Σ_jz q_jz U_jz over all U with Σ_z π_z e^{U_jz} ≤ 1 for each j (Donsker &
Varadhan), so for any such U and *every* kernel, F(κ) ≥ mean_i min_j (c_ij + γ Σ_z p_i(z) U_jz).
Since u is such a U, the two sides meet at the optimum. Their difference is the gap reported: it
needs no trust in how U was found.

**Ascent.** The minimum over j is smoothed, -ε ln mean_j exp(-·/ε), which costs at most ε ln J, and
U_jz = V_jz - ln Σ_y π_y e^{V_jy} makes V free. The bound is concave in V: U is concave in V, and
the bound concave and nondecreasing in U. Its gradient is γ (q_jz - q_j π_z e^{U_jz}), zero exactly
where U = u, for the kernel κ(j|x) ∝ exp(-(c(x, s_j) + γ Σ_z p(z|x) U_jz)/ε). L-BFGS climbs, on some
rows first, and ε falls until the gap is small.

**New rows.** That kernel is the release: J·m numbers and ε are the whole fit, no (n, J) table is
kept, and a row's kernel depends on its own costs and posterior only.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from infounlearn.errors import Problems
from infounlearn.math.common_support import draw_atoms
from infounlearn.math.common_support_sweep import blocks_of
from infounlearn.math.shared_kernel_ascent import (
    Ascent,
    Found,
    checked_settings,
    kernel_block,
)

__all__ = ["SharedKernel", "fit_shared_kernel"]

_WHERE = "shared kernel"


@dataclass(frozen=True, eq=False)
class SharedKernel:
    """A kernel that needs x alone (through its costs and p(z|x)); see :func:`fit_shared_kernel`.

    Attributes:
        gamma: cost of one nat, in units of the cost.
        prior: (m,) π = mean of the posteriors.
        scores: (J, m) U_jz, in nats: how much more often z goes with atom j.
        reg: ε, in units of the cost; 0 where gamma is 0, for the cheapest atom.
        laws: (m, J) law of the released atom in each group, on the fitted rows.
        cost: E c(X, X̃) on the fitted rows.
        information: I(X̃; Z) in nats on the fitted rows *if the posteriors are right*.
        observed_information: the same from the groups themselves, where they were passed; else
            None. A sampled estimate of what the posteriors miss; audit on fresh rows.
        least: lower bound on min F.
        gap: F - ``least``, in units of the cost.
        least_cost: lower bound on the cost of every kernel with at most ``max_information``
            (``least`` - γ·cap: weak duality), where that was asked; else None.
        converged: whether the gap came below the tolerance (and the information below the cap).
        passes: sweeps over the rows.
    """

    gamma: float
    prior: np.ndarray
    scores: np.ndarray
    reg: float
    laws: np.ndarray
    cost: float
    information: float
    observed_information: float | None
    least: float
    gap: float
    least_cost: float | None
    converged: bool
    passes: int

    @property
    def objective(self) -> float:
        """F = cost + γ · information."""
        return self.cost + self.gamma * self.information

    def kernel(self, costs: ArrayLike, posterior: ArrayLike) -> np.ndarray:
        """Probability of each atom for rows, fitted or new, each by its own numbers only.

        Args:
            costs: (n, J) c(x, s_j).
            posterior: (n, m) p(z|x), or (n,) integer groups where Z is known after all.

        Returns:
            (n, J), rows sum to 1.

        Raises:
            InputError: costs or posteriors do not fit.
        """
        c, p = self._checked(costs, posterior)
        result = np.empty(c.shape)
        for some in blocks_of(len(c), c.shape[1]):
            tilt = self.gamma * self.scores
            result[some] = kernel_block(c[some], p[some], tilt, self.reg)[0]
        return result

    def draw(self, costs: ArrayLike, posterior: ArrayLike, noise: ArrayLike) -> np.ndarray:
        """(n,) number of the atom released: the kernel's quantile at ``noise``.

        Args:
            costs: as in :meth:`kernel`.
            posterior: as in :meth:`kernel`.
            noise: (n,) uniform numbers in [0, 1), each row's own.

        Raises:
            InputError: as :meth:`kernel`, or noise that does not fit.
        """
        c, p = self._checked(costs, posterior)
        xi = np.asarray(noise, dtype=np.float64)
        problems = Problems(_WHERE)
        problems.require(
            xi.shape == c.shape[:1] and bool(((xi >= 0) & (xi < 1)).all()),
            f"noise has shape {xi.shape} or leaves [0, 1)",
            fix=f"pass {c.shape[:1]} numbers in [0, 1)",
        )
        problems.raise_if_any()
        result = np.empty(len(c), dtype=np.int64)
        for some in blocks_of(len(c), c.shape[1]):
            result[some] = draw_atoms(self.kernel(c[some], p[some]), xi[some])
        return result

    def _checked(self, costs: ArrayLike, posterior: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
        c = np.asarray(costs, dtype=np.float64)
        atoms, groups = self.scores.shape
        problems = Problems(_WHERE)
        problems.require(
            c.ndim == 2 and c.shape[1] == atoms and bool(np.isfinite(c).all()),
            f"costs have shape {c.shape} or are not all finite",
            fix=f"pass (n, {atoms}) finite costs",
        )
        p = checked_posterior(problems, posterior, groups)
        problems.require(
            len(p) == len(c), f"{len(c)} costs and {len(p)} posteriors", fix="one row each"
        )
        problems.raise_if_any()
        return c, p


def checked_posterior(
    problems: Problems, posterior: ArrayLike, groups: int | None = None
) -> np.ndarray:
    """(n, m) probabilities; integer groups become certain ones."""
    p = np.asarray(posterior)
    if p.ndim == 1 and p.dtype.kind in "iu" and len(p):
        top = int(p.max()) + 1 if groups is None else groups
        if problems.require(
            bool(((p >= 0) & (p < top)).all()), "a group is unknown", fix="number groups from 0"
        ):
            return np.eye(top)[p]
        return np.zeros((0, top))
    usable = p.ndim == 2 and len(p) > 0 and p.dtype.kind in "iuf"
    usable = usable and (groups is None or p.shape[1] == groups)
    usable = usable and bool((p >= 0).all()) and bool((np.abs(p.sum(1) - 1.0) <= 1e-6).all())
    problems.require(
        usable,
        f"posterior of shape {p.shape} is no law of {groups or 'the groups'} in every row",
        fix="pass (n, m) probabilities that sum to 1 in each row, or (n,) integer groups",
    )
    return p.astype(np.float64, copy=False) if usable else np.zeros((0, groups or 1))


def fit_shared_kernel(
    costs: ArrayLike | Callable[[np.ndarray], np.ndarray],
    posterior: ArrayLike,
    *,
    gamma: float | None = None,
    max_information: float | None = None,
    groups: ArrayLike | None = None,
    tolerance: float = 1e-3,
    max_passes: int = 500,
    seed: int = 0,
) -> SharedKernel:
    """The kernel of least E c + γ I(X̃; Z), or of least E c with I(X̃; Z) ≤ ``max_information``.

    What is guaranteed is about the law that the posteriors imply: where they are wrong, so is
    the information. Fit them on other rows (cross-fitting), and certify the release on fresh ones.

    Args:
        costs: (n, J) c(x_i, s_j), or a function that gives these rows for a (b,) array of row
            numbers.
        posterior: (n, m) p(z|x_i). Integer groups (n,) say that Z is known, also for new rows.
        gamma: cost of one nat, ≥ 0. 0 gives the cheapest atom.
        max_information: cap in nats, > 0, instead of gamma: the smallest γ that keeps it is found
            by bisection, with the cap kept by the kernel that is returned.
        groups: optional (n,) integers, the groups themselves, to compare the information with.
        tolerance: gap, in units of the cost, at which to stop.
        max_passes: cap on the sweeps over all rows for one γ.
        seed: picks the rows of the first rounds.

    Raises:
        InputError: shapes or settings that do not fit, posteriors that are no law, a group that no
            row can belong to, or both or neither of gamma and max_information.
    """
    take, p, z = checked_settings(
        costs, posterior, gamma, max_information, groups, tolerance, max_passes, checked_posterior
    )
    solver = Ascent(take, p, z, tolerance, max_passes, seed)
    if gamma is not None:
        found = solver.solve(float(gamma))
        return _result(found, None, found.gap <= tolerance, found.passes)
    cap = float(max_information) if max_information is not None else 0.0
    kept, least, passes = _within(solver, cap, tolerance)
    held = kept.information <= cap and kept.cost - least <= tolerance
    return _result(kept, least, held, passes)


def _within(solver: Ascent, cap: float, tolerance: float) -> tuple[Found, float, int]:
    """The cheapest kernel found with at most ``cap`` nats, a bound on all of them, the sweeps."""
    kept = solver.solve(0.0)
    passes, least = kept.passes, kept.least
    if kept.information <= cap:
        return kept, least, passes
    low, high = 0.0, kept.spread / kept.information
    # At some γ the nats are too dear to keep; doubling finds it.
    while kept.information > cap and passes < 40 * solver.max_passes:
        kept = solver.solve(high, kept)
        passes, least = passes + kept.passes, max(least, kept.least - high * cap)
        low, high = (high, 4.0 * high) if kept.information > cap else (low, high)
    while kept.cost - least > tolerance and high - low > 1e-4 * high:
        middle = np.sqrt(low * high) if low > 0 else high / 4
        found = solver.solve(float(middle), kept)
        passes, least = passes + found.passes, max(least, found.least - middle * cap)
        if found.information > cap:
            low = middle
            continue
        high = middle
        kept = found if found.cost <= kept.cost else kept
    return kept, least, passes


def _result(found: Found, least_cost: float | None, converged: bool, passes: int) -> SharedKernel:
    return SharedKernel(
        gamma=found.gamma,
        prior=found.prior,
        scores=found.scores,
        reg=found.reg,
        laws=found.laws,
        cost=found.cost,
        information=found.information,
        observed_information=found.observed,
        least=found.least,
        gap=found.gap,
        least_cost=least_cost,
        converged=converged,
        passes=passes,
    )
