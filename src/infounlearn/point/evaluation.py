"""Looking at the model during a run: what it shows, and the figures that steer it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from infounlearn.math import auc, marginal_information
from infounlearn.point.batches import RecordSet, shuffled, to_device
from infounlearn.point.objective import Look, Shown, loss_score, score

RETAIN_SAMPLE = 500
"""Retain records looked at in each evaluation, always the same ones."""
NOISE_QUANTILE = 1.645
"""Standard errors that pass for noise: the one-sided 95 % point of the normal law."""


@dataclass(frozen=True)
class Sets:
    """The records of a run, cut by the part they play.

    Attributes:
        forget, retain: as the caller gave them.
        targets: held-out records that objectives may aim at.
        validation: held-out records that steer and stop the run.
        audit: held-out records the run never touches.
    """

    forget: RecordSet
    retain: RecordSet
    targets: RecordSet | None = None
    validation: RecordSet | None = None
    audit: RecordSet | None = None

    @property
    def alpha(self) -> float:
        """Natural share |F|/(|F|+|R|) of the forget set."""
        return len(self.forget) / (len(self.forget) + len(self.retain))


class Evaluator:
    """Shows a model the same records at every evaluation."""

    def __init__(self, sets: Sets, seed: int, device: torch.device) -> None:
        self._device, self._alpha = device, sets.alpha
        sample = shuffled(len(sets.retain), seed, "retain sample")[:RETAIN_SAMPLE]
        self._parts = {
            "forget": (sets.forget, torch.arange(len(sets.forget))),
            "retain": (sets.retain, sample.sort().values),
        }
        for name, part in (("targets", sets.targets), ("validation", sets.validation)):
            if part is not None:
                self._parts[name] = (part, torch.arange(len(part)))

    @property
    def rows(self) -> int:
        """Rows forwarded by one look."""
        return sum(len(index) for _, index in self._parts.values())

    @torch.no_grad()
    def look(self, model: nn.Module) -> Look:
        """Outputs in eval mode; the model is left in eval mode."""
        model.eval()
        shown: dict[str, Shown] = {}
        for name, (records, index) in self._parts.items():
            outputs, targets = [], []
            for chunk in index.split(1024):
                inputs, labels = records.take(chunk)
                outputs.append(forward(model, to_device(inputs, self._device)))
                targets.append(labels.to(self._device))
            shown[name] = Shown(torch.cat(outputs), torch.cat(targets), index.to(self._device))
        return Look(
            forget=shown["forget"],
            retain=shown["retain"],
            targets=shown.get("targets"),
            validation=shown.get("validation"),
            alpha=self._alpha,
        )


def forward(model: nn.Module, inputs: object) -> Tensor:
    """Outputs (n, c) of a model that returns them or an object with ``.logits``."""
    shown = model(**inputs) if isinstance(inputs, dict) else model(inputs)
    outputs = getattr(shown, "logits", shown)
    return outputs[:, None] if isinstance(outputs, Tensor) and outputs.ndim == 1 else outputs


def figures(look: Look) -> dict[str, float]:
    """The figures of one evaluation, by the names that histories and reports use."""
    row: dict[str, float] = {}
    for name, shown in (
        ("forget", look.forget),
        ("retain", look.retain),
        ("holdout", look.validation),
    ):
        if shown is None:
            continue
        row[f"{name}_loss"] = float(loss_score(shown).mean())
        if shown.is_classification:
            row[f"{name}_accuracy"] = float(
                (shown.outputs.argmax(1) == shown.targets).double().mean()
            )
    if look.forget.is_classification:
        logits = torch.cat([look.retain.outputs, look.forget.outputs])
        forget = torch.arange(len(logits), device=logits.device) >= len(look.retain)
        row["marginal_information"] = float(marginal_information(logits, forget, alpha=look.alpha))
    if look.validation is not None:
        row["validation_auc"], row["auc_tolerance"] = membership_auc(look.forget, look.validation)
    return row


def membership_auc(forget: Shown, holdout: Shown) -> tuple[float, float]:
    """AUC of the score for forget against held-out records, and its noise floor.

    Compared within classes and averaged with the forget set's class shares, so that a skewed
    forget set is not mistaken for a remembered one. The noise floor is 1.645 standard errors of
    the rank statistic when both laws are equal (Mann & Whitney 1947).
    """
    scores = [score(part).cpu().numpy() for part in (forget, holdout)]
    labels = [
        part.targets.cpu().numpy() if part.is_classification else np.zeros(len(part), dtype=int)
        for part in (forget, holdout)
    ]
    value, variance = 0.0, 0.0
    for label, count in zip(*np.unique(labels[0], return_counts=True), strict=True):
        ours, theirs = (s[mark == label] for s, mark in zip(scores, labels, strict=True))
        share = count / len(labels[0])
        value += share * auc(ours, theirs)
        pairs = len(ours) * len(theirs)
        variance += share**2 * (len(ours) + len(theirs) + 1) / (12 * pairs)
    return float(value), NOISE_QUANTILE * float(variance) ** 0.5
