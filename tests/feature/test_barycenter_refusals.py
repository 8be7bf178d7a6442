"""What the table barycenter refuses, by name and with a remedy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import NotFittedError

from infounlearn.errors import InputError
from infounlearn.feature import WassersteinBarycenter
from tests.feature.tables import FRAME, X, Z

pytestmark = pytest.mark.usefixtures("plug")


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"amount": 1.5}, "amount is 1.5"),
        ({"amount": np.nan}, "amount is nan"),
        ({"amount": "all"}, "amount is 'all'"),
        ({"method": "affine"}, "method is 'affine'"),
        ({"mode": "guess"}, "mode is 'guess'"),
        ({"method": "line", "mode": "blind"}, "guessing the group guarantees nothing"),
        ({"method": "gaussian", "use_target": True}, "use_target is set"),
        ({"method": "line", "missing_features": "level"}, "it moves numbers only"),
        ({"bins": 1}, "bins is 1"),
        ({"min_group": 0}, "min_group is 0"),
        ({"jitter": -1.0}, "jitter is -1.0"),
        ({"random_state": "now"}, "random_state is 'now'"),
        ({"unseen": "drop"}, "unseen is 'drop'"),
        ({"given": "a", "given_target": True}, "given and given_target are both set"),
        ({"use_target": True}, "y is absent"),
        ({"sensitive": "q"}, "names a column 'q' that X does not have"),
        ({"sensitive": 9}, "names a column 9"),
        ({"sensitive": None}, r"sensitive is absent.*set_fit_request"),
        ({"given": "s"}, "both sensitive and given"),
        ({"given": "typo"}, "given= names a column 'typo'"),
        ({"categorical": ["nope"]}, "names a column 'nope'"),
        ({"categorical": ["a"], "numeric": ["a"]}, "declared to be of two kinds"),
        (
            {"ordinal": {"s": ("f", "m")}, "sensitive": "a", "bins": 3, "categorical": ["s"]},
            "two kinds",
        ),
        ({"ordinal": ["b"], "categorical": ["b"]}, "two kinds"),
        ({"ordinal": {"s": ("f",)}, "sensitive": "a", "bins": 3}, r"holds \['m'\], not among"),
    ],
)
def test_bad_settings_are_named(settings: dict, told: str) -> None:
    with pytest.raises(InputError, match=told):
        WassersteinBarycenter(**{"sensitive": "s", **settings}).fit(FRAME)


def test_all_problems_come_in_one_message() -> None:
    frame = FRAME.assign(a=np.inf, s=["f", None] * 150)
    with pytest.raises(InputError, match=r"(?s)3 problems.*amount.*missing values.*infinity"):
        WassersteinBarycenter("s", 2.0, "gaussian").fit(frame)


@pytest.mark.parametrize(
    ("table", "z", "told"),
    [
        (X, np.zeros(300), "one group only"),
        (X, np.arange(300) == 0, "has 1 rows, fewer than 2"),
        (X, Z[:-1], "sensitive has 299 rows, X has 300"),
        (X[:, 0], Z, "Expected 2D array"),
        (X[:, :0], Z, r"0 feature\(s\)"),
        (X[:1], Z[:1], r"1 sample\(s\)"),
        (X * 1j, Z, "Complex data not supported"),
        (np.where(X > 3, np.nan, X), Z, "NaN or infinity"),
        (np.where(X > 3, np.inf, X), Z, "NaN or infinity"),
        (np.random.default_rng(0).normal(size=(6, 8)), np.arange(6) % 2, "rank"),
        ("table", Z, "Expected 2D array"),
    ],
)
def test_bad_tables_are_named(table: Any, z: Any, told: str) -> None:
    with pytest.raises(InputError, match=told):
        WassersteinBarycenter(method="gaussian").fit(table, sensitive=z)


def test_a_table_of_the_sensitive_column_alone_has_nothing_to_move() -> None:
    with pytest.raises(InputError, match="no column of X is left"):
        WassersteinBarycenter("s").fit(FRAME[["s"]])


def test_before_a_fit_there_is_nothing_to_release() -> None:
    with pytest.raises(NotFittedError):
        WassersteinBarycenter("s").transform(FRAME)


def test_a_column_and_an_array_at_once_are_refused() -> None:
    with pytest.raises(InputError, match="is a column of X and is passed beside it"):
        WassersteinBarycenter("s").fit(FRAME, sensitive=Z)


def test_columns_in_another_order_or_number_are_refused() -> None:
    fitted = WassersteinBarycenter("s", method="gaussian").fit(FRAME)
    with pytest.raises(ValueError, match="feature names should match"):
        fitted.transform(FRAME[["b", "a", "c", "s"]])
    with pytest.raises(ValueError, match="feature names should match"):
        fitted.transform(FRAME[["a", "s"]])


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        (FRAME.drop(columns="s"), "now missing:\n- s\nRemedy: pass the columns of fit"),
        (FRAME.astype({"a": object}).replace({"a": {FRAME["a"][0]: "x"}}), "something else"),
        (pd.concat([FRAME, FRAME[["a"]]], axis=1), "columns of the same name"),
        (FRAME.assign(s="d"), r"for example \['d'\]"),
    ],
)
def test_rows_unlike_those_of_fit_are_named_with_a_remedy(rows: pd.DataFrame, told: str) -> None:
    fitted = WassersteinBarycenter("s", method="gaussian").fit(FRAME)
    with pytest.raises(InputError, match=told):
        fitted.transform(rows)


def test_a_misspelt_column_is_answered_with_the_nearest() -> None:
    with pytest.raises(InputError, match="did you mean 'sex'"):
        WassersteinBarycenter("sx").fit(FRAME.rename(columns={"s": "sex"}))
