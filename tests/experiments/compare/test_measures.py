"""Measures of one network are what their titles say."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from infounlearn.data.records import Records
from infounlearn.experiments.compare.gold import Gold, show
from infounlearn.experiments.compare.measures import MEASURES, measure


def measured(gold: Gold, shown: dict[str, Tensor]) -> dict[str, float | None]:
    return measure(gold, shown, gold.final.ensemble, gold.final.distances(shown))


def shown_by_first(gold: Gold) -> dict[str, Tensor]:
    return {name: show(gold.originals[0], own) for name, own in gold.final.records.items()}


def entropies(shown: Tensor, records: Records) -> list[float]:
    """-(1 - p_y) ln p_y - sum over other k of p_k ln(1 - p_k), by hand."""
    found = []
    for laws, label in zip(shown.exp().tolist(), records.targets.tolist(), strict=True):
        rest = sum(p * math.log1p(-p) for k, p in enumerate(laws) if k != label)
        found.append(-(1 - laws[label]) * math.log(laws[label]) - rest)
    return found


def test_the_attack_by_modified_entropy_counts_pairs_within_classes(gold: Gold) -> None:
    shown, records = shown_by_first(gold), gold.final.records
    scores = {name: entropies(shown[name], records[name]) for name in ("forget", "holdout")}
    expected = 0.0
    for label in range(3):
        own, other = (
            [m for m, y in zip(scores[name], records[name].targets, strict=True) if y == label]
            for name in ("forget", "holdout")
        )
        wins = [float(a < b) + 0.5 * (a == b) for a in own for b in other]
        expected += len(own) / len(scores["forget"]) * sum(wins) / len(wins)
    found = measured(gold, shown)["attack/modified_entropy"]
    assert found == pytest.approx(expected, abs=1e-12)
    # The network learned the forget records.
    assert found > 0.5


def test_without_a_class_in_common_no_attack_within_classes_is_measured(gold: Gold) -> None:
    records = gold.final.records
    rows = {"forget": records["forget"].targets == 0, "holdout": records["holdout"].targets != 0}
    cut = {
        name: own.subset(torch.nonzero(rows[name])[:, 0]) if name in rows else own
        for name, own in records.items()
    }
    ensemble = {
        name: values[:, rows[name]] if name in rows else values
        for name, values in gold.final.ensemble.items()
    }
    apart = replace(gold, final=replace(gold.final, records=cut, ensemble=ensemble))
    found = measured(apart, shown_by_first(apart))
    attacks = ("attack/auc", "attack/modified_entropy", "attack/rmia", "leakage/certified")
    assert all(found.get(name) is None for name in attacks)
    assert found["accuracy/forget"] is not None


def test_every_measure_has_a_name_of_its_own(gold: Gold) -> None:
    names = [one.name for one in MEASURES]
    assert len(set(names)) == len(names)
    assert set(measured(gold, shown_by_first(gold))) <= set(names)
