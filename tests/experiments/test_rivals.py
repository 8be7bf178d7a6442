"""Rivals do what their packages say, see the attribute only where they should, and share models."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from sklearn.base import clone

from infounlearn.data.tabular import TableData
from infounlearn.experiments.rivals import base as shared
from infounlearn.experiments.rivals.adversarial import AdversarialRival, directed
from infounlearn.experiments.rivals.base import Base, cross_fit
from infounlearn.experiments.rivals.encoding import Encoder, coded
from infounlearn.experiments.rivals.hsic import HsicRival
from infounlearn.experiments.rivals.linear_post import LinearPostRival
from infounlearn.experiments.rivals.mean_gap import MeanGapRival
from infounlearn.experiments.rivals.net import Net
from infounlearn.experiments.rivals.ours import ParityHeadCurve, ScoreBarycenterCurve, row_keys
from infounlearn.feature import Dial, frontier
from infounlearn.math.parity import demographic_parity_difference

LEVELS = (0, 3, 2)


def table(rows: int = 1200, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A number and a category that tell of a group, and a target that needs all three."""
    generator = np.random.default_rng(seed)
    z = (generator.random(rows) < 0.35).astype(int)
    number = generator.normal(size=rows) + 0.8 * z
    category = generator.integers(0, 2, rows) + z
    logit = number + 0.7 * category + 0.5 * z - 1.2
    y = (generator.random(rows) < 1 / (1 + np.exp(-logit))).astype(int)
    return np.column_stack([number, category, z]).astype(float), y, np.where(z == 1, "b", "a")


def test_a_table_is_coded_with_the_attribute_last() -> None:
    words = np.array(["u", "v", "u", "w"], dtype=object)
    data = TableData(
        "t",
        {"n": np.array([1.0, 2.0, 3.0, 4.0]), "c": words},
        {"n": "numeric", "c": "categorical"},
        np.array([0, 1, 0, 1]),
        "y",
        "classification",
        {"s": np.array(["x", "x", "y", "y"], dtype=object)},
        np.arange(4),
    )
    found = coded(data, "s")
    assert found.levels == (0, 3, 2)
    assert found.X.tolist() == [[1, 0, 0], [2, 1, 0], [3, 0, 1], [4, 2, 1]]
    encoder = Encoder.fit(found.X, found.levels)
    columns = encoder.transform(found.X)
    assert columns[:, 0].mean() == pytest.approx(0)
    assert columns[:, 1:].tolist() == [[1, 0, 0, 0], [0, 1, 0, 0], [1, 0, 0, 1], [0, 0, 1, 1]]


def test_models_are_fitted_once_and_what_a_step_learns_of_their_scores_holds_of_new_ones(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    X, y, z = table(300)
    fits = []
    fit = Base._fit
    monkeypatch.setattr(Base, "_fit", lambda self, X, y: (fits.append(len(X)), fit(self, X, y))[1])
    shared._KEPT.clear()
    base = Base("trees", levels=LEVELS)
    for share in (0.0, 0.5):
        ParityHeadCurve(base, share).fit(X, y, sensitive=z)
    assert fits == [200, 200, 200]
    # Trees know the rows they were fitted on; out of fold they do not.
    own = clone(base).fit(X, y).scores(X)
    crossed = cross_fit(base, X, y, z)
    held = crossed.out_of_fold
    assert ((own > 0.5) == y).mean() > ((held > 0.5) == y).mean() + 0.1
    # Each row was left out by one of the models, which scored it; new rows have their mean.
    said = np.array([part.scores(X) for part in crossed.parts])
    assert np.all((said == held).any(axis=0))
    assert np.allclose(crossed.scores(X), said.mean(axis=0))


@pytest.mark.parametrize("share", [0.0, 0.5])
def test_bounded_heads_keep_their_bound_and_agree_with_each_other(share: float) -> None:
    pytest.importorskip("fairlearn")
    from infounlearn.experiments.rivals.threshold_optimizer import ThresholdOptimizerRival

    X, y, z = table(4000)
    base = Base("linear", levels=LEVELS)
    plain = clone(base).fit(X, y)
    gap = demographic_parity_difference(plain.predict(X), z)
    assert gap > 0.3
    shown = []
    for rival in (ThresholdOptimizerRival, LinearPostRival, ParityHeadCurve):
        law = rival(base, share).fit(X, y, sensitive=z).decision_proba(X, sensitive=z)
        assert demographic_parity_difference(law, z) == pytest.approx(share * gap, abs=0.03)
        shown.append(law[np.arange(len(y)), y].mean())
    assert np.ptp(shown) < 0.01


def test_linear_post_of_few_rows_is_a_threshold_in_each_group() -> None:
    X, y, z = table(150)
    rival = LinearPostRival(Base("linear", levels=LEVELS)).fit(X, y, sensitive=z)
    scores = np.linspace(0, 1, 2001)
    for group in ("a", "b"):
        accepted = rival.accept(scores, np.full(2001, group))
        # More cells than rows: those between two rows must not be refused among accepted ones.
        assert (np.diff(accepted) >= -1e-9).all()
        assert accepted[-1] == 1


def test_equipy_is_the_barycenter_of_scores_up_to_its_noise() -> None:
    pytest.importorskip("equipy")
    from infounlearn.experiments.rivals.equipy import EquiPyRival

    X, y, z = table(2000)
    base = Base("linear", levels=LEVELS)
    theirs = EquiPyRival(base, 0.0).fit(X, y, sensitive=z).decision_function(X, sensitive=z)
    ours = ScoreBarycenterCurve(base, 1.0).fit(X, y, sensitive=z)
    assert np.abs(theirs - ours.decision_function(X, sensitive=z)).mean() < 2e-3
    plain = ScoreBarycenterCurve(base, 0.0).fit(X, y, sensitive=z)
    assert np.array_equal(plain.decision_function(X, sensitive=z), plain.base_.scores(X))


@pytest.mark.parametrize("name", ["CorrelationRemover", "Leace", "Quadratic"])
def test_what_changes_columns_removes_what_it_says_and_nothing_at_zero(name: str) -> None:
    pytest.importorskip("fairlearn")
    pytest.importorskip("concept_erasure")
    from infounlearn.experiments.rivals.concept_erasure import LeaceRival
    from infounlearn.experiments.rivals.correlation_remover import CorrelationRemoverRival
    from infounlearn.experiments.rivals.quadratic_eraser import QuadraticRival

    kinds: dict[str, Any] = {
        "CorrelationRemover": CorrelationRemoverRival,
        "Leace": LeaceRival,
        "Quadratic": QuadraticRival,
    }
    X, y, _ = table(2000)
    none = kinds[name](levels=LEVELS, amount=0.0).fit(X, y)
    blind = Base("linear", levels=LEVELS, aware=False).fit(X, y)
    assert np.allclose(none.predict_proba(X), blind.predict_proba(X))
    full = kinds[name](levels=LEVELS, amount=1.0).fit(X, y)
    before, after = none._changed(X), full._changed(X)
    z = X[:, -1] == 1

    def apart(columns: np.ndarray) -> float:
        return float(np.abs(columns[z].mean(0) - columns[~z].mean(0)).max())

    assert apart(before) > 0.3
    # Shrinkage of the covariances, a default of theirs, leaves a little.
    assert apart(after) < 0.03
    half = kinds[name](levels=LEVELS, amount=0.5).fit(X, y)
    assert np.allclose(half._changed(X), (before + after) / 2)


def test_exponentiated_gradient_gives_a_law_of_decisions() -> None:
    pytest.importorskip("fairlearn")
    from infounlearn.experiments.rivals.exponentiated_gradient import ExponentiatedGradientRival

    X, y, z = table(600)
    base = Base("linear", levels=LEVELS)
    found = ExponentiatedGradientRival(base, max_iter=8).fit(X, y, sensitive=z)
    law = found.decision_proba(X)
    assert np.allclose(law.sum(1), 1)
    assert law.min() >= 0
    assert demographic_parity_difference(law, z) < 0.1
    assert set(found.predict(X)) == {0, 1}


@pytest.mark.parametrize(
    ("rival", "weight", "left"),
    # An adversary on few rows does not settle at its published weight of 1.
    [(MeanGapRival, 4.0, 0.5), (HsicRival, 100.0, 0.5), (AdversarialRival, 0.1, 0.9)],
)
def test_penalised_nets_close_the_gap_that_the_plain_net_has(
    rival: Any, weight: float, left: float
) -> None:
    X, y, z = table(2500)
    plain = Net(levels=LEVELS).fit(X, y)
    fair = rival(levels=LEVELS, weight=weight).fit(X, y)

    def gap(net: Any) -> float:
        return demographic_parity_difference(net.predict(X), z)

    assert gap(fair) < left * gap(plain)
    assert 0.6 < (fair.predict(X) == y).mean() < (plain.predict(X) == y).mean() + 0.02


def test_a_penalty_of_weight_zero_is_the_plain_net_bit_for_bit() -> None:
    X, y, _ = table(300)
    plain = Net(levels=LEVELS).fit(X, y).predict_proba(X)
    for rival in (MeanGapRival, HsicRival):
        assert np.array_equal(rival(levels=LEVELS, weight=0.0).fit(X, y).predict_proba(X), plain)


def test_the_adversary_s_direction_is_orthogonal_and_uses_the_whole_product() -> None:
    generator = torch.Generator().manual_seed(0)
    task, against = torch.randn(2, 35, generator=generator, dtype=torch.float64)
    step = directed(task, against, 0.0)
    assert float(abs(step @ against)) < 1e-12
    assert torch.allclose(directed(task, against, 2.0), step - 2 * against)
    assert torch.equal(directed(task, torch.zeros(35, dtype=torch.float64), 1.0), task)
    # Rows of a matrix one by one, as fairlearn's torch.inner sums them, give another number.
    matrices = task.view(5, 7), against.view(5, 7)
    inner = float(torch.inner(*matrices).sum())
    assert inner != pytest.approx(float(task @ against))


def test_a_batch_without_a_group_is_finite() -> None:
    shown = torch.rand(5)
    alone = torch.zeros(5, dtype=torch.int64)
    assert float(MeanGapRival(levels=LEVELS).penalty(shown, alone)) == 0
    assert torch.isfinite(HsicRival(levels=LEVELS).penalty(shown, alone))
    assert float(HsicRival(levels=LEVELS).penalty(shown[:3], alone[:3])) == 0


def test_regressions_are_in_the_units_of_the_target() -> None:
    X, _, z = table(1500)
    target = 50 + 10 * X[:, 0] + 5 * X[:, 1]
    base = Base("linear", "regression", LEVELS)
    curve = Dial(ScoreBarycenterCurve(base), "amount", (1.0, 0.5))
    found = frontier({"plain": base, "ours": curve, "net": Net("regression", LEVELS)}, X, target, z)
    assert not found.failures
    rows = {(row["method"], row["value"]): row for row in found.rows()}
    assert rows["plain", None]["mse"] < 0.1
    assert rows["net", None]["mse"] < 10
    assert rows["ours", 1.0]["ks"] < 0.2 < rows["ours", 0.5]["ks"] < rows["plain", None]["ks"]


def test_keys_of_rows_tell_rows_apart_and_equal_rows_alike() -> None:
    X = np.random.default_rng(0).normal(size=(1000, 4))
    keys = row_keys(X)
    assert len(np.unique(keys)) == 1000
    assert np.array_equal(row_keys(X[::-1].copy())[::-1], keys)
