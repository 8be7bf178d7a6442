"""Transport of several groups onto one finite support: a known random kernel for each row.

Atoms s_1..s_J, costs c(x, s_j), and a target law ν on the atoms. Group z is sent there by

    κ_z(j|x) ∝ ν_j exp((g_zj - c(x, s_j))/reg),

the entropic optimal transport from the group's rows to ν where the potentials g_z maximise

    D_z(g) = Σ_j ν_j g_j - reg · mean_i ln Σ_j ν_j exp((g_j - c_ij)/reg),    ∇D_z = ν - P_z,

P_z the mean kernel of the group (Cuturi 2013; Genevay et al. 2016; Benamou et al. 2015 for the
target). As reg → 0 the kernel becomes the Laguerre assignment argmin_j c(x, s_j) - g_zj.

**Step.** With Q = mean κκᵀ, the damped Newton step g + t δ never lowers D, where

    (diag P - Q + λ diag ν) δ = reg (ν - P),    t = ln(1 + d)/d,    d = range(δ)/reg:

the third derivative of the log-sum along δ is at most range(δ)/reg times the second, which is all
the analysis of Bach (2010) and of Sun & Tran-Dinh (2019) needs; λ only shortens the step. Longer
steps are tried, Q comes from some of the rows, and atoms far below their mass take their part of a
Sinkhorn step instead: so D is compared, and where it fell the whole Sinkhorn step g + reg ln(ν/P)
is taken, which never lowers D.

**Exact independence.** Whatever is left, ν ≠ P_z, is levelled: with M_j = max_z P_z(j),

    κ'_z(j|x) = (κ_z(j|x) + M_j - P_z(j)) / ΣM

is a kernel, and its mean is M/ΣM in *every* group. So the fitted rows leak nothing, to rounding, at
any tolerance; an unconverged fit costs the share 1 - 1/ΣM of rows sent regardless of x. Fresh
rows differ from the fitted ones by sampling: certify the release there, the kernels are known.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from infounlearn.errors import Problems
from infounlearn.math.common_support_sweep import blocks_of

__all__ = ["CommonSupport"]

_WHERE = "common support"


@dataclass(frozen=True, eq=False)
class CommonSupport:
    """Kernels from m groups to J atoms, from ``fit_common_support``. Costs in units of c.

    Attributes:
        weights: (m,) weight of each group.
        target: (J,) the law ν that was aimed at.
        potentials: (m, J) g_z.
        reg: strength of the entropy, in units of the cost.
        fill: (m, J) M - P_z, what levels the groups.
        law: (J,) law of the released atom, M/ΣM: the same in each group, on the fitted rows.
        marginals: (m, J) mean kernel of the fitted rows of each group, before levelling.
        residual: largest total variation between ``target`` and ``marginals``.
        spill: share 1 - 1/ΣM of the rows that go where the levelling, not x, sends them.
        leak: information in nats between the released atom and the group on the fitted rows: the
            weighted Jensen-Shannon divergence of the groups' final laws, computed, not assumed.
        value: expected cost of the release, Σ w_z mean_i Σ_j κ'_z(j|x_i) c_ij.
        least: lower bound on the cost of any kernels with equal marginals on these rows and atoms,
            Σ w_z mean_i min_j (c_ij - g_zj + Σ_y w_y g_yj): linear-programming duality.
        least_to_target: the same for kernels whose marginals are all ``target``.
        converged: whether ``residual`` came below the tolerance.
        passes: sweeps over all rows of the largest group.
    """

    weights: np.ndarray
    target: np.ndarray
    potentials: np.ndarray
    reg: float
    fill: np.ndarray
    law: np.ndarray
    marginals: np.ndarray
    residual: float
    spill: float
    leak: float
    value: float
    least: float
    least_to_target: float
    converged: bool
    passes: int

    def kernel(self, costs: ArrayLike, groups: ArrayLike, *, level: bool = True) -> np.ndarray:
        """Probability of each atom for rows, fitted or new: each by its own costs and group only.

        Args:
            costs: (n, J) c(x, s_j).
            groups: (n,) integers 0 ≤ z < m.
            level: False leaves the levelling out, κ instead of κ'.

        Returns:
            (n, J), rows sum to 1.

        Raises:
            InputError: costs or groups do not fit, or a cost is not finite.
        """
        c, z = self._checked(costs, groups)
        heights = np.stack([heights_of(g, self.target, self.reg) for g in self.potentials])
        result = np.empty(c.shape)
        for some in blocks_of(len(c), c.shape[1]):
            scores = (heights[z[some]] - c[some]) / self.reg
            scores -= scores.max(1, keepdims=True)
            np.exp(scores, out=scores)
            scores /= scores.sum(1, keepdims=True)
            if level:
                scores += self.fill[z[some]]
                scores *= 1.0 - self.spill
            result[some] = scores
        return result

    def draw(self, costs: ArrayLike, groups: ArrayLike, noise: ArrayLike) -> np.ndarray:
        """(n,) number of the atom released for each row: the kernel's quantile at ``noise``.

        Args:
            costs: as in :meth:`kernel`.
            groups: as in :meth:`kernel`.
            noise: (n,) uniform numbers in [0, 1), each row's own.

        Raises:
            InputError: as :meth:`kernel`, or noise that does not fit.
        """
        c, z = self._checked(costs, groups)
        xi = np.asarray(noise, dtype=np.float64)
        problems = Problems(_WHERE)
        problems.require(
            xi.shape == z.shape and bool(((xi >= 0) & (xi < 1)).all()),
            f"noise has shape {xi.shape} or leaves [0, 1)",
            fix=f"pass {z.shape} numbers in [0, 1)",
        )
        problems.raise_if_any()
        result = np.empty(len(c), dtype=np.int64)
        for some in blocks_of(len(c), c.shape[1]):
            result[some] = draw_atoms(self.kernel(c[some], z[some]), xi[some])
        return result

    def laguerre(self, costs: ArrayLike, groups: ArrayLike) -> np.ndarray:
        """(n,) argmin_j c(x, s_j) - g_zj over the atoms of positive target: the limit reg → 0.

        Raises:
            InputError: as :meth:`kernel`.
        """
        c, z = self._checked(costs, groups)
        own = np.where(self.target > 0, self.potentials, -np.inf)
        return np.argmin(c - own[z], axis=1)

    def _checked(self, costs: ArrayLike, groups: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
        c, z = np.asarray(costs, dtype=np.float64), np.asarray(groups)
        problems = Problems(_WHERE)
        fits = problems.require(
            c.ndim == 2 and c.shape[1] == len(self.target),
            f"costs have shape {c.shape}",
            fix=f"pass (n, {len(self.target)})",
        )
        problems.require(
            not fits or bool(np.isfinite(c).all()), "a cost is not finite", fix="pass numbers"
        )
        known = z.dtype.kind in "iu" and z.ndim == 1 and (not fits or len(z) == len(c))
        known = known and bool(((z >= 0) & (z < len(self.weights))).all())
        problems.require(
            known, "groups do not fit", fix=f"pass (n,) integers below {len(self.weights)}"
        )
        problems.raise_if_any()
        return c, z


def draw_atoms(kernel: np.ndarray, noise: np.ndarray) -> np.ndarray:
    """(n,) atom at the level ``noise`` of each row of an (n, J) kernel; never one of mass 0."""
    ends = np.cumsum(kernel, axis=1)
    # Rounding leaves the last end off 1: the level is a share of what there is.
    level = noise * ends[:, -1]
    return np.minimum((ends <= level[:, None]).sum(1), _last(kernel))


def _last(kernel: np.ndarray) -> np.ndarray:
    """(n,) last atom of positive mass."""
    return kernel.shape[1] - 1 - np.argmax(kernel[:, ::-1] > 0, axis=1)


def heights_of(potentials: np.ndarray, target: np.ndarray, reg: float) -> np.ndarray:
    """reg ln ν + g; -inf where the target has no mass."""
    logs = np.log(target, out=np.full(len(target), -np.inf), where=target > 0)
    return potentials + reg * logs
