"""The benchmark of image maps runs, and times a step and not a fit."""

from __future__ import annotations

import pytest
from benchmarks import images


def test_tiny_runs_compare_every_network_with_the_closed_form() -> None:
    lines = images.run(rounds=1, tiny=True)
    assert {line.group for line in lines} == {"images"}
    assert len(lines) == len({line.name for line in lines}) == 8
    for what, count in (("one image 1 x 8 x 8", 4), ("pass of 64", 2), ("fit of 160", 2)):
        assert sum(what in line.name for line in lines) == count
    for line in lines:
        assert line.seconds > 0
        assert line.ratio[0] == pytest.approx(line.seconds / line.baseline)


def test_a_step_is_timed_between_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = iter([5.0, 7.0, 9.0, 15.0])
    monkeypatch.setattr(images, "perf_counter", lambda: next(ticks))
    assert images._step_seconds(images.pictures(160, 8, 1), "tiny", 3) == pytest.approx(10 / 3)
