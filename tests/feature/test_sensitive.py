"""Sensitive values of any type: one order, stated policies, no trace of rows or hash seeds."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pandas as pd
import polars as pl
import pytest

from infounlearn.errors import InputError
from infounlearn.feature.sensitive import encode_sensitive

SEXES = ["M", "F", "F", "M", "F"]


@pytest.mark.parametrize(
    "values",
    [
        SEXES,
        np.array(SEXES),
        np.array(SEXES, dtype=object),
        pd.Series(SEXES),
        pd.Series(SEXES, dtype="category"),
        pd.DataFrame({"sex": SEXES}),
        pl.Series(SEXES),
        pl.DataFrame({"sex": SEXES}),
    ],
    ids=["list", "text", "object", "pandas", "category", "frame", "polars", "polars frame"],
)
def test_every_container_gives_the_same_groups(values: object) -> None:
    groups = encode_sensitive(values, where="test")
    assert groups.labels == ("F", "M")
    assert groups.codes.tolist() == [1, 0, 0, 1, 0]
    assert groups.weights.tolist() == [0.6, 0.4]


@pytest.mark.parametrize(
    ("values", "labels"),
    [
        ([True, False, True, False], (False, True)),
        ([10, 9, 10, 9], (9, 10)),
        ([1.5, -0.5, 1.5, -0.5], (-0.5, 1.5)),
        (["b", 2, "b", 2], (2, "b")),
        (np.array([2, 1, 2, 1], dtype=np.uint8), (1, 2)),
    ],
)
def test_labels_are_sorted_by_type_and_value(values: object, labels: tuple) -> None:
    assert encode_sensitive(values, where="test").labels == labels


def test_row_order_moves_the_codes_only() -> None:
    values = np.random.default_rng(0).choice(np.array(["x", "yy", "z"], dtype=object), 200)
    order = np.random.default_rng(1).permutation(200)
    first = encode_sensitive(values, where="test")
    second = encode_sensitive(values[order], where="test")
    assert first.labels == second.labels
    assert np.array_equal(first.codes[order], second.codes)


def test_the_hash_seed_of_the_process_has_no_effect() -> None:
    code = (
        "from infounlearn.feature.sensitive import encode_sensitive as e;"
        "g = e([(a, b) for a in 'qwerty' for b in ('m', 'f', None)] * 2, where='t',"
        "missing='group'); print(g.labels, g.codes.tolist())"
    )
    told = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(told) == 1


def test_crossed_columns_are_pairs_and_never_joined_texts() -> None:
    values = np.array([["1", "11"], ["11", "1"]] * 3, dtype=object)
    groups = encode_sensitive(values, where="test")
    assert groups.labels == (("1", "11"), ("11", "1"))


def test_new_rows_get_the_fitted_codes_in_any_container() -> None:
    groups = encode_sensitive(
        pd.DataFrame({"a": SEXES, "b": [1, 1, 2, 1, 2]}), where="test", min_count=1
    )
    new = pl.DataFrame({"a": ["F", "M"], "b": [2, 1]})
    assert [groups.labels[code] for code in groups.encode(new)] == [("F", 2), ("M", 1)]


@pytest.mark.parametrize("absent", [None, np.nan, pd.NA])
def test_missing_values_are_an_error_or_a_group(absent: object) -> None:
    values = pd.Series([*SEXES, absent, absent], dtype=object)
    with pytest.raises(InputError, match=r"2 missing values.*drop or impute"):
        encode_sensitive(values, where="test")
    groups = encode_sensitive(values, where="test", missing="group")
    assert groups.labels == ("F", "M", None)
    assert groups.encode([np.nan, "F", None]).tolist() == [2, 0, 2]


def test_unseen_groups_are_an_error_or_marked() -> None:
    groups = encode_sensitive(SEXES, where="test")
    with pytest.raises(InputError, match=r"2 rows are in groups that were not fitted.*'X'"):
        groups.encode(["X", "F", None])
    assert groups.encode(["X", "F", None], unseen="mark").tolist() == [-1, 0, -1]


def test_an_unseen_cell_of_seen_values_is_unseen() -> None:
    groups = encode_sensitive([("a", 0), ("b", 1)] * 2, where="test")
    assert groups.encode([("a", 1), ("b", 1)], unseen="mark").tolist() == [-1, 1]


def test_small_cells_are_an_error_or_one_group() -> None:
    values = ["a"] * 5 + ["b"] * 5 + ["c", "d"]
    with pytest.raises(InputError, match="2 of 4 sensitive groups have fewer than 2 rows"):
        encode_sensitive(values, where="test")
    groups = encode_sensitive(values, where="test", small="pool")
    assert groups.labels == ("a", "b", "(small groups)")
    assert groups.counts.tolist() == [5, 5, 2]
    assert groups.encode(["d", "a", "c"]).tolist() == [2, 0, 2]


def test_a_pool_that_is_small_itself_is_still_an_error() -> None:
    with pytest.raises(InputError, match="small groups"):
        encode_sensitive(["a"] * 5 + ["b"], where="test", small="pool")


def test_continuous_values_are_cut_into_bins_of_equal_mass_that_adapt() -> None:
    values = np.random.default_rng(0).normal(size=4096)
    groups = encode_sensitive(values, where="test", bins=8)
    assert groups.counts.tolist() == [512] * 8
    assert (np.diff(groups.edges[0]) > 0).all()
    assert len(encode_sensitive(values, where="test", bins="auto")) == 16
    assert len(encode_sensitive(values[:64], where="test", bins="auto")) == 4
    # The outer bins are open, and a value on an edge is in the bin above.
    ends = groups.encode([-1e9, groups.edges[0][0], 1e9])
    assert ends.tolist() == [0, 1, 7]


def test_ties_shrink_the_number_of_bins() -> None:
    values = np.concatenate((np.zeros(900), np.arange(1.0, 101.0)))
    groups = encode_sensitive(values, where="test", bins=4)
    assert groups.counts.tolist() == [900, 100]


def test_few_distinct_numbers_are_groups_whatever_the_bins() -> None:
    groups = encode_sensitive([0, 1, 2] * 50, where="test", bins="auto")
    assert groups.labels == (0, 1, 2)
    assert groups.edges == (None,)


def test_continuous_values_without_bins_are_an_error_that_names_bins() -> None:
    with pytest.raises(InputError, match="bin a continuous column"):
        encode_sensitive(np.random.default_rng(0).normal(size=50), where="test")


@pytest.mark.parametrize(
    ("values", "options", "told"),
    [
        ([], {}, "no rows"),
        (3, {}, "one value per row"),
        (np.zeros((2, 2, 2)), {}, "shape"),
        ([object(), 1], {}, "of type object"),
        ([np.inf, 1.0], {}, "infinity"),
        (SEXES, {"missing": "drop"}, "missing is 'drop'"),
        (SEXES, {"min_count": 0}, "min_count is 0"),
        (SEXES, {"bins": 1}, "bins is 1"),
        (SEXES, {"small": "drop"}, "small is 'drop'"),
    ],
)
def test_bad_input_is_named(values: object, options: dict, told: str) -> None:
    with pytest.raises(InputError, match=told):
        encode_sensitive(values, where="test", **options)


def test_numbers_where_texts_were_binned() -> None:
    groups = encode_sensitive(np.arange(100.0), where="test", bins=4)
    with pytest.raises(InputError, match="where numbers were fitted"):
        groups.encode(["a"])


def test_another_number_of_columns() -> None:
    groups = encode_sensitive(SEXES, where="test")
    with pytest.raises(InputError, match="2 columns of groups, fitted with 1"):
        groups.encode([("F", 1)])
