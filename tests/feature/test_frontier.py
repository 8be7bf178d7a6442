"""A frontier: the same folds for all, every figure what it says, areas, forms of input."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LinearRegression, LogisticRegression

from infounlearn.data.folds import stratified_folds
from infounlearn.errors import InputError
from infounlearn.feature import Dial, frontier
from infounlearn.feature.frontier_measures import information_of_rates
from tests.feature.tables import task


class Coin(ClassifierMixin, BaseEstimator):
    """Decides by the sign of column 0, and with probability ``mix`` by a fair coin instead."""

    def __init__(self, mix: float = 0.0) -> None:
        self.mix = mix

    def fit(self, X: np.ndarray, y: np.ndarray) -> Coin:
        self.classes_ = np.unique(y)
        return self

    def predict(self, X: np.ndarray) -> np.ndarray:
        raise AssertionError("a decider by chance is asked for its law")

    def decision_proba(self, X: np.ndarray) -> np.ndarray:
        accept = (1 - self.mix) * (X[:, 0] > 0) + self.mix / 2
        return np.column_stack([1 - accept, accept])


class ByGroup(ClassifierMixin, BaseEstimator):
    """Decides what group it is in: it must be told."""

    def fit(self, X: np.ndarray, y: np.ndarray, sensitive: np.ndarray) -> ByGroup:
        assert len(sensitive) == len(y)
        self.classes_ = np.unique(y)
        return self

    def predict(self, X: np.ndarray, sensitive: np.ndarray) -> np.ndarray:
        return self.classes_[(np.asarray(sensitive) == "b").astype(int)]


def test_every_figure_is_what_it_says_on_the_rows_of_its_own_fold() -> None:
    X, y, z = task()
    found = frontier({"coin": Dial(Coin(), "mix", (0.0, 0.5, 1.0))}, X, y, z, random_state=3)
    folds = stratified_folds(y, (z == "b").astype(int), 5, 3)
    assert len(found.cells) == 15
    for cell in found.cells:
        _, test = folds[cell.fold]
        accept = (1 - cell.value) * (X[test, 0] > 0) + cell.value / 2
        expected = np.where(y[test] == 1, accept, 1 - accept).mean()
        gap = accept[z[test] == "b"].mean() - accept[z[test] == "a"].mean()
        assert cell.figures["accuracy"] == pytest.approx(expected)
        assert cell.figures["parity"] == pytest.approx(abs(gap))
    fair = [cell for cell in found.cells if cell.value == 1.0]
    for cell in fair:
        assert cell.figures["nats"] == pytest.approx(0, abs=1e-15)
        assert cell.figures["auroc"] == 0.5
    constants = [one["accuracy"] for one in found.constants]
    assert constants == pytest.approx([1 - y[test].mean() for _, test in folds])


def test_the_attribute_reaches_those_that_take_it_and_only_those() -> None:
    X, y, z = task()
    found = frontier([LogisticRegression(), ByGroup()], X, y, z, folds=2)
    assert found.methods == ("LogisticRegression", "ByGroup")
    assert not found.failures
    rows = {row["method"]: row for row in found.rows()}
    assert rows["ByGroup"]["parity"] == 1.0
    share = (z == "b").mean()
    entropy = -share * math.log(share) - (1 - share) * math.log(1 - share)
    assert rows["ByGroup"]["nats"] == pytest.approx(entropy, abs=1e-3)


def test_metadata_routing_is_understood() -> None:
    import sklearn
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    X, y, z = task(100)
    with sklearn.config_context(enable_metadata_routing=True):
        asked = ByGroup().set_fit_request(sensitive=True).set_predict_request(sensitive=True)
        found = frontier({"pipe": make_pipeline(StandardScaler(), asked)}, X, y, z, folds=2)
    assert [cell.error for cell in found.cells] == [None, None]


def test_areas_reward_what_is_better_at_every_gap() -> None:
    X, y, z = task(2000)
    half = Dial(Coin(), "mix", (0.0, 0.25, 0.5, 0.75, 1.0))
    found = frontier({"sign": Coin(), "coin": half, "model": LogisticRegression()}, X, y, z)
    areas = {area.method: area for area in found.hypervolumes(against="coin")}
    assert areas["coin"].difference is None
    assert areas["sign"].difference is not None
    assert areas["sign"].difference.mean < 0
    by_fold = np.subtract(areas["sign"].folds, areas["coin"].folds)
    assert areas["sign"].difference.mean == pytest.approx(by_fold.mean())
    # D is the gap of the first method; where nothing is on offer the constant predictor is.
    assert found.limit() == pytest.approx(np.mean([c.figures["parity"] for c in found.cells[:5]]))
    tiny = found.hypervolumes(limit=1e-9, against="sign")
    constant = np.mean([one["accuracy"] for one in found.constants])
    assert [area.mean for area in tiny if area.method == "sign"] == pytest.approx([constant])


def test_regression_is_measured_by_error_and_law() -> None:
    X, _, z = task(500)
    target = X[:, 0] + 0.5 * X[:, 1]
    found = frontier([LinearRegression()], X, target, z, repeats=2)
    assert len(found.cells) == 10
    row = found.rows()[0]
    assert row["mse"] == pytest.approx(0, abs=1e-20)
    shift = target[z == "b"].mean() - target[z == "a"].mean()
    assert row["wasserstein"] == pytest.approx(shift, rel=0.2)
    assert 0.2 < row["ks"] < 0.6
    assert "accuracy" not in row
    best = found.hypervolumes()[0].mean
    # Below D the constant predictor is all there is, so the area is minus its error, partly.
    assert best is not None
    assert best < 0
    assert found.table()[0][2:6:2] == ("mse", "ks")


def test_frames_and_several_attributes() -> None:
    pandas = pytest.importorskip("pandas")
    X, y, z = task(300)
    frame = pandas.DataFrame(X, columns=["u", "v", "w"])
    other = pandas.DataFrame({"sex": z, "old": X[:, 2] > 0})
    found = frontier([LogisticRegression()], frame, pandas.Series(y), other, folds=2)
    assert not found.failures
    assert sum(found.settings["groups"].values()) == 300
    assert len(found.settings["groups"]) == 4


def test_information_of_rates_is_that_of_the_table() -> None:
    codes = np.array([0] * 30 + [1] * 10)
    assert information_of_rates(np.array([[1.0, 0.0], [0.0, 1.0]]), codes) == pytest.approx(
        -0.75 * math.log(0.75) - 0.25 * math.log(0.25)
    )
    assert information_of_rates(np.array([[0.3, 0.7], [0.3, 0.7]]), codes) == 0


def test_a_plot_holds_every_method() -> None:
    X, y, z = task(100)
    dial = (LogisticRegression(), "C", (0.01, 1.0))
    axes = frontier({"a": LogisticRegression(), "b": dial}, X, y, z, folds=2).plot("auroc", "ks")
    assert axes.get_legend_handles_labels()[1] == ["a", "b"]
    assert axes.get_ylabel() == "AUROC"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"methods": []}, "no methods"),
        ({"methods": {"a": LogisticRegression}}, "pass an estimator"),
        ({"methods": {"a": (LogisticRegression(), "D", (1,))}}, "no parameter 'D'"),
        ({"methods": {"a": (LogisticRegression(), "C", ())}}, "no values"),
        ({"methods": [LogisticRegression(), LogisticRegression()]}, "occurs twice"),
        ({"folds": 1}, "folds is 1"),
        ({"repeats": 0}, "repeats is 0"),
        ({"random_state": None}, "random_state"),
        ({"task": "ranking"}, "task is 'ranking'"),
        ({"plain_method": "b"}, "plain_method is 'b'"),
        ({"y": np.zeros(7)}, "one target per row"),
        ({"sensitive": ["a"] * 60}, "one group only"),
        ({"sensitive": ["a"] * 57 + ["b"] * 3}, "fewer than 5 rows"),
        ({"sensitive": ["a", "b"] * 29}, "58"),
        ({"sensitive": np.array(["a", "b"])}, "sensitive 2: pass one value per row"),
    ],
)
def test_bad_input_is_named(change: dict[str, Any], said: str) -> None:
    X, y, z = task(60)
    given = {"methods": [LogisticRegression()], "X": X, "y": y, "sensitive": z, **change}
    with pytest.raises(InputError, match=said):
        frontier(given.pop("methods"), **given)


def test_unknown_measures_and_comparisons_are_named() -> None:
    X, y, z = task(60)
    found = frontier([LogisticRegression()], X, y, z, folds=2)
    with pytest.raises(InputError, match="utility 'mse' was not measured"):
        found.table("mse")
    with pytest.raises(InputError, match="against is 'b'"):
        found.hypervolumes(against="b")
