"""Every mistake is one error that names all problems, before anything is trained or written."""

from __future__ import annotations

import copy
import math
import os

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, IterableDataset, SubsetRandomSampler, TensorDataset

from infounlearn.errors import DivergenceError, InputError
from infounlearn.experiments.networks import Mlp
from infounlearn.point import (
    BlindSpotWarning,
    Calibrated,
    MarginalInformation,
    MembershipInformation,
    Restart,
    Schedule,
    ScoreTransport,
    Steps,
    TargetInformation,
    TimeBudget,
    Utility,
    UtilityGuard,
    unlearn,
)

from .worlds import OBJECTIVES, TRAINED, WORLD, fit, go, rows, world


class Endless(IterableDataset):
    def __iter__(self):
        yield from zip(*WORLD.forget, strict=True)


def first(pair, count):
    return pair[0][:count], pair[1][:count]


def joined(*pairs):
    return tuple(torch.cat(columns) for columns in zip(*pairs, strict=True))


def labelled(pair, label):
    return pair[0], torch.full_like(pair[1], label)


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
    "images of outputs": ({"model": nn.Unflatten(1, (2, 4))}, "model has no trainable parameter"),
    "no trainable parameter": ({"model": frozen()}, "model has no trainable parameter"),
    "no module": ({"model": "resnet18"}, "model is a str"),
    "device": ({"device": "abacus"}, "device 'abacus' cannot be used"),
    "mean loss": ({"loss": nn.CrossEntropyLoss()}, "loss returns () for 36 records"),
    "loss": ({"loss": "mse"}, "loss is 'mse'"),
    "fresh": ({"fresh": TRAINED.state_dict()}, "fresh is OrderedDict"),
    "on_evaluation": ({"on_evaluation": 3}, "on_evaluation is 3"),
    "objective text": ({"objective": "mi"}, "objective is 'mi'"),
    "objective class": ({"objective": ScoreTransport}, "objective is <class"),
    "restart text": ({"restart": "hard"}, "restart is 'hard'"),
    "restart keep": ({"restart": Restart(1.5, 0.1)}, "restart.keep is 1.5"),
    "restart noise": ({"restart": Restart(0.5, math.nan)}, "restart.noise is nan"),
    "stop text": ({"stop": "soon"}, "stop is 'soon'"),
    "stop class": ({"stop": Steps}, "stop is <class"),
    "stop in a list": ({"stop": [Steps(3), 7]}, "stop is 7"),
    "utility none": ({"utility": Utility(0, 0)}, "utility weighs task 0 and fidelity 0"),
    "utility negative": ({"utility": Utility(-1.0, 2.0)}, "utility weighs task -1.0"),
    "utility type": ({"utility": 3.0}, "utility is 3.0"),
    "schedule type": ({"schedule": {"epochs": 3}}, "schedule is {'epochs': 3}"),
    "audit share": ({"audit_share": 1.0}, "audit_share is 1.0"),
    "audit share of nearly all": ({"audit_share": 0.999}, "leaves no record of holdout for"),
    "seed": ({"seed": -1}, "seed is -1"),
    "seed type": ({"seed": 0.5}, "seed is 0.5"),
    "objective without holdout": (
        {"objective": ScoreTransport(), "holdout": None},
        "ScoreTransport compare(s) forget with held-out records, and holdout is missing",
    ),
    "stop without holdout": (
        {"stop": Calibrated(), "holdout": None, "objective": None},
        "Calibrated compare(s) forget with held-out records, and holdout is missing",
    ),
}  # fmt: skip

NONSENSE = [math.nan, math.inf, -1, "2", None, True]
for _name in ("epochs", "batch_size", "forget_batch_size", "lr", "evaluations_per_epoch"):
    for _value in (*NONSENSE, 0):
        if _value is not True:
            CASES[f"{_name} {_value}"] = (
                {"schedule": Schedule(**{_name: _value})},
                f"schedule.{_name} is {_value!r}",
            )
CASES |= {
    f"schedule {name} {value}": (
        {"schedule": Schedule(**{name: value})},
        f"schedule.{name} is {value!r}",
    )
    for name, value in [
        ("batch_size", 2.5), ("final_lr", 1.1), ("weight_decay", -0.1), ("max_grad_norm", 0.0),
        ("optimizer", "lion"), ("batch_norm", "on"),
    ]
}  # fmt: skip
CASES |= {
    f"stop {stop}": ({"stop": stop}, words)
    for stop, words in [
        (Calibrated(tolerance=0.5), "Calibrated.tolerance is 0.5"),
        (Calibrated(patience=0), "Calibrated has patience 0"),
        (Calibrated(utility_slack=math.nan), "utility_slack nan"),
        (Steps(0), "Steps is 0"),
        (Steps(1.5), "Steps is 1.5"),
        (TargetInformation(-1e-9), "TargetInformation is -1e-09 nats"),
        (TimeBudget(0), "TimeBudget is 0 s"),
        (UtilityGuard(1.0), "UtilityGuard is 1.0"),
    ]
}


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


@pytest.mark.parametrize("case", CASES)
def test_bad_input_is_one_error_before_work(case, tmp_path):
    change, words = CASES[case]
    message = attempt(tmp_path, change)
    assert message.startswith("unlearn: ")
    assert words in message


def test_all_problems_are_said_at_once(tmp_path):
    (tmp_path.parent / "in the way").write_text("")
    message = attempt(
        tmp_path,
        {
            "forget": labelled(WORLD.forget, 7),
            "retain": joined(WORLD.retain, first(WORLD.holdout, 4)),
            "schedule": Schedule(lr=-1.0, batch_size=0),
            "utility": Utility(0, 0),
            "stop": (Steps(0), TimeBudget(-1)),
            "restart": Restart(2.0),
            "seed": -3,
            "checkpoint": tmp_path.parent / "in the way" / "run",
        },
    )
    for words in (
        "36 label(s) of forget", "4 record(s) are in both retain and holdout", "schedule.lr is -1",
        "schedule.batch_size is 0", "utility weighs", "Steps is 0", "TimeBudget is -1",
        "restart.keep is 2.0", "seed is -3", "cannot be written",
    ):  # fmt: skip
        assert words in message, words
    assert f"unlearn: {message.count(chr(10))} problems" in message


def test_a_checkpoint_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("precious")
    with pytest.raises(InputError, match=r"checkpoint .*file.* cannot be written"):
        go(ScoreTransport(), checkpoint=tmp_path / "file" / "run")
    assert os.listdir(tmp_path) == ["file"]
    assert (tmp_path / "file").read_text() == "precious"


def test_an_unlabelled_forget_set_of_one_record_works_with_fixed_steps():
    result = go(ScoreTransport(1.0), forget=first(WORLD.forget, 1), stop=Steps(6))
    assert result.history[-1]["step"] == 12 or result.stopped.startswith("6 steps")


@pytest.mark.parametrize("kind", [MarginalInformation, MembershipInformation, ScoreTransport])
@pytest.mark.parametrize("gamma", [-1.0, math.nan, math.inf, "2", None])
def test_objectives_refuse_weights_that_are_none(kind, gamma):
    with pytest.raises(InputError, match=rf"{kind.__name__}: gamma is {gamma!r}"):
        kind(gamma=gamma)


@pytest.mark.parametrize(
    ("kind", "setting", "value"),
    [
        (MarginalInformation, "budget", 0.0),
        (MarginalInformation, "rate", -1.0),
        (MarginalInformation, "alpha", 0.0),
        (MarginalInformation, "alpha", 1.1),
        (MarginalInformation, "prior", (0.5, 0.6)),
        (MarginalInformation, "prior", (1.0, 0.0)),
        (MarginalInformation, "prior", (1.0,)),
        (MembershipInformation, "budget", -1e-3),
        (MembershipInformation, "level", "logit"),
        (MembershipInformation, "bins", 1),
        (MembershipInformation, "bins", 2.5),
    ],
)
def test_objectives_refuse_settings_that_mean_nothing(kind, setting, value):
    with pytest.raises(InputError, match=f"{kind.__name__}: {setting} is "):
        kind(**{setting: value})


REAL = {k: (v[0], v[0][:, :1]) for k, v in WORLD.given().items()}


@pytest.mark.parametrize("name", ["marginal", "label"])
def test_objectives_of_labels_refuse_regressors(name, tmp_path):
    with pytest.raises(InputError, match="regressor"):
        go(OBJECTIVES[name], Mlp((8, 1))(0), checkpoint=tmp_path / "run", **REAL)
    assert os.listdir(tmp_path) == []


def test_without_holdout_auto_says_what_it_needs_where_marginal_information_is_blind():
    blind = world(seed=3)
    mixed = (rows(torch.arange(36) % 3, 8)[0], torch.arange(36) % 3)
    model = fit(Mlp((8, 16, 3))(0), mixed, blind.retain)
    with pytest.raises(InputError, match=r"objective='auto' needs holdout .* cannot see"):
        go("auto", model, forget=mixed, retain=blind.retain, holdout=None, restart="auto")


def test_a_blind_objective_warns_beforehand_and_names_another():
    mixed = (rows(torch.arange(36) % 3, 8)[0], torch.arange(36) % 3)
    model = fit(Mlp((8, 16, 3))(0), mixed, WORLD.retain)
    with pytest.warns(BlindSpotWarning, match="cannot see this forget set .*use ScoreTransport"):
        result = go(MarginalInformation(), model, forget=mixed)
    assert "cannot see" in result.warnings[0]


def test_divergence_is_an_error_that_names_the_step_size():
    with pytest.raises(DivergenceError, match=r"lower schedule\.lr"):
        go(None, lr=1e30, optimizer="sgd", holdout=None)


def test_divergence_after_a_good_evaluation_returns_the_good_state():
    def explode(parameters, lr):
        return Exploding(list(parameters), lr)

    result = go(None, optimizer=explode, evaluations_per_epoch=3)
    assert result.stopped == "numbers stopped being finite by step 6; state of step 4 kept"
    assert all(torch.isfinite(weight).all() for weight in result.model.parameters())


class Exploding(torch.optim.SGD):
    """Steps well four times, then not."""

    def step(self, closure=None):
        self.taken = getattr(self, "taken", 0) + 1
        for group in self.param_groups:
            group["lr"] = 1e-4 if self.taken <= 4 else 1e38
        return super().step(closure)
