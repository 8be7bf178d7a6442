"""Every method gets the same chances, and the tuner sees none of the networks that judge."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

from infounlearn.experiments.compare import ours, tuning
from infounlearn.experiments.compare.design import ALL
from infounlearn.experiments.compare.gold import TUNING_SEED, Gold, View, show
from infounlearn.experiments.compare.runs import Ran, build, run, settings_of
from infounlearn.experiments.compare.tuning import Space, tune


@pytest.fixture(scope="module")
def found(gold: Gold) -> tuning.Tuned:
    return tune("fine-tune", gold, gold.rows(0.1), trials=5, seconds=600)


def test_published_settings_come_first_then_the_recipe_then_the_sampler(
    found: tuning.Tuned, gold: Gold
) -> None:
    assert [trial.source for trial in found.trials] == ["published", "recipe", *["tuned"] * 3]
    assert found.trials[0].settings == settings_of(build("fine-tune", {}))
    recipe = found.trials[1].settings
    assert (recipe["optimizer"], recipe["lr"]) == ("adam", gold.case.recipe.lr)
    assert len({str(sorted(trial.settings.items())) for trial in found.trials}) == 5


def test_the_best_is_the_smallest(found: tuning.Tuned) -> None:
    values = [trial.value for trial in found.trials]
    assert found.best.value == min(values)
    assert all(math.isfinite(value) for value in values)


def test_a_trial_is_judged_by_the_worst_distance_on_tuning_records(
    found: tuning.Tuned, gold: Gold
) -> None:
    for trial in found.trials[:3]:
        done = run(
            "fine-tune", trial.settings, gold.case, gold.tuning_original, gold.rows(0.1),
            TUNING_SEED,
        )  # fmt: skip
        assert done.model is not None
        shown = {name: show(done.model, own) for name, own in gold.tuning.records.items()}
        ratios = [one.ratio for one in gold.tuning.distances(shown).values()]
        assert trial.value == max(ratios)
        assert trial.rows == done.rows


def test_what_judges_at_the_end_plays_no_part(found: tuning.Tuned, gold: Gold) -> None:
    empty = View({}, {})
    blind = replace(gold, final=empty, originals=(), networks=())
    again = tune("fine-tune", blind, gold.rows(0.1), trials=5, seconds=600)
    assert again.trials == found.trials


def test_no_trial_starts_after_the_time_is_up_but_the_first(gold: Gold) -> None:
    again = tune("fine-tune", gold, gold.rows(0.1), trials=5, seconds=1e-9)
    assert [trial.source for trial in again.trials] == ["published"]


def test_trials_that_fail_score_infinity_and_the_search_goes_on(
    gold: Gold, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = tuning.run

    def failing(name, settings, *rest) -> Ran:
        if settings["optimizer"] == "adam":
            return Ran("diverged", "the loss is not finite")
        return real(name, settings, *rest)

    monkeypatch.setattr(tuning, "run", failing)
    again = tune("fine-tune", gold, gold.rows(0.05), trials=8, seconds=600)
    assert len(again.trials) == 8
    assert {trial.status for trial in again.trials} == {"done", "diverged"}
    assert again.trials[1].value == math.inf
    assert again.best.status == "done"


def test_a_method_that_cannot_run_at_all_is_tried_once(gold: Gold) -> None:
    again = tune("fine-tune", gold, 2.0, trials=4, seconds=600)
    assert {trial.status for trial in again.trials} == {"over budget"}
    assert again.best.status == "over budget"


@pytest.mark.parametrize("name", [name for name in ALL if name != ours.NAME])
def test_every_point_of_a_space_is_a_method_within_the_budget_and_back(
    gold: Gold, name: str
) -> None:
    import optuna

    space = Space(build(name, {}), gold, gold.rows(0.5))
    ranges = space.distributions(optuna)
    study = tuning._quiet_study(optuna, optuna.samplers.RandomSampler(seed=0))
    for _ in range(5):
        params = study.ask(ranges).params
        method = space.method(params)
        back = space.point(method)
        assert back is not None
        assert back.keys() == params.keys()
        for key, value in params.items():
            # A part of a pass is at least one step, so that short runs cannot be told apart.
            assert back[key] == (pytest.approx(value, rel=1e-6) if key == "epochs" else value)


def test_published_settings_of_retraining_are_those_of_the_case(gold: Gold) -> None:
    fixed = list(Space(build("retrain", {}), gold, gold.rows(0.5)).fixed())
    assert len(fixed) == 1
    recipe = gold.case.recipe
    own = fixed[0][1]
    for name in ("epochs", "lr", "batch_size", "optimizer"):
        assert getattr(own, name) == getattr(recipe, name)


def test_outputs_that_are_not_finite_score_infinity(
    gold: Gold, monkeypatch: pytest.MonkeyPatch
) -> None:
    nan = torch.tensor(float("nan"))
    monkeypatch.setattr(tuning, "show", lambda model, records: nan.expand(len(records), 3))
    again = tune("fine-tune", gold, gold.rows(0.05), trials=1, seconds=600)
    assert again.best.status == "diverged"
    assert again.best.value == math.inf
