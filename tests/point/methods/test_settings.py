"""Trap 4: every setting acts. (torchunlearn's SCRUB ignored its msteps.)"""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import pytest
from torch import nn

from infounlearn.errors import InputError
from infounlearn.point import unlearn
from infounlearn.point.methods import METHODS
from tests.point.worlds import TRAINED, WORLD, same

TRAINING: dict[str, Any] = {
    "epochs": 1.0, "lr": 0.02, "batch_size": 24, "optimizer": "adamw", "weight_decay": 0.5
}  # fmt: skip
OWN: dict[str, dict[str, Any]] = {
    "retrain": {"optimizer": "sgd"},
    "warm-restart": {"keep": 0.3, "noise": 0.5, "fidelity": 0.5, "optimizer": "sgd"},
    "fine-tune": {},
    "cf-k": {"k": 0, "layers": ("1",)},
    "eu-k": {"k": 0, "layers": ("1",)},
    "l1-sparse": {"alpha": 0.01, "free_epochs": 1.0},
    "gradient-ascent": {},
    "neg-grad-plus": {"alpha": 0.5, "forget_batch_size": 12},
    "random-label": {"variant": "amnesiac"},
    "salun": {"share": 0.2},
}
"""A value for each setting of a method's own, other than its default."""
CASES = [
    (name, key, value) for name, own in OWN.items() for key, value in {**TRAINING, **own}.items()
]


def go(method: Any) -> nn.Module:
    return unlearn(TRAINED, method=method, progress=False, **WORLD.given()).model


@pytest.fixture(scope="module")
def usual() -> dict[str, nn.Module]:
    """Results of two epochs with the published settings."""
    return {name: go(METHODS[name](epochs=2.0)) for name in OWN}


@pytest.mark.parametrize(("name", "setting", "value"), CASES)
def test_every_setting_changes_the_result(
    usual: dict[str, nn.Module], name: str, setting: str, value: Any
) -> None:
    method = replace(METHODS[name](epochs=2.0), **{setting: value})
    assert getattr(METHODS[name](epochs=2.0), setting) != value
    assert not same(go(method), usual[name])


@pytest.mark.parametrize("name", OWN)
def test_no_setting_is_left_out_above(name: str) -> None:
    assert {one.name for one in fields(METHODS[name])} == {*TRAINING, *OWN[name]}


@pytest.mark.parametrize("name", OWN)
def test_all_that_is_wrong_is_said_at_once(name: str) -> None:
    method = replace(
        METHODS[name](), lr=0, epochs=-1.0, batch_size=0, optimizer="lion", weight_decay=-1
    )
    with pytest.raises(InputError) as caught:
        go(method)
    for setting in ("lr is 0", "epochs is -1", "batch_size is 0", "optimizer is", "weight_decay"):
        assert f"{name}: {setting}" in str(caught.value)


@pytest.mark.parametrize("name", OWN)
def test_its_own_settings_out_of_range_are_refused(name: str) -> None:
    for setting in OWN[name]:
        with pytest.raises(InputError, match=f"{name}: {setting} is -0.5"):
            go(replace(METHODS[name](), **{setting: -0.5}))
