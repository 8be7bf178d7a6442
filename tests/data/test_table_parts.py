"""Parts of a table are disjoint in content, exchangeable, and scaled by training rows alone."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import stats

from infounlearn.data import TableData, load_diabetes, split_table
from infounlearn.errors import InputError


def table(
    rows: int = 300, *, regression: bool = False, copies: int = 0, seed: int = 0
) -> TableData:
    """Two numbers and a word; the first ``copies`` rows once more at the end, of other targets."""
    rng = np.random.default_rng(seed)
    numbers = rng.normal(size=(2, rows)) * np.array([[3.0], [0.5]]) + np.array([[7.0], [-1.0]])
    numbers = np.concatenate([numbers, numbers[:, :copies]], axis=1)
    words = np.array(["a", "b", "c"], dtype=object)[np.arange(rows) % 3]
    words = np.concatenate([words, words[:copies]])
    count = rows + copies
    target = rng.normal(size=count) * 5 + 2 if regression else (np.arange(count) % 4 == 0)
    return TableData(
        "toy",
        {"x": numbers[0], "y": numbers[1], "w": words},
        {"x": "numeric", "y": "numeric", "w": "categorical"},
        target.astype(np.float64 if regression else np.int64),
        "t",
        "regression" if regression else "classification",
        {},
        np.arange(count) + 1000,
    )


@pytest.mark.parametrize("regression", [False, True])
def test_training_rows_are_standard_and_the_scale_is_theirs(regression: bool) -> None:
    source = table(regression=regression)
    parts = split_table(source, 200, 50)
    assert [len(part) for part in parts] == [200, 50, 50]
    values = parts.train.inputs.double().numpy()
    assert np.allclose(values.mean(axis=0), 0, atol=1e-6)
    assert np.allclose(values.std(axis=0), 1, atol=1e-6)
    raw, _ = source.matrix()
    learned = raw[parts.train.ids.numpy() - 1000]
    for part in parts:
        expected = (raw[part.ids.numpy() - 1000] - learned.mean(axis=0)) / learned.std(axis=0)
        assert np.allclose(part.inputs.numpy(), expected, atol=1e-5)
    assert abs(float(parts.holdout.inputs.mean(dim=0).abs().max())) > 1e-3  # not its own scale
    if regression:
        assert parts.train.targets.shape == (200, 1)
        known = source.target[parts.train.ids.numpy() - 1000]
        held = source.target[parts.holdout.ids.numpy() - 1000]
        assert np.allclose(
            parts.holdout.targets[:, 0].numpy(), (held - known.mean()) / known.std(), atol=1e-5
        )
    else:
        assert parts.train.targets.dtype == torch.int64
        assert [int(part.targets.sum()) for part in parts] == pytest.approx([50, 12.5, 12.5], abs=1)


def test_equal_rows_are_one_record_whatever_they_are_called() -> None:
    parts = split_table(table(copies=60), 200, 50)
    hashes = [digest for part in parts for digest in part.record_hashes()]
    assert len(set(hashes)) == len(hashes) == 300
    assert int(torch.cat([part.ids for part in parts]).max()) == 1299  # the first one stays
    with pytest.raises(InputError, match="201 training and twice 50 unseen rows of 300 distinct"):
        split_table(table(copies=60), 201, 50)


def test_held_out_rows_are_a_random_draw_of_the_distinct_rows() -> None:
    """Rows that had copies are as often held out as others: no part is short of common ones."""
    source = table(120, copies=60)
    held = sum(int((split_table(source, 60, 30, s).holdout.ids < 1060).sum()) for s in range(40))
    assert stats.binomtest(held, 40 * 30, 0.5).pvalue > 1e-3


def test_fewer_training_rows_leave_the_unseen_ones_as_they_are() -> None:
    small, large = split_table(table(), 100, 50), split_table(table(), 200, 50)
    assert torch.equal(small.holdout.ids, large.holdout.ids)
    assert torch.equal(small.test.ids, large.test.ids)
    assert set(small.train.ids.tolist()) < set(large.train.ids.tolist())


def test_a_category_of_unseen_rows_only_stays_finite() -> None:
    source = table(40)
    unseen = split_table(source, 20, 10).holdout.ids.numpy() - 1000
    words = source.columns["w"].copy()
    words[:], words[unseen] = "a", "b"
    changed = TableData(
        "toy", {**source.columns, "w": words}, source.kinds, source.target, "t",
        "classification", {}, source.ids,
    )  # fmt: skip
    parts = split_table(changed, 20, 10)
    assert all(bool(torch.isfinite(part.inputs).all()) for part in parts)
    assert set(parts.train.inputs[:, -1].tolist()) == {0.0}
    assert set(parts.holdout.inputs[:, -1].tolist()) == {1.0}


def test_a_missing_value_is_refused() -> None:
    source = table(40)
    source.columns["x"][3] = np.nan
    with pytest.raises(InputError, match="a value is missing"):
        split_table(source, 20, 10)


def test_deciles_of_a_regression_are_shared_evenly() -> None:
    parts = split_table(load_diabetes(), 294, 74)
    spread = [float(part.targets.std()) for part in parts]
    assert max(spread) - min(spread) < 0.05
