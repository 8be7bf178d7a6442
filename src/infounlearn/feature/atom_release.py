"""Release of one of J fitted rows, the atoms, with a known probability for each.

Row x of group z becomes atom s_j with probability κ_z(j|x), such that on the fitted rows the atom
has one law in every group, exactly. The kernels are known and the alphabet is finite, so that what
the release tells of Z is *certified* on fresh rows: pass
:func:`~infounlearn.math.certify_information` the kernels of rows that were not fitted.

With a target, the cost holds a term of the scores p̂(Y | x), and the score of a row is first moved
to the barycenter of the groups' laws of scores (its rank in its own group is kept): a released row
looks as its score says it should, in every group alike.

Where the group is unknown when rows are released (``mode="blind"``) all groups share one kernel,
the one of least cost whose atoms tell at most ``max_information`` nats of Z.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from infounlearn.feature.atom_options import checked_options
from infounlearn.feature.columns import MixedTable
from infounlearn.feature.engine import Noise, Release, Settings
from infounlearn.feature.metric import Metric, choose_atoms, fit_metric
from infounlearn.feature.target_scores import TargetScores, fit_target_scores
from infounlearn.math import (
    CommonSupport,
    LineBarycenter,
    SharedKernel,
    fit_common_support,
    fit_line_barycenter,
    fit_shared_kernel,
)

__all__ = ["FittedAtoms", "fit_atoms"]

BLOCK = 2**15
"""Rows in work at once."""
CELLS = 2**22
"""Costs in work at once."""
HELD = 2**25
"""Costs that are kept while fitting rather than found anew in each sweep."""
PLAIN_REG = 0.02
"""Strength of the entropy without a target, in units of the mean cost."""
SCORED_REG, MOST_REG = 25.0, 0.5
"""With one, times n^-1/2, and no more than that: few rows place a score less sharply, and what they
misplace leaks on fresh rows."""


@dataclass(frozen=True, eq=False)
class FittedAtoms:
    """A fitted release by atoms.

    Attributes:
        bank: (J) atoms, rows of the fitted table.
        metric: cost of a change.
        marks: (J, k) scaled scores of the atoms; k is 0 without a target.
        support: kernels, of all groups or shared.
        scores: models of the target, or None.
        lines: per score, the barycenter of its laws in the groups; empty in blind mode.
        scale: what a score is multiplied by in the cost.
        group_model: blind mode: models of p(z | x).
        facts: figures of the fit.
        limits: what is not promised.
    """

    bank: MixedTable
    metric: Metric
    marks: np.ndarray
    support: CommonSupport | SharedKernel
    scores: TargetScores | None
    lines: tuple[LineBarycenter, ...]
    scale: float
    group_model: TargetScores | None
    facts: dict[str, float]
    limits: tuple[str, ...]

    def transform(self, table: MixedTable, codes: np.ndarray | None, noise: Noise) -> Release:
        """The atom of each row: the quantile of its kernel at its own noise."""
        xi = noise(0)
        rows = np.empty(len(table), dtype=np.int64)
        for some, costs, groups in self._blocks(table, codes):
            rows[some] = self.support.draw(costs, groups, xi[some])
        return Release(rows=rows)

    def kernels(self, table: MixedTable, codes: np.ndarray | None) -> np.ndarray:
        """(n, J) probabilities of each atom."""
        result = np.empty((len(table), len(self.bank)))
        for some, costs, groups in self._blocks(table, codes):
            result[some] = self.support.kernel(costs, groups)
        return result

    def _blocks(
        self, table: MixedTable, codes: np.ndarray | None
    ) -> Iterator[tuple[slice, np.ndarray, np.ndarray]]:
        """(rows, their costs, their groups or what stands for them), in bounded memory."""
        if codes is None and isinstance(self.support, CommonSupport):
            raise TypeError("these kernels need the groups; fit with mode='blind' to do without")
        step = max(1, CELLS // len(self.bank))
        for outer in range(0, len(table), BLOCK):
            part = table.take(np.arange(outer, min(outer + BLOCK, len(table))))
            own = None if codes is None else codes[outer : outer + BLOCK]
            points = self.points(part, own)
            if self.group_model is None:
                groups = np.asarray(own)
            else:
                groups = self.group_model.predictions(part)
            for start in range(0, len(part), step):
                some = slice(start, min(start + step, len(part)))
                costs = self.metric.costs(
                    part.take(np.arange(some.start, some.stop)),
                    self.bank,
                    points[some],
                    self.marks,
                )
                yield slice(outer + some.start, outer + some.stop), costs, groups[some]

    def points(self, table: MixedTable, codes: np.ndarray | None) -> np.ndarray:
        """(n, k) scaled scores of rows, moved to the barycenter where the groups are known."""
        if self.scores is None:
            return np.empty((len(table), 0))
        return self.scale * moved_scores(self.scores.of(table), codes, self.lines)


def fit_atoms(
    table: MixedTable,
    codes: np.ndarray,
    weights: np.ndarray,
    *,
    target: np.ndarray | None = None,
    settings: Settings,
    seed: int,
) -> FittedAtoms:
    """Choose atoms, and find the kernels.

    Args:
        table: rows to learn from.
        codes: (n,) groups 0..m-1.
        weights: (m,) shares of the groups.
        target: (n,) values to keep predictable, or None.
        settings: of the estimator; options: ``AtomOptions``.
        seed: of the folds and of the search for atoms.

    Raises:
        InputError: an option that is unknown or out of range.
    """
    options = checked_options(settings.options, len(table))
    blind = settings.mode == "blind"
    scores, theta, scale = None, np.empty((len(table), 0)), 0.0
    lines: tuple[LineBarycenter, ...] = ()
    if target is not None:
        scores = fit_target_scores(
            table, target, seed=seed, folds=options.folds, rounds=options.rounds
        )
        theta = scores.of(table)
        spread = 2.0 * float(theta.var(0).sum())
        scale = float(np.sqrt(options.score_weight / spread)) if spread > 0 else 0.0
        lines = () if blind else _lines(theta, codes, weights)
    metric = fit_metric(table)
    chosen = choose_atoms(metric, table, scale * theta, int(options.atoms or 1), seed)
    bank, marks = table.take(chosen), scale * theta[chosen]
    points = scale * moved_scores(theta, None if blind else codes, lines)

    def costs(rows: np.ndarray) -> np.ndarray:
        return metric.costs(table.take(rows), bank, points[rows], marks)

    take: Callable[[np.ndarray], np.ndarray] = costs
    if len(table) * len(bank) <= HELD:
        held = costs(np.arange(len(table)))
        take = held.__getitem__
    support: CommonSupport | SharedKernel
    group_model = None
    if blind:
        group_model = fit_target_scores(
            table,
            codes.astype(np.int64),
            seed=seed,
            folds=options.folds,
            rounds=options.rounds,
            every_class=True,
        )
        support = fit_shared_kernel(
            take,
            group_model.predictions(table),
            gamma=options.gamma,
            max_information=options.max_information,
            groups=codes,
            seed=seed,
        )
        facts = _blind_facts(support)
    else:
        soft = min(MOST_REG, SCORED_REG / np.sqrt(len(table)))
        reg = options.reg or (PLAIN_REG if target is None else float(soft))
        support = fit_common_support(take, codes, reg=reg, weights=weights, seed=seed)
        facts = _aware_facts(support)
    return FittedAtoms(
        bank,
        metric,
        marks,
        support,
        scores,
        lines,
        scale,
        group_model,
        {**facts, "atoms": float(len(bank))},
        _limits(blind),
    )


def moved_scores(
    theta: np.ndarray, codes: np.ndarray | None, lines: tuple[LineBarycenter, ...]
) -> np.ndarray:
    """(n, k) scores at their mid-ranks in the barycenter; as they are where groups are unknown."""
    if codes is None or not lines:
        return theta
    columns = [
        line.transport(theta[:, k], codes, noise=0.5) if len(theta) else theta[:, k]
        for k, line in enumerate(lines)
    ]
    return np.stack(columns, axis=1)


def _lines(theta: np.ndarray, codes: np.ndarray, weights: np.ndarray) -> tuple[LineBarycenter, ...]:
    shares: dict[object, float] = dict(enumerate(weights.tolist()))
    return tuple(
        fit_line_barycenter(theta[:, k], codes, weights=shares) for k in range(theta.shape[1])
    )


def _aware_facts(support: CommonSupport) -> dict[str, float]:
    return {
        "value": support.value,
        "leak": support.leak,
        "spill": support.spill,
        "effective_atoms": _effective(support.law),
    }


def _blind_facts(support: SharedKernel) -> dict[str, float]:
    observed = support.observed_information
    return {
        "value": support.cost,
        "leak": float("nan") if observed is None else observed,
        "leak_by_posterior": support.information,
        "gap": support.gap,
        "effective_atoms": _effective(support.prior @ support.laws),
    }


def _effective(law: np.ndarray) -> float:
    """exp of the entropy: how many equally likely atoms would be as uncertain."""
    some = law[law > 0]
    return float(np.exp(-(some @ np.log(some))))


def _limits(blind: bool) -> tuple[str, ...]:
    common = "a released row is one of the atoms: what they do not tell apart is lost"
    if blind:
        return (
            "the group of a row is estimated, not known: what the estimate misses stays in the "
            "release, so measure it on fresh rows with the kernels",
            "one kernel for all groups pays more change for the same independence",
            common,
        )
    return (
        "the fitted rows tell nothing of the group; fresh rows differ from them by sampling, so "
        "certify the release on fresh rows with the kernels",
        common,
    )
