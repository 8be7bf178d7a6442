"""A record as real ones are: many findings, long reasons, tiny numbers, missing references."""

from __future__ import annotations

import math
import random
from dataclasses import replace

from infounlearn.interface import Audit, Finding, Null, Record, Verdict
from tests.report.report_example_run import example_curves, example_run

N = {"forget": 144, "holdout": 180, "retain": 1113}


def example(*, seed: int = 0, references: int = 3) -> Record:
    """A full record; with ``references=0`` that of an audit without retrained models."""
    draws = random.Random(seed)
    record = Record(
        title="Digits, 10% of the records with 20% label noise",
        audit=Audit(
            model="unlearned",
            verdicts=_verdicts(references),
            findings=_findings(),
            curves=example_curves(draws, references),
            not_proved=(
                "That an attacker with many queries, or with the weights, learns nothing: the "
                "audit saw one answer per record.",
                "That any single record is forgotten: mutual information is an average over "
                "records.",
                "Anything on records other than those listed by hash under “Where this comes "
                "from”.",
            ),
            settings={
                "confidence": 0.95,
                "seed": 0,
                "prior": (0.5, 0.5),
                "permutations": 999,
                "bins": 16,
                "n": N,
                "score": "logit margin of the recorded label",
            },
            hashes={"forget": "9f" * 32, "retain": "0b" * 32, "holdout": "77" * 32},
        ),
        run=example_run(draws),
        provenance={
            "command": "infounlearn demo --dataset digits --forget-random 0.1 --label-noise 0.2",
            "created": "2026-01-02T03:04:05Z",
            "seed": 0,
            "versions": {"infounlearn": "0.1.0", "torch": "2.13.0", "python": "3.11.2"},
            "platform": "Linux x86_64, 2 cores",
        },
    )
    if references:
        return record
    bare = tuple(
        replace(finding, retrained=(), floor=None)
        if not finding.name.startswith("retrain_gap/")
        else Finding(finding.name, finding.title, None, finding.unit, note="Needs a reference.")
        for finding in record.audit.findings
    )
    audit = replace(record.audit, findings=bare)
    return replace(record, audit=audit)


def _verdicts(references: int) -> tuple[Verdict, ...]:
    distance = (
        Verdict(
            "Does the model answer the forgotten records like a retrained model?",
            "over-forgotten",
            "The mean divergence is 0.0412 nats, 1.31 times the floor that retrained models "
            "show among themselves, and accuracy on the forget set lies 2.1 points below "
            "their lowest.",
            ("retrain_gap/js", "retrain_gap/forget_accuracy_gap"),
        )
        if references
        else Verdict(
            "Does the model answer the forgotten records like a retrained model?",
            "inconclusive",
            "No retrained model was given; pass reference=[...] to answer this.",
            ("retrain_gap/js",),
        )
    )
    return (
        Verdict(
            "Can the forgotten records be told from records never seen?",
            "forgotten",
            "The attack's AUC is 0.512 with a 95% interval of 0.448 to 0.576 that contains "
            "one half, and the score information is inside its permutation null (p = 0.41).",
            ("leakage/attack_auc", "leakage/score_information", "leakage/tpr_001"),
        ),
        distance,
        Verdict(
            "Is the model as useful as before on the records it keeps?",
            "kept",
            "Accuracy on the retain set fell by 0.09 points, less than the guard of 0.5.",
            ("utility/retain_accuracy", "utility/test_accuracy"),
        ),
    )


def _findings() -> tuple[Finding, ...]:
    auc = (0.503, 0.497, 0.511)
    return (
        Finding(
            "marginal/information",
            "Marginal information of the sampled label",
            8.2146e-5,
            "nats",
            "exact",
            n=N,
            null=Null(7.9e-5, 1.64e-4, 0.44, 999),
            ceiling=0.0247,
            original=8.19e-5,
            retrained=(8.4e-5, 8.0e-5, 8.21e-5),
            floor=7.9e-5,
            note="Blind to a random forget set: it is as small for the model before.",
        ),
        Finding(
            "marginal/normalised",
            "The same, as a share of its ceiling",
            0.00332,
            "ratio",
            "exact",
            original=0.00331,
            ceiling=1.0,
            n=N,
        ),
        Finding(
            "leakage/score_information",
            "Score information, forget against held-out",
            0.01132,
            "nats",
            "certified",
            interval=(0.0, 0.0389),
            bound=0.118,
            confidence=0.95,
            n={"forget": 144, "holdout": 180},
            null=Null(0.0091, 0.0182, 0.41, 999),
            floor=0.0091,
            ceiling=math.log(2),
            original=0.0874,
            retrained=(0.0093, 0.0118, 0.0087),
            assumptions=(
                "The held-out records are fresh draws from the population of the forget records.",
                "16 bins fixed before the audit sample was seen.",
            ),
            note="In 16 soft bins with centres fixed beforehand.",
        ),
        Finding(
            "leakage/attack_auc",
            "Membership attack, area under the ROC",
            0.5121,
            "AUC",
            interval=(0.448, 0.576),
            confidence=0.95,
            n={"forget": 144, "holdout": 180},
            null=Null(0.5, 0.553, 0.36, 999),
            floor=0.041,
            ceiling=1.0,
            original=0.671,
            retrained=auc,
        ),
        Finding(
            "leakage/tpr_001",
            "Records identified at 0.1% false alarms",
            0.0069,
            "rate",
            interval=(0.0002, 0.0381),
            confidence=0.95,
            original=0.0556,
            n={"forget": 144, "holdout": 180},
            retrained=(0.0, 0.0069, 0.0),
            floor=0.0,
            note="180 held-out records cannot resolve 0.1%: the smallest step is 0.56%.",
        ),
        Finding(
            "retrain_gap/js",
            "Mean divergence from retrained models on the forget set",
            0.04123,
            "nats",
            interval=(0.0361, 0.0467),
            confidence=0.95,
            original=0.2113,
            n={"forget": 144},
            retrained=(0.0301, 0.0329, 0.0314),
            floor=0.0315,
            ceiling=math.log(2),
        ),
        Finding(
            "retrain_gap/forget_accuracy_gap",
            "Accuracy gap to retrained models, forget set",
            -0.0213,
            "accuracy",
            original=0.288,
            retrained=(0.006, -0.004, -0.002),
            floor=0.0061,
            n={"forget": 144},
        ),
        Finding(
            "retrain_gap/tow",
            "Tug-of-war score (ToW)",
            None,
            "ratio",
            note="Needs a test set, and none was given.",
        ),
        Finding(
            "utility/retain_accuracy",
            "Accuracy on retained records",
            0.9991,
            "accuracy",
            "exact",
            original=1.0,
            retrained=(0.9991, 1.0, 1.0),
            n={"retain": 1113},
            floor=0.0006,
        ),
        Finding(
            "utility/test_accuracy",
            "Accuracy on test records",
            0.9722,
            "accuracy",
            interval=(0.951, 0.986),
            confidence=0.95,
            original=0.9694,
            n={"test": 360},
            retrained=(0.9722, 0.9750, 0.9667),
            floor=0.0042,
        ),
        Finding(
            "bounds/drift",
            "Total variation implied by the information",
            0.0128,
            "",
            "certified",
            bound=0.0128,
            confidence=0.95,
            assumptions=("Pinsker's inequality with prior (0.5, 0.5).",),
        ),
        Finding(
            "efficiency/run_time", "Run time relative to retraining", 12.4, "ratio", original=None
        ),
    )
