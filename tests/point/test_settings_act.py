"""Every setting of a run changes it; fidelity heals towards the original."""

from __future__ import annotations

import copy
from dataclasses import fields, replace

import pytest
import torch
from torch import nn

from infounlearn.point import (
    MarginalInformation,
    MembershipInformation,
    Restart,
    Schedule,
    ScoreTransport,
    Steps,
    Utility,
)

from .worlds import SCHEDULE, TRAINED, WORLD, go, same

VARIANTS = {
    Schedule: {
        "epochs": 3, "batch_size": 16, "forget_batch_size": 8, "lr": 2e-2, "final_lr": 0.9,
        "optimizer": "sgd", "weight_decay": 0.3, "evaluations_per_epoch": 2,
        "batch_norm": "update", "max_grad_norm": 1e-3,
    },
    Utility: {"task": 0.3, "fidelity": 0.7},
    Restart: {"keep": 0.4, "noise": 0.7},
    MarginalInformation: {
        "gamma": 4.0, "budget": 1e-4, "alpha": 0.5, "prior": (0.3, 0.7), "conditional": True,
        "rate": 2.0,
    },
    MembershipInformation: {
        "gamma": 4.0, "level": "label", "bins": 4, "budget": 1e-4, "rate": 2.0,
    },
    ScoreTransport: {"gamma": 2.0},
}  # fmt: skip


class KeepLast(Steps):
    """Ends at step 12 with the weights of step 12, however good earlier ones were."""

    keeps = "this"

    def __init__(self):
        super().__init__(12)


@pytest.mark.parametrize("kind", VARIANTS)
def test_every_setting_is_varied_here(kind):
    assert {field.name for field in fields(kind)} == set(VARIANTS[kind])


@pytest.mark.parametrize(
    ("kind", "field"), [(kind, field) for kind in VARIANTS for field in VARIANTS[kind]]
)
def test_every_setting_acts(kind, field):
    """Each changes the weights (looks per epoch: the weights at each of which targets move)."""
    value = VARIANTS[kind][field]
    model = TRAINED
    if field == "batch_norm":
        model = nn.Sequential(nn.BatchNorm1d(8), copy.deepcopy(TRAINED))

    def run(changed):
        goal, more = ScoreTransport(gamma=1.0), {"schedule": SCHEDULE}
        if kind is Schedule:
            more["schedule"] = replace(SCHEDULE, **changed)
        elif kind is Utility:
            more["utility"] = Utility(**changed)
        elif kind is Restart:
            more["restart"] = Restart(**{"keep": 0.6, "noise": 0.5, **changed})
        else:
            # The budget acts from the first look on.
            more["schedule"] = replace(SCHEDULE, evaluations_per_epoch=1)
            more["stop"] = KeepLast()
            base = {"budget": 2e-4} if field in ("budget", "rate") else {}
            goal = kind(**{**base, **changed})
        return go(goal, model, **more).model

    assert not same(run({}), run({field: value}))


def test_seed_and_audit_share_act():
    assert not same(go(ScoreTransport(1.0)).model, go(ScoreTransport(1.0), seed=1).model)
    small = go(ScoreTransport(1.0), audit_share=0.2)
    assert not same(go(ScoreTransport(1.0)).model, small.model)
    assert len(small.audit_holdout[0]) == pytest.approx(24, abs=3)
    assert go(ScoreTransport(1.0), audit_share=0.0).audit_holdout is None


def test_fidelity_alone_heals_towards_the_original_and_not_towards_the_labels():
    """The teacher is no alias of the student: else its divergence is 0 and nothing heals."""
    noisy = (WORLD.retain[0], WORLD.retain[1].roll(1))
    run = go(
        None, restart=Restart(0.5, 0.5), utility=Utility(task=0.0, fidelity=1.0), retain=noisy,
        epochs=30, holdout=None,
    )  # fmt: skip
    start = go(None, restart=Restart(0.5, 0.5), epochs=0.01, lr=1e-12, holdout=None).model

    def distance(model):
        p, q = (torch.log_softmax(m(noisy[0]), 1) for m in (TRAINED, model))
        return float((p.exp() * (p - q)).detach().sum(1).mean())

    assert distance(run.model) < 0.1 * distance(start)


def test_an_unmoved_student_feels_no_fidelity():
    run = go(None, utility=Utility(task=0.0, fidelity=1.0), optimizer="sgd", holdout=None)
    for key, value in run.model.state_dict().items():
        torch.testing.assert_close(value, TRAINED.state_dict()[key], rtol=0, atol=1e-5)
