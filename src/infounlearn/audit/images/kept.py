"""Whether other attributes can still be read: fresh networks after and before, image by image."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from infounlearn.audit.feature.inference import gain_interval
from infounlearn.audit.feature.visibility import bits
from infounlearn.audit.images.case import Case
from infounlearn.audit.images.findings import percent
from infounlearn.audit.images.probing import Other, Probing
from infounlearn.audit.images.readings import accuracy_interval, balanced_hits, hits
from infounlearn.interface import Finding, Verdict

KEPT = "Are other attributes kept?"


@dataclass(frozen=True)
class Loss:
    """What one attribute lost; negative changes are losses.

    Attributes:
        name: of the attribute.
        plain, balanced: change in accuracy, and in balanced accuracy, each with its interval.
        readable: whether a fresh network can read it before.
    """

    name: str
    plain: tuple[float, float, float]
    balanced: tuple[float, float, float]
    readable: bool


def loss(case: Case, one: Other) -> Loss:
    """Paired by image, on the same folds."""
    changes = []
    for right in (hits, balanced_hits):
        gained = right(one.after, one.z) - right(one.before, one.z)
        low, high = gain_interval(gained, one.after.folds, case.settings.confidence)
        changes.append((float(gained.mean()), low, high))
    low, _ = gain_interval(one.before.gains, one.before.folds, case.settings.confidence)
    return Loss(one.name, changes[0], changes[1], low > 0)


def kept_findings(case: Case, probing: Probing) -> list[Finding]:
    """Accuracy, balanced accuracy and information of each attribute, and what was lost."""
    found: list[Finding] = []
    for one in probing.others:
        counts = np.bincount(one.z)
        majority = float(counts.max() / counts.sum())
        sizes = {name: int(count) for name, count in zip(one.group_names, counts, strict=True)}
        sets = {f"{one.name} {name}": count for name, count in sizes.items()}
        lost = loss(case, one)
        right = hits(one.after, one.z)
        level = case.settings.confidence
        found.append(
            Finding(
                name=f"others/{one.name}",
                title=f"{one.name}: accuracy of a fresh network "
                f"(majority rate {percent(majority)})",
                value=float(right.mean()),
                unit="accuracy",
                interval=accuracy_interval(right, one.after.folds, level),
                confidence=level,
                n=sets,
                floor=majority,
                ceiling=1.0,
                original=float(hits(one.before, one.z).mean()),
                note="Trained on these images after and, anew, before.",
            )
        )
        for key, title, change, note in (
            ("change", "change in accuracy", lost.plain, ""),
            (
                "balanced_change",
                "change in balanced accuracy",
                lost.balanced,
                " Groups count alike, so that a rare one is not drowned by the others.",
            ),
        ):
            found.append(
                Finding(
                    name=f"others/{one.name}_{key}",
                    title=f"{one.name}: {title}",
                    value=change[0],
                    unit="accuracy",
                    interval=change[1:],
                    confidence=level,
                    n=sets,
                    note=f"Negative is lost. Paired by image, on the same folds.{note}",
                )
            )
        information = one.after.information
        found.append(
            Finding(
                name=f"others/{one.name}_information",
                title=f"{one.name}: information recovered by a fresh network",
                value=information,
                unit="nats",
                interval=gain_interval(one.after.gains, one.after.folds, level),
                confidence=level,
                n=sets,
                original=one.before.information,
                note=f"{bits(information)}, {bits(one.before.information)} before.",
            )
        )
    return found


def kept_verdict(case: Case, probing: Probing) -> Verdict:
    """Lost where one attribute surely lost more than the margin, kept where surely none did."""
    margin = case.settings.margin
    losses = [loss(case, one) for one in probing.others]
    names = tuple(
        f"others/{one.name}{part}" for one in losses for part in ("", "_change", "_balanced_change")
    )
    points = 100 * margin
    told = "; ".join(
        f"{one.name} {_points(one.plain)} in accuracy, {_points(one.balanced)} balanced"
        for one in losses
    )
    both = [(one, change) for one in losses for change in (one.plain, one.balanced)]
    gone = sorted({one.name for one, (_, _, high) in both if high < -margin})
    if gone:
        reason = f"More than {points:g} points were lost of {', '.join(gone)}: {told}."
        return Verdict(KEPT, "lost", reason, names)
    blind = [one.name for one in losses if not one.readable]
    if blind:
        reason = (
            f"A fresh network cannot read {', '.join(blind)} on the originals, so that nothing it "
            f"could lose was seen: {told}."
        )
        return Verdict(KEPT, "inconclusive", reason, names)
    if all(low >= -margin for _, (_, low, _) in both):
        reason = f"No more than {points:g} points were lost, by every interval: {told}."
        return Verdict(KEPT, "kept", reason, names)
    reason = f"An interval reaches beyond {points:g} points lost: {told}. Audit more images."
    return Verdict(KEPT, "inconclusive", reason, names)


def _points(change: tuple[float, float, float]) -> str:
    value, low, high = (100 * part for part in change)
    return f"{value:+.1f} points [{low:+.1f}, {high:+.1f}]"
