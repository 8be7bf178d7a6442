"""Settings that mean nothing are refused, all at once, before anything is trained or written."""

from __future__ import annotations

import math
import os

import pytest
from torch import nn

from infounlearn.errors import InputError
from infounlearn.point import (
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
)

from .refusals import attempt, first, joined, labelled
from .worlds import TRAINED, WORLD, go

CASES = {
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
CASES |= {
    f"{name} {value}": ({"schedule": Schedule(**{name: value})}, f"schedule.{name} is {value!r}")
    for name in ("epochs", "batch_size", "forget_batch_size", "lr", "evaluations_per_epoch")
    for value in (math.nan, math.inf, -1, "2", None, 0)
}
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


@pytest.mark.parametrize("case", CASES)
def test_bad_settings_are_one_error_before_work(case, tmp_path):
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
