"""Moments of groups: any split of the rows gives the moments of all of them."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infounlearn.errors import InputError
from infounlearn.math import GroupMoments

CASES = settings(max_examples=40, deadline=None, derandomize=True)


def sample(n: int, seed: int, m: int = 3, d: int = 4) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, d)) * [1, 1e-3, 1e3, 2] + [0, 5, -1e3, 1e3], rng.integers(0, m, n)


def same(one: GroupMoments, other: GroupMoments, rtol: float = 1e-12) -> None:
    np.testing.assert_allclose(one.counts, other.counts, rtol=rtol)
    np.testing.assert_allclose(one.means, other.means, rtol=rtol, atol=1e-12)
    # Entries are compared in the units of their columns.
    spread = np.sqrt(np.einsum("zdd->zd", other.scatters))
    spread = np.where(spread > 0, spread, 1.0)
    gap = (one.scatters - other.scatters) / (spread[:, :, None] * spread[:, None, :])
    assert np.abs(gap).max() < rtol


@CASES
@given(st.integers(1, 60), st.integers(0, 10**6), st.integers(0, 60))
def test_merge_and_stream_equal_the_batch(n, seed, cut):
    X, z = sample(n, seed)
    cut = min(cut, n)
    empty = GroupMoments.empty(3, 4)
    batch = empty.add(X, z)
    same(empty.add(X[:cut], z[:cut]).add(X[cut:], z[cut:]), batch)
    same(empty.add(X[:cut], z[:cut]).merge(empty.add(X[cut:], z[cut:])), batch)
    same(empty.add(X[cut:], z[cut:]).merge(empty.add(X[:cut], z[:cut])), batch)
    for group in np.unique(z):
        own = X[z == group]
        np.testing.assert_allclose(batch.means[group], own.mean(0), rtol=1e-12, atol=1e-12)
        if len(own) > 1:
            np.testing.assert_allclose(
                batch.covariances[group], np.cov(own.T, bias=True), rtol=1e-9, atol=1e-9
            )


def test_one_row_at_a_time_equals_the_batch():
    X, z = sample(300, 0)
    stream = GroupMoments.empty(3, 4)
    for row, group in zip(X, z, strict=True):
        stream = stream.add(row[None], [group])
    same(stream, GroupMoments.empty(3, 4).add(X, z))


def test_a_large_offset_costs_no_digits_that_the_rows_have():
    rng = np.random.default_rng(0)
    X = rng.integers(-8, 9, (500, 3)) / 4.0  # exact also beside 1e8
    z = rng.integers(0, 2, 500)
    near = GroupMoments.empty(2, 3).add(X, z)
    far = GroupMoments.empty(2, 3).add(X[:200] + 1e8, z[:200]).add(X[200:] + 1e8, z[200:])
    # A merge knows its means to rounding, 1e8 times 1e-16; sums of squares would have lost all.
    np.testing.assert_allclose(far.covariances, near.covariances, atol=1e-7)
    whole = GroupMoments.empty(2, 3).add(X + 1e8, z)
    np.testing.assert_allclose(whole.covariances, near.covariances, atol=1e-13)
    # So far out that the sum behind a mean is rounded, each group is centred twice.
    many, ones = np.tile(X, (40, 1)), np.zeros(20_000, int)
    out = GroupMoments.empty(1, 3).add(many + 1e12, ones)
    near = GroupMoments.empty(1, 3).add(many, ones)
    np.testing.assert_allclose(out.covariances, near.covariances, atol=1e-9)


def test_weights_repeat_rows_and_zero_drops_them():
    X, z = sample(50, 3)
    weights = np.random.default_rng(1).integers(0, 4, 50)
    repeated = GroupMoments.empty(3, 4).add(np.repeat(X, weights, 0), np.repeat(z, weights))
    same(GroupMoments.empty(3, 4).add(X, z, weights), repeated)


def test_an_object_stays_as_it_is_and_the_rows_too():
    X, z = sample(20, 5)
    before = X.copy()
    empty = GroupMoments.empty(3, 4)
    empty.add(X, z)
    assert not empty.counts.any()
    np.testing.assert_array_equal(X, before)


def test_known_moments_come_back():
    C = np.array([[[2.0, 0.5], [0.5, 1.0]], [[1.0, 0.0], [0.0, 3.0]]])
    moments = GroupMoments.of([0.6, 0.4], [[0, 1], [2, 3]], C)
    np.testing.assert_allclose(moments.covariances, C, rtol=1e-15)
    np.testing.assert_allclose(moments.shares, [0.6, 0.4])


@pytest.mark.parametrize(
    ("X", "z", "weights", "message"),
    [
        ([[1.0, 2.0, 3.0]], [0], None, r"X has shape \(1, 3\)"),
        ([[1.0, np.nan]], [0], None, "not finite"),
        ([[1.0, 2.0]], [0, 1], None, "z has shape"),
        ([[1.0, 2.0]], [0.0], None, "z has shape .* float"),
        ([[1.0, 2.0]], [2], None, r"groups \[2\] that have no moments"),
        ([[1.0, 2.0]], [-1], None, r"groups \[-1\]"),
        ([[1.0, 2.0]], [0], [-1.0], "weights do not fit"),
        ([[1.0, 2.0]], [0], [np.inf], "weight is not finite"),
    ],
)
def test_rows_that_cannot_be_used_are_refused(X, z, weights, message):
    with pytest.raises(InputError, match=message):
        GroupMoments.empty(2, 2).add(X, z, weights)


def test_moments_that_do_not_fit_are_refused():
    with pytest.raises(InputError, match="same groups and columns"):
        GroupMoments.empty(2, 2).merge(GroupMoments.empty(3, 2))
    with pytest.raises(InputError, match="do not fit"):
        GroupMoments.of([1.0], [[0.0]], [[[1.0, 0.0]]])
    with pytest.raises(InputError, match="not symmetric"):
        GroupMoments.of([1.0], [[0.0, 0.0]], [[[1.0, 0.5], [0.0, 1.0]]])
    with pytest.raises(InputError, match="not finite"):
        GroupMoments.of([1.0], [[np.nan]], [[[1.0]]])
    with pytest.raises(InputError, match="negative"):
        GroupMoments.of([-1.0], [[0.0]], [[[1.0]]])


def test_blocks_of_rows_are_one_batch_and_float32_is_never_copied_whole():
    rng = np.random.default_rng(0)
    X = (rng.normal(size=(30_000, 8)) + 100.0).astype(np.float32)
    X[20_000:] += 50  # later blocks are far from the first
    z = rng.integers(0, 2, len(X))
    empty = GroupMoments.empty(2, 8)
    tracemalloc.start()
    narrow = empty.add(X, z)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < X.size * 8 / 2
    wide = X.astype(np.float64)
    same(narrow, empty.add(wide, z))
    for group in (0, 1):
        own = wide[z == group]
        np.testing.assert_allclose(narrow.means[group], own.mean(0), rtol=1e-14)
        np.testing.assert_allclose(narrow.covariances[group], np.cov(own.T, bias=True), rtol=1e-12)
