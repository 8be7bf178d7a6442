"""Which cases are compared, and what they are called."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from infounlearn.errors import Problems
from infounlearn.experiments.cases import Case
from infounlearn.experiments.cases import case as build_case
from infounlearn.experiments.compare.design import QUICK_CASES
from infounlearn.experiments.requests import comparison_cases

Builders = dict[str, Callable[[], Case]]
_Requests = dict[str, tuple[str, dict[str, Any]]]
"""By name of a case: its data set, and how it is built."""


def choose(
    data: tuple[str, ...], cases: Mapping[str, Case] | Sequence[str] | None, quick: bool
) -> Builders:
    """How to build each case, by name; one of each data set is built, to see that it can be.

    Args:
        data: names of data sets with built-in cases.
        cases: names of some of them, with or without the data set before a slash; or own cases by
            name, and then ``data`` has no part; all by default, the first few where ``quick``.
        quick: the small form of every data set.

    Raises:
        InputError: an unknown name, nothing to compare, or data that cannot be had.
    """
    problems = Problems("compare_points")
    if isinstance(cases, Mapping):
        problems.require(len(cases) > 0, "cases is empty", fix="pass at least one case")
        problems.raise_if_any()
        return {name: partial(_same, given) for name, given in cases.items()}
    problems.require(len(data) > 0, "data is empty", fix="name at least one data set")
    problems.require(len(set(data)) == len(data), "data holds one twice", fix="name each once")
    problems.raise_if_any()
    known = {
        one: {f"{one}/{name}": (one, how) for name, how in comparison_cases(one, quick).items()}
        for one in data
    }
    if cases is not None:
        chosen = _named(known, tuple(cases))
    else:
        most = QUICK_CASES if quick else None
        chosen = {one: dict(list(own.items())[:most]) for one, own in known.items()}
    for own in chosen.values():
        one, how = next(iter(own.values()))
        build_case(one, **how)  # type: ignore[arg-type]
    return {
        name: partial(build_case, one, **how)  # type: ignore[arg-type]
        for own in chosen.values()
        for name, (one, how) in own.items()
    }


def _named(known: Mapping[str, _Requests], cases: tuple[str, ...]) -> dict[str, _Requests]:
    """Of each data set the cases of that name: "one record", or "digits/one record"."""
    problems = Problems("compare_points")
    names = [name for own in known.values() for name in own]
    short = list(dict.fromkeys(_without_data(name) for name in names))
    problems.require(len(cases) > 0, "cases is empty", fix="name one, or leave the option out")
    for name in cases:
        near = difflib.get_close_matches(name, [*short, *names], n=1)
        problems.require(
            name in names or name in short,
            f"there is no case {name!r} of {', '.join(known)}",
            fix=f"did you mean {near[0]!r}?" if near else f"choose {', '.join(map(repr, short))}",
        )
    problems.raise_if_any()
    chosen = {
        one: {
            name: how for name, how in own.items() if name in cases or _without_data(name) in cases
        }
        for one, own in known.items()
    }
    for one, own in chosen.items():
        problems.require(
            bool(own), f"{one} has none of the cases {list(cases)}", fix="leave it out of data"
        )
    problems.raise_if_any()
    return chosen


def in_short(names: Sequence[str]) -> tuple[str, list[str]]:
    """What is compared on, and a title of each case: of one data set without its name."""
    data = list(dict.fromkeys(name.partition("/")[0] for name in names if "/" in name))
    if len(names) == 1:
        return names[0], list(names)
    if not all("/" in name for name in names):
        return f"{len(names)} cases", list(names)
    if len(data) == 1:
        return data[0], [_without_data(name) for name in names]
    return f"{', '.join(data[:-1])} and {data[-1]}", list(names)


def _without_data(name: str) -> str:
    return name.partition("/")[2]


def _same(given: Case) -> Case:
    return given
