"""A request to release a table: refused before anything is written, and which rows serve what."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from infounlearn.data import scan_table
from infounlearn.errors import InputError
from infounlearn.experiments.feature_request import FeatureRequest, read_roles
from infounlearn.experiments.feature_survey import survey_table
from tests.experiments.feature_people import ROWS, X, asked, cells, made, people


def test_a_file_of_somebody_else_is_not_replaced(tmp_path: Path) -> None:
    table = people(tmp_path)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "table.csv").write_text("mine")
    with pytest.raises(InputError, match="no record"):
        made(asked(table), tmp_path / "out")
    own = people(tmp_path / "out", "table.csv")
    with pytest.raises(InputError, match="the table that is read"):
        made(asked(own), tmp_path / "out")


def test_everything_wrong_is_said_at_once_with_the_nearest_names(tmp_path: Path) -> None:
    table = people(tmp_path)
    request = FeatureRequest(
        table,
        ("Sex",),
        "incme",
        amount=2.0,
        holdout=0.0,
        drop=("wieght", "age"),
        numeric=("age",),
        ordinal=("age",),
        rows_per_batch=0,
    )
    with pytest.raises(InputError) as caught:
        made(request, tmp_path / "out")
    told = str(caught.value)
    for part in (
        "'Sex' that the table does not have: did you mean 'sex'?",
        "did you mean 'income'?",
        "did you mean 'weight' or 'height'?",
        "--amount is 2.0",
        "--holdout is 0.0",
        "--rows-per-batch is 0",
        "--numeric and --ordinal both name ['age']",
    ):
        assert part in told
    assert told.count("people.csv") == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("changed", "part"),
    [
        ({"target": "sex"}, "--sensitive and --target both name"),
        ({"given": ("sex",)}, "nothing would be removed"),
        ({"drop": X}, "no column is left"),
        ({"key": None}, "hold no numbers"),
        ({"mode": "blind"}, "do not go with"),
        ({"method": "common-support", "release": "rows", "mode": "blind"}, "use --release atoms"),
        ({"release": "rows"}, "does not go with --method gaussian"),
        ({"sensitive": ()}, "names no column"),
        ({"numeric": ("income",)}, "not changed"),
        ({"sensitive": ("id",), "key": None, "drop": ("sex",)}, "fewer than 20 rows"),
    ],
)
def test_contradictions_are_refused(tmp_path: Path, changed: dict[str, Any], part: str) -> None:
    request = replace(asked(people(tmp_path)), **changed)
    with pytest.raises(InputError, match=part):
        made(request, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("column", "part"),
    [
        ({"sex": ["f"] * ROWS}, "one value only"),
        ({"sex": ["f", None] * (ROWS // 2)}, "missing"),
        ({"income": ["high"] * ROWS}, "the target 'income' has 1 values"),
        ({"height": [1.0, None] * (ROWS // 2)}, "have missing cells"),
    ],
)
def test_tables_that_allow_nothing_are_refused(
    tmp_path: Path, column: dict[str, Any], part: str
) -> None:
    with pytest.raises(InputError, match=part):
        made(asked(people(tmp_path, **column)), tmp_path / "out")


def test_parts_are_of_the_sizes_asked_for_and_do_not_meet(tmp_path: Path) -> None:
    request = asked(people(tmp_path), audit_rows=120, fit_rows=50)
    scan = scan_table(request.table)
    survey = survey_table(request, scan)
    places = survey.places(0, ROWS)
    assert (survey.places(200, 100) == places[200:300]).all()
    audited = places < survey.audit_share
    assert audited.sum() == survey.audited == pytest.approx(120, abs=40)
    codes = survey.groups.encode(cells(request.table)["sex"])
    chosen = survey.chosen(places, codes)
    assert not (chosen & audited).any()
    assert np.bincount(codes[chosen]) == pytest.approx([50, 50], abs=25)
    assert read_roles(request, scan).features == X
