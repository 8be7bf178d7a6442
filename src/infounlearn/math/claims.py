"""What a certificate says: its fields, its assumptions, and its meaning to a person."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from infounlearn.math.equivalents import auc_from_total_variation, total_variation, tpr_at_fpr_bound

__all__ = ["Design", "Equivalents", "InformationCertificate"]

Design = Literal["fresh", "enumerated", "enumerated-vs-fresh"]

FRESH = (
    "records of each sampled group are independent draws, or a simple random sample without "
    "replacement, from the population that is claimed about",
    "no sampled record was used to fit, select or stop the model, nor to choose outcomes or bins",
)
ENUMERATED = "the claim is about exactly these records and says nothing about any other"
KERNELS = "the interface draws its answer from the given probabilities, once per record"
LABELS = "labels of different records are drawn independently of each other"
INTERFACE = "the attacker sees this outcome and nothing richer, once per record"


@dataclass(frozen=True)
class Equivalents:
    """What the upper bound allows at most, whatever the laws; two groups only.

    Attributes:
        total_variation: distance of the two laws.
        best_attack_accuracy: accuracy of the best guess of the group at even odds.
        auc: area under the ROC curve of any score.
        tpr_at_fpr_1pct: true-positive rate at 1 % false positives, the worse of both directions.
        tpr_at_fpr_0_1pct: the same at 0.1 %.
    """

    total_variation: float
    best_attack_accuracy: float
    auc: float
    tpr_at_fpr_1pct: float
    tpr_at_fpr_0_1pct: float


@dataclass(frozen=True)
class InformationCertificate:
    """What is proved about I(Y; Z) in nats.

    Attributes:
        estimate: plug-in information; biased upwards unless the design is enumerated.
        upper: certified upper bound; None where none holds (see ``reason``).
        lower: certified lower bound, 0 where no attack succeeded; None where none holds.
        confidence: level of ``upper`` and of ``lower``: of each on its own, or of both together
            where ``two_sided``. Exact designs do not err.
        two_sided: whether both bounds hold together at ``confidence``.
        prior: declared weight of each group; I is I under this prior.
        design: how the records came about.
        kind: "labels" or "kernels".
        lambda_: parameter of the theorem that gave ``upper``; None where it was not used.
        n: records per group.
        n_eff: min n_z/π_z over the sampled groups; None where nothing was sampled.
        candidates: number of certificates taken from one audit set, for which ``upper`` and
            ``lower`` are corrected.
        ceiling: H(π), the largest possible information.
        assumptions: what must hold for the bounds.
        valid: whether a bound holds.
        reason: how the bound came about, or why there is none.
        statements: what ``upper`` allows, in words of an attacker; None without a bound or with
            more than two groups.
    """

    estimate: float
    upper: float | None
    lower: float | None
    confidence: float
    two_sided: bool
    prior: tuple[float, ...]
    design: Design
    kind: Literal["labels", "kernels"]
    lambda_: float | None
    n: tuple[int, ...]
    n_eff: float | None
    candidates: int
    ceiling: float
    assumptions: tuple[str, ...]
    valid: bool
    reason: str
    statements: Equivalents | None


def equivalents(information: float, prior: np.ndarray) -> Equivalents:
    """What at most ``information`` nats under ``prior`` allow, for two groups."""
    distance = total_variation(information, prior)

    def rate(fpr: float) -> float:
        return max(
            tpr_at_fpr_bound(information, fpr, prior),
            tpr_at_fpr_bound(information, fpr, prior[::-1]),
        )

    return Equivalents(
        total_variation=distance,
        best_attack_accuracy=(1 + distance) / 2,
        auc=auc_from_total_variation(distance),
        tpr_at_fpr_1pct=rate(0.01),
        tpr_at_fpr_0_1pct=rate(0.001),
    )
