"""The Fréchet distance against closed forms, another library, and its own bias."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import linalg

from infounlearn.errors import InputError
from infounlearn.math import bures2
from infounlearn.math.frechet import frechet_distance, frechet_floor


def rows(n: int, d: int, seed: int) -> np.ndarray:
    """Correlated rows with a mean."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, d)) @ rng.normal(size=(d, d)) + rng.normal(size=d)


def textbook(first: np.ndarray, second: np.ndarray) -> float:
    """|m₀ - m₁|² + tr(C₀ + C₁ - 2 (C₀ C₁)^½), the formula as it is usually written."""
    left, right = np.cov(first.T), np.cov(second.T)
    root = linalg.sqrtm(left @ right)
    mean = ((first.mean(0) - second.mean(0)) ** 2).sum()
    return float(mean + np.trace(left + right - 2 * np.real(root)))


@pytest.mark.parametrize("seed", range(4))
def test_it_is_the_textbook_formula(seed: int) -> None:
    first, second = rows(90, 6, seed), rows(70, 6, seed + 50)
    assert frechet_distance(first, second) == pytest.approx(textbook(first, second), rel=1e-9)


def test_it_is_bures_of_the_covariances_beside_the_means() -> None:
    first, second = rows(90, 6, 0), rows(70, 6, 1)
    expected = bures2(np.cov(first.T), np.cov(second.T))
    expected += ((first.mean(0) - second.mean(0)) ** 2).sum()
    assert frechet_distance(first, second) == pytest.approx(expected, rel=1e-10)


def test_a_shift_costs_its_square_and_a_scale_the_variance() -> None:
    table = rows(50, 5, 3)
    shift = np.arange(5.0)
    centred = table - table.mean(0)
    assert frechet_distance(table, table + shift) == pytest.approx(30.0, rel=1e-12)
    spread = np.trace(np.cov(table.T))
    assert frechet_distance(centred, 3 * centred) == pytest.approx(4 * spread, rel=1e-12)


def test_one_feature_is_means_and_deviations() -> None:
    first, second = rows(40, 1, 1), rows(60, 1, 2)
    expected = (first.mean() - second.mean()) ** 2
    expected += (first.std(ddof=1) - second.std(ddof=1)) ** 2
    assert frechet_distance(first, second) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("offset", [0.0, 1e6])
def test_equal_rows_are_no_distance_apart_wherever_they_lie(offset: float) -> None:
    table = rows(40, 7, 5) + offset
    assert 0 <= frechet_distance(table, table[::-1]) < 1e-17 * max(offset, 1) ** 2


def test_singular_covariances_are_exact() -> None:
    # Orthogonal planes: nothing is shared, so that the distance is both traces.
    first, second = np.zeros((30, 6)), np.zeros((30, 6))
    first[:, :2], second[:, 2:4] = rows(30, 2, 1), rows(30, 2, 2)
    first, second = first - first.mean(0), second - second.mean(0)
    traces = first.var(0, ddof=1).sum() + second.var(0, ddof=1).sum()
    assert frechet_distance(first, second) == pytest.approx(traces, rel=1e-12)
    # Fewer rows than features, turned and doubled: (2 - 1)² tr C.
    few = rows(4, 20, 4)
    few -= few.mean(0)
    assert frechet_distance(few, 2 * few) == pytest.approx(few.var(0, ddof=1).sum(), rel=1e-12)


def test_it_is_symmetric_and_turns_with_the_features() -> None:
    first, second = rows(12, 20, 1), rows(90, 20, 2)
    turn = np.linalg.qr(np.random.default_rng(0).normal(size=(20, 20)))[0]
    value = frechet_distance(first, second)
    assert frechet_distance(second, first) == pytest.approx(value, rel=1e-11)
    assert frechet_distance(first @ turn, second @ turn) == pytest.approx(value, rel=1e-11)
    tensors = torch.from_numpy(first), torch.from_numpy(second)
    assert frechet_distance(*tensors) == value


def test_it_is_below_the_transport_cost_of_any_pairing() -> None:
    """Gelbrich's bound: any pairing of rows costs at least the distance (with divisor n)."""
    rng = np.random.default_rng(0)
    first, second = rng.exponential(size=(200, 3)), rng.exponential(size=(200, 3)) ** 2
    cost = np.square(first[:, None] - second[None]).sum(2)
    from scipy.optimize import linear_sum_assignment

    paired = cost[linear_sum_assignment(cost)].mean()
    spread = frechet_distance(first, second) - ((first.mean(0) - second.mean(0)) ** 2).sum()
    exact = frechet_distance(first, second) - spread / 200  # divisor n instead of n - 1
    assert 0.2 * paired < exact <= paired


@pytest.mark.parametrize("size", [400, 1600])
def test_the_floor_is_the_bias_of_small_samples(size: int) -> None:
    """About (2d + d(d + 1)/2)/n for two samples of n standard normal rows: it falls as 1/n."""
    d = 8
    normal = np.random.default_rng(2).normal(size=(2 * size, d))
    floor = frechet_floor(normal, splits=40, seed=1)
    assert floor.sizes == (size, size)
    assert floor.mean == pytest.approx((2 * d + d * (d + 1) / 2) / size, rel=0.12)
    assert floor.values.min() < floor.mean < floor.largest == floor.values.max()


def test_a_floor_knows_its_sizes_and_touches_no_generator() -> None:
    table = rows(100, 3, 0)
    state = np.random.get_state()[1].copy()  # noqa: NPY002
    few, more = (frechet_floor(table, sizes=(n, n), seed=3) for n in (10, 40))
    assert few.mean > 2 * more.mean
    assert np.array_equal(frechet_floor(table, sizes=(10, 10), seed=3).values, few.values)
    assert not np.array_equal(frechet_floor(table, sizes=(10, 10), seed=4).values, few.values)
    assert np.array_equal(np.random.get_state()[1], state)  # noqa: NPY002


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda t: frechet_distance(t, t[:, :2]), "3 and 2 features"),
        (lambda t: frechet_distance(t[:1], t), "first has shape"),
        (lambda t: frechet_distance(t, t[:, 0]), "second has shape"),
        (lambda t: frechet_distance(t, t / 0.0), "second has"),
        (lambda t: frechet_floor(t, sizes=(30, 30)), "sizes are"),
        (lambda t: frechet_floor(t, splits=0), "splits is 0"),
        (lambda t: frechet_floor(t, seed=-1), "seed is -1"),
    ],
)
def test_bad_input_is_named(call, message: str) -> None:
    with np.errstate(all="ignore"), pytest.raises(InputError, match=message):
        call(np.ones((40, 3)))
