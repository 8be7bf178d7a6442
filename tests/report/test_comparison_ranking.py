"""Ranks: paired by seed, never more certain than the seeds allow, and nobody left out."""

from __future__ import annotations

import itertools
import math
import statistics
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from infounlearn.report.comparison import DISTANCES
from infounlearn.report.comparison_ranking import Results, estimate, paired, separates
from infounlearn.report.comparison_svg import Axis, spread
from tests.report.comparison_example import BUDGETS, METHODS, example
from tests.report.comparison_small import small

finite = st.floats(0.5, 20.0)


def one_case(worst):
    comparison = small({name: [values] for name, values in worst.items()})
    return Results(comparison).standings(comparison.cases[0], 0.05)


@given(st.lists(finite, min_size=2, max_size=9), st.floats(0.5, 0.99))
def test_interval_is_students(values, confidence) -> None:
    found = estimate(values, confidence)
    error = statistics.stdev(values) / math.sqrt(len(values))
    half = stats.t.ppf((1 + confidence) / 2, len(values) - 1) * error
    assert found.mean == pytest.approx(statistics.fmean(values))
    assert found.high - found.mean == pytest.approx(half, abs=1e-12)
    assert found.mean - found.low == pytest.approx(half, abs=1e-12)


def test_what_the_seeds_share_cancels() -> None:
    """The methods' own intervals overlap widely; the difference is the same in every seed."""
    shared = [1.0, 2.0, 4.0, 8.0, 16.0]
    first, second = one_case({"ours": shared, "rival": [value + 0.1 for value in shared]})
    assert first.distance.high > second.distance.low
    assert second.behind.mean == pytest.approx(0.1)
    assert not second.tied
    # The same values in another order of the seeds are no longer told apart.
    _, shuffled = one_case({"ours": shared, "rival": [v + 0.1 for v in reversed(shared)]})
    assert shuffled.behind.mean == pytest.approx(0.1)
    assert shuffled.tied


def test_a_single_seed_separates_nothing() -> None:
    first, second = one_case({"ours": [1.0], "rival": [9.0]})
    assert first.tied
    assert second.tied
    assert second.behind.low is None


def test_equal_methods_are_tied_and_keep_their_order() -> None:
    found = one_case({"b": [1.0, 2.0], "a": [1.0, 2.0], "c": [5.0, 6.0]})
    assert [(s.method.name, s.rank, s.tied) for s in found] == [
        ("b", 1, True), ("a", 2, True), ("c", 3, False),
    ]  # fmt: skip


def test_noise_of_its_own_is_no_tie_with_the_nearest_where_one_between_is_told_apart() -> None:
    found = one_case({"a": [1.0, 1.0], "b": [1.1, 1.1], "noisy": [0.8, 1.8], "far": [5.0, 5.0]})
    assert [s.tied for s in found] == [True, False, True, False]
    assert [s.scattered for s in found] == [False, False, True, False]


def test_who_diverged_once_has_no_rank_but_is_shown() -> None:
    found = one_case({"ours": [2.0, 2.0], "wild": [0.1, math.inf], "gone": [], "rival": [3.0, 3.0]})
    assert [(s.method.name, s.rank) for s in found] == [
        ("ours", 1), ("rival", 2), ("wild", None), ("gone", None),
    ]  # fmt: skip
    assert found[2].distance.mean == 0.1
    assert found[2].note == "diverged in 1 of 2 seeds"
    assert found[3].distance is None
    assert found[3].note == "diverged"
    assert not found[2].tied


def test_a_distance_that_is_no_number_is_not_called_divergence() -> None:
    comparison = small({"ours": [[1.0, 1.1]], "rival": [[2.0, 2.1]]})
    odd = replace(comparison.runs[-1], distances=dict.fromkeys(DISTANCES, math.nan))
    results = Results(replace(comparison, runs=(*comparison.runs[:-1], odd)))
    last = results.standings(comparison.cases[0], 0.05)[-1]
    assert (last.rank, last.note) == (None, "no finite distance in 1 of 2 seeds")


def test_overall_is_the_median_over_cases_seed_by_seed() -> None:
    worst = {"ours": [[1.0, 3.0], [2.0, 1.0], [9.0, 9.0]], "rival": [[5.0, 5.0]] * 3}
    first, second = Results(small(worst)).overall(0.05)
    assert first.distance.mean == statistics.fmean([2.0, 3.0])
    assert second.behind.mean == statistics.fmean([5.0 - 2.0, 5.0 - 3.0])


def test_a_case_without_result_counts_as_farther_than_any() -> None:
    worst = {"ours": [[1.0, 1.0], [2.0, 2.0], []], "rival": [[1.5, 1.5], [], []]}
    first, second = Results(small(worst)).overall(0.05)
    assert first.distance.mean == 2.0
    assert first.note == "no complete result in 1 of 3 cases"
    assert second.rank is None
    assert second.note == "no complete result in 2 of 3 cases"


def test_worst_is_the_largest_of_three_distances() -> None:
    comparison = example()
    run = next(run for run in comparison.runs if run.status == "ok")
    assert run.worst == max(run.distances.values())
    assert Results(comparison).worst(run.case, run.method, run.budget, run.seed) == run.worst


@pytest.mark.parametrize("budget", BUDGETS)
def test_nobody_is_left_out(budget) -> None:
    comparison = example()
    results = Results(comparison)
    rankings = [results.overall(budget), *(results.standings(c, budget) for c in comparison.cases)]
    for ranking in rankings:
        assert sorted(s.method.name for s in ranking) == sorted(name for name, *_ in METHODS)
        ranks = [s.rank for s in ranking if s.rank is not None]
        assert ranks == list(range(1, len(ranks) + 1))
        means = [s.distance.mean for s in ranking if s.rank is not None]
        assert means == sorted(means)
        assert all(s.note for s in ranking if s.rank is None)


@given(st.lists(finite, min_size=2, max_size=6), st.lists(finite, min_size=2, max_size=6))
def test_difference_turned_round_separates_alike(one, other) -> None:
    one, other = zip(*zip(one, other, strict=False), strict=True)
    there, back = paired(one, other, 0.9), paired(other, one, 0.9)
    assert there.mean == pytest.approx(-back.mean)
    assert separates(there) == separates(back)


@given(st.lists(st.floats(0, 400), min_size=1, max_size=20).map(sorted))
def test_labels_keep_their_order_and_never_overlap(wanted) -> None:
    placed = spread(wanted, 13.0, 10.0, 350.0)
    gap = min(13.0, 340 / max(1, len(wanted) - 1))
    assert all(b - a >= gap - 1e-6 for a, b in itertools.pairwise(placed))
    assert placed[0] >= 10 - 1e-6
    assert placed[-1] <= 350 + 1e-6


def test_labels_with_room_stay_where_they_are_and_close_ones_share_their_mean() -> None:
    assert spread([20.0, 50.0, 90.0], 13.0, 0.0, 200.0) == [20.0, 50.0, 90.0]
    assert spread([100.0, 100.0, 100.0], 10.0, 0.0, 200.0) == [90.0, 100.0, 110.0]


def test_axis_places_by_ratio_and_clips() -> None:
    axis = Axis(0.01, 1.0, 0.0, 100.0)
    assert axis.place(0.1) == pytest.approx(50.0)
    assert [axis.place(value) for value in (-1.0, 1e-9, 5.0)] == [0.0, 0.0, 100.0]
    assert axis.ticks() == pytest.approx([0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0])
    assert len(Axis(1e-6, 1e6, 0, 1).ticks(7)) <= 7
    assert Axis(0.57, 1.02, 0, 1, log=False).ticks(3) == pytest.approx([0.6, 0.8, 1.0])
