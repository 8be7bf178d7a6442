"""The challenge score is the published one, found without its grid; its floor is not 1."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from benchmarks.challenge import published_epsilon, published_intervals, published_thresholds

from infounlearn.errors import InputError
from infounlearn.math import challenge_rules
from infounlearn.math.challenge_score import (
    challenge_epsilon,
    challenge_final_score,
    challenge_points,
    forgetting_quality,
)

DELTA = 1e-5
# (location, scale): wide enough for the window to bind, narrow enough for the grid to be coarse,
# and places where rounding makes 401 right ends of 400.
LAWS = ((0.0, 1.0), (7.0, 3.0), (20.3, 0.3), (-3.0, 8.0), (100.0, 0.05))


def pools(models: int, records: int, seed: int, *, loc: float = 0.0, scale: float = 1.0):
    rng = np.random.default_rng(seed)
    spread = scale * rng.uniform(0.5, 2, records)
    shift = scale * rng.choice([0.0, 0.5, 1.0, 3.0], records)
    one = rng.normal(loc, scale, (models, records))
    return one, rng.normal(loc + shift, spread, (models, records))


@pytest.mark.parametrize("models", [4, 7, 32, 64])
def test_published_thresholds_give_the_epsilon_of_the_grid_search(models: int) -> None:
    for number, (loc, scale) in enumerate(LAWS):
        one, two = pools(models, 8, 10 * models + number, loc=loc, scale=scale)
        unlearned, retrained = (one, two) if number % 2 else (two, one)
        slow = published_epsilon(unlearned, retrained)
        fast = challenge_epsilon(unlearned, retrained)
        assert np.allclose(fast, slow, rtol=0, atol=1e-9)
        assert np.array_equal(challenge_points(fast, models), challenge_points(slow, models))


def test_rounding_to_401_right_ends_is_among_the_cases_compared() -> None:
    counts = set()
    for number, (loc, scale) in enumerate(LAWS):
        one, two = pools(64, 8, 640 + number, loc=loc, scale=scale)
        narrow = np.where(np.ptp(one, 0) < np.ptp(two, 0), one, two)
        low, high = narrow.min(0), narrow.max(0)
        counts |= set(np.ceil((high + 2 - (low + (high - low) - 2)) * 100))
    assert counts == {400, 401}


@pytest.mark.parametrize(("loc", "scale"), [(0.0, 1.0), (14.0, 0.02), (30.0, 0.01), (100.0, 0.05)])
def test_the_attacks_counted_are_those_of_the_grid_and_no_other(loc: float, scale: float) -> None:
    """One attack at a time is given a worth, so that a missed or an invented one is seen."""
    n, rng, right_ends = 6, np.random.default_rng(5), set()
    for _ in range(6):
        positive, negative = rng.normal(loc, [[scale], [2 * scale]], (2, n))
        left, right = published_intervals(positive)
        right_ends.add(len(left) // 400)
        t = published_thresholds(min(*positive, *negative), max(*positive, *negative))
        for rule, calls in (
            (challenge_rules.best_threshold, lambda pool, t=t: pool[:, None] >= t),
            (
                challenge_rules._on_grid,
                lambda pool, a=left, b=right: (a <= pool[:, None]) & (pool[:, None] <= b),
            ),
        ):
            on_grid = set((calls(positive).sum(0) * (n + 1) + calls(negative).sum(0)).tolist())
            found = {
                attack
                for attack, worth in enumerate(np.eye((n + 1) ** 2))
                if rule(positive[:, None], negative[:, None], worth, "published")[0]
            }
            # Nothing called positive is an attack that never counts.
            assert found - {0} == on_grid - {0}
    assert right_ends == {400, 401} if loc in (14.0, 30.0) else {400} <= right_ends


def test_thresholds_of_rule_1_are_counted_up_to_the_last() -> None:
    rng = np.random.default_rng(6)
    values = np.sort(rng.normal(5, 1, (3000, 4)), axis=1)
    values[:, 2] = values[:, 3] - 1e-3  # between them only the last threshold, rounded or not
    counted = challenge_rules._counted(values)
    for v, found in zip(values, counted, strict=True):
        upto = np.searchsorted(published_thresholds(v[0], v[-1]), v, "right")
        assert found.tolist() == np.diff(upto, prepend=0).tolist()


def test_an_infinitely_fine_grid_finds_more_and_every_interval_more_still() -> None:
    grows = np.zeros(2)
    for number, (loc, scale) in enumerate(LAWS):
        one, two = pools(64, 60, number, loc=loc, scale=scale)
        grid, exact, every = (
            challenge_epsilon(one, two, thresholds=kind)
            for kind in ("published", "exact", "every interval")
        )
        assert (exact >= grid).all()
        assert (every >= exact).all()
        grows += (exact > grid).sum(), (every > exact).sum()
        points = [challenge_points(epsilon, 64) for epsilon in (grid, exact)]
        assert np.mean(points[0] == points[1]) >= (0.9 if scale > 0.1 else 0.5)
    assert (grows > 10).all()


def brute_force(unlearned: np.ndarray, retrained: np.ndarray, *, window: bool) -> float:
    """Every threshold and every interval between values, one by one."""
    positive, negative = unlearned, retrained
    if np.median(retrained) > np.median(unlearned):
        positive, negative = retrained, unlearned
    best = 0.0
    values = np.unique(np.concatenate([unlearned, retrained]))
    for t in values:
        best = max(best, epsilon_of(positive >= t, negative >= t))
    if np.ptp(positive) >= np.ptp(negative):
        positive, negative = negative, positive
    width, top = np.ptp(positive), positive.max()
    padded = np.concatenate([[-np.inf], values, [np.inf]])
    for i in range(len(values)):
        for j in range(i, len(values)):
            if window:
                first, last = max(padded[j + 1], top - 2), min(padded[j + 2], top + 2)
                if first > top + 2 or first >= padded[j + 2]:
                    continue
                # r - l runs from first - v_i (reached) to last - v_(i-1) (not reached).
                if first - padded[i + 1] > width + 2 or last - padded[i] <= width - 2:
                    continue
            inside = [(pool >= values[i]) & (pool <= values[j]) for pool in (positive, negative)]
            best = max(best, epsilon_of(*inside))
    return min(best, 50.0)


def epsilon_of(on_positive: np.ndarray, on_negative: np.ndarray) -> float:
    fnr, fpr = 1 - on_positive.mean(), on_negative.mean()
    if fnr == 0 and fpr == 0:
        return math.inf
    if fnr == 0 or fpr == 0:
        return 0.0
    ends = [(1 - DELTA - a) / b for a, b in ((fpr, fnr), (fnr, fpr))]
    return max(math.log(end) if end > 0 else 0.0 for end in ends)


@pytest.mark.parametrize("thresholds", ["exact", "every interval"])
@pytest.mark.parametrize("sizes", [(9, 9), (4, 13), (13, 4)])
def test_thresholds_between_values_agree_with_brute_force(
    thresholds: str, sizes: tuple[int, int]
) -> None:
    rng = np.random.default_rng(sum(sizes))
    for scale, digits in ((1.0, 12), (4.0, 12), (3.0, 0)):  # the last one full of ties
        unlearned = rng.normal(0, scale, (sizes[0], 30)).round(digits)
        retrained = rng.normal(scale / 2, scale / 2, (sizes[1], 30)).round(digits)
        found = challenge_epsilon(unlearned, retrained, thresholds=thresholds)  # type: ignore[arg-type]
        window = thresholds == "exact"
        slow = [
            brute_force(unlearned[:, k], retrained[:, k], window=window)
            if np.ptp(retrained[:, k]) >= 0.01 * np.ptp(unlearned[:, k])
            else 50.0
            for k in range(30)
        ]
        assert found == pytest.approx(slow, abs=1e-9)


def test_identical_pools_have_a_floor_near_a_fifth_that_depends_on_the_spread() -> None:
    rng = np.random.default_rng(1)
    for models, records in ((32, 400), (64, 400), (512, 60)):
        one, two = rng.normal(size=(2, models, records))
        quality = forgetting_quality(one, two)
        margin = 4 * quality.points.std() / math.sqrt(records)
        assert 0.17 - margin <= quality.value <= 0.21 + margin
        assert margin < 0.12
        assert quality.models == models
    one, two = rng.normal(size=(2, 64, 400))
    whole = forgetting_quality(one, two, thresholds="every interval").value
    assert 0.06 < whole < 0.1
    # Two units around a narrow pool hold every interval: the floor is no number of its own.
    narrow = forgetting_quality(0.3 * one, 0.3 * two)
    assert narrow.value < 0.7 * forgetting_quality(one, two).value
    assert forgetting_quality(0.3 * one, 0.3 * two, thresholds="exact").value == pytest.approx(
        whole
    )


@pytest.mark.parametrize(("shift", "published"), [(0.5, 0.113), (1.0, 0.045), (3.0, 0.0051)])
def test_quality_falls_with_the_shift_of_the_pool(shift: float, published: float) -> None:
    one, two = np.random.default_rng(2).normal(size=(2, 64, 1000))
    value = forgetting_quality(one + shift, two).value
    assert value == pytest.approx(published, rel=0.08)


def test_pools_that_an_attack_separates_are_worth_nothing() -> None:
    rng = np.random.default_rng(3)
    for models in (4, 5, 64):
        one = rng.normal(size=(models, 6))
        apart = forgetting_quality(one + 100, one)
        assert (apart.epsilon == 50).all()
        assert apart.value == 0
        peaked = challenge_epsilon(one, np.median(one, 0) + 1e-3 * one)
        assert (peaked == 50).all()
    still = np.zeros((4, 2))
    assert challenge_epsilon(still, still).tolist() == [0, 0]
    assert challenge_epsilon(still, still + 1).tolist() == [50, 50]


def test_trap_8_any_pool_of_four_or_more_runs_on_tensors_and_in_chunks() -> None:
    rng = np.random.default_rng(4)
    for models in range(4, 12):
        one, two = rng.normal(size=(2, models, 3))
        asked = challenge_epsilon(torch.tensor(one), torch.tensor(two))
        assert asked.shape == (3,)
        assert np.isfinite(asked).all()
        alone = [challenge_epsilon(one[:, [k]], two[:, [k]])[0] for k in range(3)]
        assert asked.tolist() == alone
    one, two = rng.normal(size=(2, 64, 50))  # 50 x 129 x 129 entries: several chunks
    together = challenge_epsilon(one, two, thresholds="exact")
    alone = [challenge_epsilon(one[:, [k]], two[:, [k]], thresholds="exact")[0] for k in range(50)]
    assert together.tolist() == alone


def test_points_halve_every_half_nat_and_end_at_the_log_of_the_pool() -> None:
    epsilon = [0.0, 0.49, 0.5, 1.0, 1.99, 2.0, math.inf]
    # ⌈ln 6⌉ = 2, ⌈ln 511⌉ = 7
    assert challenge_points(epsilon, 7).tolist() == [1, 1, 0.5, 0.25, 0.125, 0, 0]
    assert challenge_points(epsilon, 512).tolist() == [1, 1, 0.5, 0.25, 0.125, 0.0625, 0]


def test_the_final_score_multiplies_forgetting_and_utility() -> None:
    assert challenge_final_score(0.2, retain=(0.9, 1.0), test=(0.4, 0.8)) == pytest.approx(0.09)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda x: challenge_epsilon(x[:3], x), r"unlearned has shape \(3, 2\)"),
        (lambda x: challenge_epsilon(x[:, 0], x), "pass \\(models, records\\)"),
        (lambda x: challenge_epsilon(x, x[:, :1]), "2 records, retrained 1"),
        (lambda x: challenge_epsilon(x, x * np.inf), "scores that are not finite"),
        (lambda x: challenge_epsilon(x, x, thresholds="grid"), "thresholds is 'grid'"),
        (lambda x: challenge_epsilon(x, x, delta=1.0), "delta is 1.0"),
        (lambda x: forgetting_quality(x[:3], x), "forgetting_quality: unlearned"),
        (lambda x: challenge_points([-0.1], 8), "negative"),
        (lambda x: challenge_points([0.1], 3), "models is 3"),
        (lambda x: challenge_final_score(1.2, retain=(1, 1), test=(1, 1)), "quality is"),
        (lambda x: challenge_final_score(0.2, retain=(1, 0), test=(1, 1)), "retain accuracy is 0"),
    ],
)
def test_bad_input_is_named(call, says: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(InputError, match=says):
        call(np.ones((5, 2)) + np.arange(5)[:, None])
