"""A forget set that the original never learned by heart leaves it where it is."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from infounlearn.point import Unlearned, unlearn
from infounlearn.point.methods import RestartTeacher
from infounlearn.point.utility import cross_entropy_rows
from tests.point.worlds import MISLABELLED, MISTAUGHT, NETWORK, Pair, fit, rows, same

UNSEEN: Pair = rows(torch.arange(30) % 3, 77)
"""Fresh records: the original knows no more of them than of any others."""


def go(
    model: nn.Module = MISTAUGHT, full_steps: bool = False, epochs: float = 3.0, **more: Any
) -> Unlearned:
    given = {**MISLABELLED.given(), **more}
    method = RestartTeacher(epochs=epochs, full_steps=full_steps)
    return unlearn(model, method=method, progress=False, **given)


def test_the_weights_stay_and_the_report_says_so() -> None:
    done = go(forget=UNSEEN)
    assert same(done.model, MISTAUGHT)
    (told,) = done.summary.warnings
    assert "Nothing was found to forget" in told
    assert f"of {len(UNSEEN[1])} forget records" in told


def test_full_steps_are_taken_all_the_same() -> None:
    done = go(forget=UNSEEN, full_steps=True)
    assert not same(done.model, MISTAUGHT)
    assert done.summary.warnings == ()


def test_of_mislabelled_records_there_is_much() -> None:
    done = go()
    assert done.summary.warnings == ()
    assert not same(done.model, MISTAUGHT)


@pytest.mark.parametrize("holdout", ["same law", "that class alone"])
def test_of_a_class_that_the_retain_set_lacks_there_is_much(holdout: str) -> None:
    """Also where all held-out records are of it, which any other network knows as little."""
    every, fresh = rows(torch.arange(120) % 3, 5), rows(torch.arange(90) % 3, 6)
    gone, held = every[1] == 0, fresh[1] == (0 if holdout == "that class alone" else fresh[1])
    given = {
        "forget": (every[0][gone], every[1][gone]),
        "retain": (every[0][~gone], every[1][~gone]),
        "holdout": (fresh[0][held], fresh[1][held]),
    }
    model = fit(NETWORK(0), every)
    done = go(model, epochs=100.0, **given)
    assert done.summary.warnings == ()
    inputs, labels = given["forget"]
    with torch.no_grad():
        before, after = (
            float(cross_entropy_rows(one(inputs), labels).mean()) for one in (model, done.model)
        )
    assert before < 0.1 < 1.0 < after


def test_a_single_class_to_keep_leaves_numbers_finite() -> None:
    """Knowing nothing of it costs nothing, so a share of that has no bound."""
    every = rows(torch.arange(90) % 2, 5)
    gone = every[1] == 0
    done = go(
        fit(NETWORK(0), every),
        epochs=100.0,
        forget=(every[0][gone], every[1][gone]),
        retain=(every[0][~gone], every[1][~gone]),
    )
    assert not done.warnings


@pytest.mark.parametrize("scale", [1e-2, 1e4])
def test_steps_have_no_unit(scale: float) -> None:
    """Without the teacher's answers, whose strength is in nats."""

    def moved(factor: float) -> float:
        silent = RestartTeacher(epochs=20.0, strength=0.0)
        done = unlearn(
            MISTAUGHT, **MISLABELLED.given(), method=silent, progress=False,
            loss=lambda outputs, targets: factor * cross_entropy_rows(outputs, targets),
        )  # fmt: skip
        pairs = zip(done.model.parameters(), MISTAUGHT.parameters(), strict=True)
        return float(torch.stack([(one - other).detach().norm() for one, other in pairs]).norm())

    # But for rounding, which draws other rows to rehearse.
    assert moved(scale) == pytest.approx(moved(1.0), rel=0.1)


def test_a_resumed_run_still_knows(tmp_path: Any) -> None:
    def kill(row: Any) -> None:
        if row["step"]:
            raise SystemError

    with pytest.raises(SystemError):
        go(forget=UNSEEN, checkpoint=tmp_path, on_evaluation=kill)
    done = go(forget=UNSEEN, checkpoint=tmp_path)
    assert same(done.model, MISTAUGHT)
    assert "Nothing was found to forget" in done.summary.warnings[0]
