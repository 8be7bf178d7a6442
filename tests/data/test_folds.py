"""Folds are a partition, and every one of them looks like the whole."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from infounlearn.data import stratified_folds
from infounlearn.errors import InputError


@given(
    st.lists(st.tuples(st.integers(0, 2), st.sampled_from("abc")), min_size=6, max_size=80),
    st.integers(2, 6),
    st.integers(0, 3),
)
def test_partition_and_balance(rows: list[tuple[int, str]], folds: int, seed: int) -> None:
    y = np.array([row[0] for row in rows])
    z = np.array([row[1] for row in rows], dtype=object)
    parts = stratified_folds(y, z, folds, seed)
    assert np.array_equal(np.sort(np.concatenate([test for _, test in parts])), np.arange(len(y)))
    for train, test in parts:
        assert np.array_equal(np.union1d(train, test), np.arange(len(y)))
        assert len(train) + len(test) == len(y)
        assert (np.diff(test) > 0).all()
    assert np.ptp([len(test) for _, test in parts]) <= 1
    for stratum in set(rows):
        inside = np.array([row == stratum for row in rows])
        counts = [int(inside[test].sum()) for _, test in parts]
        assert max(counts) - min(counts) <= 1
    for group in set(z):
        assert np.ptp([int((z[test] == group).sum()) for _, test in parts]) <= 1


def test_seed_decides_and_repeats() -> None:
    y, z = np.arange(100) % 2, np.arange(100) % 3
    first, again, other = (stratified_folds(y, z, 5, seed) for seed in (0, 0, 1))
    assert all(np.array_equal(a[1], b[1]) for a, b in zip(first, again, strict=True))
    assert not all(np.array_equal(a[1], b[1]) for a, b in zip(first, other, strict=True))


def test_relabelling_does_not_change_the_balance() -> None:
    y = np.repeat([0, 1], 50)
    texts = np.array(["no", "yes"], dtype=object)[y]
    a, b = stratified_folds(y), stratified_folds(texts)
    assert all(np.array_equal(one[1], two[1]) for one, two in zip(a, b, strict=True))


def test_regression_is_cut_at_its_quantiles() -> None:
    rng = np.random.default_rng(0)
    y, z = rng.lognormal(size=2000), (rng.random(2000) < 0.2).astype(np.int64)
    edges = np.quantile(y, [0.1, 0.5, 0.9])
    for _, test in stratified_folds(y, z, 5):
        assert abs(z[test].mean() - z.mean()) <= 1 / len(test)
        shares = [(y[test] <= edge).mean() for edge in edges]
        assert np.allclose(shares, [0.1, 0.5, 0.9], atol=0.02)


def test_several_and_continuous_attributes() -> None:
    rng = np.random.default_rng(1)
    y = rng.integers(0, 2, 1000)
    z = np.column_stack([rng.normal(size=1000), rng.integers(0, 2, 1000)])
    for _, test in stratified_folds(y, z, 5):
        for edge in np.quantile(z[:, 0], [0.2, 0.8]):
            assert abs((z[test, 0] < edge).mean() - (z[:, 0] < edge).mean()) < 0.03
        assert abs(z[test, 1].mean() - z[:, 1].mean()) < 0.03


@pytest.mark.parametrize(
    ("y", "z", "folds", "message"),
    [
        (np.zeros(4), np.zeros(3), 2, "z has shape"),
        (np.zeros(4), np.array([0, np.nan, 0, 0]), 2, "z holds NaN"),
        (np.array([np.nan, 1.0]), None, 2, "y holds NaN"),
        (np.zeros((4, 2)), None, 2, "y has shape"),
        (np.zeros(4), None, 5, "folds is 5"),
        (np.zeros(4), None, 1, "folds is 1"),
        (np.zeros(4), None, 2.0, "folds is 2.0"),
    ],
)
def test_refuses(y: np.ndarray, z: np.ndarray | None, folds: int, message: str) -> None:
    with pytest.raises(InputError, match=message):
        stratified_folds(y, z, folds)
