"""What the penalty refuses, and that a refusal leaves its memory as it was."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from infounlearn.errors import DivergenceError, InputError
from infounlearn.feature.penalty import InformationPenalty
from tests.feature.penalty_world import primed, world


def test_settings_are_refused_together() -> None:
    with pytest.raises(InputError) as error:
        InformationPenalty(
            -1.0,
            max_information=0.0,
            level="hard",  # type: ignore[arg-type]
            decay=1.0,
            num_groups=0,
            prior=(0.5, 0.6),
            crossed=True,
        )
    message = str(error.value)
    for word in ("gamma", "max_information", "level", "decay", "groups", "prior", "crossed"):
        assert word in message


@pytest.mark.parametrize(
    ("z", "match"),
    [
        (torch.zeros(7, dtype=torch.long), "shape"),
        (torch.zeros(8), "type"),
        (torch.full((8,), -1), "from -1"),
        (torch.full((8,), 10**9), "runs from"),
        (np.array(["f", "m"] * 4), "encode_sensitive"),
        ({}, "no attribute"),
    ],
)
def test_groups_that_are_none_are_refused(z: object, match: str) -> None:
    with pytest.raises(InputError, match=match):
        InformationPenalty(1.0)(torch.randn(8, 2), z)


def test_names_must_agree() -> None:
    z = torch.arange(8) % 2
    with pytest.raises(InputError, match="no setting"):
        InformationPenalty({"sex": 1.0})(torch.randn(8, 2), {"race": z})
    named = InformationPenalty(1.0)
    named(torch.randn(8, 2), {"sex": z})
    with pytest.raises(InputError, match="mapping"):
        named(torch.randn(8, 2), z)


@pytest.mark.parametrize("outputs", [torch.zeros(0, 2), torch.zeros(8, 2, 2), torch.arange(8)])
def test_outputs_that_are_none_are_refused(outputs: Tensor) -> None:
    with pytest.raises(InputError, match="floating-point"):
        InformationPenalty(1.0)(outputs, torch.zeros(8, dtype=torch.long))


@pytest.mark.parametrize("level", ["label", "score"])
@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_outputs_that_diverged_do_not_poison_the_memory(level: str, value: float) -> None:
    penalty = primed(level).train()
    before = penalty.state_dict()["_extra_state"]
    logits, z = world(16, 0)
    logits[3] = value
    with pytest.raises(DivergenceError, match="untouched"):
        penalty(logits, z)
    assert penalty.state_dict()["_extra_state"] == before


def test_another_number_of_classes_is_refused() -> None:
    penalty = InformationPenalty(1.0)
    penalty(*world(16, 0, classes=2))
    with pytest.raises(InputError, match="3 outcomes, earlier batches had 2"):
        penalty(*world(16, 0))
