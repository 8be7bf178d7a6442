"""Records and models that cannot be used are one error before anything is trained."""

from __future__ import annotations

import copy
import math
import os

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, IterableDataset, SubsetRandomSampler, TensorDataset

from infounlearn.errors import InputError
from infounlearn.experiments.networks import Mlp
from infounlearn.point import ScoreTransport, Steps

from .refusals import attempt, first, joined, labelled
from .worlds import OBJECTIVES, TRAINED, WORLD, go, rows


class Endless(IterableDataset):
    def __iter__(self):
        yield from zip(*WORLD.forget, strict=True)


def twisted(part, value):
    """The trained network with ``value`` in one weight."""
    model = copy.deepcopy(TRAINED)
    with torch.no_grad():
        model.get_parameter(part).view(-1)[0] = value
    return model


def frozen():
    model = copy.deepcopy(TRAINED)
    return model.requires_grad_(False)


class Pair(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = copy.deepcopy(TRAINED)

    def forward(self, x):
        return self.inner(x), x


LONG = rows(torch.arange(300) % 3, 5, 9)
CASES = {
    "forget empty": ({"forget": first(WORLD.forget, 0)}, "forget is empty"),
    "retain empty": ({"retain": first(WORLD.retain, 0)}, "retain is empty"),
    "holdout empty": ({"holdout": first(WORLD.holdout, 0)}, "holdout is empty"),
    "forget missing": ({"forget": None}, "forget is missing"),
    "retain missing": ({"retain": None}, "retain is missing"),
    "overlap": (
        {"retain": joined(WORLD.retain, first(WORLD.forget, 3))},
        "3 record(s) are in both forget and retain",
    ),
    "overlap under another type of label": (
        {"forget": (WORLD.forget[0], WORLD.forget[1].int()),
         "retain": joined(WORLD.retain, first(WORLD.forget, 3))},
        "3 record(s) are in both forget and retain",
    ),
    "held out and kept": (
        {"holdout": joined(WORLD.holdout, first(WORLD.retain, 2))},
        "2 record(s) are in both retain and holdout",
    ),
    "held out and forgotten": (
        {"holdout": joined(WORLD.holdout, first(WORLD.forget, 1))},
        "1 record(s) are in both forget and holdout",
    ),
    "swapped": (
        {"forget": WORLD.retain, "retain": WORLD.forget},
        "forget holds 192 records, retain 36",
    ),
    "one forget record": ({"forget": first(WORLD.forget, 1)}, "forget holds one record"),
    "one retain record": ({"retain": first(WORLD.retain, 1)}, "retain holds one record"),
    "few held out": ({"holdout": first(WORLD.holdout, 5)}, "holdout holds 5 record(s)"),
    "class missing": (
        {"holdout": tuple(part[WORLD.holdout[1] > 0] for part in WORLD.holdout)},
        "classes [0] of the forget set have no record in the targets part",
    ),
    "labels too large": ({"forget": labelled(WORLD.forget, 3)}, "36 label(s) of forget lie"),
    "labels negative": ({"retain": labelled(WORLD.retain, -100)}, "192 label(s) of retain lie"),
    "labels of two dimensions": (
        {"forget": (WORLD.forget[0], WORLD.forget[1][:, None])},
        "labels of forget have shape (36, 1)",
    ),
    "held-out labels of two dimensions": (
        {"holdout": (WORLD.holdout[0], WORLD.holdout[1][:, None])},
        "labels of holdout have shape",
    ),
    "targets of two kinds": (
        {"forget": (WORLD.forget[0], WORLD.forget[1].float())},
        "targets of forget are real numbers, those of retain and holdout class labels",
    ),
    "wrong width": ({"forget": first(LONG, 30)}, "model cannot be applied to forget records"),
    "wrong type": (
        {"retain": (WORLD.retain[0].double(), WORLD.retain[1])},
        "model cannot be applied to retain records",
    ),
    "unequal lengths": (
        {"forget": (WORLD.forget[0], WORLD.forget[1][:-1])},
        "forget pairs 36 inputs with 35 targets",
    ),
    "arrays": (
        {"forget": tuple(part.numpy() for part in WORLD.forget)},
        "forget is a tuple",
    ),
    "path": ({"forget": "forget.csv"}, "forget is a str"),
    "iterable": ({"forget": Endless()}, "forget is an iterable dataset"),
    "loader of an iterable": ({"forget": DataLoader(Endless())}, "forget is an iterable dataset"),
    "loader with drop_last": (
        {"retain": DataLoader(TensorDataset(*WORLD.retain), drop_last=True)},
        "the retain loader drops its last batch",
    ),
    "loader with a sampler": (
        {"forget": DataLoader(TensorDataset(*WORLD.retain), sampler=SubsetRandomSampler([1, 2]))},
        "the forget loader draws by a SubsetRandomSampler",
    ),
    "not finite": ({"model": twisted("3.weight", math.nan)}, "outputs on forget are not finite"),
    "infinite": ({"model": twisted("3.bias", math.inf)}, "model outputs on retain are not finite"),
    "one logit": ({"model": Mlp((8, 1))(0)}, "model returns a single logit"),
    "tuple of outputs": ({"model": Pair()}, "model returns tuple for forget records"),
    "images of outputs": (
        {"model": nn.Sequential(nn.Linear(8, 8), nn.Unflatten(1, (2, 4)))},
        "model returns (36, 2, 4) for forget records",
    ),
    "no trainable parameter": ({"model": frozen()}, "model has no trainable parameter"),
    "no module": ({"model": "resnet18"}, "model is a str"),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_bad_records_are_one_error_before_work(case, tmp_path):
    change, words = CASES[case]
    message = attempt(tmp_path, change)
    assert message.startswith("unlearn: ")
    assert words in message


def test_a_forget_set_of_one_record_works_with_fixed_steps():
    one = first(WORLD.forget, 1)
    result = go(ScoreTransport(1.0), forget=one, stop=Steps(6), evaluations_per_epoch=1)
    assert [row["step"] for row in result.history] == [0, 6]
    assert result.stopped.startswith("6 steps done")


REAL = {k: (v[0], v[0][:, :1]) for k, v in WORLD.given().items()}


@pytest.mark.parametrize("name", ["marginal", "label"])
def test_objectives_of_labels_refuse_regressors(name, tmp_path):
    with pytest.raises(InputError, match="regressor"):
        go(OBJECTIVES[name], Mlp((8, 1))(0), checkpoint=tmp_path / "run", **REAL)
    assert os.listdir(tmp_path) == []
