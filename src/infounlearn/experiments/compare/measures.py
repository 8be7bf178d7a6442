"""Every measure of one network, from what it shows on the records that judge.

Each is a :class:`Measure` with its title, unit and reading. The retrained networks are measured in
the same way and give each measure its yardstick; where a measure compares with the ensemble, each
of them is compared with the others.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor

from infounlearn.audit.case import Settings
from infounlearn.audit.certified import stratified_bound
from infounlearn.audit.confidence_svm import nonmember_share
from infounlearn.audit.membership import membership
from infounlearn.data.records import Records
from infounlearn.experiments.compare.gold import PARTS, Gold
from infounlearn.interface import Outputs, OutputSet
from infounlearn.math import (
    distance_to_ensemble,
    marginal_ceiling,
    marginal_information,
    modified_entropy,
)
from infounlearn.math.confusion import interclass_confusion
from infounlearn.math.ensemble_distance import EnsembleDistance
from infounlearn.math.reference_attack import LogLikelihoods, rmia
from infounlearn.math.tug_of_war import Performance, average_gap, tow, tow_mia

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Measure:
    """What a number is: name, title, unit, which value is best, and a sentence of reading help."""

    name: str
    title: str
    unit: str = ""
    better: Literal["retrained", "lower", "higher"] = "retrained"
    note: str = ""


_SETS = {"forget": "forget", "retain": "retain", "test": "test"}
MEASURES = (
    *(Measure(f"accuracy/{k}", f"Accuracy, {k}", "accuracy") for k in _SETS),
    *(
        Measure(f"js/{k}", f"JS divergence to retraining, {k}", "nats", "lower",
                "Mean over records; the floor is that of a retrained network to the others.")
        for k in _SETS
    ),
    Measure("js95/forget", "JS divergence, 95th percentile of forget records", "nats", "lower"),
    Measure("kl/forget", "KL divergence to retraining, forget", "nats", "lower",
            "Mean over records of KL from the network to the mean of the retrained ones."),
    *(Measure(f"mse/{k}", f"Mean squared error, {k}", "") for k in _SETS),
    *(
        Measure(f"squared/{k}", f"Squared distance to retraining, {k}", "", "lower",
                "Mean over records; the floor is that of a retrained network to the others.")
        for k in _SETS
    ),
    Measure("tow", "ToW", "", "higher", "Tug of war of forget, retain and test accuracy."),
    Measure("tow_mia", "ToW-MIA", "", "higher",
            "Tug of war of membership share, retain and test accuracy."),
    Measure("average_gap", "Average gap", "", "lower",
            "Mean gap of forget, retain and test accuracy and membership share."),
    Measure("attack/nonmember_share", "Forget records called non-members by an SVM", "rate"),
    Measure("attack/auc", "AUC of the attack by score, within classes", "AUC", "retrained",
            "Forget against held-out records that neither method nor tuner was given to use."),
    Measure("attack/modified_entropy", "AUC of the attack by modified entropy, within classes",
            "AUC", "retrained", "Forget against the same held-out records; a low modified entropy "
            "is taken for a sign of training (Song & Mittal 2021)."),
    Measure("attack/rmia", "AUC of RMIA with the retrained networks as references", "AUC",
            "retrained", "Forget against held-out records of the same classes; offline, a = 0.3."),
    Measure("marginal/normalized", "Marginal information as a share of its ceiling", "ratio"),
    Measure("leakage/certified", "Certified leakage", "nats", "retrained",
            "Upper bound at 95 % on what one released score tells of membership; small held-out "
            "sets certify little, whatever the network."),
    Measure("confusion/swapped", "Confusion of the two swapped classes, test", "rate"),
    Measure("confusion/errors", "Errors on the two swapped classes, test", "rate"),
    Measure("trigger/success", "Success of the trigger", "rate", "retrained",
            "Share of test records with the trigger that are given its class."),
    Measure("relearn/steps", "Steps to relearn the forget records", "steps", "retrained"),
)  # fmt: skip
"""In the order in which they are shown; a case shows those that can be computed for it."""

Shown = Mapping[str, Tensor]
"""By record set: (n, c) log-probabilities, or predictions, in float64."""


def measure(
    gold: Gold,
    shown: Shown,
    ensemble: Mapping[str, Tensor],
    far: Mapping[str, EnsembleDistance],
) -> dict[str, float | None]:
    """All measures of one network; None where one cannot be computed.

    Args:
        gold: the yardstick of the case.
        shown: by the network, on ``gold.final.records``.
        ensemble: what it is compared with: by record set (K, n, c), K ≥ 2.
        far: its distances to ``ensemble``.
    """
    records = gold.final.records
    found: dict[str, float | None] = {}
    if not records["forget"].is_classification:
        for name in PARTS:
            found[f"mse/{name}"] = float((shown[name] - records[name].targets).square().mean())
            found[f"squared/{name}"] = far[name].value
        return found | _leakage(records, shown)
    for name in PARTS:
        found[f"accuracy/{name}"] = accuracy(shown[name], records[name])
        found[f"js/{name}"] = far[name].value
    found["js95/forget"] = float(far["forget"].per_record.quantile(0.95))
    kl = distance_to_ensemble(shown["forget"], ensemble["forget"], divergence="kl")
    found["kl/forget"] = kl.value
    found["attack/nonmember_share"] = share_of_nonmembers(records, shown)
    found["attack/rmia"] = _rmia(records, shown, ensemble)
    rows = torch.cat([shown["retain"], shown["forget"]])
    forget = torch.arange(len(rows)) >= len(shown["retain"])
    alpha = len(gold.case.forget) / (len(gold.case.forget) + len(gold.case.retain))
    value = float(marginal_information(rows, forget, alpha=alpha))
    found["marginal/normalized"] = value / marginal_ceiling(alpha)
    found |= _leakage(records, shown)
    if "probe" in records:
        found["trigger/success"] = accuracy(shown["probe"], records["probe"])
    classes = getattr(gold.case, "confused", None)
    if classes:
        mixed = interclass_confusion(shown["test"].argmax(1), records["test"].targets, *classes)
        found["confusion/swapped"] = mixed.confused_share
        found["confusion/errors"] = mixed.error_share
    return found


def compare_accuracies(
    own: Mapping[str, float | None], others: Mapping[str, tuple[float, ...]]
) -> dict[str, float | None]:
    """ToW, ToW-MIA and average gap of one network.

    Args:
        own: its measures.
        others: the same of the retrained networks, by name.
    """
    if "accuracy/forget" not in own:
        return {}
    mine = performance({name: (value,) for name, value in own.items() if value is not None})
    theirs = performance(others)
    return {score.__name__: score(mine, theirs).value for score in (tow, tow_mia, average_gap)}


def performance(values: Mapping[str, tuple[float, ...]]) -> Performance:
    """Accuracies and membership shares as the tug of war takes them."""
    forget, retain, test = (torch.tensor(values[f"accuracy/{part}"]) for part in PARTS)
    return Performance(forget, retain, test, torch.tensor(values["attack/nonmember_share"]))


def accuracy(shown: Tensor, records: Records) -> float:
    """Share of records whose most probable class is theirs."""
    return float((shown.argmax(1) == records.targets).double().mean())


def share_of_nonmembers(records: Mapping[str, Records], shown: Shown) -> float:
    """Share of forget records that a support vector machine on confidence calls non-members."""
    confidences = (
        shown[name].gather(1, records[name].targets[:, None]).exp().flatten() for name in PARTS
    )
    return nonmember_share(*confidences)


def _rmia(
    records: Mapping[str, Records], shown: Shown, ensemble: Mapping[str, Tensor]
) -> float | None:
    """None where no held-out record has a class of the forget set."""

    def group(name: str, rows: Tensor) -> LogLikelihoods:
        labels = records[name].targets[rows]
        own = shown[name][rows].gather(1, labels[:, None])[:, 0]
        theirs = ensemble[name][:, rows].gather(
            2, labels.expand(len(ensemble[name]), -1)[..., None]
        )
        # Overlaps were refused before any run, by what records hold.
        return LogLikelihoods(own, theirs[..., 0])

    forget, held = (torch.arange(len(records[name])) for name in ("forget", "holdout"))
    alike = torch.isin(records["holdout"].targets, records["forget"].targets)
    if not bool(alike.any()):
        return None
    attack = rmia(group("forget", forget), group("holdout", held[alike]), group("holdout", held))
    return attack.auc


def _leakage(records: Mapping[str, Records], shown: Shown) -> dict[str, float | None]:
    """AUCs of forget against held-out records, and the certified bound on what a score tells.

    Empty where they have no class in common.
    """
    kind: Literal["classification", "regression"] = "regression"
    if records["forget"].is_classification:
        kind = "classification"
    sets = {
        name: OutputSet(shown[name].numpy(), records[name].targets.numpy())
        for name in ("forget", "retain", "holdout")
    }
    read = membership(Outputs("network", kind, sets), Settings(confidence=CONFIDENCE))
    if not read.classes:
        return {}
    bound = stratified_bound(read.information("score"), read.shares, read.sizes[1], CONFIDENCE)
    found: dict[str, float | None] = {"attack/auc": read.area(), "leakage/certified": bound}
    if kind == "classification":
        low = [-modified_entropy(shown[k], records[k].targets) for k in ("forget", "holdout")]
        found["attack/modified_entropy"] = replace(
            read, scores=(low[0].numpy(), low[1].numpy())
        ).area()
    return found
