"""The default looks first, then chooses, and says what it chose."""

from __future__ import annotations

import pytest
import torch

from infounlearn.point import MarginalInformation, Restart, ScoreTransport
from infounlearn.point.plan import LARGEST_KEEP, MILD, STRONG_KEEP, strong

from .worlds import NETWORK, OBJECTIVES, TRAINED, WORLD, fit, go, rows, same

MIXED = rows(torch.arange(36) % 3, 8)
BLIND = {"forget": MIXED, "model": fit(NETWORK(0), MIXED, WORLD.retain)}


def auto(**more):
    model = more.pop("model", TRAINED)
    return go("auto", model, **{"restart": "auto", **more})


def test_a_forget_set_of_a_class_is_restarted_strongly_with_or_without_holdout():
    for more in ({}, {"holdout": None}):
        result = auto(**more)
        settings = result.summary.settings
        assert settings["objective"] is None
        assert settings["restart"]["name"] == "Restart"
        assert settings["restart"]["noise"] == 1.0
        assert settings["restart"]["keep"] == strong(12).keep
        assert "sees this forget set" in result.warnings[0]
        assert "chosen: Restart(" in result.warnings[-1]


def test_a_forget_set_like_the_rest_is_transported_after_a_mild_restart():
    result = auto(**BLIND)
    assert result.summary.settings["objective"] == {
        "name": "ScoreTransport", "gamma": ScoreTransport().gamma,
    }  # fmt: skip
    assert result.summary.settings["restart"]["keep"] == MILD.keep
    assert "cannot see this forget set" in result.warnings[0]
    assert same(result.model, go(ScoreTransport(), BLIND["model"], forget=MIXED, restart=MILD)
                .model)  # fmt: skip


@pytest.mark.parametrize("world", [{}, BLIND])
def test_a_restart_of_the_callers_is_kept(world):
    assert auto(restart=Restart(0.6, 0.2), **world).summary.settings["restart"]["keep"] == 0.6
    assert auto(restart=None, **world).summary.settings["restart"] is None


def test_an_objective_of_the_callers_is_not_restarted_unasked():
    result = go(OBJECTIVES["transport"], restart="auto")
    assert result.summary.settings["restart"] is None
    assert result.summary.method == repr(OBJECTIVES["transport"])
    assert go(None).summary.method == "fine-tuning on the retain set"


def test_regressors_are_transported():
    given = {k: (v[0], v[0][:, :1]) for k, v in WORLD.given().items()}
    model = torch.nn.Sequential(*NETWORK(0)[:3], torch.nn.Linear(16, 1))
    settings = go("auto", model, restart="auto", **given).summary.settings
    assert settings["objective"]["name"] == "ScoreTransport"


def test_a_run_with_fewer_steps_keeps_more():
    keeps = [strong(steps).keep for steps in (1, 10, 100, 1000, 10**6)]
    assert keeps == sorted(keeps, reverse=True)
    assert keeps[0] <= LARGEST_KEEP
    assert keeps[-1] <= STRONG_KEEP


def test_what_is_seen_does_not_depend_on_the_objective():
    sentences = {go(goal).warnings[0] for goal in (None, MarginalInformation(), ScoreTransport())}
    assert len(sentences) == 1
