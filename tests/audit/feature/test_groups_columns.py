"""Features and tables of any type are read the same, whatever the order of rows or library."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pytest

from infounlearn.audit.feature.columns import FAR, LEVELS, read_table
from infounlearn.audit.feature.groups import read_groups
from infounlearn.errors import Problems


def groups(values, **options):
    problems = Problems("test")
    found = read_groups(problems, "z", values, **options)
    problems.raise_if_any()
    return found


def table(data, categorical=None):
    problems = Problems("test")
    found = read_table(problems, "X", data, categorical)
    problems.raise_if_any()
    return found


@pytest.mark.parametrize(
    ("values", "names"),
    [
        (["b", "a", "b"], ("a", "b")),
        ([True, False, True], ("False", "True")),
        (np.array([2, 10, 2]), ("2", "10")),
        (np.array([1, 1.0, "x", True], dtype=object), ("1", "x")),
        (pd.Series(["b", "a"], dtype="category"), ("a", "b")),
        (pl.Series(["b", "a"]), ("a", "b")),
    ],
)
def test_groups_are_sorted_by_type_and_value(values, names) -> None:
    found = groups(values)
    assert found.names == names
    assert [found.names[code] for code in found.codes] == [
        str(value) if str(value) in names else "1" for value in list(values)
    ]


def test_crossed_features_are_never_confused() -> None:
    # '1' beside '11' and '11' beside '1' must stay two groups.
    found = groups(np.array([["1", "11"], ["11", "1"], ["1", "11"]]))
    assert found.names == ("1 × 11", "11 × 1")
    assert found.codes.tolist() == [0, 1, 0]


def test_the_order_of_rows_changes_no_group() -> None:
    values = np.random.default_rng(0).choice(np.array(["x", "y", "z"]), 50)
    order = np.random.default_rng(1).permutation(50)
    first, second = groups(values), groups(values[order])
    assert first.names == second.names
    assert (first.codes[order] == second.codes).all()


@pytest.mark.parametrize(
    "values", [["a", None], [1.0, np.nan], pd.array(["a", pd.NA]), pd.Series([pd.NaT, "a"])]
)
def test_missing_values_are_an_error_or_a_group(values) -> None:
    with pytest.raises(ValueError, match="1 missing values"):
        groups(values)
    found = groups(values, missing="group")
    assert found.names[-1] == "missing"
    assert found.counts.tolist() == [1, 1]


def test_a_real_valued_feature_needs_bins() -> None:
    values = np.random.default_rng(0).normal(size=400)
    with pytest.raises(ValueError, match="z_bins"):
        groups(values)
    found = groups(values, bins=4)
    assert found.counts.tolist() == [100] * 4
    assert (np.diff(values[np.argsort(values)]) >= 0).all()
    assert (np.diff(found.codes[np.argsort(values)]) >= 0).all()


def test_every_library_gives_the_same_table() -> None:
    columns = {
        "age": np.array([1.5, np.nan, 3.0]),
        "job": np.array(["x", "y", "x"], dtype=object),
        "ok": np.array([True, False, True]),
    }
    read = [table(columns), table(pd.DataFrame(columns)), table(pl.DataFrame(columns))]
    for one in read:
        assert one.names == ("age", "ok", "job")
        np.testing.assert_array_equal(one.numeric, read[0].numeric)
        assert one.codes.tolist() == [[0], [1], [0]]  # the most frequent level is 0


def test_numbers_named_categorical_are_categories() -> None:
    found = table(np.array([[1.0, 7.0], [2.0, 7.0], [3.0, 8.0]]), categorical=[1])
    assert found.numeric.shape == (3, 1)
    assert found.codes.tolist() == [[0], [0], [1]]


def test_infinite_values_are_named() -> None:
    with pytest.raises(ValueError, match="infinite values in \\['age'\\]"):
        table({"age": np.array([1.0, np.inf])})


def test_lines_see_levels_gaps_and_no_row_far_out() -> None:
    rng = np.random.default_rng(0)
    lone = np.zeros(400)
    lone[0] = 1e9
    found = table(
        {
            "x": np.where(rng.random(400) < 0.1, np.nan, rng.normal(size=400)),
            "lone": lone,
            "constant": np.full(400, 3.0),
            "levels": np.array([f"l{i % 100}" for i in range(400)], dtype=object),
        }
    )
    matrix = found.for_lines()
    assert np.abs(matrix).max() == FAR
    assert np.isfinite(matrix).all()
    assert matrix.shape == (400, 1 + 1 + 1 + LEVELS)  # x, its gaps, lone, levels
    assert (matrix[:, 2] == np.where(lone > 0, FAR, matrix[1, 2])).all()


def test_trees_get_categories_as_such_unless_there_are_too_many() -> None:
    many = np.array([f"l{i % 300}" for i in range(600)], dtype=object)
    few = np.array([f"l{i % 3}" for i in range(600)], dtype=object)
    matrix, native = table({"n": np.arange(600.0), "many": many, "few": few}).for_trees()
    assert matrix.shape == (600, 3)
    assert native.tolist() == [False, False, True]
