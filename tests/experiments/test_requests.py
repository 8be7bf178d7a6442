"""Every named comparison case can be built, and is what its name says."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from typing import Any

import pytest
import torch

from infounlearn.errors import InputError
from infounlearn.experiments import Case, case
from infounlearn.experiments.case_data import SOURCES
from infounlearn.experiments.requests import ORDER, comparison_cases

ALL = [
    pytest.param(
        data,
        name,
        marks=[] if folder is None else [pytest.mark.data(folder)],
        id=f"{data}-{name}",
    )
    for data, folder in (
        ("digits", None),
        ("diabetes", None),
        ("mnist", "mnist"),
        ("cifar10", "cifar10_subset"),
        ("adult", "adult"),
        ("communities", "communities"),
    )
    for name in comparison_cases(data)
]


@pytest.fixture(scope="module", autouse=True)
def _read_once() -> Iterator[None]:
    """Loading is what costs here: each data set is read once for all of its cases."""
    with pytest.MonkeyPatch.context() as patch:
        for data, source in SOURCES.items():
            patch.setitem(SOURCES, data, replace(source, load=lru_cache(1)(source.load)))
        yield


def test_the_names_of_each_data_set() -> None:
    pictures = [name for name in ORDER if name not in ("75% of class 1", "confusion 0/1")]
    for data in ("digits", "mnist", "cifar10"):
        assert [*comparison_cases(data)] == pictures
    assert [*comparison_cases("adult")] == [
        "75% of class 1", "random 10%", "random 10%, 20% noise", "confusion 0/1", "tail 5%",
        "one record", "10 requests",
    ]  # fmt: skip
    for data in ("diabetes", "communities"):
        assert [*comparison_cases(data)] == ["random 10%", "tail 5%", "one record", "10 requests"]


def test_callers_cannot_change_the_registry() -> None:
    comparison_cases("digits")["trigger"]["trigger"] = 5
    assert comparison_cases("digits")["trigger"]["trigger"] == 0
    assert comparison_cases("digits", quick=True)["trigger"]["quick"] is True


def test_an_unknown_data_set_is_refused() -> None:
    with pytest.raises(InputError, match="data is 'letters': choose 'digits', 'mnist'"):
        comparison_cases("letters")


@pytest.mark.parametrize(("data", "name"), ALL)
def test_every_case_can_be_learned_and_is_what_its_name_says(data: Any, name: str) -> None:
    one = case(data, **comparison_cases(data, quick=True)[name])
    together = torch.cat([one.forget_ids, one.retain_ids])
    assert torch.equal(together.sort().values, one.train.ids.sort().values)
    assert torch.equal(torch.cat(one.requests).sort().values, one.forget_ids.sort().values)
    assert len(one.requests) == (10 if name == "10 requests" else 1)
    assert one.factory(0).eval()(one.retain.inputs[:3]).shape == (3, one.num_classes or 1)
    assert (one.num_classes is None) == (not one.train.is_classification)
    assert one.description.startswith(f"{data}: forget ")
    check_size(one, name)
    if "noise" in name:
        true = case(data, **comparison_cases(data, quick=True)["random 10%"])
        wrong = (one.train.targets != true.train.targets).double().mean()
        assert float(wrong) == pytest.approx(0.2, abs=0.03)


def check_size(one: Case, name: str) -> None:
    share = len(one.forget) / len(one.train)
    if name == "one record":
        assert len(one.forget) == 1
    elif name.startswith(("random", "10 requests")):
        assert len(one.forget) == round(0.1 * len(one.train))
    elif name == "tail 5%":
        assert share == pytest.approx(0.05, abs=0.005)
    elif "of class" in name:
        label = int(name[-1])
        assert len(one.forget) == round(0.75 * int((one.train.targets == label).sum()))
    elif name.startswith("whole"):
        assert 3 not in one.retain.targets
    elif name.startswith("confusion"):
        assert one.confused == (int(name[-3]), int(name[-1]))
        assert set(one.forget.targets.tolist()) == set(one.confused)
    else:
        assert name == "trigger"
        assert set(one.forget.targets.tolist()) == {0}
        assert share == pytest.approx(0.045, abs=0.002)


@pytest.mark.parametrize(
    "data",
    [
        "digits",
        "diabetes",
        pytest.param("adult", marks=pytest.mark.data("adult")),
        pytest.param("communities", marks=pytest.mark.data("communities")),
        pytest.param("cifar10", marks=pytest.mark.data("cifar10_subset")),
    ],
)
def test_no_record_that_is_held_out_or_tested_was_learned(data: Any) -> None:
    """By content, not only by name; tests/data says the same of MNIST."""
    one = case(data, forget_random=0.1, quick=True)
    hashes = [
        digest for part in (one.train, one.holdout, one.test) for digest in part.record_hashes()
    ]
    assert len(set(hashes)) == len(hashes)
