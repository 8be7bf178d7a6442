"""KLoM is the KL of two histograms that hold every model; its floor is far from 0."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from infounlearn.errors import InputError
from infounlearn.math.klom import kl_of_margins


def by_histogram(unlearned: np.ndarray, retrained: np.ndarray) -> float:
    one, two = (np.clip(pool, -100, 100) for pool in (unlearned, retrained))
    span = (min(one.min(), two.min()), max(one.max(), two.max()))
    total = 0.0
    for a, b in zip(*(np.histogram(pool, 20, span)[0] for pool in (one, two)), strict=True):
        p, q = a / len(one) or 1e-5, b / len(two) or 1e-5
        total += p * math.log(p / q)
    return total


def test_trap_9_the_largest_margin_is_kept() -> None:
    odd, zeros = np.zeros((100, 1)), np.zeros((100, 1))
    odd[17] = 5
    found = kl_of_margins(odd, zeros).mean
    assert found == pytest.approx(0.99 * math.log(0.99) + 0.01 * math.log(0.01 / 1e-5))
    assert round(found, 4) == 0.0591


@pytest.mark.parametrize(("n", "m"), [(2, 2), (50, 50), (7, 31)])
def test_each_record_is_the_divergence_of_two_histograms(n: int, m: int) -> None:
    rng = np.random.default_rng(n)
    for scale in (1.0, 90.0):  # the second is clipped
        one, two = rng.normal(0, scale, (n, 40)), rng.normal(scale, scale, (m, 40))
        found = kl_of_margins(torch.tensor(one), torch.tensor(two))
        slow = [by_histogram(one[:, k], two[:, k]) for k in range(40)]
        assert found.per_record == pytest.approx(slow, abs=1e-12)
        assert found.mean == pytest.approx(np.mean(slow))
        assert found.percentile95 == pytest.approx(np.percentile(slow, 95))
        assert found.models == (n, m)


@pytest.mark.parametrize(
    ("models", "published", "records"),
    [(20, 3.05, 1500), (50, 0.91, 1500), (100, 0.35, 1500), (200, 0.15, 800), (500, 0.05, 400)],
)
def test_two_pools_of_one_normal_law_have_the_floor_of_the_reference(
    models: int, published: float, records: int
) -> None:
    one, two = np.random.default_rng(0).normal(size=(2, models, records))
    found = kl_of_margins(one, two)
    error = found.per_record.std() / math.sqrt(records)
    # Half a unit of the last digit given, and four standard errors of ours.
    assert found.mean == pytest.approx(published, abs=0.005 + 4 * error)
    assert 4 * error < 0.2 * published


def test_units_do_not_matter_and_direction_does() -> None:
    one, two = np.random.default_rng(1).normal(size=(2, 64, 30)) * [[[1.0]], [[3.0]]]
    there, back = kl_of_margins(one, two), kl_of_margins(two, one)
    assert kl_of_margins(2 * one + 1, 2 * two + 1).mean == pytest.approx(there.mean)
    assert abs(there.mean - back.mean) > 0.5


def test_equal_pools_and_constant_pools() -> None:
    one = np.random.default_rng(2).normal(size=(9, 4))
    assert kl_of_margins(one, one[::-1]).mean == 0
    still = np.full((9, 4), 3.0)
    assert kl_of_margins(still, still).mean == 0
    apart = kl_of_margins(still, still + 1).per_record
    # All against an empty bin, and the other way round.
    assert apart == pytest.approx(math.log(1e5) * (1 - 1e-5))
    certain = np.full((9, 4), math.inf)
    assert kl_of_margins(certain, np.full((9, 4), 100.0)).mean == 0


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda x: kl_of_margins(x[:1], x), r"unlearned has shape \(1, 2\)"),
        (lambda x: kl_of_margins(x[:, 0], x), "pass \\(models, records\\)"),
        (lambda x: kl_of_margins(x, x[:, :1]), "2 records, retrained 1"),
        (lambda x: kl_of_margins(x, x * np.nan), "retrained has 10 margins"),
    ],
)
def test_bad_input_is_named(call, says: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(InputError, match=says):
        call(np.ones((5, 2)))
