"""Scores of a target: by models that have not seen the row, a function of the row alone."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from infounlearn.feature.columns import Layout, MixedTable, Variable
from infounlearn.feature.target_scores import fit_target_scores, folds_of


def some_table(rows: int = 600, seed: int = 0, levels: int = 4) -> MixedTable:
    """Two numbers, a category and an ordered column, all independent."""
    rng = np.random.default_rng(seed)
    variables = (
        Variable("a", "numeric", (0,), 0),
        Variable("b", "numeric", (1,), 1),
        Variable("c", "categorical", (2,), 0, tuple(range(levels)), dtype="object"),
        Variable("d", "ordinal", (3,), 1, (0, 1, 2), dtype="object"),
    )
    codes = np.stack([rng.integers(0, levels, rows), rng.integers(0, 3, rows)], axis=1)
    return MixedTable(rng.normal(size=(rows, 2)), codes, Layout(tuple("abcd"), variables))


def test_a_row_is_scored_by_models_that_have_not_seen_it() -> None:
    table = some_table()
    noise = np.random.default_rng(1).integers(0, 2, len(table))
    scores = fit_target_scores(table, noise, seed=3, folds=4)
    fold = scores.folds(table)
    # The target is a coin: only memory can tell it. The models of other folds have that memory.
    own = roc_auc_score(noise, scores.of(table)[:, 0])
    other = roc_auc_score(noise, scores.of(table, (fold + 1) % 4)[:, 0])
    assert own == pytest.approx(0.5, abs=0.12)
    assert other > 0.85


def test_copies_of_a_row_share_their_fold() -> None:
    table = some_table(300)
    twice = table.take(np.repeat(np.arange(300), 2))
    fold = folds_of(twice, 5, 3, seed=0)
    assert np.array_equal(fold[:, ::2], fold[:, 1::2])
    assert np.array_equal(fold[:, ::2], folds_of(table, 5, 3, seed=0))
    # Rounds deal anew, and every fold is used.
    assert (fold[0] == fold[1]).mean() == pytest.approx(0.2, abs=0.1)
    assert set(fold.ravel()) == set(range(5))


def test_scores_do_not_depend_on_the_batch() -> None:
    table = some_table()
    scores = fit_target_scores(
        table, (table.numeric[:, 0] > 0).astype(int), seed=0, folds=2, rounds=2
    )
    whole = scores.of(table)
    order = np.random.default_rng(0).permutation(len(table))
    assert np.array_equal(scores.of(table.take(order)), whole[order])
    lone = [scores.of(table.take(np.array([row]))) for row in range(5)]
    assert np.array_equal(np.concatenate(lone), whole[:5])


def test_a_number_is_scored_in_units_of_its_spread() -> None:
    table = some_table(1500)
    target = 1000.0 * (table.numeric[:, 0] + (table.codes[:, 0] == 2))
    found = fit_target_scores(table, target, seed=0).of(table)
    assert found.shape == (1500, 1)
    assert np.corrcoef(found[:, 0], target)[0, 1] > 0.95
    assert found.std() == pytest.approx(1.0, abs=0.1)


def test_classes_beyond_the_leading_ones_have_no_score() -> None:
    table = some_table(200)
    rng = np.random.default_rng(0)
    target = rng.choice(6, 200, p=[0.3, 0.05, 0.25, 0.05, 0.2, 0.15])
    scores = fit_target_scores(table, target, seed=0, folds=2)
    assert scores.leading.tolist() == [0, 2, 4, 5]
    assert scores.predictions(table).shape == (200, 6)
    assert np.allclose(scores.predictions(table).sum(1), 1)
    assert fit_target_scores(table, target, seed=0, folds=2, every_class=True).width == 6


@pytest.mark.parametrize("target", [np.zeros(60, dtype=int), np.eye(60, dtype=int)[7]])
def test_folds_that_lack_a_class_are_constant(target: np.ndarray) -> None:
    table = some_table(60)
    scores = fit_target_scores(table, target, seed=0, folds=3)
    assert np.allclose(scores.predictions(table).sum(1), 1)
    assert np.isfinite(scores.of(table)).all()


def test_one_row_and_many_levels() -> None:
    one = some_table(1)
    assert np.isfinite(fit_target_scores(one, np.array([2.5]), seed=0).of(one)).all()
    many = some_table(800, levels=400)
    target = (many.codes[:, 0] % 2).astype(int)
    scores = fit_target_scores(many, target, seed=0, folds=2)
    unseen = MixedTable(many.numeric, np.full_like(many.codes, -1), many.layout)
    assert np.isfinite(scores.of(unseen)).all()
