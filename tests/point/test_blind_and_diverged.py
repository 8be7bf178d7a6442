"""Objectives that cannot see a forget set say so beforehand; numbers that diverge end a run."""

from __future__ import annotations

import pytest
import torch

from infounlearn.errors import DivergenceError, InputError
from infounlearn.experiments.networks import Mlp
from infounlearn.point import BlindSpotWarning, MarginalInformation

from .worlds import WORLD, fit, go, rows, world


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


class Exploding(torch.optim.SGD):
    """Steps well four times, then not."""

    def step(self, closure=None):
        self.taken = getattr(self, "taken", 0) + 1
        for group in self.param_groups:
            group["lr"] = 1e-4 if self.taken <= 4 else 1e38
        return super().step(closure)


def test_divergence_after_a_good_evaluation_returns_the_good_state():
    result = go(None, optimizer=Exploding, evaluations_per_epoch=3)
    assert result.stopped == "numbers stopped being finite by step 6; state of step 4 kept"
    assert all(torch.isfinite(weight).all() for weight in result.model.parameters())
