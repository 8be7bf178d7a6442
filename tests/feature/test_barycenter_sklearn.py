"""The table barycenter in scikit-learn: forms of input, frames, pipelines, routed groups, y."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest
from sklearn import config_context
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from infounlearn.feature import WassersteinBarycenter
from tests.feature.tables import FRAME, X, Z

pytestmark = pytest.mark.usefixtures("plug")


@pytest.mark.parametrize("method", ["line", "gaussian"])
def test_column_array_and_frame_forms_agree(method: str) -> None:
    base: dict[str, Any] = {"method": method, "random_state": 0, "keys": "content"}
    by_array = WassersteinBarycenter(**base).fit_transform(X, sensitive=FRAME["s"])
    by_name = WassersteinBarycenter("s", **base).fit_transform(FRAME)
    by_polars = WassersteinBarycenter("s", **base).fit_transform(pl.from_pandas(FRAME))
    by_place = WassersteinBarycenter(0, **base).fit_transform(np.column_stack((Z, X)))
    assert list(by_name.columns) == by_polars.columns == ["a", "b", "c"]
    for other in (by_name.to_numpy(), by_polars.to_numpy(), by_place):
        assert np.array_equal(other, by_array)
    kept = WassersteinBarycenter("s", drop_sensitive=False, **base).fit_transform(FRAME)
    assert list(kept.columns) == ["a", "b", "c", "s"]
    assert kept["s"].equals(FRAME["s"])


@pytest.mark.parametrize("library", ["pandas", "polars"])
@pytest.mark.parametrize(
    "table",
    [X, FRAME[["a", "b", "c"]], pl.from_pandas(FRAME[["a", "b", "c"]])],
    ids=["array", "pandas", "polars"],
)
def test_set_output(library: str, table: Any) -> None:
    estimator = WassersteinBarycenter(method="gaussian").set_output(transform=library)
    out = estimator.fit(table, sensitive=Z).transform(table, sensitive=Z)
    assert type(out).__module__.startswith(library)
    assert list(out.columns) == list(estimator.get_feature_names_out())
    plain = WassersteinBarycenter(method="gaussian").fit_transform(table, sensitive=Z)
    assert np.allclose(out.to_numpy(), np.asarray(plain))


def test_the_column_form_runs_in_a_pipeline_and_a_grid_search() -> None:
    y = (X.sum(1) > 0).astype(int)
    pipeline = make_pipeline(
        WassersteinBarycenter("s", method="gaussian"), StandardScaler(), LogisticRegression()
    )
    search = GridSearchCV(pipeline, {"wassersteinbarycenter__amount": [0.0, 0.5, 1.0]}, cv=2)
    search.fit(FRAME, y)
    assert search.predict(FRAME).shape == (300,)
    assert len(search.cv_results_["mean_test_score"]) == 3


def test_the_metadata_form_is_routed_through_pipeline_and_grid_search() -> None:
    y = (X.sum(1) > 0).astype(int)
    with config_context(enable_metadata_routing=True):
        step = (
            WassersteinBarycenter(method="gaussian")
            .set_fit_request(sensitive=True)
            .set_transform_request(sensitive=True)
        )
        pipeline = make_pipeline(step, LogisticRegression())
        pipeline.fit(X, y, sensitive=Z)
        direct = WassersteinBarycenter(method="gaussian").fit_transform(X, sensitive=Z)
        expected = LogisticRegression().fit(direct, y).predict(direct)
        assert np.array_equal(pipeline.predict(X, sensitive=Z), expected)
        search = GridSearchCV(
            pipeline, {"wassersteinbarycenter__amount": [0.0, 1.0]}, cv=2, error_score="raise"
        )
        search.fit(X, y, sensitive=Z)
        assert search.best_params_["wassersteinbarycenter__amount"] in (0.0, 1.0)


@pytest.mark.parametrize(
    ("y", "expected"),
    [
        (np.where(Z, "yes", "no"), Z),
        (Z.astype(bool), Z),
        (Z + 5, Z),
        (X[:, 0], X[:, 0]),
    ],
    ids=["text", "truth", "whole", "number"],
)
def test_the_target_reaches_the_engine_as_codes_or_numbers(y: Any, expected: Any) -> None:
    settings: dict[str, Any] = {"method": "common-support", "use_target": True}
    fitted = WassersteinBarycenter(**settings).fit(X, y, sensitive=Z)
    assert np.array_equal(fitted._engines.parts[0].target, expected)
    # The target is not needed to release a row.
    assert fitted.transform(X[:2], sensitive=Z[:2]).shape == (2, 3)


def test_numbers_of_numpy_are_numbers() -> None:
    moved = [
        WassersteinBarycenter(
            method="gaussian", amount=kind(0.5), min_group=whole(3), random_state=whole(1)
        ).fit_transform(X, sensitive=Z)
        for kind, whole in ((float, int), (np.float32, np.int64))
    ]
    assert np.array_equal(*moved)
