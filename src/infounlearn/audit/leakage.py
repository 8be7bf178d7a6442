"""Forget against held-out records: can anybody tell that the forget records were trained on?"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np

from infounlearn.audit.case import Case
from infounlearn.audit.certified import stratified_bound
from infounlearn.audit.membership import Membership
from infounlearn.audit.readings import bin_source
from infounlearn.interface import Finding, Null
from infounlearn.math import clopper_pearson

LOW_RATES = ((0.01, "1 %"), (0.001, "0.1 %"))

LEVELS = {
    "label": "sampled label",
    "score": "softly binned margin",
    "loss": "softly binned loss",
}

FRESH = (
    "held-out records are independent draws from the population, given the class",
    "they were used neither for training, unlearning, stopping, choosing among models nor to fix "
    "the bins",
    "the forget records are enumerated: the claim is about those whose class is held out, alone",
)


def leakage_findings(
    case: Case, members: list[Membership], nulls: list[dict[str, Null]]
) -> list[Finding]:
    """Information, attack AUC and low false-positive operating points, in the order of the case.

    Args:
        case: the models.
        members: readings of each model of ``case.each()``.
        nulls: permutation nulls of each.
    """
    first = members[0]
    coverage = Finding(
        name="leakage/covered_share",
        title="Forget records whose class has held-out records",
        value=first.covered,
        unit="rate",
        kind="exact",
        n=case.sizes("forget", "holdout"),
        note="Records of other classes cannot be compared and are left out below.",
    )
    if not first.classes:
        reason = "not computed: no class of the forget set has held-out records"
        absent = Finding("leakage/attack_auc", "Membership attack AUC", None, "AUC", note=reason)
        return [coverage, absent]
    findings = [coverage]
    for level in first.tables:
        findings += _information(case, members, nulls, level)
    findings += _attack(case, members, nulls)
    return findings


def tests(case: Case) -> int:
    """Number of tests that the verdict on leakage shares its level among."""
    return (4 if case.task == "classification" else 3) + bool(case.references)


def calibrated(one: Membership, others: list[Membership]) -> Membership:
    """``one`` with its scores less the mean scores of ``others``, which know each record's ease.

    Where ``one`` is one more retrained model, records of a class stay exchangeable, so permutation
    tests hold their level; and most of the spread of scores, shared by all models, is gone. An
    attacker who trains models of the same kind can do so: Watson et al. (2022), arXiv:2111.08440.
    """
    forget, holdout = (
        one.scores[part] - np.mean([other.scores[part] for other in others], axis=0)
        for part in (0, 1)
    )
    return replace(one, scores=(forget, holdout), tables={})


def operating_point(member: Membership, rate: float) -> tuple[float, int, int]:
    """True-positive rate, hits and trials of the threshold whose false-positive rate is ``rate``.

    Held-out records carry the forget set's class mix as weights; the threshold is the lowest
    held-out score with at most a share ``rate`` of that weight strictly above it.
    """
    weights, scores = member.weights(), member.scores[1]
    order = np.argsort(scores, kind="stable")[::-1]
    order = order[weights[order] > 0]
    above = np.cumsum(weights[order]) - weights[order]
    # 1e-12: sums of weights such as 1/1000 must not miss a rate of 0.001 by rounding.
    threshold = scores[order][above <= rate * (1 + 1e-12)].min()
    forget = member.matched_forget()
    hits = int((forget > threshold).sum())
    return hits / len(forget), hits, len(forget)


def _information(
    case: Case, members: list[Membership], nulls: list[dict[str, Null]], level: str
) -> list[Finding]:
    values = [member.information(level) for member in members]
    null, first, confidence = nulls[0][level], members[0], case.settings.confidence
    # The bounds of all levels come from one held-out set: together they err with 1 - confidence.
    each = 1 - (1 - confidence) / len(first.tables)
    name = LEVELS[level]
    if case.task == "regression":
        name = name.replace("margin", "residual").replace("loss", "squared error")
    title = f"Information between the {name} and forget or held-out"
    title += "" if case.task == "regression" else ", given the class"
    common: dict[str, Any] = {"unit": "nats", "n": case.sizes("forget", "holdout"), "null": null}
    source = bin_source(case.audited)
    bins = "" if level == "label" else f"Bins fixed on the {source} set of each model. "
    plug_in = Finding(
        name=f"leakage/{level}_information",
        title=title,
        kind="certified",
        **case.spread(values),
        bound=stratified_bound(values[0], first.shares, first.sizes[1], each),
        confidence=confidence,
        floor=null.mean,
        ceiling=math.log(2),
        assumptions=FRESH,
        note=bins + "Plug-in value: read it against its permutation null, never against 0. "
        "The bounds of all levels hold together at the confidence given.",
        **common,
    )
    debiased = Finding(
        name=f"leakage/{level}_information_debiased",
        title=title + ", de-biased",
        **case.spread([v - n[level].mean for v, n in zip(values, nulls, strict=True)]),
        ceiling=math.log(2),
        note="Value minus its permutation mean; may be negative where nothing is there.",
        unit="nats",
        n=common["n"],
    )
    return [plug_in, debiased]


def _attack(case: Case, members: list[Membership], nulls: list[dict[str, Null]]) -> list[Finding]:
    confidence, first = case.settings.confidence, members[0]
    matched, weights = len(first.matched_forget()), first.weights()
    within = "" if case.task == "regression" else ", within classes"
    common: dict[str, Any] = {"n": case.sizes("forget", "holdout"), "confidence": confidence}
    findings = [
        Finding(
            name="leakage/attack_auc",
            title=f"AUC of the attack that calls high scores members{within}",
            **case.spread([member.area() for member in members]),
            unit="AUC",
            interval=first.area_interval(confidence),
            null=nulls[0]["area"],
            ceiling=1.0,
            assumptions=("records are independent draws given the class",),
            note="The attack by loss has the same AUC. Below 0.5, forget records look less "
            "trained on than held-out ones. The p-value is two-sided.",
            **common,
        ),
        Finding(
            name="leakage/ends",
            title=f"Excess of forget records at one end of the ranking{within}",
            **case.spread([member.ends() for member in members]),
            unit="",
            null=nulls[0]["ends"],
            note="Mean Savage score minus one, which a few memorised records raise where the AUC "
            "hardly moves. Negative: of the low end. The null is that of its size.",
            n=common["n"],
        ),
        Finding(
            name="leakage/detectable_auc",
            title="Smallest AUC this audit finds with 80 % probability",
            value=first.detectable_area((1 - confidence) / tests(case)),
            unit="AUC",
            kind="exact",
            note="Closer to 0.5 than this, an attack may go unseen at these sample sizes.",
            **common,
        ),
    ]
    references = members[1 if case.original is None else 2 :]
    if references:
        found = calibrated(first, references)
        among = [
            calibrated(one, references[:k] + references[k + 1 :]).area()
            for k, one in enumerate(references)
            if len(references) > 1
        ]
        findings.append(
            Finding(
                name="leakage/calibrated_auc",
                title="AUC of the attack that knows how retrained models score each record",
                value=found.area(),
                original=calibrated(members[1], references).area() if case.original else None,
                retrained=tuple(among),
                unit="AUC",
                interval=found.area_interval(confidence),
                null=nulls[0]["calibrated"],
                ceiling=1.0,
                note="Scores less the mean score of the retrained models: what is left is memory. "
                "Each reference is compared with the others. The p-value is two-sided.",
                **common,
            )
        )
    effective = weights.sum() ** 2 / (weights**2).sum()
    for rate, text in LOW_RATES:
        hits = operating_point(first, rate)[1]
        low, high = clopper_pearson(hits, matched, confidence)
        seen = rate * effective >= 1
        findings.append(
            Finding(
                name=f"leakage/tpr_at_fpr_{rate:g}",
                title=f"Forget records caught at {text} false positives",
                **case.spread([operating_point(member, rate)[0] for member in members]),
                unit="rate",
                interval=(float(low), float(high)),
                floor=rate,
                assumptions=("the interval is that of this threshold, chosen on held-out alone",),
                note=""
                if seen
                else f"The held-out set is worth {effective:.0f} records here: it cannot resolve "
                f"{text}, so no held-out record lies above the threshold.",
                **common,
            )
        )
    return findings
