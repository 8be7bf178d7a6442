"""RMIA, offline: is a record more likely under this model than others are, beside other models?

With p(x) the probability the attacked model gives to the true outcome of record x, and p_out(x) its
mean over reference models that never saw x,

    ρ(x) = p(x) / p̄(x),   p̄ = ((1 + a) p_out + 1 - a) / 2,

where p̄ stands for the mean over models with and without x: a model that saw x is taken to give it
a p_out + 1 - a. The score of x is the share of population records z with ρ(x) > ρ(z). Members
(forget records) and non-members are told apart by it. Everything is computed from log-probabilities
in nats, so that records of probability e^-2000 are compared as well as any.

Source: Zarifzadeh, Liu & Shokri (2024), arXiv:2312.03262; γ = 1.

Floor: the AUC of a *retrained* model on the same records, not 1/2: forget and held-out records may
differ by themselves. Non-members must be truly unseen. Taken from the retain records they make any
model look far from 1/2, a retrained one too; give the ids, and an overlap is refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from infounlearn.errors import Problems, is_number
from infounlearn.math.intervals import as_array, check_confidence
from infounlearn.math.ranking import OperatingPoint, auc, auc_interval, tpr_at_fpr

__all__ = ["LogLikelihoods", "ReferenceAttack", "relative_likelihood", "rmia"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class LogLikelihoods:
    """What the models say of some records.

    Attributes:
        target: (n,) log-probability, nats, that the attacked model gives to each true outcome, such
            as minus :func:`~infounlearn.math.cross_entropy_loss`.
        references: (K, n) the same of K ≥ 1 models that saw none of these records.
        ids: (n,) identifiers of the records, so that overlaps can be refused; None if unknown.
    """

    target: object
    references: object
    ids: object = None


@dataclass(frozen=True)
class ReferenceAttack:
    """What RMIA achieves.

    Attributes:
        auc: P(score of a member > score of a non-member) + P(tie) / 2.
        interval: of the AUC over records, see :func:`~infounlearn.math.auc_interval`; models and
            population are taken as they are.
        points: true-positive rate at each false-positive rate asked for.
        members: (n1,) scores in [0, 1].
        nonmembers: (n0,) scores.
        confidence: level of the intervals.
    """

    auc: float
    interval: tuple[float, float]
    points: tuple[OperatingPoint, ...]
    members: Floats
    nonmembers: Floats
    confidence: float


def relative_likelihood(target: object, references: object, *, a: float = 0.3) -> Floats:
    """ln ρ(x) of each record, nats.

    Args:
        target: (n,) log-probabilities under the attacked model, finite and at most 0.
        references: (K, n) the same under the reference models.
        a: how much a model that never saw a record tells of one that did, in [0, 1]; 1 compares
            with p_out alone. The authors tune it per data set.

    Raises:
        InputError: shapes do not fit, a log-probability is positive or not finite, a bad a.
    """
    problems = Problems("relative_likelihood")
    _check_a(problems, a)
    pair = _pair(problems, "", LogLikelihoods(target, references))
    problems.raise_if_any()
    return _log_ratio(*pair, a)


def rmia(
    members: LogLikelihoods,
    nonmembers: LogLikelihoods,
    population: LogLikelihoods,
    *,
    trained_on: object = None,
    a: float = 0.3,
    rates: Sequence[float] = (0.01, 0.001),
    confidence: float = 0.95,
) -> ReferenceAttack:
    """Attack a model: tell ``members`` from ``nonmembers`` by where they stand in ``population``.

    Args:
        members: the forget records.
        nonmembers: records that no model saw, of the same law (and classes) as the members.
        population: further such records, the more the finer the score; some may be non-members.
        trained_on: ids of all that the attacked model was ever trained on, forget and retain;
            non-members and population, which then need ids too, must not be among them.
        a: see :func:`relative_likelihood`.
        rates: false-positive rates.
        confidence: level of each interval.

    Raises:
        InputError: log-probabilities do not fit, are positive or not finite; non-members or
            population overlap with the members or with ``trained_on``; settings out of range.
    """
    check_confidence("rmia", confidence)
    problems = Problems("rmia")
    _check_a(problems, a)
    problems.require(
        all(0 < rate < 1 for rate in rates), f"rates is {rates}", fix="pass rates such as 0.01"
    )
    groups = {"members": members, "nonmembers": nonmembers, "population": population}
    pairs = {name: _pair(problems, f"{name}.", group) for name, group in groups.items()}
    sizes = {name: len(pair[1]) for name, pair in pairs.items()}
    problems.require(
        len(set(sizes.values())) == 1,
        f"the groups have different numbers of reference models: {sizes}",
        fix="pass the same models for every group",
    )
    for name in ("nonmembers", "population"):
        _check_unseen(problems, name, groups[name], "members", members.ids)
        _check_unseen(problems, name, groups[name], "trained_on", trained_on)
        problems.require(
            trained_on is None or groups[name].ids is not None,
            f"{name} have no ids",
            why="trained_on was given to compare them with",
            fix=f"pass {name} with ids",
        )
    problems.raise_if_any()
    ratios = {name: _log_ratio(*pair, a) for name, pair in pairs.items()}
    ordered = np.sort(ratios["population"])
    inside, outside = (
        np.searchsorted(ordered, ratios[name], "left") / len(ordered)
        for name in ("members", "nonmembers")
    )
    return ReferenceAttack(
        auc=auc(inside, outside),
        interval=auc_interval(inside, outside, confidence=confidence),
        points=tuple(tpr_at_fpr(inside, outside, rate, confidence=confidence) for rate in rates),
        members=inside,
        nonmembers=outside,
        confidence=confidence,
    )


def _log_ratio(target: Floats, references: Floats, a: float) -> Floats:
    log_out = np.logaddexp.reduce(references, axis=0) - np.log(len(references))
    log_mean = np.log1p(a) + log_out
    if a < 1:
        log_mean = np.logaddexp(log_mean, np.log1p(-a))
    return np.asarray(target - log_mean + np.log(2))


def _check_a(problems: Problems, a: float) -> None:
    problems.require(is_number(a) and 0 <= a <= 1, f"a is {a}", fix="pass a number in [0, 1]")


def _pair(problems: Problems, prefix: str, group: LogLikelihoods) -> tuple[Floats, Floats]:
    target, references = (
        as_array(values).astype(np.float64) for values in (group.target, group.references)
    )
    fits = target.ndim == 1 and len(target) > 0 and references.ndim == 2 and len(references) > 0
    if problems.require(
        fits and references.shape[1] == len(target),
        f"{prefix}target has shape {target.shape}, references {references.shape}",
        fix="pass (n,) and (models, n) log-probabilities of the same records",
    ):
        for name, values in (("target", target), ("references", references)):
            # log_softmax of float32 may exceed 0 by rounding.
            problems.require(
                bool(np.isfinite(values).all() and (values <= 1e-6).all()),
                f"{prefix}{name} has values that are no finite log-probability",
                fix="pass log-probabilities in nats, at most 0",
            )
    else:
        references = np.zeros((1, 1))
    ids = None if group.ids is None else as_array(group.ids)
    problems.require(
        ids is None or ids.shape == target.shape,
        f"{prefix}ids do not fit the {target.shape} records",
        fix="pass one id per record",
    )
    return target, references


def _check_unseen(
    problems: Problems, name: str, group: LogLikelihoods, other: str, ids: object
) -> None:
    if group.ids is None or ids is None:
        return
    shared = np.intersect1d(as_array(group.ids), as_array(ids))
    problems.require(
        len(shared) == 0,
        f"{len(shared)} of the {name} are also in {other}, such as {shared[:3].tolist()}",
        why="a record the model was trained on is no non-member",
        fix="pass records that no model saw",
    )
