"""Cases whose networks train in a tenth of a second, and their yardstick."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from infounlearn.data.records import Records
from infounlearn.experiments.cases import Case
from infounlearn.experiments.compare.gold import Gold, build_gold
from infounlearn.experiments.networks import Mlp
from infounlearn.experiments.recipe import Recipe


def draw(rows: int, seed: int, first: int, name: str, *, reals: bool = False) -> Records:
    """Three overlapping clouds; or a noisy sum."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(rows) % 3
    inputs = torch.randn(rows, 4, generator=generator)
    inputs[torch.arange(rows), labels] += 2.0
    targets: torch.Tensor = labels
    if reals:
        noise = torch.randn(rows, 1, generator=generator)
        targets = inputs.sum(1, keepdim=True) / 2 + noise
    return Records(inputs, targets, torch.arange(first, first + rows), name)


def make_case(forget: int = 24, requests: int = 1, *, reals: bool = False) -> Case:
    """Forget the first ``forget`` of 180 records."""
    train = draw(180, 0, 0, "train", reals=reals)
    ids = train.ids[:forget]
    made = Case(
        name="clouds",
        train=train,
        forget=train.where_ids(ids, "forget"),
        retain=train.except_ids(ids, "retain"),
        holdout=draw(96, 1, 1000, "holdout", reals=reals),
        test=draw(60, 2, 2000, "test", reals=reals),
        factory=Mlp((4, 16, 1 if reals else 3)),
        recipe=Recipe(epochs=30, batch_size=16, lr=1e-2),
        num_classes=None if reals else 3,
        seed=0,
        description=f"clouds: forget {forget}",
    )
    return replace(made, requests=tuple(ids.chunk(requests)))


@pytest.fixture(scope="session")
def networks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where finished networks are kept for all tests."""
    return tmp_path_factory.mktemp("networks")


@pytest.fixture(scope="session")
def gold(networks: Path) -> Gold:
    """Of a classification: 2 originals, 3 networks that judge, 2 for tuning."""
    return build_gold(
        make_case(), name="clouds", seeds=2, references=3, tuning_references=2, cache_dir=networks
    )
