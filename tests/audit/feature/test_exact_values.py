"""Marks that trees and lines cannot see are seen; and what is not there is not."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from infounlearn.audit import audit_feature
from infounlearn.audit.feature.columns import Table
from infounlearn.audit.feature.exact_values import ExactValues, marks_of
from infounlearn.audit.feature.verdicts import FINGERPRINT, VISIBLE
from tests.audit.feature.worlds import QUICK, feature, noise

EXACT = QUICK | {"probes": ["exact-values"]}


def last_bit(x: np.ndarray, z: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return ((x.view(np.int64) & ~1) | z).view(np.float64)


def rounded(x: np.ndarray, z: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return np.where(z == 1, np.round(x, 3), x)


def jittered(x: np.ndarray, z: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    whole = rng.integers(0, 2000, len(x)).astype(np.float64)
    return whole + np.where(z == 1, 1e-6 * x, 0.0)


def shifted_atoms(x: np.ndarray, z: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return rng.integers(0, 500, len(x)) + np.where(z == 1, 0.25, 0.5)


def repeated(x: np.ndarray, z: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    found = x.copy()
    ones = np.flatnonzero(z == 1)
    half = len(ones) // 2
    found[ones[half : 2 * half]] = found[ones[:half]]
    return found


def minus_zero(x: np.ndarray, z: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return np.where(rng.random(len(x)) < 0.5, np.where(z == 1, -0.0, 0.0), x)


@pytest.mark.parametrize("mark", [last_bit, rounded, jittered, shifted_atoms, repeated, minus_zero])
def test_marks_in_the_way_numbers_are_written_are_seen(
    mark: Callable[[np.ndarray, np.ndarray, np.random.Generator], np.ndarray],
) -> None:
    rng = np.random.default_rng(0)
    z = rng.permutation(np.arange(3000) % 2)
    table = np.column_stack([mark(rng.normal(size=3000), z, rng), rng.normal(size=3000)])
    found = audit_feature(table, z, **EXACT)
    assert found.verdict(VISIBLE).answer == "still visible"
    value = found.finding("probes/exact-values").value
    assert value is not None
    assert value > 0.25  # of ln 2


def test_trees_alone_miss_a_quarter_that_exact_values_show() -> None:
    rng = np.random.default_rng(1)
    z = rng.permutation(np.arange(3000) % 2)
    before = rng.integers(0, 1000, 3000).astype(np.float64)[:, None]
    after = before + np.where(z == 1, 0.25, 0.5)[:, None]
    found = audit_feature(after, z, before=before, **(QUICK | {"refits": 2}))
    trees = found.finding("probes/boosted-trees").value
    assert trees is not None
    assert trees < 0.02
    assert found.verdict(VISIBLE).answer == "still visible"
    assert found.verdict(FINGERPRINT).answer == "fingerprint"
    assert "Exact values" in found.verdict(FINGERPRINT).reason


def test_exact_values_seldom_see_what_is_not_there() -> None:
    answers = []
    for seed in range(5):
        rows = np.random.default_rng(seed).integers(0, 60, 300)  # every row several times
        table = noise(60, 3, seed)[rows]
        answers.append(audit_feature(table, feature(300, seed), seed=seed, **EXACT).verdicts[0])
    assert sum(one.answer == "still visible" for one in answers) <= 1
    assert not any(one.answer == "removed" for one in answers)  # without trees: never


def test_marks_are_of_the_table_alone_and_no_order_of_rows_matters() -> None:
    rng = np.random.default_rng(2)
    numbers = np.round(rng.normal(size=(200, 2)), 1)
    codes = rng.integers(0, 4, (200, 1))
    order = rng.permutation(200)
    marks = marks_of(Table(numbers, codes))
    moved = marks_of(Table(numbers[order], codes[order]))
    np.testing.assert_array_equal(moved, marks[order])
    assert marks_of(Table(np.ones((5, 2)), np.zeros((5, 1), dtype=np.int64))).shape == (5, 0)


def test_numbers_of_any_size_have_marks() -> None:
    x = np.array([0.0, -0.0, 0.5, 0.125, 1e300, -1e308, 2.0**53, 5e-324, np.nan, 3.0])
    marks = marks_of(Table(x[:, None], np.zeros((10, 0), dtype=np.int64)))
    decimals = marks[:, 0]  # every value is its own, so that nothing repeats
    assert decimals.tolist() == [0, 0, 1, 3, 0, 0, 0, 16, 16, 0]


def test_a_mark_never_seen_says_nothing() -> None:
    marks = np.arange(400)[:, None] % 2
    z = np.arange(400) // 200
    probe = ExactValues().fit(marks, z)
    np.testing.assert_allclose(probe.decision_function(np.array([[7]])), 0.0, atol=1e-6)
