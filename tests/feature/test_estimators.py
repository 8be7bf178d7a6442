"""The estimators: scikit-learn's contract, the dial, what they refuse."""

from __future__ import annotations

import pickle
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import pytest
import sklearn
import torch
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator

from infounlearn.errors import DivergenceError, InputError
from infounlearn.feature.estimators import (
    InformationRegularizedClassifier,
    InformationRegularizedRegressor,
)
from infounlearn.feature.estimators_information import debiased_information

Classifier = InformationRegularizedClassifier
Regressor = InformationRegularizedRegressor
FAST: dict[str, Any] = {"epochs": 30, "learning_rate": 0.02, "hidden": (8,), "random_state": 0}


def people(rows: int = 1500, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Two inputs, one of which tells Z; a score of both; Z as text."""
    rng = np.random.default_rng(seed)
    z = rng.random(rows) < 0.4
    x = rng.normal(size=(rows, 3))
    x[:, 0] += 1.5 * z
    score = x[:, 0] + x[:, 1] + 0.5 * rng.normal(size=rows)
    return x * [1.0, 100.0, 0.01], score, np.where(z, "m", "f")


def gap(values: np.ndarray, z: np.ndarray) -> float:
    return abs(float(values[z == "m"].mean() - values[z == "f"].mean()))


@pytest.fixture
def routing() -> Iterator[None]:
    with sklearn.config_context(enable_metadata_routing=True):
        yield


# --- the contract -------------------------------------------------------------------------------

BRISK: dict[str, Any] = {"learning_rate": 0.02, "epochs": 40, "random_state": 0}
COLUMN = {"sensitive": -1, "gamma": 0.1, "sensitive_bins": 2}


@pytest.mark.parametrize(
    "estimator",
    [
        Classifier(**BRISK),
        Regressor(**BRISK),
        Classifier(**COLUMN, **BRISK | {"epochs": 5}),
        Regressor(**COLUMN, **BRISK | {"epochs": 20}),
    ],
    ids=["classifier", "regressor", "classifier, column", "regressor, column"],
)
def test_check_estimator(estimator: Any) -> None:
    excused = {"check_array_api_input": "array API dispatch is off"}
    if estimator.sensitive is not None and isinstance(estimator, Classifier):
        excused["check_classifiers_train"] = "the column that is unlearned is most of the signal"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        results = check_estimator(estimator, expected_failed_checks=excused, on_fail=None)
    failed = {r["check_name"]: repr(r["exception"]) for r in results if r["status"] == "failed"}
    assert failed == {}
    assert len(results) > 40


@pytest.mark.parametrize("labels", [("no", "yes"), (3, -1), (False, True), ("a", "b", "c")])
def test_class_labels_of_any_type(labels: tuple[Any, ...]) -> None:
    X, score, z = people(300)
    y = np.array(labels)[np.digitize(score, np.quantile(score, [1 / 3, 2 / 3])) % len(labels)]
    model = Classifier(gamma=0.5, **FAST).fit(X, y, sensitive=z)
    assert model.classes_.tolist() == sorted(labels)
    probabilities = model.predict_proba(X)
    assert np.allclose(probabilities.sum(1), 1)
    assert (model.predict(X) == model.classes_[probabilities.argmax(1)]).all()
    assert model.decision_function(X).shape == ((300,) if len(labels) == 2 else (300, 3))
    assert (model.predict(X) == y).mean() > 0.6


@pytest.mark.parametrize("kind", [Classifier, Regressor])
def test_one_seed_one_model_and_no_global_generator(kind: Any) -> None:
    X, score, z = people(200)
    y = score > 0 if kind is Classifier else score
    before = torch.random.get_rng_state(), np.random.get_state()[1]  # noqa: NPY002
    settings = FAST | {"epochs": 3, "random_state": None}
    models = [kind(gamma=1.0, **settings | {"random_state": s}) for s in (1, 1, 2, None, None)]
    outputs = [model.fit(X, y, sensitive=z)._outputs(X) for model in models]
    assert (outputs[0] == outputs[1]).all()
    assert not (outputs[0] == outputs[2]).all()
    assert not (outputs[3] == outputs[4]).all()
    after = torch.random.get_rng_state(), np.random.get_state()[1]  # noqa: NPY002
    assert torch.equal(before[0], after[0])
    assert (before[1] == after[1]).all()


def test_clone_and_pickle() -> None:
    X, score, z = people(200)
    model = Classifier(max_information=0.1, **FAST | {"epochs": 3}).fit(X, score > 0, sensitive=z)
    assert clone(model).get_params() == model.get_params()
    assert (pickle.loads(pickle.dumps(model)).predict_proba(X) == model.predict_proba(X)).all()


def test_without_a_penalty_z_changes_nothing_bit_for_bit() -> None:
    X, score, z = people(200)
    with_z = Classifier(**FAST).fit(X, score > 0, sensitive=z)
    without = Classifier(**FAST).fit(X, score > 0)
    assert (with_z.decision_function(X) == without.decision_function(X)).all()
    assert without.information_ == {}
    assert with_z.information_["train"] > 0.01


@pytest.mark.usefixtures("routing")
def test_pipeline_and_grid_search_route_the_groups() -> None:
    X, score, z = people(600)
    model = Classifier(**FAST).set_fit_request(sensitive=True)
    pipe = make_pipeline(StandardScaler(), model)
    grid = {"informationregularizedclassifier__gamma": [0.0, 30.0]}
    search = GridSearchCV(pipe, grid, cv=3).fit(X, score > 0.6, sensitive=z)
    assert search.best_params_ == {"informationregularizedclassifier__gamma": 0.0}
    routed = clone(pipe).set_params(informationregularizedclassifier__gamma=30.0)
    shares = cross_val_predict(
        routed, X, score > 0.6, method="predict_proba", params={"sensitive": z}
    )[:, 1]
    plain = search.predict_proba(X)[:, 1]
    assert gap(shares, z) < 0.3 * gap(plain, z)


@pytest.mark.parametrize("library", ["pandas", "polars", "numpy"])
def test_sensitive_columns_are_no_inputs_and_not_needed_later(library: str) -> None:
    X, score, z = people(300)
    columns = {"sex": z, "a": X[:, 0], "b": X[:, 1], "old": score > 2, "c": X[:, 2]}
    table: Any = pd.DataFrame(columns)
    named: Any = ["sex", "old"]
    less = table.drop(columns=named)
    if library == "polars":
        table, less = (pytest.importorskip("polars").from_pandas(t) for t in (table, less))
    if library == "numpy":
        table, less, named = table.to_numpy(object), less.to_numpy(), [0, 3]
    model = Classifier(named, gamma=1.0, **FAST).fit(table, score > 0.6)
    assert len(model.layers_.weights[0]) == 3
    assert len(model.sensitive_groups_) == 4
    assert (model.predict(table) == model.predict(less)).all()
    if library != "numpy":
        with pytest.raises(InputError, match="in their order"):
            model.predict(less[["b", "a", "c"]])


def test_constant_columns_and_large_units_do_no_harm() -> None:
    X, score, z = people(300)
    wide = np.column_stack([X, np.full(300, 1e9), np.zeros(300)])
    model = Classifier(gamma=0.1, **FAST).fit(wide, score > 0.6, sensitive=z)
    assert (model.predict(wide) == (score > 0.6)).mean() > 0.8


def test_a_row_does_not_depend_on_its_batch() -> None:
    X, score, z = people(200)
    model = Regressor(gamma=1.0, **FAST).fit(X, score, sensitive=z)
    single = np.concatenate([model.predict(row[None]) for row in X])
    assert np.allclose(single, model.predict(X), rtol=1e-12, atol=1e-12)


# --- the dial -----------------------------------------------------------------------------------


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


# --- what is refused ----------------------------------------------------------------------------


def test_everything_wrong_is_said_at_once() -> None:
    X, score, z = people(50)
    X[3, 0] = np.nan
    model = Classifier(
        gamma=-1,
        max_information="x",
        level="hard",
        given="z",
        hidden=(0,),
        epochs=0,  # type: ignore[arg-type]
        batch_size=0,
        learning_rate=0,
        weight_decay=-1,
        validation_fraction=1.0,
        patience=0,
    )
    with pytest.raises(InputError) as error:
        model.fit(X, score[:49], sensitive=np.append(z[:48], [None, None]))
    for word in (
        "gamma",
        "max_information",
        "level",
        "given",
        "hidden",
        "epochs",
        "batch_size",
        "learning_rate",
        "weight_decay",
        "validation_fraction",
        "patience",
        "NaN",
        "y: ",
        "missing",
    ):
        assert word in str(error.value), word


@pytest.mark.parametrize(
    ("sensitive", "match"),
    [
        (None, "sensitive is missing"),
        (np.full(60, "f"), "one group"),
        (np.array(["f"] * 59 + ["m"]), "fewer than 2"),
        (np.array(["f", "m"] * 20), "40 rows, X has 60"),
        (np.array(["f", "m", None] * 20, dtype=object), "missing"),
    ],
)
def test_groups_that_cannot_be_unlearned_are_refused(sensitive: Any, match: str) -> None:
    X, score, _ = people(60)
    with pytest.raises(InputError, match=match):
        Classifier(gamma=1.0, **FAST).fit(X, score > 0.6, sensitive=sensitive)


def test_missing_and_continuous_groups_have_a_policy() -> None:
    X, score, z = people(300)
    holes = np.where(np.arange(300) % 7 == 0, None, z)
    model = Classifier(gamma=1.0, missing="group", **FAST).fit(X, score > 0.6, sensitive=holes)
    assert len(model.sensitive_groups_) == 3
    model = Classifier(gamma=1.0, **FAST).fit(X, score > 0.6, sensitive=X[:, 0])
    assert 2 <= len(model.sensitive_groups_) <= 16


def test_columns_that_are_no_numbers_or_do_not_exist_are_named() -> None:
    X, score, z = people(60)
    table = pd.DataFrame({"a": X[:, 0], "sex": z})
    for model, match in (
        (Classifier(**FAST), "one-hot encode"),
        (Classifier("gender", gamma=1.0, **FAST), "'gender' that X does not have"),
        (Classifier(["a", "sex"], gamma=1.0, **FAST), "all are sensitive"),
    ):
        with pytest.raises(InputError, match=match):
            model.fit(table, score > 0.6)
    with pytest.raises(InputError, match="given twice"):
        Classifier("sex", gamma=1.0, **FAST).fit(table, score > 0.6, sensitive=z)


def test_one_class_and_absurd_steps_end_in_one_clear_error() -> None:
    X, score, z = people(60)
    with pytest.raises(InputError, match="one class"):
        Classifier(**FAST).fit(X, np.ones(60))
    with pytest.raises(DivergenceError, match="learning_rate"):
        Regressor(gamma=1.0, **FAST | {"learning_rate": 1e20}).fit(X, score, sensitive=z)
