"""Best randomised decisions under a parity bound, as an exact linear program over cells of scores.

A cell i (a row, or rows that no score tells apart) has a mass, an expected utility u_ik of each
decision k, and in each group z of each stratum s a conditional probability A_szi = P(i | s, z). The
policy π_ik = P(decision k | cell i) solves

    max Σ_ik mass_i u_ik π_ik   subject to   max_z r_szk - min_z r_szk <= τ,

with r_szk = Σ_i A_szi π_ik, for every stratum and decision: one stratum of all rows is demographic
parity; one stratum per true class, equalized odds; the positive class alone, equal opportunity.
Group-wise rules have cells of one group each; rules that must not see Z share a cell and split its
mass by P(z | x). The policy is deterministic in all but at most (strata × groups × decisions)
cells, and what it does elsewhere is

    argmax_k u_ik - Σ_sz price_szk γ_sz(i),   γ_sz(i) = P(i | s, z) / P(i),

which also decides new rows (Xian & Zhao 2024 for the form; solved here by HiGHS).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from infounlearn.errors import InfounlearnError, Problems
from infounlearn.math.decision_curve import check_tolerance

__all__ = ["Constraint", "DecisionPlan", "constraint_laws", "plan_decisions"]

Constraint = Literal["demographic-parity", "equalized-odds", "equal-opportunity"]


@dataclass(frozen=True, eq=False)
class DecisionPlan:
    """Optimal randomised policy on the cells, and the prices that decide other rows.

    Attributes:
        policy: (N, K) probability of each decision in each cell.
        prices: (S, m, K) utility one more unit of the rate r_szk would cost; 0 where not bound.
        rates: (S, m, K) r_szk; NaN where a stratum lacks a group.
        utility: mean utility of the policy.
        gap: largest max_z - min_z of the rates over strata and decisions.
        tolerance: the bound asked for.
    """

    policy: np.ndarray
    prices: np.ndarray
    rates: np.ndarray
    utility: float
    gap: float
    tolerance: float

    def adjusted(self, utility: np.ndarray, densities: np.ndarray) -> np.ndarray:
        """(n, K) utilities after prices; the decision is their largest column.

        Args:
            utility: (n, K) expected utility of each decision in each row.
            densities: (S, m, n) γ_sz of each row, P(row | s, z) / P(row).
        """
        return utility - np.einsum("smk,smn->nk", self.prices, densities)


def constraint_laws(
    joint: ArrayLike, masses: ArrayLike, constraint: Constraint, *, positive: int = 1
) -> np.ndarray:
    """γ_sz(i) = P(s, z | i) / P(s, z), the densities that :func:`plan_decisions` bounds.

    Args:
        joint: (N, C, m) P(Y = y, Z = z | cell); sums to 1 over the last two axes.
        masses: (N,) P(cell), up to a factor.
        constraint: which rates must be near each other.
        positive: the class that is the opportunity, where that is the constraint.

    Returns:
        (S, m, N) densities; NaN for a group that a stratum lacks.

    Raises:
        InputError: shapes differ, rows that are no distributions, or an unknown constraint.
    """
    problems = Problems("constraint laws")
    law, mass = np.asarray(joint, dtype=np.float64), np.asarray(masses, dtype=np.float64)
    fits = law.ndim == 3 and mass.shape == law.shape[:1] and law.size > 0
    problems.require(
        fits and bool((law >= 0).all()) and bool((abs(law.sum((1, 2)) - 1) < 1e-5).all()),
        f"joint of shape {law.shape} for {mass.size} cells is no distribution per cell",
        fix="pass (N, classes, groups) probabilities that sum to 1 in each cell",
    )
    known = ("demographic-parity", "equalized-odds", "equal-opportunity")
    problems.require(
        constraint in known, f"constraint is {constraint!r}", fix=f"pass one of {known}"
    )
    if fits:
        problems.require(
            positive in range(law.shape[1]),
            f"positive is {positive!r}",
            fix=f"pass the number of a class, 0 to {law.shape[1] - 1}",
        )
    problems.raise_if_any()
    if constraint == "demographic-parity":
        strata = law.sum(1)[:, None]
    else:
        strata = law if constraint == "equalized-odds" else law[:, positive : positive + 1]
    shares = np.einsum("n,nsm->sm", mass / mass.sum(), strata)
    with np.errstate(invalid="ignore", divide="ignore"):
        densities = strata.transpose(1, 2, 0) / shares[:, :, None]
    densities[shares == 0] = np.nan
    return densities


def plan_decisions(
    utility: ArrayLike, masses: ArrayLike, densities: ArrayLike, *, tolerance: float
) -> DecisionPlan:
    """Solve the linear program.

    One bound on two groups and two decisions takes a sort. With two decisions and more groups or
    bounds the program has N bounded variables and 2 S m rows: seconds for 1e5 cells.
    With more it has N K variables and N more rows; merge cells first where there are many.

    Args:
        utility: (N, K) expected utility of each decision in each cell; for accuracy P(Y = k | i).
        masses: (N,) positive weights of the cells.
        densities: (S, m, N) from :func:`constraint_laws`; a group that is NaN is not compared.
        tolerance: τ in [0, 1].

    Raises:
        InputError: shapes differ, numbers not finite, or a tolerance outside [0, 1].
        InfounlearnError: the solver did not reach an optimum (the program always has one).
    """
    problems = Problems("decision program")
    gain, mass = np.asarray(utility, dtype=np.float64), np.asarray(masses, dtype=np.float64)
    law = np.asarray(densities, dtype=np.float64)
    problems.require(
        gain.ndim == 2 and gain.size > 0 and gain.shape[1] > 1 and bool(np.isfinite(gain).all()),
        f"utility has shape {gain.shape} or holds NaN",
        fix="pass (cells, decisions) finite numbers, at least two decisions",
    )
    problems.require(
        mass.shape == gain.shape[:1] and bool((np.isfinite(mass) & (mass > 0)).all()),
        f"masses have shape {mass.shape} or are not positive",
        fix="pass one number > 0 per cell",
    )
    problems.require(
        law.ndim == 3 and law.shape[2:] == mass.shape and not np.isinf(law).any(),
        f"densities have shape {law.shape} for {mass.size} cells",
        fix="pass (strata, groups, cells) from constraint_laws",
    )
    check_tolerance(problems, tolerance)
    problems.raise_if_any()
    mass = mass / mass.sum()
    compared = np.asarray(~np.isnan(law).any(2))
    # One bound on two groups and two decisions is a knapsack: sorting solves it, exactly too.
    single = gain.shape[1] == 2 and compared.shape == (1, 2) and bool(compared.all())
    solve = _sweep if single else _solve
    policy, raw = solve(gain, mass, law, compared, float(tolerance))
    prices = np.zeros((*law.shape[:2], gain.shape[1]))
    prices[compared] = raw
    rates = np.einsum("smn,nk->smk", law * mass, policy)
    # A class that no cell can have is a stratum of no group: there is nothing to compare.
    held = np.flatnonzero(compared.any(1))
    spread = [np.ptp(rates[s][compared[s]], axis=0).max() for s in held]
    return DecisionPlan(
        policy,
        prices,
        rates,
        float(np.einsum("n,nk,nk->", mass, gain, policy)),
        float(max(spread, default=0.0)),
        float(tolerance),
    )


def _sweep(
    gain: np.ndarray, mass: np.ndarray, law: np.ndarray, compared: np.ndarray, tolerance: float
) -> tuple[np.ndarray, np.ndarray]:
    """As :func:`_solve` for one stratum, two groups, two decisions: flip the cheapest cells first.

    A cell flips from what is best in it at the price λ = worth / lean, and every flip lessens the
    gap; cells of the price where the bound is met share what is left of it.
    """
    worth, lean = gain[:, 1] - gain[:, 0], law[0, 1] - law[0, 0]
    accepted = (worth > 0).astype(np.float64)
    signed = float(mass * lean @ accepted)
    lean = lean if signed >= 0 else -lean
    excess = abs(signed) - tolerance
    price = 0.0
    if excess > 0:
        flips = np.flatnonzero(np.where(worth > 0, lean > 0, lean < 0))
        costs = worth[flips] / lean[flips]
        order = np.argsort(costs, kind="stable")
        flips, costs = flips[order], costs[order]
        saved = np.cumsum((mass * np.abs(lean))[flips])
        # Flipping all makes the gap 0 or of the other sign; rounding must not ask for more.
        last = min(int(np.searchsorted(saved, excess)), len(flips) - 1)
        price = float(costs[last])
        whole, tied = flips[costs < price], flips[costs == price]
        accepted[whole] = 1.0 - accepted[whole]
        left = excess - (saved[len(whole) - 1] if len(whole) else 0.0)
        share = min(left / float((mass * np.abs(lean))[tied].sum()), 1.0)
        accepted[tied] += share * (1.0 - 2.0 * accepted[tied])
    signed_price = price if signed >= 0 else -price
    prices = np.array([[0.0, -signed_price], [0.0, signed_price]])
    return np.column_stack((1.0 - accepted, accepted)), prices


def _solve(
    gain: np.ndarray, mass: np.ndarray, law: np.ndarray, compared: np.ndarray, tolerance: float
) -> tuple[np.ndarray, np.ndarray]:
    """Policy (N, K), and prices of the compared (stratum, group) pairs, (c, K)."""
    from scipy import sparse
    from scipy.optimize import linprog

    size, decisions = gain.shape
    # Two decisions: that of the first is 1 minus the other, as are its rates and their gaps.
    kept = 1 if decisions == 2 else decisions
    worth = gain[:, 1:] - gain[:, :1] if decisions == 2 else gain
    rows = (law * mass)[compared]
    strata = np.nonzero(compared)[0]
    count = len(rows)
    # Variables: π of each kept decision in turn, then the floor of the rates of (stratum, k).
    rate = sparse.block_diag([sparse.csr_matrix(rows)] * kept)
    floor = sparse.block_diag(
        [sparse.csr_matrix((np.ones(count), (range(count), strata)), (count, len(law)))] * kept
    )
    above = sparse.hstack((-rate, floor))
    below = sparse.hstack((rate, -floor))
    one = None
    if kept > 1:
        ones = sparse.hstack([sparse.identity(size)] * kept)
        one = sparse.hstack((ones, sparse.csr_matrix((size, kept * len(law)))), format="csr")
    # Costs of order 1 per cell: the solver's tolerances are absolute.
    cost = np.concatenate(((-worth * mass[:, None] * size).T.ravel(), np.zeros(kept * len(law))))
    found = linprog(
        cost,
        A_ub=sparse.vstack((above, below), format="csr"),
        b_ub=np.repeat([0.0, tolerance], count * kept),
        A_eq=one,
        b_eq=None if one is None else np.ones(size),
        bounds=(0.0, 1.0),
        method="highs",
    )
    if found.status != 0:
        raise InfounlearnError(f"decision program: HiGHS stopped: {found.message}")
    inner = found.x[: size * kept].reshape(kept, size).T
    policy = np.column_stack((1 - inner[:, 0], inner[:, 0])) if kept == 1 else inner
    lower, upper = -found.ineqlin.marginals.reshape(2, kept, count) / size
    prices = (upper - lower).T
    if kept == 1:
        prices = np.column_stack((np.zeros(count), prices[:, 0]))
    policy = np.maximum(policy, 0.0)
    return policy / policy.sum(1, keepdims=True), prices
