"""The dial of the estimators: weights, budgets, what the target explains, held-out rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from sklearn.exceptions import ConvergenceWarning

from infounlearn.feature.estimators_information import debiased_information
from tests.feature.people import FAST, Classifier, Regressor, gap, people


def test_gamma_trades_accuracy_for_information() -> None:
    X, score, z = people()
    y = score > 0.6
    fresh, fresh_score, fresh_z = people(4000, seed=1)
    found = []
    for gamma in (0.0, 10.0, 100.0):
        model = Classifier(gamma=gamma, **FAST).fit(X, y, sensitive=z)
        shares = model.predict_proba(fresh)[:, 1]
        right = (model.predict(fresh) == (fresh_score > 0.6)).mean()
        found.append((right, gap(shares, fresh_z), model.information_["train"]))
    right, gaps, nats = zip(*found, strict=True)
    assert right[0] > right[1] > right[2] > 0.6
    assert gaps[0] > 1.5 * gaps[1] > 3 * gaps[2]
    assert nats[0] > 0.05 > 2 * nats[1] > 10 * nats[2]


@pytest.mark.parametrize(("level", "budget"), [("label", 0.01), ("score", 0.02)])
def test_a_budget_is_met(level: Any, budget: float) -> None:
    X, score, z = people()
    model = Classifier(max_information=budget, level=level, **FAST | {"epochs": 60})
    model.fit(X, score > 0.6, sensitive=z)
    assert 0.4 * budget < model.information_["train"] < 1.5 * budget
    assert model.weight_ > 0


def test_a_budget_that_was_not_met_is_said() -> None:
    X, score, z = people()
    with pytest.warns(ConvergenceWarning, match="nats are left"):
        Classifier(max_information=1e-6, **FAST | {"epochs": 2}).fit(X, score > 0.6, sensitive=z)


def test_the_regressor_closes_the_gap_of_its_predictions() -> None:
    X, score, z = people()
    plain, fair = (
        Regressor(gamma=gamma, **FAST).fit(X, 1e3 * score, sensitive=z) for gamma in (0.0, 20.0)
    )
    assert plain.score(X, 1e3 * score) > 0.85
    assert gap(fair.predict(X), z) < 0.2 * gap(plain.predict(X), z)
    assert fair.information_["train"] < 0.1 * plain.information_["train"]
    assert fair.score(X, 1e3 * score) > 0.35


def test_given_the_target_differences_that_it_explains_stay() -> None:
    """Z moves the score, and the inputs tell Z only through it: nothing is to be removed."""
    rng = np.random.default_rng(0)
    z = rng.random(2000) < 0.5
    y = rng.random(2000) < 0.2 + 0.6 * z
    X = rng.normal(size=(2000, 2)) + 2 * y[:, None]
    both = [
        Classifier(gamma=20.0, given=given, **FAST).fit(X, y, sensitive=z)
        for given in (None, "target")
    ]
    parity, odds = (
        abs(m.predict_proba(X)[z, 1].mean() - m.predict_proba(X)[~z, 1].mean()) for m in both
    )
    assert parity < 0.1 < 0.4 < odds
    assert abs(both[1].information_["train"]) < 2e-3
    target = Regressor(gamma=1.0, given="target", **FAST).fit(X, X.sum(1), sensitive=z)
    assert target.information_["train"] < 0.02


def test_validation_rows_are_held_out_and_end_the_run() -> None:
    X, score, z = people(600)
    y = score + 5 * np.random.default_rng(0).normal(size=600) > 0.6
    settings = FAST | {"epochs": 100, "hidden": (64,)}
    model = Classifier(gamma=0.5, validation_fraction=0.25, patience=5, **settings)
    model.fit(X, y, sensitive=z)
    assert model.n_iter_ < 100
    assert model.stopped_ == "no better for 5 epochs"
    assert set(model.information_) == {"train", "validation"}
    objective = [
        h["validation_loss"] + h["weight"] * h["validation_information"] for h in model.history_
    ]
    assert int(np.argmin(objective)) == model.n_iter_ - 6


def test_information_of_noise_is_not_biased_upwards() -> None:
    rng = np.random.default_rng(0)
    values = [
        debiased_information(
            torch.from_numpy(rng.normal(size=(60, 8)) * 2), np.arange(60) % 3, None
        )
        for _ in range(300)
    ]
    assert abs(np.mean(values)) < 4 * np.std(values) / np.sqrt(300)
