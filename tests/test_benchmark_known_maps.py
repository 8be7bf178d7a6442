"""The benchmark of known maps knows them, and runs."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from benchmarks import known_maps
from benchmarks.__main__ import main
from benchmarks.known_maps import SHARES, SPREADS, Fields, Task

from infounlearn.math import GroupMoments, gaussian_barycenter

SIDE = 6


@pytest.mark.parametrize("kind", ["rough", "smooth"])
def test_values_and_maps_are_those_of_the_whole_covariances(kind: str) -> None:
    law = Fields(kind, SIDE)
    squares = np.stack([SPREADS[z] ** 2 * np.kron(*law.squares[z]) for z in (0, 1)])
    means = np.stack([mean.ravel() for mean in law.means])
    known = gaussian_barycenter(GroupMoments.of(np.array(SHARES), means, squares))
    assert law.value == pytest.approx(known.value / SIDE**2, rel=1e-8)
    for z in (0, 1):
        images = law.draw(20, z, np.random.default_rng(z))
        moved = known.transport(images.reshape(20, -1), np.full(20, z))
        np.testing.assert_allclose(law.barycenter(images, z).reshape(20, -1), moved, atol=1e-8)


def test_optimal_maps_score_nothing_and_the_value() -> None:
    task = Task.drawn(Fields("smooth", SIDE), 100, 0, held=50)
    assert task.score(task.answers) == ((0.0, 0.0), 1.0)
    (first, _), cost = task.score(task.fresh)
    assert first > 0
    assert cost < 0.5


def test_it_runs_and_writes_what_it_prints(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--tiny", "--only", "known-maps", "--out", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    fits = json.loads((tmp_path / "known-maps-tiny.json").read_text())["fits"]
    assert {one["name"] for one in fits} >= {"product form", "32 components", "auto"}
    for one in fits:
        assert one["name"] in printed
        if one["name"] == "auto":
            # Rows that were kept know better than those that were fitted what the law costs.
            assert one["kept"] < one["fitted"]
            assert max(one["uvp"]) < 5.0
    assert known_maps.closed_forms(100).keys() == {"product form", "auto"}
