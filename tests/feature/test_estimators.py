"""The estimators are of scikit-learn: its contract, labels, seeds, routing, tables, units."""

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
from sklearn.model_selection import GridSearchCV, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator

from infounlearn.errors import InputError
from tests.feature.people import FAST, Classifier, Regressor, gap, people


@pytest.fixture
def routing() -> Iterator[None]:
    with sklearn.config_context(enable_metadata_routing=True):
        yield


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
