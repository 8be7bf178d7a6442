"""What a released table is still worth, and what its verdicts say to the shell."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from infounlearn.experiments.feature_job import exit_code
from infounlearn.experiments.feature_utility import (
    USEFUL,
    target_finding,
    utility_findings,
    utility_verdict,
)
from infounlearn.interface import Audit, Verdict


@pytest.mark.parametrize(
    ("answers", "code"),
    [
        (("removed", "no fingerprint"), 0),
        (("still visible", "no fingerprint"), 1),
        (("removed", "fingerprint"), 1),
        (("inconclusive", "no fingerprint"), 3),
        (("removed", "inconclusive"), 3),
        (("removed", "no fingerprint", "lost"), 1),
    ],
)
def test_verdicts_decide_the_exit_code(answers: tuple[Any, ...], code: int) -> None:
    said = tuple(Verdict("?", answer, "") for answer in answers)
    assert exit_code(Audit("x", said, ())) == code
    # A target that nobody can predict says nothing about the feature.
    open_question = Verdict(USEFUL, "inconclusive", "")
    assert exit_code(Audit("x", (*said, open_question), ())) == code


@pytest.fixture
def noise() -> pa.Table:
    rng = np.random.default_rng(3)
    return pa.table({"a": rng.normal(size=400), "b": rng.normal(size=400)})


def test_utility_is_whole_where_the_target_shows_and_gone_where_it_does_not(
    noise: pa.Table,
) -> None:
    y = np.random.default_rng(4).random(400) < 0.5
    telling = noise.append_column("c", pa.array(y.astype(float)))
    found = {
        one.name: one
        for one in utility_findings(telling, noise, y.astype(str), task="classification")
    }
    accuracy, auroc = found["utility/accuracy"], found["utility/auroc"]
    assert (accuracy.original, auroc.original) == (1.0, 1.0)
    assert accuracy.value == pytest.approx(0.5, abs=0.1)
    assert auroc.value == pytest.approx(0.5, abs=0.1)
    assert utility_verdict([accuracy, auroc]).answer in ("lost", "inconclusive")
    swapped = replace(auroc, value=1.0, interval=(0.98, 1.0))
    assert utility_verdict([accuracy, swapped]).answer == "kept"
    never = replace(auroc, value=0.5, original=0.5, interval=(0.4, 0.6))
    assert utility_verdict([accuracy, never]).answer == "inconclusive"
    assert utility_verdict([replace(never, original=0.9)]).answer == "lost"
    low, high = auroc.interval or (0, 0)
    assert low < auroc.value < high  # type: ignore[operator]
    number = y + np.random.default_rng(5).normal(0, 0.1, 400)
    found = {one.name: one for one in utility_findings(telling, noise, number, task="regression")}
    assert found["utility/r2"].original > 0.9  # type: ignore[operator]
    assert found["utility/r2"].value < 0.1  # type: ignore[operator]
    mse, r2 = found["utility/mse"].value, found["utility/r2"].value
    assert mse == pytest.approx((1 - r2) * number.var())  # type: ignore[operator]


def test_a_target_that_is_the_feature_tells_all_of_it() -> None:
    z = np.arange(200) % 2
    found = target_finding(z, z, task="classification", name="y", permutations=19, seed=0)
    assert found.value == pytest.approx(math.log(2))
    assert found.null is not None
    assert found.null.p_value == 1 / 20
