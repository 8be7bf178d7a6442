"""A forget set that the original never learned by heart leaves it where it is."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from infounlearn.point import Unlearned, unlearn
from infounlearn.point.methods import RestartTeacher
from tests.point.worlds import MISLABELLED, MISTAUGHT, Pair, rows, same

UNSEEN: Pair = rows(torch.arange(30) % 3, 77)
"""Fresh records: the original knows no more of them than of any others."""


def go(model: nn.Module = MISTAUGHT, full_steps: bool = False, **more: Any) -> Unlearned:
    given = {**MISLABELLED.given(), **more}
    method = RestartTeacher(epochs=3.0, full_steps=full_steps)
    return unlearn(model, method=method, progress=False, **given)


def test_the_weights_stay_and_the_report_says_so() -> None:
    done = go(forget=UNSEEN)
    assert same(done.model, MISTAUGHT)
    assert "nothing was found to forget" in done.summary.warnings[0]


def test_full_steps_are_taken_all_the_same() -> None:
    done = go(forget=UNSEEN, full_steps=True)
    assert not same(done.model, MISTAUGHT)
    assert done.summary.warnings == ()


def test_of_mislabelled_records_there_is_much() -> None:
    done = go()
    assert done.summary.warnings == ()
    assert not same(done.model, MISTAUGHT)


def test_a_resumed_run_still_knows(tmp_path: Any) -> None:
    def kill(row: Any) -> None:
        if row["step"]:
            raise SystemError

    with pytest.raises(SystemError):
        go(forget=UNSEEN, checkpoint=tmp_path, on_evaluation=kill)
    done = go(forget=UNSEEN, checkpoint=tmp_path)
    assert same(done.model, MISTAUGHT)
    assert "nothing was found to forget" in done.summary.warnings[0]
