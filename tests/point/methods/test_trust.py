"""When the default leaves the original as it is: a teacher with nothing to say."""

from __future__ import annotations

import pytest

from infounlearn.point import unlearn
from infounlearn.point.methods import RestartTeacher, teaching
from infounlearn.point.methods.teaching import ENOUGH, trust
from tests.point.worlds import TRAINED, WORLD, same


def test_a_teacher_is_trusted_for_what_it_says_beyond_its_error() -> None:
    assert trust(told=0.3, error=0.0) == 1.0  # no held-out records: nothing speaks against it
    assert trust(told=0.3, error=0.29) == pytest.approx((1 - 0.29 / 0.3) / ENOUGH)
    assert trust(told=0.3, error=0.3) == trust(told=0.2, error=0.3) == trust(told=0.0, error=0.0)
    assert trust(told=0.2, error=0.3) == 0.0


def test_a_student_without_trust_stays_the_original(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(teaching, "trust", lambda told, error: 0.0)
    done = unlearn(TRAINED, method=RestartTeacher(epochs=2.0), progress=False, **WORLD.given())
    assert same(done.model, TRAINED)
