"""What the estimators refuse, all at once, and their policies for odd groups."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from infounlearn.errors import DivergenceError, InputError
from tests.feature.people import FAST, Classifier, Regressor, people


def test_everything_wrong_is_said_at_once() -> None:
    X, score, z = people(50)
    X[3, 0] = np.nan
    model = Classifier(
        gamma=-1,
        max_information="x",
        level="hard",
        given="z",
        hidden=(0,),
        epochs=0,  # type: ignore[arg-type]
        batch_size=0,
        learning_rate=0,
        weight_decay=-1,
        validation_fraction=1.0,
        patience=0,
    )
    with pytest.raises(InputError) as error:
        model.fit(X, score[:49], sensitive=np.append(z[:48], [None, None]))
    for word in (
        "gamma",
        "max_information",
        "level",
        "given",
        "hidden",
        "epochs",
        "batch_size",
        "learning_rate",
        "weight_decay",
        "validation_fraction",
        "patience",
        "NaN",
        "y: ",
        "missing",
    ):
        assert word in str(error.value), word


@pytest.mark.parametrize(
    ("sensitive", "match"),
    [
        (None, "sensitive is missing"),
        (np.full(60, "f"), "one group"),
        (np.array(["f"] * 59 + ["m"]), "fewer than 2"),
        (np.array(["f", "m"] * 20), "40 rows, X has 60"),
        (np.array(["f", "m", None] * 20, dtype=object), "missing"),
    ],
)
def test_groups_that_cannot_be_unlearned_are_refused(sensitive: Any, match: str) -> None:
    X, score, _ = people(60)
    with pytest.raises(InputError, match=match):
        Classifier(gamma=1.0, **FAST).fit(X, score > 0.6, sensitive=sensitive)


def test_missing_and_continuous_groups_have_a_policy() -> None:
    X, score, z = people(300)
    holes = np.where(np.arange(300) % 7 == 0, None, z)
    model = Classifier(gamma=1.0, missing="group", **FAST).fit(X, score > 0.6, sensitive=holes)
    assert len(model.sensitive_groups_) == 3
    model = Classifier(gamma=1.0, **FAST).fit(X, score > 0.6, sensitive=X[:, 0])
    assert 2 <= len(model.sensitive_groups_) <= 16


def test_columns_that_are_no_numbers_or_do_not_exist_are_named() -> None:
    X, score, z = people(60)
    table = pd.DataFrame({"a": X[:, 0], "sex": z})
    for model, match in (
        (Classifier(**FAST), "one-hot encode"),
        (Classifier("gender", gamma=1.0, **FAST), "'gender' that X does not have"),
        (Classifier(["a", "sex"], gamma=1.0, **FAST), "all are sensitive"),
    ):
        with pytest.raises(InputError, match=match):
            model.fit(table, score > 0.6)
    with pytest.raises(InputError, match="given twice"):
        Classifier("sex", gamma=1.0, **FAST).fit(table, score > 0.6, sensitive=z)


def test_one_class_and_absurd_steps_end_in_one_clear_error() -> None:
    X, score, z = people(60)
    with pytest.raises(InputError, match="one class"):
        Classifier(**FAST).fit(X, np.ones(60))
    with pytest.raises(DivergenceError, match="learning_rate"):
        Regressor(gamma=1.0, **FAST | {"learning_rate": 1e20}).fit(X, score, sensitive=z)
