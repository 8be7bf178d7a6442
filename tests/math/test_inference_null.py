"""Permutation laws of information agree with brute force, keep strata and are never zero."""

from __future__ import annotations

import itertools
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from infounlearn.errors import InputError
from infounlearn.math.inference import information_null, permutation_null
from infounlearn.math.laws import group_laws, information_of_laws


def test_information_null_is_the_law_over_all_shuffles() -> None:
    rng = np.random.default_rng(8)
    y, z = rng.integers(0, 3, 8), np.array([0, 0, 0, 0, 0, 1, 1, 1])
    prior = np.array([0.3, 0.7])
    every = []
    for ones in itertools.combinations(range(8), 3):
        shuffled = np.zeros(8, dtype=int)
        shuffled[list(ones)] = 1
        every.append(float(information_of_laws(group_laws(y, shuffled, 2, 3), prior)))
    observed = float(information_of_laws(group_laws(y, z, 2, 3), prior))
    p_value = np.mean(np.array(every) >= observed - 1e-12)
    onehot = np.eye(3)[y]
    generic = permutation_null(
        lambda s: float(information_of_laws(group_laws(y, s, 2, 3), prior)),
        z,
        permutations=4000,
        seed=1,
    )
    for null in (
        information_null(y, z, prior=prior, permutations=4000, seed=1),
        information_null(onehot, z, prior=prior, permutations=4000, seed=1),
        generic,
    ):
        assert null.mean == pytest.approx(np.mean(every), rel=0.05)
        assert null.p_value == pytest.approx(p_value, abs=0.03)
        assert null.permutations == 4000


@pytest.mark.parametrize("form", ["labels", "kernels"])
def test_three_groups_and_strata_shuffle_only_within(form: str) -> None:
    rng = np.random.default_rng(9)
    n = 300
    c, z = rng.integers(0, 2, n), rng.integers(0, 3, n)
    y = (rng.integers(0, 2, n) + 2 * c + 4 * (c * (z == 1))) % 7
    rows = y if form == "labels" else np.eye(7)[y]

    def conditional(s: np.ndarray) -> float:
        total = 0.0
        for cell in (0, 1):
            here = c == cell
            shares = np.bincount(s[here], minlength=3) / here.sum()
            laws = group_laws(y[here], s[here], 3, 7)
            total += here.mean() * float(information_of_laws(laws, shares))
        return total

    slow = permutation_null(conditional, z, strata=c, permutations=800, seed=2)
    fast = information_null(rows, z, given=c, permutations=800, seed=3)
    assert fast.mean == pytest.approx(slow.mean, rel=0.1)
    assert fast.quantile95 == pytest.approx(slow.quantile95, rel=0.15)
    assert fast.p_value == slow.p_value == 1 / 801
    # Without strata the class would be mistaken for information about the group.
    skewed = np.where(c == 1, rng.random(n) < 0.8, rng.random(n) < 0.2).astype(int)
    plain = y % 4
    assert information_null(plain, skewed, seed=4).p_value < 0.01
    assert information_null(plain, skewed, given=c, seed=4).p_value > 0.01


def test_strata_keep_their_groups() -> None:
    rng = np.random.default_rng(13)
    c, z = np.repeat([0, 1, 2], 20), rng.integers(0, 2, 60)

    def table(s: np.ndarray) -> float:
        return float(np.bincount(2 * c + s, minlength=6) @ 10.0 ** np.arange(6))

    null = permutation_null(table, z, strata=c, permutations=50, seed=0)
    assert null.mean == null.quantile95 == table(z)
    assert null.p_value == 1
    assert permutation_null(table, z, permutations=50, seed=0).mean != table(z)


def test_marginal_design_by_mixing() -> None:
    rng = np.random.default_rng(10)
    y, forget = rng.integers(0, 4, 200), (np.arange(200) < 40).astype(int)
    a = 0.2
    null = information_null(
        y, forget, prior=(0.5, 0.5), mixing=[[1 - a, a], [1, 0]], permutations=300, seed=0
    )

    def marginal(z: np.ndarray) -> float:
        laws = group_laws(y, z, 2, 4)
        pool = (1 - a) * laws[0] + a * laws[1]
        return float(information_of_laws(np.stack([pool, laws[0]]), np.array([0.5, 0.5])))

    slow = permutation_null(marginal, forget, permutations=300, seed=0)
    assert null.mean == pytest.approx(slow.mean, rel=0.15)
    assert null.p_value == pytest.approx(slow.p_value, abs=0.12)


@settings(max_examples=25)
@given(st.integers(0, 2**31))
def test_p_value_is_never_zero_and_seed_decides(seed: int) -> None:
    y, z = np.repeat([0, 1], 20), np.repeat([0, 1], 20)
    null = information_null(y, z, permutations=19, seed=seed)
    assert null.p_value == 1 / 20
    assert null == information_null(y, z, permutations=19, seed=seed)


def test_p_values_are_uniform_when_nothing_is_there() -> None:
    rng = np.random.default_rng(11)
    p = [
        information_null(
            rng.dirichlet(np.ones(4), 40), np.repeat([0, 1], 20), permutations=99, seed=rng
        ).p_value
        for _ in range(400)
    ]
    assert stats.kstest(p, "uniform").pvalue > 1e-4


def test_sixty_thousand_rows_of_sixteen_bins_are_fast() -> None:
    rng = np.random.default_rng(12)
    n = 60_000
    labels, z = rng.integers(0, 16, n), (np.arange(n) < 6_000).astype(int)
    kernels = np.full((n, 16), 1 / 16)
    started = time.perf_counter()
    information_null(labels, z, seed=0)
    counted = time.perf_counter() - started
    information_null(kernels, z, seed=0)
    # Measured 0.004 s and 0.4 s on one core; the margin is for shared machines.
    assert counted < 0.5
    assert time.perf_counter() - started < 6


def test_a_constant_interface_has_no_information_to_test() -> None:
    """What is left is rounding, of which no shuffle may be called rarer than another."""
    for seed in range(40):
        rng = np.random.default_rng(seed)
        n = int(rng.integers(20, 300))
        rows = np.tile(rng.dirichlet(np.ones(rng.integers(2, 12))), (n, 1))
        z = (np.arange(n) < rng.integers(2, n // 2)).astype(int)
        null = information_null(rows, z, prior=(0.5, 0.5), permutations=19, seed=seed)
        assert null.p_value == 1.0


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: permutation_null(np.mean, [0.5, 1], seed=0), "z holds"),
        (lambda: permutation_null(np.mean, [0, 1], strata=[0], seed=0), "strata has shape"),
        (lambda: information_null([0.3, 0.4], [0, 1], seed=0), "real-valued scores"),
        (lambda: information_null([0, 1], [0, 1], mixing=np.eye(2), seed=0), "without prior"),
        (lambda: information_null([0, 1], [0, 1], prior=(1, 1), seed=0), "prior is"),
        (
            lambda: information_null([0, 1], [0, 1], prior=(0.5, 0.5), given=[0, 1], seed=0),
            "no stratum",
        ),
        (lambda: information_null([0, 1], [0, 1], permutations=0, seed=0), "permutations is 0"),
    ],
)
def test_bad_input_is_named(call, says: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(InputError, match=says):
        call()
