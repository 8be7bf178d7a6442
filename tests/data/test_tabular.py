"""A table is what it says: kinds, categories and hashes that no subset and no copy changes."""

from __future__ import annotations

import pickle
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from infounlearn.data import TableData
from infounlearn.errors import InputError


def words(*values: str) -> np.ndarray:
    return np.array(values, dtype=object)


def table(**changes: Any) -> TableData:
    parts: dict[str, Any] = {
        "name": "toy",
        "columns": {
            "age": np.array([30.0, 40.0, np.nan, 20.0]),
            "job": words("b", "a", "b", "c"),
            "size": words("small", "large", "small", "medium"),
        },
        "kinds": {"age": "numeric", "job": "categorical", "size": "ordinal"},
        "target": np.array([0, 1, 1, 0]),
        "target_name": "rich",
        "task": "classification",
        "sensitive": {"sex": words("f", "m", "f", "m"), "height": np.array([1.6, 1.8, 1.7, 1.9])},
        "ids": np.array([10, 11, 12, 13]),
        "categories": {"size": ("small", "medium", "large")},
    }
    return TableData(**(parts | changes))


def test_matrix_one_hot_and_by_position() -> None:
    matrix, names = table().matrix()
    assert names == [
        "age",
        *("job=a", "job=b", "job=c"),
        *("size=small", "size=medium", "size=large"),
    ]
    assert matrix.dtype == np.float64
    expected = [
        [30, 0, 1, 0, 1, 0, 0],
        [40, 1, 0, 0, 0, 0, 1],
        [np.nan, 0, 1, 0, 1, 0, 0],
        [20, 0, 0, 1, 0, 1, 0],
    ]
    assert np.array_equal(matrix, expected, equal_nan=True)
    plain, names = table().matrix(one_hot=False)
    assert names == ["age", "job", "size"]
    assert plain[:, 1].tolist() == [1, 0, 1, 2]
    assert plain[:, 2].tolist() == [0, 2, 0, 1]  # the given order, not the alphabet


def test_matrix_of_no_columns_has_rows() -> None:
    assert table(columns={}, kinds={}, categories={}).matrix()[0].shape == (4, 0)


def test_subset_keeps_ids_and_the_columns_of_its_matrix() -> None:
    whole = table()
    part = whole.subset([3, 0], "part")
    assert part.name == "part"
    assert part.ids.tolist() == [13, 10]
    assert part.sensitive["sex"].tolist() == ["m", "f"]
    assert part.matrix()[1] == whole.matrix()[1]
    assert np.array_equal(part.matrix()[0], whole.matrix()[0][[3, 0]])
    assert len(whole.subset(np.zeros(4, bool))) == 0
    mask = whole.sensitive["sex"] == "m"
    assert whole.subset(mask).ids.tolist() == [11, 13]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([4], "outside 0..3"),
        ([-1], "outside 0..3"),
        ([0, 0], "ids are int64, 1 different ones"),
        ([0.5], "positions are float64"),
        ([True], "mask has shape"),
    ],
)
def test_subset_refuses(rows: list[Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        table().subset(rows)


def test_hash_sees_every_value_and_no_id() -> None:
    first = table().sha256()
    assert table(ids=np.arange(4), name="other").sha256() == first
    assert pickle.loads(pickle.dumps(table())).sha256() == first
    assert table().subset(range(4)).sha256() == first
    base = table()
    others = [
        replace(base, target=np.array([0, 1, 1, 1])),
        replace(base, target_name="poor"),
        replace(base, sensitive={"sex": words("m", "f", "m", "f")}),
        replace(base, kinds={**base.kinds, "job": "ordinal"}),
        replace(base, columns={**base.columns, "job": words("b", "a", "b", "b")}),
        replace(base, columns={**base.columns, "age": np.array([30.0, 40.0, 0.0, 20.0])}),
        replace(base, categories={}),
        table().subset([1, 0, 2, 3]),
    ]
    assert len({first, *(other.sha256() for other in others)}) == 1 + len(others)


def test_pandas_frame() -> None:
    pandas = pytest.importorskip("pandas")
    frame = table().to_pandas(sensitive=True, target=True)
    assert isinstance(frame, pandas.DataFrame)
    assert [*frame.columns] == ["age", "job", "size", "sex", "height", "rich"]
    assert frame.index.tolist() == [10, 11, 12, 13]
    assert frame["job"].tolist() == ["b", "a", "b", "c"]
    assert [*table().to_pandas().columns] == ["age", "job", "size"]


def test_representation_says_what_stands_beside() -> None:
    assert "4 rows x 3 columns" in repr(table())
    assert "beside sex, height" in repr(table())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"target": np.array([0, 1])}, "others {'target'"),
        ({"ids": np.array([1, 1, 2, 3])}, "3 different ones"),
        ({"ids": np.arange(4.0)}, "ids are float64"),
        ({"target": np.array([0.0, 1, 1, 0])}, "target of a classification is float64"),
        ({"task": "regression"}, "target of a regression is int64"),
        ({"task": "ranking"}, "target of a ranking"),
        ({"sensitive": {"age": words("f", "m", "f", "m")}}, r"\['age'\] are also columns"),
        ({"sensitive": {"sex": np.array([0, 1, 0, 1])}}, "'sex' is int64"),
        ({"sensitive": {"sex": np.array(["f", None, "f", "m"], object)}}, "not all of its values"),
        ({"kinds": {"age": "numeric"}}, "kinds are given for"),
        ({"kinds": {"age": "categorical", "job": "categorical", "size": "ordinal"}}, "'age' is"),
        ({"kinds": {"age": "numeric", "job": "numeric", "size": "ordinal"}}, "'job' is object"),
        ({"categories": {"size": ("small", "large")}}, r"holds \['medium'\]"),
        ({"categories": {"job": ("a", "b", "c", "c")}}, "every value of the column once"),
    ],
)
def test_refuses(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        table(**changes)


def test_all_problems_come_at_once() -> None:
    with pytest.raises(InputError, match="2 problems"):
        table(target=np.array([0.0, 1, 1, 0]), ids=np.array([1, 1, 2, 3]))
