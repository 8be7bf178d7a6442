"""The ascent behind the shared kernel; why it is one stands at the head of ``shared_kernel``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from infounlearn.errors import Problems, is_number
from infounlearn.math.common_support_sweep import (
    Costs,
    blocks_of,
    checked_costs,
    weighted_jensen_shannon,
)

FEW = 8192
"""Rows on which the first rounds are climbed."""
_STEPS = 60
"""Steps per round: a round need not be exact, the last one is judged by its gap."""
_FACTOR = 4.0


@dataclass(frozen=True)
class Found:
    """Where an ascent ended; names as in ``SharedKernel``, and the largest spread of a row."""

    gamma: float
    prior: np.ndarray
    scores: np.ndarray
    reg: float
    laws: np.ndarray
    cost: float
    information: float
    observed: float | None
    least: float
    gap: float
    spread: float
    passes: int


@dataclass(frozen=True)
class _Seen:
    """Means over the rows under one kernel."""

    joint: np.ndarray
    cost: float
    soft: float
    floor: float
    spread: float


@dataclass(frozen=True)
class Ascent:
    """One problem, to be solved at one or more γ."""

    take: Costs
    posterior: np.ndarray
    groups: np.ndarray | None
    tolerance: float
    max_passes: int
    seed: int

    def solve(self, gamma: float, near: Found | None = None) -> Found:
        """The kernel at γ; ``near`` is one found at another γ, to start from."""
        every = np.arange(len(self.posterior))
        prior = self.posterior.mean(0)
        atoms = np.asarray(self.take(every[:1]), dtype=np.float64).shape[-1]
        free = np.zeros((atoms, len(prior))) if near is None else near.scores
        if gamma == 0.0:
            free, reg = np.zeros((atoms, len(prior))), 0.0
            seen, passes = self._sweep(every, prior, free, 0.0, 0.0), 1
            return self._found(seen, prior, free, 0.0, 0.0, passes)
        few = np.random.default_rng(self.seed).permutation(every)[:FEW]
        few = every if len(every) <= 2 * FEW else np.sort(few)
        reg = near.reg * _FACTOR**2 if near is not None and near.reg > 0 else 0.0
        passes = 0
        for rows in (every,) if few is every else (few, every):
            while True:
                if reg == 0.0:
                    reg = max(self._sweep(rows, prior, free, 0.0, 0.0).spread, self.tolerance)
                free, used = self._climb(rows, prior, free, gamma, reg, self.max_passes - passes)
                seen = self._sweep(rows, prior, free, gamma, reg)
                passes += used + 1 if rows is every else 0
                gap = seen.cost + gamma * _information(seen.joint, prior) - seen.floor
                if gap <= self.tolerance or passes >= self.max_passes:
                    break
                # Below this the smoothing costs less than a tenth of what is asked.
                if rows is few and reg * np.log(max(atoms, 2)) < 0.1 * self.tolerance:
                    break
                reg /= _FACTOR
        return self._found(seen, prior, free, gamma, reg, passes)

    def _climb(
        self,
        rows: np.ndarray,
        prior: np.ndarray,
        free: np.ndarray,
        gamma: float,
        reg: float,
        left: int,
    ) -> tuple[np.ndarray, int]:
        """V after some steps of L-BFGS, and the sweeps."""
        from scipy.optimize import minimize

        def negative(flat: np.ndarray) -> tuple[float, np.ndarray]:
            scores = feasible(flat.reshape(free.shape), prior)
            seen = self._sweep(rows, prior, scores, gamma, reg)
            slope = seen.joint - seen.joint.sum(1, keepdims=True) * prior * np.exp(scores)
            return -seen.soft, -gamma * slope.ravel()

        options = {"maxiter": _STEPS, "maxfun": max(left - 1, 1), "maxcor": 20, "gtol": 1e-9}
        found = minimize(negative, free.ravel(), jac=True, method="L-BFGS-B", options=options)
        return feasible(found.x.reshape(free.shape), prior), int(found.nfev)

    def _sweep(
        self, rows: np.ndarray, prior: np.ndarray, scores: np.ndarray, gamma: float, reg: float
    ) -> _Seen:
        size, atoms = len(rows), len(scores)
        joint = np.zeros(scores.shape)
        cost = soft = floor = spread = 0.0
        for some in blocks_of(size, atoms):
            c = checked_costs(self.take, rows[some], atoms)
            p = self.posterior[rows[some]]
            kernel, lowest, lower = kernel_block(c, p, gamma * scores, reg)
            joint += kernel.T @ p
            cost += float(np.vdot(kernel, c))
            soft += float(lower.sum())
            floor += float(lowest.sum())
            spread = max(spread, float((c.max(1) - c.min(1)).max()))
        return _Seen(joint / size, cost / size, soft / size, floor / size, spread)

    def _found(
        self,
        seen: _Seen,
        prior: np.ndarray,
        scores: np.ndarray,
        gamma: float,
        reg: float,
        passes: int,
    ) -> Found:
        information = _information(seen.joint, prior)
        return Found(
            gamma=gamma,
            prior=prior,
            scores=scores,
            reg=float(reg),
            laws=_laws(seen.joint, prior),
            cost=seen.cost,
            information=information,
            observed=_observed(self.take, self.posterior, self.groups, gamma * scores, reg),
            least=seen.floor,
            gap=max(seen.cost + gamma * information - seen.floor, 0.0),
            spread=seen.spread,
            passes=passes,
        )


def feasible(free: np.ndarray, prior: np.ndarray) -> np.ndarray:
    """U = V - ln Σ_z π_z e^V, row by row."""
    top = free.max(1, keepdims=True)
    return free - top - np.log(np.exp(free - top) @ prior)[:, None]


def kernel_block(
    costs: np.ndarray, posterior: np.ndarray, tilt: np.ndarray, reg: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """κ ∝ exp(-score/ε) with score c + p·tilt, its least score, and -ε ln mean_j exp(-score/ε).

    ``tilt`` is (J, m). Groups are added one by one, so that no row feels the others.
    """
    scores = costs.copy()
    for z in range(tilt.shape[1]):
        scores += posterior[:, z, None] * tilt[:, z]
    lowest = scores.min(1)
    if reg == 0.0:
        kernel = np.zeros(scores.shape)
        kernel[np.arange(len(scores)), scores.argmin(1)] = 1.0
        return kernel, lowest, lowest
    scores -= lowest[:, None]
    scores /= -reg
    np.exp(scores, out=scores)
    sums = scores.sum(1)
    scores /= sums[:, None]
    return scores, lowest, lowest - reg * np.log(sums / scores.shape[1])


def _laws(joint: np.ndarray, prior: np.ndarray) -> np.ndarray:
    return joint.T / prior[:, None]


def _information(joint: np.ndarray, prior: np.ndarray) -> float:
    return weighted_jensen_shannon(_laws(joint, prior), prior)


def _observed(
    take: Costs,
    posterior: np.ndarray,
    groups: np.ndarray | None,
    tilt: np.ndarray,
    reg: float,
) -> float | None:
    """Information between the released atom and the groups themselves."""
    if groups is None:
        return None
    counts = np.bincount(groups)
    laws = np.zeros((len(counts), len(tilt)))
    for some in blocks_of(len(groups), len(tilt)):
        c = checked_costs(take, np.arange(len(groups))[some], len(tilt))
        kernel = kernel_block(c, posterior[some], tilt, reg)[0]
        np.add.at(laws, groups[some], kernel)
    laws /= np.where(counts > 0, counts, 1)[:, None]
    return weighted_jensen_shannon(laws[counts > 0], counts[counts > 0] / counts.sum())


def checked_settings(
    costs: object,
    posterior: ArrayLike,
    gamma: float | None,
    max_information: float | None,
    groups: ArrayLike | None,
    tolerance: float,
    max_passes: int,
    checked_posterior: Callable[..., np.ndarray],
) -> tuple[Costs, np.ndarray, np.ndarray | None]:
    """Costs as a function, posteriors, groups; everything wrong is said at once."""
    problems = Problems("shared kernel")
    p = checked_posterior(problems, posterior)
    unseen = np.flatnonzero(p.sum(0) == 0).tolist() if len(p) else []
    problems.require(not unseen, f"no row can be of groups {unseen[:5]}", fix="drop these columns")
    if callable(costs):
        take: Costs = costs
    else:
        c = np.asarray(costs, dtype=np.float64)
        problems.require(
            c.ndim == 2 and len(c) == len(p) and bool(np.isfinite(c).all()),
            f"costs have shape {c.shape} for {len(p)} posteriors, or are not all finite",
            fix="pass (n, J) finite costs",
        )

        def take(rows: np.ndarray) -> np.ndarray:
            return c[rows]

    problems.require(
        (gamma is None) != (max_information is None),
        f"gamma is {gamma!r} and max_information {max_information!r}",
        fix="pass one of them",
    )
    for name, value, zero in (
        ("gamma", gamma, True),
        ("max_information", max_information, False),
        ("tolerance", tolerance, False),
        ("max_passes", max_passes, False),
    ):
        fine = value is None or (is_number(value) and (value > 0 or (zero and value == 0)))
        problems.require(fine, f"{name} is {value!r}", fix="pass a positive number")
    z = None if groups is None else np.asarray(groups)
    problems.require(
        z is None or (z.shape == (len(p),) and z.dtype.kind in "iu" and bool((z >= 0).all())),
        "groups do not fit",
        fix="pass (n,) integers from 0",
    )
    problems.raise_if_any()
    return take, p, z
