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


def go(model: nn.Module = MISTAUGHT, **more: Any) -> Unlearned:
    given = {**MISLABELLED.given(), **more}
    return unlearn(model, method=RestartTeacher(epochs=3.0), progress=False, **given)


def test_the_weights_stay_and_the_report_says_so() -> None:
    done = go(forget=UNSEEN)
    assert same(done.model, MISTAUGHT)
    assert "nothing was found to forget" in done.summary.warnings[0]


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
