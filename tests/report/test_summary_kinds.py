"""The word "certified" stands beside bounds only."""

from __future__ import annotations

import pytest

from infounlearn.interface import Audit, Finding, Record
from infounlearn.report import summary_rows
from infounlearn.report.page import render_page


def record(**changes: object) -> Record:
    settings = {"value": 0.1, "unit": "nats", "kind": "certified", "confidence": 0.95, **changes}
    finding = Finding("leakage/score_information", "Information", **settings)  # type: ignore[arg-type]
    return Record("Title", Audit("unlearned", (), (finding,)))


def test_an_estimate_beside_a_certified_bound_is_measured() -> None:
    (row,) = summary_rows(record(bound=0.4))
    assert row.kind == "measured"
    assert "certified ≤ 0.4" in row.bound
    assert "95" in row.bound
    page = render_page(record(bound=0.4), "digest")
    assert page.count('class="kind certified"') == 1  # the legend's
    assert page.count("certified ≤ 0.4") == 2  # plain words, every number


@pytest.mark.parametrize("bound", [None, 0.1])
def test_a_number_that_is_itself_the_bound_is_certified(bound: float | None) -> None:
    (row,) = summary_rows(record(bound=bound))
    assert (row.kind, row.bound) == ("certified", "")


def test_other_kinds_stay_what_they_are() -> None:
    (row,) = summary_rows(record(kind="exact", bound=0.4))
    assert (row.kind, row.bound) == ("exact", "")
