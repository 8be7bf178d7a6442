"""Runs that must end in one error before anything is trained or written, and what to spoil."""

from __future__ import annotations

import copy
import os

import pytest
import torch
from torch import nn

from infounlearn.errors import InputError
from infounlearn.point import Calibrated, Restart, ScoreTransport, unlearn

from .worlds import TRAINED, WORLD


def first(pair, count):
    """Its first rows."""
    return pair[0][:count], pair[1][:count]


def joined(*pairs):
    """All rows of all pairs."""
    return tuple(torch.cat(columns) for columns in zip(*pairs, strict=True))


def labelled(pair, label):
    """Its rows, all of one label."""
    return pair[0], torch.full_like(pair[1], label)


def attempt(tmp_path, change):
    """Run with ``change``; fails if the model is trained or anything is written or seen."""
    change = dict(change)
    model = change.pop("model", TRAINED)

    def refuse(module, inputs):
        assert not module.training, "a forward in training mode"

    hooks = []
    if isinstance(model, nn.Module):
        hooks = [module.register_forward_pre_hook(refuse) for module in model.modules()]
    before = copy.deepcopy(model.state_dict()) if hooks else {}
    options = {
        **WORLD.given(), "objective": ScoreTransport(), "restart": Restart(0.9, 0.1),
        "stop": Calibrated(), "checkpoint": tmp_path / "new" / "run", "progress": False, **change,
    }  # fmt: skip
    try:
        with pytest.raises(InputError) as caught:
            unlearn(model, **options)
    finally:
        for hook in hooks:
            hook.remove()
    if hooks:
        for key, value in model.state_dict().items():
            torch.testing.assert_close(value, before[key], equal_nan=True, rtol=0, atol=0)
    assert os.listdir(tmp_path) == []
    return str(caught.value)
