"""The table of ``figure image-barycenter``, the numbers beside its panel, and its notes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from infounlearn.audit.feature.verdicts import VISIBLE
from infounlearn.audit.images.kept import KEPT
from infounlearn.experiments.figures.image_subject import Design, Subject
from infounlearn.interface import Audit

Told = dict[str, Any]
"""An audit as plain values: "lines" of quantity, unit, before, after and null, and verdicts."""
Row = Mapping[str, Any]


def told_by(audit: Audit) -> Told:
    """What the panel shows of an audit, as plain values."""
    lines = []
    for one in audit.findings:
        label = _label(one.name, str(audit.settings["feature"]))
        if label is None:
            continue
        null = None if one.null is None else one.null.quantile95
        lines.append([label, one.unit, one.original, one.value, null])
    answers = {verdict.question: verdict.answer for verdict in audit.verdicts}
    reasons = {verdict.question: verdict.reason for verdict in audit.verdicts}
    return {"lines": lines, "answers": answers, "reasons": reasons}


def table(
    rows: Sequence[Row],
    facts: Mapping[str, Mapping[str, float]],
    failed: Mapping[str, str],
    attribute: str,
) -> list[list[str]]:
    """Every release at full strength, the originals first."""
    others = list(dict.fromkeys(row["attribute"] for row in rows if row["attribute"] != attribute))
    head = ["release", f"{attribute}: accuracy", "95 %", "AUC", "nats", "cost", "cost / bound"]
    lines = [[*head, *(f"{name}: accuracy" for name in others)]]
    for name in dict.fromkeys([row["method"] for row in rows] + list(failed)):
        if name in failed:
            lines.append([name, "not possible", *["–"] * (len(lines[0]) - 2)])
            continue
        mine = [row for row in rows if row["method"] == name]
        amount = max(row["amount"] for row in mine)
        found = {row["attribute"]: row for row in mine if row["amount"] == amount}
        z = found[attribute]
        bound = facts.get(name, {}).get("bound", 0.0)
        lines.append(
            [
                name,
                _percent(z["accuracy"]),
                f"{_percent(z['low'])} to {_percent(z['high'])}",
                _number(z["auc"]),
                in_words(z["information"], "nats"),
                _number(z["cost"]),
                _number(z["cost"] / bound) if bound > 0 else "–",
                *(
                    _percent(found[other]["accuracy"] if other in found else None)
                    for other in others
                ),
            ]
        )
    return lines


def notes(
    design: Design,
    known: Subject,
    rows: Sequence[Row],
    facts: Mapping[str, Mapping[str, float]],
    failed: Mapping[str, str],
    audit: Told | None,
) -> list[str]:
    """What must be read with the table and the drawing."""
    z = known.codes[known.audited]
    shape = " x ".join(str(side) for side in known.pixels.shape[1:])
    lines = [
        f"{len(known.fitted):,} images of {shape} fitted, {len(z):,} held out and read; majority "
        f"rate {_percent(majority(z))}. Accuracy, AUC and nats: a network trained afresh in "
        f"{design.folds} folds of the held-out images, at amount 1. Cost: mean squared change per "
        "pixel value; bound: what Gaussians with the moments of the fitted images need, in the "
        "directions of that map.",
        "Wider network: the audit's second design, which no critic of the maps has. Neither is "
        "known to read all there is.",
        "Rows of the panel: X; Bary(X), at amount 1; T(X) = X + (Bary(X) - X) / (1 - P(own "
        "group)), the other group's image of which Bary(X) is the weighted mean.",
    ]
    if audit is not None:
        for question in (VISIBLE, KEPT):
            if question in audit["answers"]:
                answer, reason = audit["answers"][question], audit["reasons"][question]
                lines.append(f"Audit of networks, information. {question} {answer}. {reason}")
    lines += [f"{name}: not possible here. {reason}" for name, reason in failed.items()]
    steps = facts.get("networks", {}).get("steps")
    if steps:
        best = facts["networks"].get("best_step", steps)
        start = ", which is the closed form they start from" if best == 0 else ""
        lines.append(f"Networks: {steps:.0f} steps; the maps of step {best:.0f} were kept{start}.")
    stages = facts.get("networks, information", {}).get("stages")
    if stages:
        lines.append(f"Networks, information: {stages:.0f} stages.")
    if design.data == "celeba":
        lines.append(
            "CelebA allows no copy of its images: keep these files, and the maps beside them, to "
            "yourself. The subset was stored as JPEG twice; results on it are not those of CelebA."
        )
    return lines


def wider(attribute: str) -> str:
    """What readings by the audit's wider network are called."""
    return f"{attribute}, wider network"


def majority(z: np.ndarray) -> float:
    """Accuracy of always naming the largest group."""
    return float(np.bincount(z).max() / len(z))


def in_words(value: float | None, unit: str) -> str:
    """A number of the panel."""
    if unit == "accuracy":
        return _percent(value)
    if unit == "nats" and value is not None:
        return f"{round(value, 3) + 0.0:.3f}".replace("-", "−")
    return _number(value)


def _label(name: str, feature: str) -> str | None:
    room, _, what = name.partition("/")
    named = {
        "probes/cnn_accuracy": f"{feature}, accuracy",
        "probes/wide_accuracy": f"{feature}, accuracy, wider network",
        "probes/cnn": f"{feature}, nats, network",
        "probes/wide": f"{feature}, nats, wider network",
        "probes/linear": f"{feature}, nats, line",
        "probes/places": f"{feature}, nats, single places",
        "probes/boosted-trees": f"{feature}, nats, trees",
        "probes/exact-values": f"{feature}, nats, exact values",
        "cost/transport": "cost per pixel value",
        "cost/gaussian_bound": "Gaussian lower bound",
    }
    if room == "others" and not what.endswith(("change", "_information")):
        return f"{what}, accuracy"
    return named.get(name)


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.1f} %"


def _number(value: float | None) -> str:
    return "–" if value is None or value != value else f"{value:.3g}".replace("-", "−")
