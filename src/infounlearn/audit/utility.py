"""Utility: how well each model does on each record set, and what the audited one lost."""

from __future__ import annotations

import numpy as np

from infounlearn.audit.case import Case
from infounlearn.audit.readings import residuals
from infounlearn.interface import SETS, Finding, Outputs
from infounlearn.math import clopper_pearson, mean_interval

ENUMERATED = "The interval reads these records as draws; for the records themselves it is exact."


def hits(model: Outputs, name: str) -> np.ndarray:
    """(n,) per-record utility: 1 where the label is right; minus the squared error."""
    part = model[name]
    if model.task == "regression":
        return -(residuals(part) ** 2)
    return (part.outputs.argmax(axis=1) == part.targets).astype(np.float64)


def utility_findings(case: Case) -> list[Finding]:
    """Accuracy (or mean squared error) per set, and the paired change against the original."""
    findings = []
    for name in SETS:
        if name not in case.audited.sets:
            continue
        findings.append(_level(case, name))
        if case.original is not None:
            change = hits(case.audited, name) - hits(case.original, name)
            findings.append(
                Finding(
                    name=f"utility/change_{name}",
                    title=f"Change against the original model on {name}",
                    value=float(change.mean()),
                    unit="accuracy" if case.task == "classification" else "",
                    interval=_interval(change, case.settings.confidence),
                    confidence=case.settings.confidence,
                    n=case.sizes(name),
                    note="Paired over records."
                    + ("" if case.task == "classification" else " Positive: a smaller error."),
                )
            )
    return findings


def utility_name(case: Case, name: str) -> str:
    """Name of the finding that holds the utility on set ``name``."""
    return f"utility/{'accuracy' if case.task == 'classification' else 'mse'}_{name}"


def flip_spread(case: Case, name: str, unseen: int = 0) -> float:
    """Standard deviation by which one more retrained model's utility misses the references' mean.

    Estimated from how often single records change their answer between references, as if they did
    so independently: on few records the spread of a handful of means is easily too small by luck.
    0 with fewer than two references. ``unseen`` changes of answer more than were seen are allowed
    for, which on few records is most of the uncertainty.
    """
    count = len(case.references)
    if count < 2:
        return 0.0
    each = np.stack([hits(one, name) for one in case.references])
    variance = (each.var(axis=0, ddof=1).sum() + unseen / count) / each.shape[1] ** 2
    return float((variance * (1 + 1 / count)) ** 0.5)


def _level(case: Case, name: str) -> Finding:
    confidence = case.settings.confidence
    right = hits(case.audited, name)
    note = ENUMERATED if name in ("forget", "retain") else ""
    if case.task == "classification":
        low, high = clopper_pearson(int(right.sum()), len(right), confidence)
        return Finding(
            name=utility_name(case, name),
            title=f"Accuracy on {name}",
            **case.compare(lambda model: float(hits(model, name).mean())),
            unit="accuracy",
            interval=(float(low), float(high)),
            confidence=confidence,
            n=case.sizes(name),
            ceiling=1.0,
            note=note,
        )
    return Finding(
        name=utility_name(case, name),
        title=f"Mean squared error on {name}",
        **case.compare(lambda model: float(-hits(model, name).mean())),
        unit="",
        interval=_interval(-right, confidence),
        confidence=confidence,
        n=case.sizes(name),
        note=note,
    )


def _interval(values: np.ndarray, confidence: float) -> tuple[float, float] | None:
    return mean_interval(values, confidence) if len(values) > 1 else None
