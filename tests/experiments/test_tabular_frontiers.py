"""The comparison on public tables: every method runs, losses are printed, a killed job resumes."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from infounlearn.experiments.figures import tabular_methods, tabular_table
from infounlearn.experiments.figures.tabular_frontiers import Design, run
from infounlearn.experiments.figures.tabular_limit import best_accuracies
from infounlearn.experiments.figures.tabular_table import (
    Panel,
    Verdict,
    best,
    other_views,
    sentences,
    verdicts,
)
from infounlearn.feature.frontier_cells import Cell
from infounlearn.feature.frontiers import Frontier


def world(offsets: dict[str, float], folds: int = 5) -> Panel:
    """One setting per method: accuracy .8 + offset at a gap of .05; the plain model at .2."""
    noise = np.random.default_rng(0).normal(scale=0.01, size=(len(offsets) + 1, folds))
    noise -= noise.mean(axis=1, keepdims=True)
    names = ["plain", *offsets]
    cells = []
    for row, name in enumerate(names):
        for fold in range(folds):
            accuracy = 0.8 + offsets.get(name, 0.05) + noise[row, fold]
            gap = 0.2 if name == "plain" else 0.05
            figures = {"accuracy": accuracy, "auroc": accuracy, "parity": gap}
            cells.append(Cell(name, None, None, fold, figures))
    constants = tuple({"accuracy": 0.7, "auroc": 0.5} for _ in range(folds))
    found = Frontier(tuple(cells), constants, "plain", 0.25, {"task": "classification"})
    return Panel("t, z", "linear", found)


def test_verdicts_compare_the_best_of_each_side_by_paired_errors() -> None:
    for offset, answer in ((0.05, "ahead"), (-0.004, "within"), (-0.1, "behind")):
        panel = world({"ParityHead": offset, "EquiPy": 0.0, "LEACE": -0.05, "HSIC": -0.2})
        found = verdicts([panel])
        assert [one.utility for one in found] == ["accuracy", "auroc"]
        assert (found[0].ours, found[0].theirs) == ("ParityHead", "EquiPy")
        assert found[0].answer == answer
        text = sentences(found)
        assert text[0].startswith("Our best area")
        assert len(text) == 3
        assert text[1].startswith(answer)


def test_other_views_see_a_ranking_that_tells_and_settings_that_straddle_parity() -> None:
    # (gap, accuracy): theirs has one more setting by parity, worth less than a coin between ours
    # and the constant. Its ranking tells the attribute whatever its decision does.
    points = {
        "plain": [(0.2, 0.82)],
        "ParityHead": [(0.03, 0.803), (0.05, 0.805), (0.1, 0.81)],
        "HSIC": [(0.01, 0.73), (0.03, 0.8029), (0.1, 0.81)],
    }
    cells = []
    for fold in range(5):
        for name, shown in points.items():
            for at, (gap, accuracy) in enumerate(shown):
                figures = {
                    "accuracy": accuracy + 0.00001 * fold * (name == "HSIC"),
                    "auroc": 0.9 if name == "HSIC" else 0.85,
                    "parity": gap,
                    "ks": 0.3 if name == "HSIC" else gap,
                }
                cells.append(Cell(name, "dial", at, fold, figures))
    constants = tuple({"accuracy": 0.7, "auroc": 0.5} for _ in range(5))
    found = Frontier(tuple(cells), constants, "plain", 0.25, {"task": "classification"})
    panel = Panel("t, z", "linear", found)
    assert [one.answer for one in verdicts([panel])] == ["behind", "behind"]
    coins, ranked = other_views([panel])
    assert "1 comparisons: ahead in 1" in coins
    assert "1 comparisons: ahead in 1" in ranked


def test_the_plain_model_is_on_neither_side() -> None:
    areas = world({"ParityHead": -0.1, "EquiPy": -0.2}).frontier.hypervolumes()
    own, other = best(areas, True), best(areas, False)
    assert own is not None
    assert other is not None
    assert (own.method, other.method) == ("ParityHead", "EquiPy")


def test_a_lag_of_one_standard_error_is_within() -> None:
    words = ("t", "linear", "accuracy", "a", "b")
    assert Verdict(*words, -0.01, 0.01).answer == "within"
    assert Verdict(*words, -0.011, 0.01).answer == "behind"
    assert Verdict(*words, 0.0, 0.01).answer == "ahead"


def test_no_thresholds_are_above_the_limit_and_the_best_reach_it() -> None:
    generator = np.random.default_rng(1)
    z = np.repeat([0, 1], [14, 10])
    scores = generator.normal(size=24).round(1)
    y = (scores + generator.normal(size=24) > 0.2).astype(int)
    cuts = np.append(np.unique(scores), np.inf)
    found: list[tuple[float, float]] = []
    for low, high in itertools.product(cuts, cuts):
        decided = scores >= np.where(z == 0, low, high)
        gap = abs(decided[z == 0].mean() - decided[z == 1].mean())
        found.append((gap, float((decided == y).mean())))
    gaps, accuracies = np.array(found).T
    limits = best_accuracies(scores, y, z, gaps)
    assert (accuracies <= limits + 1e-12).all()
    # Where the gap is free the best pair of plain thresholds is the limit.
    free = best_accuracies(scores, y, z, np.array([1.0]))[0]
    assert free == pytest.approx(accuracies.max())
    # With equal rates, mixing two thresholds in each group is all there is: search those mixtures.
    rates = np.linspace(0, 1, 201)
    reached = sum((z == k).mean() * _hull(scores[z == k], y[z == k], rates) for k in (0, 1))
    equal = best_accuracies(scores, y, z, np.array([0.0]))[0]
    assert equal >= reached.max() - 1e-12
    assert equal == pytest.approx(reached.max(), abs=5e-3)


def _hull(scores: np.ndarray, y: np.ndarray, rates: np.ndarray) -> np.ndarray:
    """Best accuracy of mixtures of two thresholds at each rate, by trying all pairs."""
    cuts = np.append(np.unique(scores), np.inf)
    decided = scores >= cuts[:, None]
    at, right = decided.mean(1), (decided == y).mean(1)
    best = np.full(len(rates), -np.inf)
    for one, two in itertools.product(range(len(cuts)), repeat=2):
        if at[one] < at[two]:
            inside = (rates >= at[one]) & (rates <= at[two])
            mixed = np.interp(rates, at[[one, two]], right[[one, two]])
            best = np.where(inside, np.maximum(best, mixed), best)
    return best


def test_every_method_has_the_same_number_of_settings_and_a_look() -> None:
    from infounlearn.experiments.figures.tabular_drawing import LOOKS

    for kind in tabular_methods.BASES:
        for task in ("classification", "regression"):
            named = tabular_methods.methods(kind, task, (0, 2))
            assert next(iter(named)) == tabular_methods.PLAIN
            settings = {len(one.settings()) for name, one in named.items() if name != "plain"}
            assert settings == {6}
            assert set(named) <= set(LOOKS)
    shown = {name for kind in tabular_methods.BASES for name in named_of(kind)}
    assert set(tabular_methods.OURS) <= shown


def named_of(kind: tabular_methods.Kind) -> list[str]:
    return list(tabular_methods.methods(kind, "classification", (0, 2)))


@pytest.mark.data("german")
@pytest.mark.data("communities")
def test_a_small_form_prints_every_method_and_resumes(
    tmp_path: Path, data_home: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("fairlearn")
    pytest.importorskip("equipy")
    pytest.importorskip("concept_erasure")
    design = Design(
        cases=("German credit, sex", "Communities, race"),
        bases=("linear",),
        folds=2,
        dear=0,
        settings=1,
        leave_out=("WassersteinBarycenter", "Communities, race, linear: LEACE"),
    )
    told: list[str] = []

    def tell(done: int, total: int, text: str) -> None:
        told.append(f"{done}/{total} {text}")

    result = run(True, tmp_path, 0, tell, design=design, workers=1)
    assert told[-1].startswith("36/36")
    assert not [line for line in told if "Error" in line]
    methods = {row[1].lstrip("* ") for row in result.table[1:]}
    assert {"ParityHead", "ThresholdOptimizer", "ExponentiatedGradient", "LEACE"} <= methods
    assert {row[0] for row in result.table[1:] if row[1].strip() == "LEACE"} == {
        "German credit, sex, linear"
    }
    assert {path.suffix for path in result.files} == {".svg", ".png", ".csv", ".json", ".md"}
    assert result.table[0] == tabular_table.HEADER
    whole = (tmp_path / "tabular-frontiers-quick.md").read_text(encoding="utf-8")
    assert all(method in whole for method in methods)
    assert "comparisons" in whole
    record = json.loads((tmp_path / "tabular-frontiers-quick.json").read_text(encoding="utf-8"))
    assert record["data_sha256"].keys() == set(design.cases)
    kept = (tmp_path / "tabular-frontiers-quick-communities-race-linear.json").read_text("utf-8")
    assert Frontier.from_json(kept).settings["task"] == "regression"
    drawn = (tmp_path / "tabular-frontiers-quick.svg").read_bytes()
    told.clear()
    again = run(True, tmp_path, 0, tell, design=design, workers=1)
    # One line per panel: everything was found.
    assert len(told) == 2
    assert again.table == result.table
    assert (tmp_path / "tabular-frontiers-quick.svg").read_bytes() == drawn
