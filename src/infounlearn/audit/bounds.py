"""What the measured information bounds: drift, detection, the retrained anchor, and an attacker.

Every finding pairs the exact value on these records with the bound that the information alone
implies, so that a reader sees both what is known and how much the information says by itself.
Analogues of statements in Xu & Strohmer 2025, arXiv:2502.05684; our proofs: docs/proofs.md.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from infounlearn.audit.case import Case
from infounlearn.audit.leakage import FRESH
from infounlearn.audit.marginal import forget_share, outcome_laws
from infounlearn.interface import Finding
from infounlearn.math import (
    attack_accuracy,
    auc_bound,
    drift_bound,
    forget_accuracy_bound,
    forget_anchor_bound,
    forget_retain_bound,
    necessity_bound,
    total_variation,
    tpr_at_fpr_bound,
)


def bound_findings(case: Case, marginal: Finding, leakage: Finding | None) -> list[Finding]:
    """Bounds from the marginal information and from the certified leakage information.

    Args:
        case: the models.
        marginal: the finding ``marginal/information``.
        leakage: the finding ``leakage/score_information``, if it was computed.
    """
    found = [] if marginal.value is None else _marginal_bounds(case, marginal)
    if leakage is not None and leakage.bound is not None:
        found += _attacker_bounds(case, leakage.bound)
    return found


def _marginal_bounds(case: Case, marginal: Finding) -> list[Finding]:
    prior, share = case.settings.prior, forget_share(case)
    information = marginal.value if marginal.value is not None else 0.0
    forget, retain = (rows.mean(axis=0) for rows in outcome_laws(case.audited, case))
    pool = (1 - share) * retain + share * forget
    common: dict[str, Any] = {"kind": "exact", "n": case.sizes("forget", "retain")}
    guess = 0.5 * (1 + float(np.abs(prior[0] * pool - prior[1] * retain).sum()))
    found = [
        Finding(
            name="bounds/drift",
            title="Distance of pool outputs to retain outputs (total variation)",
            value=_distance(pool, retain),
            bound=total_variation(information, prior),
            unit="",
            note=f"Pinsker's simpler bound: {drift_bound(information, prior):.3g}.",
            **common,
        ),
        Finding(
            name="bounds/forget_retain",
            title="Distance of forget outputs to retain outputs (total variation)",
            value=_distance(forget, retain),
            bound=forget_retain_bound(information, share, prior),
            unit="",
            note="The drift bound over the forget share; 1 says nothing.",
            **common,
        ),
        Finding(
            name="bounds/detection",
            title="Accuracy of the best guess of pool or retain from one label",
            value=guess,
            bound=attack_accuracy(information, prior),
            floor=max(prior),
            unit="accuracy",
            note="The floor is what guessing without any output reaches.",
            **common,
        ),
    ]
    classes = np.unique(case.audited["forget"].targets)
    if case.task == "classification" and len(classes) == 1:
        label = int(classes[0])
        found.append(
            Finding(
                name="bounds/forget_class",
                title=f"How often forget records are labelled {label}, their class",
                value=float(forget[label]),
                bound=forget_accuracy_bound(float(retain[label]), information, share, prior),
                unit="rate",
                note="Driving the information to zero forces this down to the rate on retain.",
                **common,
            )
        )
    if case.references and case.task == "classification":
        found += _anchor_bounds(case, marginal, forget, retain, common)
    return found


def _anchor_bounds(
    case: Case, marginal: Finding, forget: np.ndarray, retain: np.ndarray, common: dict[str, Any]
) -> list[Finding]:
    """The farthest retrained reference as anchor."""
    prior, share = case.settings.prior, forget_share(case)
    information = marginal.value if marginal.value is not None else 0.0
    rows = []
    for reference, own in zip(case.references, marginal.retrained, strict=True):
        other_forget, other_retain = (a.mean(axis=0) for a in outcome_laws(reference, case))
        on_forget, on_retain = _distance(forget, other_forget), _distance(retain, other_retain)
        sufficient = forget_anchor_bound(information, own, on_retain, share, prior)
        necessary = necessity_bound(max(on_forget, on_retain), own, share, prior)
        rows.append((on_forget, sufficient, necessary))
    worst = max(rows)
    return [
        Finding(
            name="bounds/anchor",
            title="Distance to the farthest retrained model on forget (total variation of labels)",
            value=worst[0],
            bound=worst[1],
            unit="",
            retrained=tuple(row[0] for row in rows),
            note="Bound from both informations and the distance on retain; 1 says nothing.",
            **common,
        ),
        Finding(
            name="bounds/necessity",
            title="Information that closeness to that retrained model allows",
            value=information,
            bound=worst[2],
            unit="nats",
            note="A model this close to retraining cannot show more marginal information.",
            **common,
        ),
    ]


def _attacker_bounds(case: Case, information: float) -> list[Finding]:
    """What the certified score information allows any attacker who sees one released bin."""
    note = "Follows from the certified score information; averaged over the forget set's classes."
    common: dict[str, Any] = {
        "value": None,
        "kind": "certified",
        "confidence": case.settings.confidence,
        "n": case.sizes("forget", "holdout"),
        "assumptions": FRESH,
        "note": note,
    }
    found = [
        Finding(
            name="bounds/certified_attack_accuracy",
            title="No attacker on the released score exceeds this accuracy",
            bound=attack_accuracy(information),
            unit="accuracy",
            floor=0.5,
            **common,
        ),
        Finding(
            name="bounds/certified_auc",
            title="No attacker on the released score exceeds this AUC",
            bound=auc_bound(information),
            unit="AUC",
            floor=0.5,
            **common,
        ),
    ]
    for rate in (0.01, 0.001):
        found.append(
            Finding(
                name=f"bounds/certified_tpr_at_fpr_{rate:g}",
                title=f"No attacker catches more at {rate * 100:g} % false positives",
                bound=tpr_at_fpr_bound(information, rate),
                unit="rate",
                floor=rate,
                **common,
            )
        )
    return found


def _distance(first: np.ndarray, second: np.ndarray) -> float:
    """Total variation of two laws."""
    return 0.5 * float(np.abs(first - second).sum())
