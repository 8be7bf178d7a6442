"""Fitted decision rules: group-wise thresholds, or prices of rates; and the scores they leave."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from infounlearn.errors import Problems
from infounlearn.math.decision_curve import GroupThresholds, fit_parity_curve
from infounlearn.math.decision_lp import (
    Constraint,
    DecisionPlan,
    constraint_laws,
    plan_decisions,
)

__all__ = [
    "Priced",
    "Rule",
    "Thresholds",
    "blind_law",
    "check_choices",
    "cut_of",
    "draw",
    "extremes",
    "fit_rule",
    "joint_law",
    "kept_scores",
    "positive_class",
    "probabilities",
    "worth_of",
]

NEAR = 1e-6
"""Utilities nearer than this may be equal: the solver's prices carry about so many digits."""


class Rule(Protocol):
    """What a row is decided to be, from its probabilities alone."""

    def policy(self, p: np.ndarray, joint: np.ndarray) -> np.ndarray:
        """(n, K) probability of each decision.

        Args:
            p: (n, K) probabilities of the classes.
            joint: (n, K, m) P(Y, Z | row); a row of known group has all its mass there.
        """


@dataclass(frozen=True, eq=False)
class Thresholds:
    """Accept above the group's threshold, at it by chance."""

    thresholds: GroupThresholds
    utility: np.ndarray

    def policy(self, p: np.ndarray, joint: np.ndarray) -> np.ndarray:
        """See :class:`Rule`."""
        worth = p @ self.utility
        codes = joint.sum(axis=1).argmax(axis=1)
        accepted = self.thresholds.accept_codes(worth[:, 1] - worth[:, 0], codes)
        return np.column_stack((1.0 - accepted, accepted))


@dataclass(frozen=True, eq=False)
class Priced:
    """Decide by utility less the price of rates; cells that tie are split as in the program."""

    plan: DecisionPlan
    utility: np.ndarray
    shares: np.ndarray
    constraint: Constraint
    positive: int
    cells: dict[bytes, int]

    def policy(self, p: np.ndarray, joint: np.ndarray) -> np.ndarray:
        """See :class:`Rule`."""
        strata = strata_of(joint, self.constraint, self.positive)
        known = np.isfinite(self.shares) & (self.shares > 0)
        weight = np.where(known, self.shares, 1.0)
        densities = np.where(known, strata / weight, 0.0).transpose(1, 2, 0)
        adjusted = self.plan.adjusted(p @ self.utility, densities)
        decided = np.eye(p.shape[1])[adjusted.argmax(axis=1)]
        near = (adjusted >= adjusted.max(axis=1, keepdims=True) - NEAR).sum(axis=1) > 1
        for row in np.flatnonzero(near):
            cell = self.cells.get(cell_name(joint[row]))
            if cell is not None:
                decided[row] = self.plan.policy[cell]
        return decided


def check_choices(
    problems: Problems, estimator: object, constraint: str, mode: str, ranking: str
) -> None:
    """Raise on settings that are unknown, or that do not go together."""
    for name, value, known in (
        ("constraint", constraint, ("demographic-parity", "equalized-odds", "equal-opportunity")),
        ("mode", mode, ("aware", "blind")),
        ("ranking", ranking, ("auto", "fair", "kept")),
    ):
        problems.require(value in known, f"{name} is {value!r}", fix=f"pass one of {known}")
    problems.require(
        hasattr(estimator, "predict_proba") or not hasattr(estimator, "fit"),
        f"{type(estimator).__name__} has no predict_proba",
        fix="wrap it in CalibratedClassifierCV",
    )
    problems.require(
        ranking != "fair" or (mode == "aware" and constraint == "demographic-parity"),
        "ranking='fair' is of demographic parity in aware mode",
        fix="set ranking='kept', and audit the scores",
    )
    problems.raise_if_any()


def fit_rule(
    p: np.ndarray,
    joint: np.ndarray,
    group: np.ndarray | None,
    utility: np.ndarray,
    *,
    constraint: Constraint,
    positive: int,
    tolerance: float,
) -> tuple[Rule, float]:
    """The optimal rule of the rows, and its mean expected utility.

    Args:
        p: (n, K) probabilities of the classes.
        joint: (n, K, m) P(Y, Z | row).
        group: (n,) groups where rules may know them, else None.
        utility: (K, K) worth of decision k (column) in class y (row).
        constraint: which rates are bound.
        positive: number of the class that is the opportunity.
        tolerance: the bound.
    """
    worth = p @ utility
    if group is not None and constraint == "demographic-parity" and p.shape[1] == 2:
        curve = fit_parity_curve(worth[:, 1] - worth[:, 0], group)
        found = curve.solve(tolerance)
        return Thresholds(found, utility), float(worth[:, 0].mean() + found.gain)
    flat, counts = np.unique(joint.reshape(len(p), -1), axis=0, return_counts=True)
    cells = flat.reshape(-1, *joint.shape[1:])
    masses = counts / len(p)
    densities = constraint_laws(cells, masses, constraint, positive=positive)
    plan = plan_decisions(cells.sum(2) @ utility, masses, densities, tolerance=tolerance)
    shares = np.einsum("n,nsm->sm", masses, strata_of(cells, constraint, positive))
    adjusted = np.sort(
        plan.adjusted(cells.sum(2) @ utility, np.where(np.isnan(densities), 0.0, densities))
    )
    close = np.flatnonzero(adjusted[:, -1] - adjusted[:, -2] <= 2 * NEAR)
    names = {cell_name(cells[cell]): int(cell) for cell in close}
    return Priced(plan, utility, shares, constraint, positive, names), plan.utility


def strata_of(joint: np.ndarray, constraint: Constraint, positive: int) -> np.ndarray:
    """(n, S, m) mass of each stratum and group in each row."""
    if constraint == "demographic-parity":
        return joint.sum(axis=1)[:, None]
    return joint if constraint == "equalized-odds" else joint[:, positive : positive + 1]


def cell_name(joint: np.ndarray) -> bytes:
    """Name of what a row's probabilities are, to the last bit."""
    return np.ascontiguousarray(joint + 0.0).tobytes()


def joint_law(p: np.ndarray, codes: np.ndarray, groups: int) -> np.ndarray:
    """(n, K, m) P(Y, Z | row) of rows whose group is known."""
    joint = np.zeros((*p.shape, groups))
    joint[np.arange(len(p)), :, codes] = p
    return joint


def blind_law(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    """(n, K, m) P(Y, Z | x) from P(Y | x) and P(Z | x), (n, m), or P(Z, Y | x), (n, m, K)."""
    classes = p.shape[1]
    if q.ndim == 2:
        return p[:, :, None] * q[:, None, :]
    given = q.transpose(0, 2, 1)
    total = given.sum(axis=2, keepdims=True)
    # A class that the second classifier rules out has the groups of the row as a whole.
    whole = np.repeat(q.sum(axis=2)[:, None, :], classes, axis=1)
    law = np.where(total > 0, given / np.where(total > 0, total, 1.0), whole)
    return p[:, :, None] * law


def probabilities(fitted: Any, X: Any, classes: np.ndarray, where: str) -> np.ndarray:
    """(n, K) probabilities in the order of ``classes``; 0 for one that ``fitted`` never saw."""
    table = np.asarray(fitted.predict_proba(X), dtype=np.float64)
    problems = Problems(where)
    own = np.asarray(fitted.classes_)
    problems.require(
        bool(np.isin(own, classes).all()),
        f"the scorer has classes {own.tolist()[:9]}, y {classes.tolist()[:9]}",
        fix="fit it on the same labels",
    )
    sums = bool((table >= 0).all()) and bool((abs(table.sum(axis=1) - 1) < 1e-5).all())
    problems.require(
        sums,
        f"{type(fitted).__name__}.predict_proba has rows that are no distributions",
        fix="pass a classifier whose probabilities are >= 0 and sum to 1",
    )
    problems.raise_if_any()
    full = np.zeros((len(table), len(classes)))
    full[:, np.searchsorted(classes, own)] = table
    return full


def worth_of(problems: Problems, utility: object, classes: int) -> np.ndarray:
    """(K, K) worth of decisions; the identity, that is accuracy, where none is given."""
    if utility is None:
        return np.eye(classes)
    given = np.asarray(utility)
    fits = given.shape == (classes, classes) and given.dtype.kind in "biuf"
    fits = fits and bool(np.isfinite(given).all())
    problems.require(
        fits,
        f"utility has shape {given.shape} for {classes} classes",
        fix="pass (classes, decisions) finite numbers",
    )
    table = given.astype(np.float64) if fits else np.eye(classes)
    if classes == 2:
        problems.require(
            bool(np.trace(table) > np.trace(table[::-1])),
            "utility is not larger for right decisions than for wrong ones",
            fix="put the worth of decision k in class y at row y, column k",
        )
    return table


def cut_of(utility: np.ndarray) -> float:
    """Probability from which the second of two classes is worth deciding; ½ for accuracy."""
    rise = np.trace(utility) - np.trace(utility[::-1])
    return float(np.clip((utility[0, 0] - utility[0, 1]) / rise, 0.0, 1.0))


def extremes(score: np.ndarray, policy: np.ndarray) -> tuple[float, float]:
    """Smallest score that may be accepted, at most ½, and largest that may not, at least ½."""
    low = float(score[policy[:, 1] > 0].min(initial=0.5))
    return low, float(score[policy[:, 1] < 1].max(initial=0.5))


def positive_class(
    problems: Problems, constraint: Constraint, positive: object, classes: np.ndarray
) -> int:
    """Number of the class that is the opportunity; 0 where none is asked for."""
    if constraint != "equal-opportunity":
        return 0
    known = classes.tolist()
    if positive is None:
        problems.require(
            len(known) == 2, f"y has {len(known)} classes", fix="pass positive=, one of them"
        )
        return len(known) - 1
    named = problems.require(
        positive in known, f"positive is {positive!r}", fix=f"pass one of {known[:9]}"
    )
    return known.index(positive) if named else 0


def draw(policy: np.ndarray, noise: np.ndarray) -> np.ndarray:
    """(n,) decision of each row at its ξ; the larger ξ, the later the decision."""
    return (noise[:, None] >= np.cumsum(policy, axis=1)[:, :-1]).sum(axis=1)


def kept_scores(p: np.ndarray, decided: np.ndarray, low: float, high: float) -> np.ndarray:
    """Probabilities bent as little as needed for their largest to be the decision.

    With two classes p is stretched below ``high`` and above ``low``, the extreme thresholds of the
    fitted rows, so that rows decided alike keep their order whatever their group: of all scores
    that agree with the decision at ½, none ranks better where p does (pairs decided apart are
    ordered by the decision, all others by p). Where thresholds are ½ it is p itself.

    Args:
        p: (n, K) probabilities.
        decided: (n,) number of the decision.
        low: smallest score accepted, at most ½.
        high: largest score refused, at least ½.
    """
    if p.shape[1] == 2:
        score = p[:, 1]
        above = np.where(low < 0.5, 1.0 - (1.0 - score) * (0.5 / (1.0 - low)), score)
        below = np.where(high > 0.5, score * (0.5 / high), score)
        upper = np.clip(above, np.nextafter(0.5, 1.0), 1.0)
        moved = np.where(decided == 1, upper, np.clip(below, 0.0, 0.5))
        return np.column_stack((1.0 - moved, moved))
    mixed = (p + np.eye(p.shape[1])[decided]) / 2
    return np.where((p.argmax(axis=1) == decided)[:, None], p, mixed)
