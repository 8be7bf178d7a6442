"""Release of whole rows with learned laws: a row's output is its own, probes find nothing."""

from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline

import infounlearn.feature.row_release as row_release
from tests.feature.rows import barycenter
from tests.feature.tables import mixed, numbers

SMALL = {"release": "rows", "networks": 2, "hidden": 48, "steps": 500, "lr": 5e-3, "dropout": 0.2}
ROWS, FITTED = 12_000, 8_000


# -- a row's output is its own -------------------------------------------------------------------


def test_batches_order_and_single_rows_give_the_same_release() -> None:
    frame = mixed(700)
    estimator = barycenter(sensitive="sex").fit(frame)
    whole = estimator.transform(frame)
    for size in (1, 90, 300):
        last = 12 if size == 1 else len(frame)
        parts = [estimator.transform(frame[at : at + size]) for at in range(0, last, size)]
        pd.testing.assert_frame_equal(pd.concat(parts)[:last], whole[:last])
    order = np.random.default_rng(0).permutation(len(frame))
    pd.testing.assert_frame_equal(estimator.transform(frame.iloc[order]), whole.iloc[order])
    thawed = pickle.loads(pickle.dumps(estimator))
    pd.testing.assert_frame_equal(thawed.transform(frame), whole)
    again = clone(estimator).fit(frame).transform(frame)
    pd.testing.assert_frame_equal(again, whole)
    assert not whole.equals(clone(estimator).set_params(random_state=1).fit_transform(frame))


def test_blocks_of_rows_are_as_one(monkeypatch: pytest.MonkeyPatch) -> None:
    X, z = numbers(900)
    estimator = barycenter().fit(X, sensitive=z)
    whole = estimator.transform(X, sensitive=z)
    monkeypatch.setattr(row_release, "BLOCK", 37)
    assert np.array_equal(estimator.transform(X, sensitive=z), whole)


@pytest.mark.parametrize("amount", [0.0, 0.5])
def test_the_dial_replaces_that_share_of_the_rows(amount: float) -> None:
    X, z = numbers(3000)
    full = barycenter().fit(X, sensitive=z).transform(X, sensitive=z)
    part = barycenter(amount=amount).fit(X, sensitive=z).transform(X, sensitive=z)
    moves = (full != X).any(1)
    mine = (part != X).any(1)
    assert np.array_equal(part[mine], full[mine])
    assert mine.sum() == pytest.approx(amount * moves.sum(), abs=4 * np.sqrt(0.25 * moves.sum()))


# -- with learned laws ---------------------------------------------------------------------------


def visible(X: np.ndarray, z: np.ndarray) -> float:
    """AUC of a boosted-tree probe, trained on one half of the rows and read on the other."""
    half = len(X) // 2
    probe = HistGradientBoostingClassifier(max_iter=60, random_state=0).fit(X[:half], z[:half])
    return float(roc_auc_score(z[half:], probe.predict_proba(X[half:])[:, 1]))


def test_what_only_the_joint_law_tells_is_removed() -> None:
    # Every column has one law in both groups; their product, or agreement, names the group.
    rng = np.random.default_rng(0)
    z = rng.integers(0, 2, ROWS)
    sign = 2 * z - 1
    first = rng.choice([-1, 1], ROWS)
    number = np.abs(rng.normal(size=ROWS)) * first * np.where(rng.random(ROWS) < 0.9, sign, -sign)
    frame = pd.DataFrame({"a": np.where(first > 0, "up", "down"), "x": number})
    estimator = barycenter(engine_options=SMALL).fit(frame[:FITTED], sensitive=z[:FITTED])
    fresh = estimator.transform(frame[FITTED:], sensitive=z[FITTED:])

    def read(rows: pd.DataFrame) -> float:
        return visible(np.column_stack((rows["a"] == "up", rows["x"])), z[FITTED:])

    assert read(frame[FITTED:]) > 0.85
    assert abs(read(fresh) - 0.5) < 0.05


def test_a_probe_finds_nothing_in_a_mixed_table() -> None:
    rng = np.random.default_rng(1)
    rows = ROWS
    z = (rng.random(rows) < 0.4).astype(int)
    age = np.round(rng.normal(40 + 5 * z, 10, rows))
    work = np.where(rng.random(rows) < 0.2 + 0.5 * z, "office", rng.choice(["field", "sea"], rows))
    wage = np.exp(rng.normal(size=rows)) * (1 + (work == "office")) + z
    frame = pd.DataFrame({"age": age, "work": work, "wage": wage})
    estimator = barycenter(engine_options=SMALL).fit(frame[:FITTED], sensitive=z[:FITTED])
    fresh = estimator.transform(frame[FITTED:], sensitive=z[FITTED:])

    def read(frame: pd.DataFrame) -> float:
        return visible(frame.assign(work=frame["work"].astype("category").cat.codes), z[FITTED:])

    assert read(frame[FITTED:]) > 0.75
    assert abs(read(fresh) - 0.5) < 0.05
    # What a moved row is made of does not name it: whole ages, wages of their own.
    assert (fresh["age"] % 1 == 0).all()
    assert fresh["wage"].duplicated().mean() < 0.02


def test_strata_are_released_apart() -> None:
    frame = mixed(600)
    frame["age"] += 1000.0 * (frame["work"] == "office")
    estimator = barycenter(sensitive="sex", given="work").fit(frame)
    released = estimator.transform(frame)
    assert (released["work"] == frame["work"]).all()
    assert ((released["age"] > 500) == (frame["work"] == "office")).all()


def test_in_a_pipeline_with_routed_groups() -> None:
    frame = mixed(300)
    y = (frame["age"] > 40).to_numpy().astype(int)
    numeric = frame[["age", "children", "owner", "sex"]].assign(sex=frame["sex"] == "m")
    model = make_pipeline(barycenter(sensitive="sex"), LogisticRegression(max_iter=1000))
    assert model.fit(numeric, y).predict(numeric).shape == (300,)


def test_a_stream_is_as_one_fit() -> None:
    frame = mixed(400)
    whole = barycenter(sensitive="sex").fit(frame).transform(frame)
    stream = barycenter(sensitive="sex")
    for start in (0, 200):
        stream.partial_fit(frame[start : start + 200])
    pd.testing.assert_frame_equal(stream.transform(frame), whole)
