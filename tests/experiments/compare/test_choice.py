"""Cases and methods are found by name, and a wrong name is met with the right one."""

from __future__ import annotations

from pathlib import Path

import pytest

from infounlearn.errors import InputError
from infounlearn.experiments.compare import choice, ours
from infounlearn.experiments.compare.choice import choose, in_short
from infounlearn.experiments.compare.design import ALL, QUICK_CASES
from infounlearn.experiments.compare.verb import compare_points
from infounlearn.point.methods import METHODS


def test_cases_are_found_by_either_name(monkeypatch: pytest.MonkeyPatch) -> None:
    built = []
    monkeypatch.setattr(choice, "build_case", lambda data, **how: built.append((data, how)))
    names = choose(("digits", "diabetes"), ("one record", "digits/random 10%"), False)
    assert list(names) == ["digits/random 10%", "digits/one record", "diabetes/one record"]
    assert len(choose(("digits",), None, True)) == QUICK_CASES
    assert len(choose(("digits",), None, False)) > QUICK_CASES
    assert {data for data, _ in built} == {"digits", "diabetes"}
    # The default of the package takes part as "ours", and not once more under its own name.
    assert set(ALL) == {"ours", *METHODS} - {ours.METHOD}


@pytest.mark.parametrize(
    ("data", "cases", "words"),
    [
        ("digits", ("one recrod",), "did you mean 'one record'?"),
        ("digits", ("?",), "'random 10%, 20% noise'"),
        ("digits", (), "cases is empty"),
        (("digits", "diabetes"), ("trigger",), "diabetes has none of the cases ['trigger']"),
    ],
)
def test_a_case_that_is_not_there_is_said(
    data: str | tuple[str, ...], cases: tuple[str, ...], words: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError) as caught:
        compare_points(data, cases=cases, out=tmp_path)
    assert words in str(caught.value)


def test_titles_name_the_data_set_only_where_there_are_several() -> None:
    assert in_short(["digits/a", "digits/b"]) == ("digits", ["a", "b"])
    both = ["digits/a", "mnist/a"]
    assert in_short(both) == ("digits and mnist", both)
    assert in_short(["digits/a"]) == ("digits/a", ["digits/a"])
    assert in_short(["clouds", "numbers"]) == ("2 cases", ["clouds", "numbers"])
