"""Certificates: what a finite audit sample proves about I(Y; Z), and under which assumption.

The estimate alone proves nothing. A certificate says how large the information can be (theorem in
:mod:`infounlearn.math.upper_bounds`), how large it must be (:mod:`infounlearn.math.lower_bounds`),
what a person may conclude, and when no bound holds it says so instead of giving a number.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

import numpy as np

from infounlearn.errors import Problems
from infounlearn.math.claims import (
    ENUMERATED,
    FRESH,
    INTERFACE,
    KERNELS,
    LABELS,
    Design,
    Equivalents,
    InformationCertificate,
    equivalents,
)
from infounlearn.math.laws import (
    entropy,
    group_laws,
    information_of_laws,
    read_groups,
    read_outcomes,
    read_prior,
)
from infounlearn.math.lower_bounds import information_lower_bound
from infounlearn.math.upper_bounds import default_lambda, information_upper_bound

__all__ = ["Design", "Equivalents", "InformationCertificate", "certify_information"]


def certify_information(
    outcomes: object,
    z: object,
    *,
    confidence: float = 0.95,
    prior: Sequence[float] | np.ndarray | None = None,
    design: Design = "fresh",
    kind: Literal["auto", "labels", "kernels"] = "auto",
    num_outcomes: int | None = None,
    enumerated_groups: Sequence[int] | None = None,
    lambda_: float | Sequence[float] | None = None,
    two_sided: bool = False,
    candidates: int = 1,
    seed: int = 0,
) -> InformationCertificate:
    """Certify how much the outcome of an interface tells about the group of a record.

    Args:
        outcomes: (n,) integer labels or bins, one per record; or (n, K) kernels: rows of
            probabilities from which the interface draws its answer (softmax rows, soft bins;
            one-hot rows for a hard label). Kernels give the sharper bound.
        z: (n,) groups 0..m-1, m >= 2, each with at least one record.
        confidence: level of the bounds, see ``two_sided``.
        prior: (m,) declared weights; the group shares where absent.
        design: "fresh": every group is sampled anew. "enumerated": every group is a finite set
            given whole; the result is exact for these records. "enumerated-vs-fresh": the groups
            in ``enumerated_groups`` (forget records, which depend on each other through the
            weights) are given whole, the others (held-out records) are sampled.
        kind: "auto" reads the form of ``outcomes``; the others insist on it.
        num_outcomes: K of labels, declared beforehand; sharpens the bound for sparse tables.
        enumerated_groups: needed by, and only by, "enumerated-vs-fresh".
        lambda_: in (0, 1), chosen without the audit sample; several values are tried at α divided
            by their number. By default from the sample sizes, see :func:`default_lambda`.
        two_sided: let upper and lower bound hold together, each at half the error.
        candidates: number of models, outcomes or looks certified on this same audit set.
        seed: splits the sample for the lower bound.
    Returns:
        InformationCertificate. Labels of enumerated groups get no bound: their counts are not the
        law of the interface; pass kernels.
    Raises:
        InputError: real-valued scores (no finite sample can certify those), rows that are not
            probabilities, absent groups, or a setting out of range; all problems at once.
    References:
        Our proof: docs/proofs.md. The information is that of Xu & Strohmer 2025, arXiv:2502.05684.
    """
    problems = Problems("certify_information")
    rows = read_outcomes(problems, outcomes, num_outcomes, kind)
    groups = read_groups(problems, "z", z, len(rows))
    sizes = np.bincount(groups)
    m = len(sizes)
    lambdas = _read_lambdas(problems, lambda_)
    _check(problems, sizes, confidence, design, kind, enumerated_groups, candidates)
    weights = read_prior(problems, prior, sizes)
    problems.raise_if_any()

    known = tuple(enumerated_groups or ()) if design != "enumerated" else tuple(range(m))
    labels = rows.ndim == 1
    width = rows.shape[1] if rows.ndim == 2 else (num_outcomes or int(rows.max()) + 1)
    estimate = float(information_of_laws(group_laws(rows, groups, m, width), weights))
    ceiling = entropy(weights)
    alpha = (1 - confidence) / candidates / (2 if two_sided else 1)
    upper: float | None = None
    lower: float | None = None
    used: float | None = None
    n_eff: float | None = None
    if known and labels:
        reason = (
            "no bound holds: counts of labels are not the law of the interface on enumerated "
            "records; pass kernels (softmax rows, or one-hot rows of hard labels)"
        )
    elif design == "enumerated":
        upper = lower = min(estimate, ceiling)
        reason = "exact: the law of every group was enumerated, nothing was sampled"
    else:
        sampled = [group for group in range(m) if group not in known]
        n_eff = float((sizes[sampled] / weights[sampled]).min())
        if not lambdas:
            declared = num_outcomes if labels else None
            lambdas = (default_lambda(n_eff, prior=weights, alpha=alpha, num_outcomes=declared),)
        bounds = [
            float(
                information_upper_bound(
                    estimate, n_eff=n_eff, prior=weights, alpha=alpha / len(lambdas), lambda_=value
                )
            )
            for value in lambdas
        ]
        used = lambdas[int(np.argmin(bounds))]
        upper = min(min(bounds), ceiling)
        lower = information_lower_bound(
            rows,
            groups,
            prior=weights,
            alpha=alpha,
            width=width,
            enumerated=known,
            rng=np.random.default_rng(seed),
        )
        reason = "upper bound by the Rényi theorem, lower bound by attacks on held-back halves"
        if upper == ceiling:
            reason += "; the upper bound is the ceiling H(π): the sample is too small to say more"
    assumptions: tuple[str, ...] = () if design == "enumerated" else FRESH
    if known:
        assumptions = (*assumptions, ENUMERATED)
    return InformationCertificate(
        estimate=estimate,
        upper=upper,
        lower=lower,
        confidence=confidence,
        two_sided=two_sided,
        prior=tuple(weights.tolist()),
        design=design,
        kind="labels" if labels else "kernels",
        lambda_=used,
        n=tuple(sizes.tolist()),
        n_eff=n_eff,
        candidates=candidates,
        ceiling=ceiling,
        assumptions=(*assumptions, LABELS if labels else KERNELS, INTERFACE),
        valid=upper is not None,
        reason=reason,
        statements=None if upper is None or m != 2 else equivalents(upper, weights),
    )


def _read_lambdas(problems: Problems, lambda_: float | Sequence[float] | None) -> tuple[float, ...]:
    if lambda_ is None:
        return ()
    values = tuple(float(value) for value in np.atleast_1d(lambda_))
    problems.require(
        len(values) > 0 and all(0 < value < 1 for value in values),
        f"lambda_ is {lambda_}",
        fix="pass numbers strictly between 0 and 1, or leave it out",
    )
    return values


def _check(
    problems: Problems,
    sizes: np.ndarray,
    confidence: float,
    design: str,
    kind: str,
    enumerated_groups: Sequence[int] | None,
    candidates: int,
) -> None:
    m = len(sizes)
    problems.require(m >= 2, "z holds one group", fix="pass at least two groups to compare")
    absent = np.flatnonzero(sizes == 0).tolist()
    problems.require(
        not absent, f"z has no record of groups {absent}", fix="number the groups 0..m-1"
    )
    problems.require(
        0 < confidence < 1, f"confidence is {confidence}", fix="pass a level such as 0.95"
    )
    problems.require(
        candidates >= 1, f"candidates is {candidates}", fix="count every look, at least 1"
    )
    problems.require(
        kind in ("auto", "labels", "kernels"),
        f"kind is {kind!r}",
        fix="pass 'auto', 'labels' or 'kernels'",
    )
    if not problems.require(
        design in get_args(Design), f"design is {design!r}", fix=f"pass one of {get_args(Design)}"
    ):
        return
    named = set(enumerated_groups or ())
    if design == "enumerated-vs-fresh":
        problems.require(
            0 < len(named) < m and named <= set(range(m)),
            f"enumerated_groups is {enumerated_groups} for {m} groups",
            fix="name the groups that are given whole, such as (0,), and leave one to sample",
        )
    else:
        problems.require(
            not named,
            f"enumerated_groups is {enumerated_groups} with design {design!r}",
            fix="use design='enumerated-vs-fresh', or leave it out",
        )
