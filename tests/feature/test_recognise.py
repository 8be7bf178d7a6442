"""Columns: recognised or declared, coded, and written back as they came."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from infounlearn.errors import InputError, Problems
from infounlearn.feature import WassersteinBarycenter
from infounlearn.feature.frames import read_frame
from infounlearn.feature.one_hot import one_hot_blocks
from infounlearn.feature.recognise import Declared, encode_table, recognise
from tests.feature.tables import mixed

pytestmark = pytest.mark.usefixtures("plug")


def layout_of(X: Any, **declared: Any) -> Any:
    """Layout of a table all columns of which are features."""
    problems = Problems("test")
    frame = read_frame(X, problems)
    assert frame is not None
    found = recognise(frame, tuple(range(len(frame.names))), Declared(**declared), problems)
    problems.raise_if_any()
    return found


def test_every_kind_of_column_is_recognised() -> None:
    for frame in (mixed(), pl.from_pandas(mixed())):
        kinds = {v.name: (v.kind, v.columns) for v in layout_of(frame).variables}
        assert kinds == {
            "age": ("numeric", (0,)),
            "sex": ("categorical", (1,)),
            "work": ("categorical", (2,)),
            # Polars categories have no order: there "grade" must be declared.
            "grade": ("ordinal" if isinstance(frame, pd.DataFrame) else kinds["grade"][0], (3,)),
            "owner": ("categorical", (4,)),
            "children": ("numeric", (5,)),
            "color": ("categorical", (6, 7, 8)),
        }


def test_levels_keep_their_declared_order() -> None:
    grade = next(v for v in layout_of(mixed()).variables if v.name == "grade")
    assert grade.levels == ("low", "mid", "top", "none")
    declared = layout_of(mixed()[["work"]], ordinal={0: ("office", "field")})
    assert (declared.variables[0].kind, declared.variables[0].levels) == (
        "ordinal",
        ("office", "field"),
    )


def test_what_is_declared_is_not_overruled() -> None:
    frame = mixed()[["children", "color_red", "color_green", "color_blue"]]
    names = {v.name: v.kind for v in layout_of(frame, categorical={0}, numeric={1, 2, 3}).variables}
    assert names == {
        "children": "categorical",
        "color_red": "numeric",
        "color_green": "numeric",
        "color_blue": "numeric",
    }


@pytest.mark.parametrize(
    ("columns", "names", "blocks"),
    [
        ([[1, 0, 0], [0, 1, 0], [0, 0, 1]], None, [(0, 1, 2)]),
        ([[1, 0, 1, 0], [0, 1, 0, 1], [0, 1, 1, 0]], None, [(0, 1), (2, 3)]),
        ([[1, 1, 0], [1, 0, 1], [0, 1, 0]], None, [(0,), (1, 2)]),
        ([[2, 0], [0, 1], [1, 0]], None, [(1,)]),
        ([[1, 0], [0, 0], [0, 1]], ["a_x", "a_y"], [(0, 1)]),
        ([[1, 0], [0, 0], [0, 1]], ["a", "b"], [(0,), (1,)]),
        ([[1, 0, 0], [0, 1, 0], [0, 1, 0]], ["a_x", "a_y", "a_z"], [(0, 1, 2)]),
        ([[1, 0, 0], [0, 1, 0], [0, 1, 0]], ["a", "b", "c"], [(0, 1)]),
        ([[1, 0], [1, 0], [1, 0]], None, []),
        ([[1, 3, 0], [0, 4, 1], [1, 5, 0]], ["a=x", "n", "a=y"], [(0, 2)]),
    ],
)
def test_one_hot_blocks(columns: list, names: list[str] | None, blocks: list) -> None:
    values = np.array(columns, dtype=float)
    names = names or [f"x{at}" for at in range(values.shape[1])]
    assert [block.members for block in one_hot_blocks(values, names)] == blocks


def test_a_dropped_level_is_a_level_of_its_own() -> None:
    (block,) = one_hot_blocks(np.array([[1.0, 0], [0, 0], [0, 1]]), ["a_x", "a_y"])
    assert (block.name, block.levels) == ("a", ("x", "y", None))


@pytest.mark.parametrize("kind", ["pandas", "polars", "arrow", "array"])
def test_released_rows_are_rows_of_the_table_in_every_container(kind: str) -> None:
    frame = mixed()
    table: Any = frame
    if kind == "polars":
        table = pl.from_pandas(frame)
    elif kind == "arrow":
        table = pa.Table.from_pandas(frame)
    elif kind == "array":
        table = frame.to_numpy()
    sensitive = 1 if kind == "array" else "sex"
    released = WassersteinBarycenter(sensitive, random_state=0).fit_transform(table)
    assert type(released) is type(table)
    plain = frame.drop(columns="sex")
    back = released
    if kind == "polars":
        back = released.to_pandas()
        assert released.schema == table.drop("sex").schema
    elif kind == "arrow":
        assert released.schema.types == table.drop_columns(["sex"]).schema.types
        back = released.to_pandas()
    elif kind == "array":
        back = pd.DataFrame(released, columns=plain.columns)
    else:
        assert (released.dtypes == plain.dtypes).all()
    rows = set(plain.astype(object).itertuples(index=False, name=None))
    assert set(back.astype(object).itertuples(index=False, name=None)) <= rows
    # One-hot blocks are never broken.
    assert (back[["color_red", "color_green", "color_blue"]].astype(int).sum(axis=1) == 1).all()


def test_missing_cells_are_an_error_or_a_level_and_come_back() -> None:
    frame = mixed()
    frame.loc[:9, "age"] = np.nan
    frame.loc[5:14, "work"] = None
    with pytest.raises(InputError, match=r"(?s)work has 10 missing.*10 rows hold NaN.*'age'"):
        WassersteinBarycenter("sex").fit(frame)
    estimator = WassersteinBarycenter("sex", missing_features="level", random_state=0).fit(frame)
    marks = {v.name: v for v in estimator.layout_.variables}
    assert marks["work"].levels[-1] is None
    assert marks["age"].absent is not None
    out = estimator.transform(frame)
    assert out["age"].isna().any()
    assert out["work"].isna().any()
    pairs = set(map(str, frame[["age", "work"]].itertuples(index=False, name=None)))
    assert set(map(str, out[["age", "work"]].itertuples(index=False, name=None))) <= pairs
    for polars in (pl.from_pandas(frame),):
        table = estimator.fit_transform(polars)
        assert table["age"].null_count() > 0
        assert not table["age"].is_nan().any()


def test_categories_unseen_in_fit_are_an_error_or_unlike_all() -> None:
    frame = mixed()
    estimator = WassersteinBarycenter("sex", random_state=0).fit(frame)
    new = frame.iloc[:3].assign(work=["moon", "field", "office"])
    with pytest.raises(InputError, match=r"column work holds \['moon'\], unseen in fit"):
        estimator.transform(new)
    tolerant = WassersteinBarycenter("sex", unseen_categories="other", random_state=0).fit(frame)
    assert set(tolerant.transform(new)["work"]) <= {"field", "office"}
    problems = Problems("test")
    table = encode_table(
        read_frame(new.drop(columns="sex"), problems),
        tuple(range(8)),
        tolerant.layout_,
        problems,
        unseen="other",
    )
    assert table.codes[0, 0] == -1


def test_a_broken_block_in_new_rows_is_named() -> None:
    frame = mixed()
    estimator = WassersteinBarycenter("sex", random_state=0).fit(frame)
    with pytest.raises(InputError, match="2 rows are not one-hot in the columns of color"):
        estimator.transform(
            frame.iloc[:5].assign(
                color_red=[0, 0, 0, 1, 1], color_blue=0, color_green=[1, 1, 1, 1, 1]
            )
        )


@pytest.mark.parametrize(
    ("column", "told"),
    [
        (pd.date_range("2020", periods=200), "values of type datetime"),
        ([f"id{at}" for at in range(200)], "looks like an identifier"),
        ([(1, 2)] * 200, "values of type tuple"),
    ],
)
def test_a_column_that_cannot_be_recognised_is_named(column: Any, told: str) -> None:
    with pytest.raises(InputError, match=rf"column when .*{told}"):
        WassersteinBarycenter("sex").fit(mixed().assign(when=column))


def test_texts_are_no_numbers_for_engines_that_move_numbers() -> None:
    with pytest.raises(InputError, match=r"(?s)column work holds no numbers.*common-support"):
        WassersteinBarycenter("sex", method="gaussian").fit(mixed()[["sex", "age", "work"]])


def test_levels_grow_in_a_stream() -> None:
    frame = mixed()
    estimator = WassersteinBarycenter("sex", random_state=0)
    estimator.partial_fit(frame.iloc[:100])
    estimator.partial_fit(frame.iloc[100:].assign(work="moon"))
    assert "moon" in set(estimator.transform(frame)["work"])


def test_whole_numbers_stay_whole_where_cells_are_released_and_not_where_they_move() -> None:
    frame = mixed()[["sex", "children", "age"]]
    released = WassersteinBarycenter("sex", random_state=0).fit_transform(frame)
    assert released["children"].dtype == frame["children"].dtype
    moved = WassersteinBarycenter("sex", method="line").fit_transform(frame)
    assert moved["children"].dtype == np.float64


def test_columns_named_by_numbers_are_read_and_written() -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({0: [1.0, 2.0, 3.0, 4.0], 7: [0.5, 1.5, 2.5, 3.5]})
    groups = np.array([0, 1, 0, 1])
    model = WassersteinBarycenter(method="gaussian", random_state=0).fit(frame, sensitive=groups)
    assert list(model.transform(frame, sensitive=groups).columns) == [0, 7]


def test_rows_without_any_category_of_a_block_are_unseen() -> None:
    block = np.eye(3)[np.arange(60) % 3]
    number = np.linspace(0.0, 1.0, 60)[:, None]
    fitted, groups = np.hstack((number, block)), np.arange(60) % 2
    fresh, small = fitted.copy(), {"networks": 1, "steps": 20, "hidden": 8}
    fresh[5, 1:] = 0.0
    settings: dict[str, Any] = {"method": "common-support", "random_state": 0}
    strict = WassersteinBarycenter(**settings, engine_options=small).fit(fitted, sensitive=groups)
    with pytest.raises(InputError, match="unseen_categories='other'"):
        strict.transform(fresh, sensitive=groups)
    loose = WassersteinBarycenter(**settings, engine_options=small, unseen_categories="other")
    released = loose.fit(fitted, sensitive=groups).transform(fresh, sensitive=groups)
    assert np.isfinite(released).all()
    assert set(np.unique(released[:, 1:].sum(axis=1))) <= {0.0, 1.0}


def test_a_level_no_row_has_joins_no_block_by_chance() -> None:
    first, second = np.eye(2)[[0, 1, 0, 1]], np.eye(2)[[0, 0, 1, 1]]
    values = np.hstack((first, np.zeros((4, 1)), second))
    blocks = one_hot_blocks(values, [f"x{at}" for at in range(5)])
    assert [block.members for block in blocks] == [(0, 1), (3, 4)]
    named = one_hot_blocks(values, ["a_x", "a_y", "b_x", "b_y", "b_z"])
    assert [block.members for block in named] == [(0, 1), (2, 3, 4)]
