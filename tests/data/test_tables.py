"""The public tables have the published rows, and no sensitive attribute among their columns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest

from infounlearn.data import (
    TableData,
    load_adult,
    load_communities,
    load_compas,
    load_diabetes,
    load_german,
    load_law_school,
)
from infounlearn.errors import InputError


def counts(values: np.ndarray) -> dict[str, int]:
    return dict(Counter(values.tolist()))


def linear_risk(table: TableData, matrix: np.ndarray) -> float:
    """Mean test error of a linear model: 90/10, seeds 0 to 4, as the published protocol has it."""
    from sklearn.linear_model import LinearRegression
    from sklearn.model_selection import train_test_split

    risks = []
    for seed in range(5):
        x, x_test, y, y_test = train_test_split(
            matrix, table.target, test_size=0.1, random_state=seed
        )
        risks.append(np.mean((LinearRegression().fit(x, y).predict(x_test) - y_test) ** 2))
    return float(np.mean(risks))


@pytest.mark.data("adult")
def test_adult() -> None:
    table = load_adult()
    assert len(table) == 45_222
    assert table.target.sum() == 11_208
    assert counts(table.sensitive["sex"]) == {"Male": 30_527, "Female": 14_695}
    assert table.columns["native-country"].dtype == object
    assert not {"sex", "race", "fnlwgt"} & set(table.columns)
    assert (table.ids < 32_561).sum() == 30_162  # the complete rows of adult.data
    assert not any("?" in words for words in table.categories.values())


@pytest.mark.data("adult")
def test_adult_by_one_attribute() -> None:
    table = load_adult(sensitive="sex")
    assert table.matrix()[0].shape == (45_222, 101)  # the published protocol
    assert [*table.sensitive] == ["sex"]
    two = load_adult(sensitive="race", two_races=True)
    assert counts(two.sensitive["race"]) == {"White": 38_903, "Black": 4_228}
    assert len(two) == 43_131
    assert "sex" in two.columns
    continuous = load_adult(sensitive="age").sensitive["age"]
    assert continuous.dtype == np.float64
    assert (continuous.min(), continuous.max()) == (17, 90)


@pytest.mark.data("compas")
def test_compas() -> None:
    table = load_compas()
    assert len(table) == 6_172
    assert table.target.sum() == 2_809
    assert counts(table.sensitive["sex"]) == {"Male": 4_997, "Female": 1_175}
    assert counts(table.sensitive["race"]) == {"other": 4_069, "Caucasian": 2_103}
    raw = table.sensitive["race_raw"]
    assert np.isin(raw.astype(str), ["African-American", "Caucasian"]).sum() == 5_278
    assert counts(table.columns["c_charge_desc"])["missing"] == 5
    assert table.categories["age_cat"] == ("Less than 25", "25 - 45", "Greater than 45")
    assert table.kinds["age_cat"] == "ordinal"
    youngest = {
        group: table.columns["age"][table.columns["age_cat"] == group].min()
        for group in table.categories["age_cat"]
    }
    assert [*youngest.values()] == sorted(youngest.values())


@pytest.mark.data("compas")
def test_compas_holds_no_name_and_no_form_of_race() -> None:
    table = load_compas()
    assert set(table.columns) == {
        *("age", "age_cat", "juv_fel_count", "juv_misd_count", "juv_other_count", "priors_count"),
        *("c_charge_degree", "c_charge_desc"),
    }
    for form in ("race", "race_raw"):
        assert "race" not in load_compas(sensitive=form).columns
    assert "race" in load_compas(sensitive="sex").columns
    assert not {"age", "age_cat"} & set(load_compas(sensitive="age").columns)


@pytest.mark.data("german")
def test_german() -> None:
    table = load_german()
    assert len(table) == 1_000
    assert table.target.sum() == 700
    assert counts(table.sensitive["sex"]) == {"Male": 690, "Female": 310}
    assert counts(table.sensitive["age"]) == {"over 25": 810, "25 or younger": 190}
    assert not {"age", "personal_status"} & set(table.columns)
    by_age = load_german(sensitive="age")
    assert "personal_status" in by_age.columns
    assert "age" not in by_age.columns
    years = load_german(sensitive="age_years")
    assert "age" not in years.columns
    assert years.sensitive["age_years"].dtype == np.float64


@pytest.mark.data("law_school")
def test_law_school() -> None:
    table = load_law_school()
    assert len(table) == 20_454
    assert counts(table.sensitive["race"])["non-white"] == 3_292
    assert table.task == "regression"
    assert not {"race", "sex", "gpa"} & set(table.columns)
    bar = load_law_school(target="pass_bar")
    assert bar.task == "classification"
    assert bar.target.sum() == 19_413
    assert "pass_bar" not in bar.columns
    assert np.array_equal(bar.columns["gpa"], table.target)
    assert set(load_law_school(sensitive="race_raw").sensitive["race_raw"]) == {
        *("white", "black", "hisp", "asian", "other")
    }


@pytest.mark.data("law_school")
def test_law_school_gives_the_published_linear_rows() -> None:
    table = load_law_school(sensitive="race")
    matrix, _ = table.matrix(one_hot=False)
    race = (table.sensitive["race"] == "white").astype(np.float64)[:, None]
    assert round(linear_risk(table, matrix), 4) == 0.1391
    assert round(linear_risk(table, np.hstack([matrix, race])), 4) == 0.1373


@pytest.mark.data("communities")
def test_communities() -> None:
    table = load_communities()
    assert len(table) == 1_994
    assert len(table.columns) == 96
    assert counts(table.sensitive["race"]) == {"black share high": 419, "other": 1_575}
    assert abs(table.target.mean() - 0.238) < 5e-4
    matrix, names = table.matrix()
    assert (matrix.min(), matrix.max()) == (0, 1)  # so nothing is missing
    assert not [name for name in names if name.lower().startswith("racep")]
    share = load_communities(sensitive="racepctblack")
    high = share.sensitive["racepctblack"] >= 0.3
    assert np.array_equal(high, table.sensitive["race"] == "black share high")
    race = high.astype(np.float64)[:, None]
    assert round(linear_risk(table, matrix), 4) == 0.0181  # the published linear rows
    assert round(linear_risk(table, np.hstack([matrix, race])), 4) == 0.0180


def test_diabetes() -> None:
    table = load_diabetes()
    assert len(table) == 442
    assert counts(table.sensitive["sex"]) == {"1": 235, "2": 207}
    assert "sex" not in table.columns
    assert len(table.columns) == 9
    assert (table.columns["age"].min(), table.columns["age"].max()) == (19, 79)
    binary = load_diabetes(target="above_median")
    assert binary.target.sum() == 221
    assert np.array_equal(binary.target == 1, table.target > np.median(table.target))
    assert counts(load_diabetes(sensitive="age").columns["sex"]) == {"1": 235, "2": 207}


@pytest.mark.parametrize(
    ("load", "message"),
    [
        (lambda: load_diabetes(sensitive="race"), r"sensitive is \['race'\]: choose one or more"),
        (lambda: load_diabetes(sensitive=()), r"sensitive is \[\]"),
        (lambda: load_diabetes(sensitive=("sex", "sex")), "each once"),
        (lambda: load_diabetes(target="median"), "target is 'median'"),  # type: ignore[arg-type]
        (lambda: load_law_school(target="zgpa"), "target is 'zgpa'"),  # type: ignore[arg-type]
    ],
)
def test_unknown_choices(load: Callable[[], TableData], message: str) -> None:
    with pytest.raises(InputError, match=message):
        load()
