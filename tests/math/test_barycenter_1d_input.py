"""What the barycenter on the line cannot fit, move or merge is named."""

from __future__ import annotations

import numpy as np
import pytest

from infounlearn.errors import InputError
from infounlearn.math import fit_line_barycenter


@pytest.mark.parametrize(
    ("values", "groups", "weights", "wanted"),
    [
        ([], [], None, ["no rows"]),
        ([1.0, np.nan], [0], None, ["NaN", "shape"]),
        ([1.0, np.inf], [0, None], None, ["1 rows", "missing labels"]),
        ([1.0, 2.0], [0.0, np.nan], None, ["missing labels"]),
        ([1.0, 2.0], np.array([1, "1"], dtype=object), None, ["mixed types"]),
        (["a", "b"], [0, 1], None, ["values have"]),
        ([[1.0], [2.0]], [0, 1], None, ["vector"]),
        ([1.0, 2.0], [0, 1], {0: 1.0}, ["exactly"]),
        ([1.0, 2.0], [0, 1], {0: 0.7, 1: 0.7}, ["sum to 1"]),
        ([1.0, 2.0], [0, 1], {0: 1.5, 1: -0.5}, ["sum to 1"]),
        ([1.0, 2.0], [0, 1], {0: "much", 1: 0.5}, ["sum to 1"]),
        ([1.0, 2.0], [0, 1], [0.5, 0.5], ["mapping"]),
    ],
)
def test_input_that_cannot_be_fitted_is_named(values, groups, weights, wanted):
    with pytest.raises(InputError) as error:
        fit_line_barycenter(values, groups, weights=weights)
    for text in wanted:
        assert text in str(error.value)


@pytest.mark.parametrize(
    ("groups", "settings", "wanted"),
    [
        ([0, 1], {}, ["seed and keys"]),
        ([0, 1], {"seed": 1}, ["2 keys"]),
        ([0, 1], {"seed": 1, "keys": [1]}, ["2 keys"]),
        ([0, 1], {"seed": 1, "keys": ["a", "b"]}, ["one integer per row"]),
        ([0, 1], {"seed": 0.5, "keys": [1, 2]}, ["seed is 0.5"]),
        ([0, 1], {"noise": 1.0}, ["number in [0, 1)"]),
        ([0, 1], {"noise": "half"}, ["noise"]),
        ([0, 1], {"noise": 0.5, "seed": 1}, ["one of them"]),
        ([0, 7], {"amount": 2.0}, ["amount is 2.0", "[7] were not fitted", "noise"]),
        ([0, 1], {"amount": np.nan, "noise": 0.5}, ["amount"]),
        (["0", "1"], {"noise": 0.5}, ["one type"]),
        ([0], {"noise": [0.5, 0.5]}, ["one label per value"]),
    ],
)
def test_rows_that_cannot_be_moved_are_named(groups, settings, wanted):
    fit = fit_line_barycenter([0.0, 1.0, 2.0], [0, 1, 1])
    with pytest.raises(InputError) as error:
        fit.transport([0.0, 1.0], groups, **settings)
    for text in wanted:
        assert text in str(error.value)


def test_quantile_and_merge_name_what_they_cannot_use():
    fit = fit_line_barycenter([0.0, 1.0, 2.0], [0, 1, 1])
    with pytest.raises(InputError, match=r"outside \[0, 1\)(.|\n)*amount(.|\n)*unknown"):
        fit.quantile([1.0], group=9, amount=2.0)
    with pytest.raises(InputError, match="one type"):
        fit.merge(fit_line_barycenter([1.0], ["a"]))
    assert fit.transport([], [], seed=0, keys=[]).shape == (0,)
