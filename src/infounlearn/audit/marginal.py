"""Marginal information: what an output tells about pool (retain + forget) against retain alone.

The pools are enumerated, so the values are exact for these records and carry no sampling error. Our
formulation of the marginal unlearning principle of Xu & Strohmer 2025, arXiv:2502.05684.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from infounlearn.audit.case import Case
from infounlearn.audit.permute import subset_sums, summarise
from infounlearn.audit.readings import probabilities, release, strata
from infounlearn.interface import Finding, Null, Outputs
from infounlearn.math import marginal_ceiling
from infounlearn.math.laws import information_of_laws

_EXACT = "Z is drawn with the declared prior and the record from the empirical pools"


def marginal_findings(case: Case) -> list[Finding]:
    """Sampled-label, hard-label and class-conditional marginal information with their nulls."""
    share = forget_share(case)
    ceiling = marginal_ceiling(share, case.settings.prior)
    sizes = case.sizes("forget", "retain")
    common: dict[str, Any] = {"kind": "exact", "n": sizes, "assumptions": (_EXACT,), "unit": "nats"}
    outcome = "sampled label" if case.task == "classification" else "binned prediction"
    if case.task == "regression" and case.audited["forget"].outputs.shape[1] != 1:
        reason = "not computed for predictions of several dimensions"
        return [_absent("marginal/information", f"Marginal information of the {outcome}", reason)]

    results = _each(case, stratified=False)
    findings = [
        Finding(
            name="marginal/information",
            title=f"Marginal information of the {outcome}",
            **case.spread([value for value, _ in results]),
            null=results[0][1],
            ceiling=ceiling,
            note="Not zero for a retrained model in general: compare with the retrained column.",
            **common,
        ),
        Finding(
            name="marginal/normalized",
            title="Marginal information as a share of its ceiling",
            **case.spread([value / ceiling for value, _ in results]),
            ceiling=1.0,
            **{**common, "unit": "ratio"},
            note=f"Forget share {share:.4g} of the pool, prior {case.settings.prior}.",
        ),
    ]
    if case.original is not None:
        findings.append(
            Finding(
                name="marginal/original_information",
                title="The same of the original model, with its own permutation null",
                value=results[1][0],
                null=results[1][1],
                ceiling=ceiling,
                note="Inside its null, the objective cannot see this forget set.",
                **common,
            )
        )
    if case.task == "classification":
        hard = _each(case, stratified=False, hard=True)
        given = _each(case, stratified=True)
        findings += [
            Finding(
                name="marginal/hard_label",
                title="Marginal information of the predicted (argmax) label",
                **case.spread([value for value, _ in hard]),
                null=hard[0][1],
                ceiling=ceiling,
                **common,
            ),
            Finding(
                name="marginal/conditional",
                title="Marginal information of the sampled label given the class",
                **case.spread([value for value, _ in given]),
                null=given[0][1],
                **common,
                note="Classes that only one of the sets holds add nothing. A retrained model may "
                "show more, not less.",
            ),
        ]
    return findings


def forget_share(case: Case) -> float:
    """Natural share of forget records in the pool."""
    sizes = case.sizes("forget", "retain")
    return sizes["forget"] / (sizes["forget"] + sizes["retain"])


def outcome_laws(model: Outputs, case: Case, *, hard: bool = False) -> tuple[np.ndarray, ...]:
    """Rows (n, k) of outcome probabilities on forget and on retain."""
    forget, retain = model["forget"], model["retain"]
    if case.task == "regression":
        fixed = retain.outputs[:, 0]
        both = (forget.outputs[:, 0], retain.outputs[:, 0])
        return tuple(release(shown, fixed, case.settings.bins) for shown in both)
    if hard:
        eye = np.eye(forget.outputs.shape[1])
        return tuple(eye[part.outputs.argmax(axis=1)] for part in (forget, retain))
    return probabilities(forget), probabilities(retain)


def pool_information(
    forget_law: np.ndarray, retain_law: np.ndarray, share: float, prior: np.ndarray
) -> np.ndarray:
    """I(Y; Z) in nats of laws (..., k): Z=0 draws from the pool, Z=1 from retain."""
    pool = (1 - share) * retain_law + share * forget_law
    return information_of_laws(np.stack([pool, retain_law], axis=-2), prior)


def _each(case: Case, *, stratified: bool, hard: bool = False) -> list[tuple[float, Null]]:
    """Value and null of every model; a reference is compared by its value, so gets few shuffles."""
    judged = 1 if case.original is None else 2
    found = []
    for index, model in enumerate(case.each()):
        draws = case.settings.permutations if index < judged else 1
        found.append(_information(model, case, draws, stratified=stratified, hard=hard))
    return found


def _information(
    model: Outputs, case: Case, draws: int, *, stratified: bool, hard: bool = False
) -> tuple[float, Null]:
    """Value and permutation null; shuffles which pool records are the forget records.

    The same quantity as ``marginal_information(logits, forget, prior=, given=)`` of the math room
    (a test holds them together), in a form that shuffles fast.
    """
    settings = case.settings
    forget, retain = outcome_laws(model, case, hard=hard)
    classes = [strata(model[name], case.task) for name in ("forget", "retain")]
    if not stratified:
        classes = [np.zeros(len(labels), dtype=np.int64) for labels in classes]
    rng = settings.generator(stream=1)
    observed, shuffled = 0.0, np.zeros(draws)
    for label in np.unique(np.concatenate(classes)):
        f, r = forget[classes[0] == label], retain[classes[1] == label]
        if len(f) == 0 or len(r) == 0:  # the class alone then tells Z, or nothing does
            continue
        rows, share = np.concatenate([f, r]), len(f) / (len(f) + len(r))
        # Probability of (Z, class) under the design: the two sets shown need not share classes.
        joint = np.array([len(rows) / (len(forget) + len(retain)), len(r) / len(retain)])
        joint *= np.asarray(settings.prior)
        weight, prior = float(joint.sum()), joint / joint.sum()
        sums = subset_sums(rows, len(f), draws, rng)
        # Sums of shuffled rows may round to just below zero where an outcome never occurs.
        others = np.maximum(rows.sum(axis=0) - sums, 0) / len(r)
        shuffled += weight * pool_information(np.maximum(sums, 0) / len(f), others, share, prior)
        observed += weight * float(pool_information(f.mean(0), r.mean(0), share, prior))
    return observed, summarise(observed, shuffled)


def _absent(name: str, title: str, reason: str) -> Finding:
    return Finding(name=name, title=title, value=None, unit="nats", note=reason)
