"""Fresh probes, trained and judged by cross-validation inside the audited rows.

A probe q(z | x) that never saw a row tells about it ln q(z | x) - ln π(z) nats; the mean over rows
is H(Z) - CE, a lower bound on I(X; Z) in expectation (Barber & Agakov 2003). It is at most 0 where
nothing can be learned, and what it falls below 0 is the price of learning. A probe that says more
than it knows is therefore tempered: on a tenth of its own training rows it learns how far to trust
itself, down to not at all.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import special

from infounlearn.audit.feature.columns import Table
from infounlearn.audit.feature.exact_values import ExactValues, marks_of

LOGISTIC, TREES, EXACT = "logistic", "boosted-trees", "exact-values"
NEWTON = 150
"""Columns up to which the line is fitted by Newton's method."""
TRUST = np.linspace(0.0, 1.0, 21)
"""Powers of the likelihood ratio that a probe may choose among."""


@dataclass(frozen=True)
class Reading:
    """What one probe says of every row while it was held out.

    Attributes:
        gains: (n,) ln q(z | x) - ln π(z), nats.
        log_q: (n, m) what the probe believes of each group.
        folds: (n,) fold in which the row was held out.
        unfinished: folds in which the probe stopped before it converged.
    """

    gains: np.ndarray
    log_q: np.ndarray
    folds: np.ndarray
    unfinished: int

    @property
    def information(self) -> float:
        """H(Z) - CE in nats."""
        return float(self.gains.mean())


@dataclass(frozen=True)
class Job:
    """One probe on one table and one assignment of groups, to be read out of fold.

    Attributes:
        probe: its name.
        table: what it reads.
        z: (n,) groups, as they are or shuffled.
        given: (n,) strata, or None.
        folds: number of folds.
        seed: of folds and probe.
    """

    probe: str
    table: Table
    z: np.ndarray
    given: np.ndarray | None
    folds: int
    seed: tuple[int, ...]


def logistic(seed: int, columns: int) -> Any:
    """Logistic regression as published comparisons use it: ridge, C = 1."""
    from sklearn.linear_model import LogisticRegression

    # A Newton step costs n d², a quasi-Newton step n d, of which some hundred are needed.
    if columns <= NEWTON:
        return LogisticRegression(solver="newton-cholesky", max_iter=100)
    return LogisticRegression(solver="lbfgs", max_iter=1000)


def boosted_trees(seed: int, columns: int) -> Any:
    """Histogram gradient boosting that stops on a tenth of its own training rows.

    Half the usual number of leaves: weak leaks are many small effects, and as strong ones take only
    more trees, this recovers no less of them.
    """
    from sklearn.ensemble import HistGradientBoostingClassifier

    return HistGradientBoostingClassifier(
        max_iter=100,
        max_leaf_nodes=15,
        early_stopping=True,
        validation_fraction=0.1,
        random_state=seed,
    )


def exact_values(seed: int, columns: int) -> Any:
    """Marks in the way numbers are written, which trees and lines cannot see."""
    return ExactValues()


Maker = Callable[[int, int], Any]
"""Makes an untrained classifier, given a seed and the number of columns."""

PROBES: Mapping[str, Maker] = {LOGISTIC: logistic, TREES: boosted_trees, EXACT: exact_values}


def read_all(jobs: list[Job], makers: Mapping[str, Maker], workers: int) -> list[Reading]:
    """Every reading, in order; folds of all jobs share ``workers`` processes."""
    from joblib import Parallel, delayed

    plans = [(job, deal(job)) for job in jobs]
    matrices: dict[tuple[int, str], tuple[np.ndarray, np.ndarray | None]] = {}
    tasks = []
    for job, folds in plans:
        key = (id(job.table), job.probe if job.probe in (LOGISTIC, EXACT) else "trees")
        if key not in matrices:
            matrices[key] = _matrix(job)
        for fold in range(job.folds):
            tasks.append(delayed(_held_out)(makers[job.probe], *matrices[key], job, folds, fold))
    done = iter(Parallel(n_jobs=workers)(tasks))
    found = []
    for job, folds in plans:
        parts = [next(done) for _ in range(job.folds)]
        log_q = np.empty((len(job.z), int(job.z.max()) + 1))
        for fold, (beliefs, _) in enumerate(parts):
            log_q[folds == fold] = beliefs
        own = log_q[np.arange(len(job.z)), job.z]
        gains = (
            own
            - log_prior(job.z, job.given, np.ones(len(job.z), bool), half=0.0)[
                np.arange(len(job.z)), job.z
            ]
        )
        found.append(Reading(gains, log_q, folds, sum(late for _, late in parts)))
    return found


def deal(job: Job) -> np.ndarray:
    """(n,) fold of each row: every group (within its stratum) is dealt out evenly, at random.

    Drawn anew for shuffled groups, as it was for the observed ones, so that the null is exact.
    """
    rng = np.random.default_rng(job.seed)
    cells = job.z if job.given is None else job.z + (int(job.z.max()) + 1) * job.given
    order = rng.permutation(len(cells))
    order = order[np.argsort(cells[order], kind="stable")]
    folds = np.empty(len(cells), dtype=np.int64)
    folds[order] = np.arange(len(cells)) % job.folds
    return folds


def log_prior(
    z: np.ndarray, given: np.ndarray | None, rows: np.ndarray, *, half: float = 0.5
) -> np.ndarray:
    """(n, m) ln of the share of each group among ``rows``, within the stratum of each row.

    With ``half`` = ½ the rule of Krichevsky & Trofimov (1981), which rules out no group; with 0
    the shares themselves, -inf for a group that the stratum lacks.
    """
    m = int(z.max()) + 1
    cells = np.zeros(len(z), dtype=np.int64) if given is None else given
    counts = np.full((int(cells.max()) + 1, m), half)
    np.add.at(counts, (cells[rows], z[rows]), 1.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        shares = np.log(counts) - np.log(counts.sum(1, keepdims=True))
    return np.asarray(shares[cells])


def _matrix(job: Job) -> tuple[np.ndarray, np.ndarray | None]:
    table = job.table if job.given is None else job.table.with_category(job.given)
    if job.probe == EXACT:
        return marks_of(table), None
    return (table.for_lines(), None) if job.probe == LOGISTIC else table.for_trees()


def _held_out(
    make: Maker,
    matrix: np.ndarray,
    native: np.ndarray | None,
    job: Job,
    folds: np.ndarray,
    fold: int,
) -> tuple[np.ndarray, int]:
    """(held, m) log beliefs about the held-out rows, and whether the probe did not converge."""
    from sklearn.exceptions import ConvergenceWarning

    train, held = folds != fold, folds == fold
    rng = np.random.default_rng([*job.seed, fold])
    prior = log_prior(job.z, job.given, train)
    if matrix.shape[1] == 0:
        return prior[held], 0
    check, learn = to_learn(job.z, train, rng)
    model = make(int(rng.integers(2**31)), matrix.shape[1])
    if native is not None and native.any() and hasattr(model, "categorical_features"):
        model.set_params(categorical_features=native)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always", ConvergenceWarning)
        model.fit(matrix[learn], job.z[learn])
    late = any(issubclass(one.category, ConvergenceWarning) for one in said)
    ratio_check = _log_beliefs(model, matrix[check], prior.shape[1]) - prior[check]
    ratio_held = _log_beliefs(model, matrix[held], prior.shape[1]) - prior[held]
    return tempered(ratio_check, ratio_held, prior, check, held, job.z), int(late)


def to_learn(
    z: np.ndarray, train: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Rows of the mask ``train``: every tenth of each group, to check trust on, and the others."""
    rows = rng.permutation(np.flatnonzero(train))
    rows = rows[np.argsort(z[rows], kind="stable")]
    return rows[::10], np.delete(rows, np.s_[::10])


def tempered(
    ratio_check: np.ndarray,
    ratio_held: np.ndarray,
    prior: np.ndarray,
    check: np.ndarray,
    held: np.ndarray,
    z: np.ndarray,
) -> np.ndarray:
    """(held, m) log beliefs of a probe that is trusted as far as the rows ``check`` bear out.

    Args:
        ratio_check, ratio_held: log beliefs less those of ``prior``, of the two sets of rows.
        prior: (n, m) log shares.
        check, held: the rows, indices or masks.
        z: (n,) codes.
    """
    rows = np.arange(len(ratio_check))
    # No trust at all is the prior: 0 times an infinite ratio is nothing.
    losses = [-prior[check][rows, z[check]].mean()]
    losses += [
        -special.log_softmax(prior[check] + power * ratio_check, axis=1)[rows, z[check]].mean()
        for power in TRUST[1:]
    ]
    trust = TRUST[int(np.argmin(losses))]
    if trust == 0:
        return prior[held]
    return np.asarray(special.log_softmax(prior[held] + trust * ratio_held, axis=1))


def _log_beliefs(model: Any, matrix: np.ndarray, groups: int) -> np.ndarray:
    """(n, m) ln q from the margins: probabilities would round to 0 where a probe is sure."""
    if hasattr(model, "decision_function"):
        margins = model.decision_function(matrix)
        if margins.ndim == 1:
            margins = np.column_stack([np.zeros(len(margins)), margins])
        seen = special.log_softmax(margins, axis=1)
    else:
        seen = model.predict_log_proba(matrix)
    if seen.shape[1] == groups:
        return np.asarray(seen)
    beliefs = np.full((len(seen), groups), -np.inf)
    beliefs[:, model.classes_] = seen
    return beliefs
