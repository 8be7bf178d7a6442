"""U-LiRA judges models it was not fitted to: at the null, and where the laws are known."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy import stats

from infounlearn.errors import InputError
from infounlearn.math.likelihood_attack import u_lira


def one_by_one(
    unlearned: np.ndarray, unseen: np.ndarray, folds: int, least: float
) -> list[np.ndarray]:
    """Log ratios by loops over folds, models and records."""
    pools = (unlearned, unseen)
    ratios = [np.zeros_like(pool) for pool in pools]
    for which, pool in enumerate(pools):
        for model in range(len(pool)):
            for k in range(pool.shape[1]):
                densities = []
                for other in pools:
                    fit = [other[i, k] for i in range(len(other)) if i % folds != model % folds]
                    law = stats.norm(np.mean(fit), max(np.std(fit, ddof=1), least))
                    densities.append(law.logpdf(pool[model, k]))
                ratios[which][model, k] = densities[0] - densities[1]
    return ratios


@pytest.mark.parametrize(("n", "m", "folds"), [(3, 3, 3), (9, 9, 4), (6, 10, 6)])
def test_every_model_is_judged_by_the_others(n: int, m: int, folds: int) -> None:
    rng = np.random.default_rng(n)
    one, two = rng.normal(1, 2, (n, 5)), rng.normal(0, 1, (m, 5))
    found = u_lira(torch.tensor(one), two, folds=folds, least_deviation=0.7)
    slow = one_by_one(one, two, folds, 0.7)
    assert np.allclose(found.unlearned, slow[0])
    assert np.allclose(found.unseen, slow[1])
    rates = [(slow[0] > 0).mean(0), (slow[1] < 0).mean(0)]
    assert found.per_record == pytest.approx((rates[0] + rates[1]) / 2)
    assert found.accuracy == pytest.approx(found.per_record.mean())
    if folds == min(n, m):
        assert u_lira(one, two, least_deviation=0.7).accuracy == found.accuracy


@pytest.mark.parametrize("models", [3, 4, 16])
def test_a_second_retrained_pool_is_at_one_half(models: int) -> None:
    rng = np.random.default_rng(models)
    records = 4000
    # Skewed, wide and narrow records: the null needs no normal law.
    one, two = rng.gumbel(size=(2, models, records)) * rng.uniform(0.1, 5, records)
    found = u_lira(one, two)
    error = found.per_record.std() / math.sqrt(records)
    assert found.accuracy == pytest.approx(0.5, abs=4 * error)
    assert 4 * error < 0.02
    low, high = found.interval
    assert low < 0.5 < high
    # In sample the same pools would look told apart.
    laws = [(pool.mean(0), pool.std(0, ddof=1)) for pool in (one, two)]
    ratio = [stats.norm(*laws[0]).logpdf(x) - stats.norm(*laws[1]).logpdf(x) for x in (one, two)]
    inside = (np.mean(ratio[0] > 0) + np.mean(ratio[1] < 0)) / 2
    assert inside > 0.5 + 20 * error


def test_known_laws_give_the_optimal_attack() -> None:
    rng = np.random.default_rng(5)
    base = rng.normal(0, 10, 60)  # records differ much; the attack looks at each alone
    one, two = base + rng.normal(1, 1, (300, 60)), base + rng.normal(0, 1, (300, 60))
    found = u_lira(one, two)
    assert found.accuracy == pytest.approx(stats.norm.cdf(0.5), abs=0.01)
    for point, rate in zip(found.points, (0.01, 0.001), strict=True):
        best = stats.norm.sf(stats.norm.isf(rate) - 1)
        assert point.tpr == pytest.approx(best, rel=0.25)
        assert point.fpr == rate
        assert point.resolved
        assert point.interval[0] < point.tpr < point.interval[1]
    # Equal means, three times the spread: unlearned where |φ| > t, t² = 9 ln 9 / 8.
    wide = u_lira(base + rng.normal(0, 3, (300, 60)), two)
    t = math.sqrt(9 * math.log(9) / 8)
    best = (2 * stats.norm.sf(t / 3) + 1 - 2 * stats.norm.sf(t)) / 2
    assert wide.accuracy == pytest.approx(best, abs=0.01)


def test_interval_is_clopper_pearsons_on_both_rates() -> None:
    rng = np.random.default_rng(6)
    one, two = rng.normal(1, 1, (10, 20)), rng.normal(0, 1, (10, 20))
    found = u_lira(one, two, confidence=0.9)
    ends = [
        stats.binomtest(int(k), 200).proportion_ci(0.95, method="exact")
        for k in ((found.unlearned > 0).sum(), (found.unseen < 0).sum())
    ]
    assert found.interval[0] == pytest.approx(sum(end.low for end in ends) / 2)
    assert found.interval[1] == pytest.approx(sum(end.high for end in ends) / 2)
    assert not u_lira(one, two).points[1].resolved  # 200 pairs cannot show .1 %


def test_trap_10_zero_variance_is_finite_and_correctness_is_refused() -> None:
    still = np.full((5, 3), 2.5)
    same = u_lira(still, still)
    assert same.accuracy == 0.5
    assert (same.unlearned == 0).all()
    # Half of 15 ratios of exactly 1 are called "unlearned", rounded outwards.
    assert same.interval[0] == pytest.approx(
        stats.binomtest(7, 15).proportion_ci(0.975, method="exact").low
    )
    apart = u_lira(still + 40, still)
    assert np.isfinite(apart.unlearned).all()
    assert apart.accuracy == 1
    assert u_lira(still.astype(np.float32), still).accuracy == 0.5
    for correct in (np.eye(5) > 0, np.eye(5, dtype=int), np.eye(5)):
        with pytest.raises(InputError, match="continuous"):
            u_lira(correct, np.random.default_rng(0).normal(size=(5, 5)))


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda x: u_lira(x[:2], x), r"unlearned has shape \(2, 2\)"),
        (lambda x: u_lira(x, x[:, :1]), "2 records, unseen 1"),
        (lambda x: u_lira(x, x * np.nan), "unseen is not finite"),
        (lambda x: u_lira(x, x, folds=1), "folds is 1 with 5"),
        (lambda x: u_lira(x[:3], x, folds=2), "folds is 2 with 3"),
        (lambda x: u_lira(x, x, least_deviation=0.0), "least_deviation is 0.0"),
        (lambda x: u_lira(x, x, rates=(0.0,)), "rates is"),
        (lambda x: u_lira(x, x, confidence=1.0), "confidence is 1.0"),
    ],
)
def test_bad_input_is_named(call, says: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(InputError, match=says):
        call(np.random.default_rng(1).normal(size=(5, 2)))
