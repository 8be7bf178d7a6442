"""The figure of the Adult table without sex runs, measures, and says what was certified."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from infounlearn.experiments.figures import adult_release
from infounlearn.experiments.figures.adult_release import Design, _probe, _spread, run


def test_a_probe_of_noise_recovers_nothing_and_of_the_group_everything() -> None:
    rng = np.random.default_rng(0)
    groups = rng.integers(2, size=600)
    noise = rng.normal(size=(600, 3))
    assert _probe(noise, groups)[0] < 0.02
    bits, area = _probe(np.column_stack((noise, groups)), groups)
    assert bits > 0.95
    assert area == pytest.approx(1.0)


def test_a_spread_needs_several_splits() -> None:
    assert _spread([{"bits": 0.25}], "bits") == "0.250"
    assert _spread([{"bits": 0.25}, {"bits": 0.75}], "bits") == "0.500 ± 0.354"
    assert _spread([{"bits": ""}], "bits") == "–"


@pytest.mark.data("adult")
def test_the_figure_runs_and_certifies_what_has_kernels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = Design(sizes=((1_200, 1_200, 1),), shuffles=1, releases=("as it is", "atoms"))
    monkeypatch.setattr(adult_release, "QUICK", small)
    result = run(True, tmp_path, 0, workers=1)
    record = json.loads((tmp_path / "adult-release-quick.json").read_text())
    assert record["command"] == "infounlearn figure adult-release --quick --seed 0"
    plain, atoms = result.table[1:]
    at = result.table[0].index("certified bits")
    assert plain[at] == "–"
    assert 0.0 < float(atoms[at]) < 0.9
    read = result.table[0].index("bits on sex")
    assert float(atoms[read]) < 0.1 < float(plain[read])
