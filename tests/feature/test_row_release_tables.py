"""Release of whole rows of any table: small, wide, constant, unseen, missing; its options."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
import polars as pl
import pytest

from infounlearn.errors import InputError
from infounlearn.feature.columns import Layout, MixedTable, Variable
from infounlearn.feature.engine import Settings
from infounlearn.feature.row_release import fit_rows
from tests.feature.rows import TINY, barycenter
from tests.feature.tables import mixed, numbers

# -- tables of any shape -------------------------------------------------------------------------


@pytest.mark.parametrize("make", [pd.DataFrame, pl.DataFrame])
def test_frames_come_back_with_their_types_and_one_hot_blocks(make: Callable) -> None:
    frame = mixed(300)
    if make is pl.DataFrame:
        frame = pl.from_pandas(frame)
    released = barycenter(sensitive="sex").fit_transform(frame)
    assert list(released.columns) == [name for name in frame.columns if name != "sex"]
    assert all(released[name].dtype == frame[name].dtype for name in released.columns)
    block = released[["color_red", "color_green", "color_blue"]].to_numpy()
    assert (block.sum(1) == 1).all()
    assert set(np.unique(released["grade"].to_numpy().astype(str))) <= {"low", "mid", "top"}


@pytest.mark.parametrize(
    ("rows", "columns", "groups"),
    [(20, 2, 2), (4, 3, 2), (9, 2, 4), (12, 40, 2), (200, 3, 6)],
)
def test_small_and_wide_tables(rows: int, columns: int, groups: int) -> None:
    rng = np.random.default_rng(0)
    z = np.arange(rows) % groups
    X = rng.normal(size=(rows, columns)) + z[:, None]
    estimator = barycenter().fit(X, sensitive=z)
    for batch in (X, X + 10.0, X - 10.0):
        released = estimator.transform(batch, sensitive=z)
        reference = np.bincount(z).argmax()
        assert np.array_equal(released[z == reference], batch[z == reference])
        moved = released[z != reference]
        # Others land between the least and the largest value of the reference.
        assert (moved >= X[z == reference].min(0)).all()
        assert (moved <= X[z == reference].max(0)).all()


def test_constant_and_copied_columns() -> None:
    rng = np.random.default_rng(0)
    z = rng.integers(0, 2, 200)
    X = np.column_stack((np.full(200, 7.0), rng.normal(size=200), z))
    released = barycenter().fit_transform(X, sensitive=z)
    assert (released[:, 0] == 7.0).all()
    assert np.ptp(released[:, 2]) == 0


def test_categories_not_seen_in_fit_are_released_as_others() -> None:
    frame = mixed(300)
    strange = frame.assign(work="orbit")
    estimator = barycenter(sensitive="sex").fit(frame)
    with pytest.raises(InputError, match="orbit"):
        estimator.transform(strange)
    estimator = barycenter(sensitive="sex", unseen_categories="other").fit(frame)
    released = estimator.transform(strange)
    reference = estimator.groups_[estimator._engines.parts[0].reference]
    own = (frame["sex"] == reference).to_numpy()
    assert (released["work"][own] == "orbit").all()
    assert set(released["work"][~own]) <= {"office", "field"}


def test_missing_cells_are_a_level() -> None:
    frame = mixed(400)
    frame.loc[frame.index % 3 == 0, "age"] = np.nan
    with pytest.raises(InputError, match="age"):
        barycenter(sensitive="sex").fit(frame)
    released = barycenter(sensitive="sex", missing_features="level").fit_transform(frame)
    assert 0.2 < released["age"].isna().mean() < 0.5


# -- options -------------------------------------------------------------------------------------


def test_all_wrong_options_are_named_at_once() -> None:
    X, z = numbers(50)
    wrong = {
        "interval": 3,
        "networks": 0,
        "hidden": 2.5,
        "dropout": 2,
        "intervals": 1,
        "steps": True,
        "lr": float("nan"),
        "weight_decay": -1,
        "validation": "half",
        "rare": 0,
        "patience": 0,
    }
    with pytest.raises(InputError, match="engine_options holds") as caught:
        barycenter(engine_options={"release": "rows", **wrong}).fit(X, sensitive=z)
    message = str(caught.value)
    assert message.count("\n") == len(wrong)
    assert all(name in message for name in wrong)
    assert "weight_decay', 'validation'" in message


def test_options_reach_the_networks() -> None:
    X, z = numbers(100)
    options = {**TINY, "networks": 3, "intervals": 4, "rare": None}
    estimator = barycenter(engine_options=options).fit(X, sensitive=z)
    part = estimator._engines.parts[0]
    assert len(part.ladder.likelihoods) == 3
    assert max(part.ladder.sizes) <= 4
    assert estimator.facts_["log_likelihood"] == pytest.approx(np.mean(part.ladder.likelihoods))


def test_variables_go_from_those_that_say_least_to_those_that_say_most() -> None:
    rng = np.random.default_rng(0)
    z = rng.integers(0, 2, 500)
    layout = Layout(
        ("much", "none", "some"),
        tuple(
            Variable(name, "numeric", (k,), k) for k, name in enumerate(("much", "none", "some"))
        ),
    )
    x = rng.normal(size=(500, 3)) + z[:, None] * np.array([3.0, 0.0, 1.0])
    table = MixedTable(x, np.zeros((500, 0), dtype=np.int64), layout)
    options = {key: value for key, value in TINY.items() if key != "release"}
    fitted = fit_rows(
        table, z, np.array([0.5, 0.5]), settings=replace(Settings(), options=options), seed=0
    )
    assert [levels.at for levels in fitted.levels] == [1, 2, 0]
    assert "none, some, much" in " ".join(fitted.limits)
