"""Levels made in stretches, by counting or by sorting, against one plain merge of everything."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infounlearn.math import fit_line_barycenter, line_levels

CASES = settings(max_examples=60, deadline=None, derandomize=True)


def plain(parts, weights):
    """Levels, points and distances in exact fractions of ranks, one at a time."""
    ends = {Fraction(i + 1, len(part)) for part in parts for i in range(len(part))}
    levels, top = sorted(ends), Fraction(0)
    spans = []
    for level in levels:
        # The quantile function is constant on [top, level).
        spans.append([part[int(top * len(part))] for part in parts])
        top = level
    spans, length = np.array(spans), np.diff([0.0, *map(float, levels)])
    points = spans @ weights
    return np.array(list(map(float, levels))), points, length @ (spans - points[:, None]) ** 2


@CASES
@given(
    st.lists(st.integers(1, 40), min_size=1, max_size=3),
    st.integers(0, 10**6),
    st.sampled_from([2, 3, 7, 1000]),
    st.booleans(),
)
def test_stretches_of_any_length_give_the_plain_merge(sizes, seed, stretch, ties):
    rng = np.random.default_rng(seed)
    parts = [np.sort(rng.normal(size=n).round(0 if ties else 12)) + 0.0 for n in sizes]
    weights = rng.dirichlet(np.ones(len(sizes)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(line_levels, "STRETCH", stretch)
        laws = [line_levels.law(part) for part in parts]
        levels, points = line_levels.steps(laws, weights)
        found = line_levels.distances(laws, weights)
        x, z = np.concatenate(parts), np.repeat(np.arange(len(parts)), sizes)
        fit = fit_line_barycenter(x, z)
        moved = fit.transport(x, z, noise=0.25)
    wanted_levels, wanted_points, wanted = plain(parts, weights)
    # Ties leave out levels on which nothing changes.
    middles = wanted_levels - np.diff(wanted_levels, prepend=0.0) / 2
    at = np.searchsorted(levels, middles, side="right")
    np.testing.assert_allclose(points[at], wanted_points, atol=1e-12)
    np.testing.assert_array_equal(np.intersect1d(levels, wanted_levels), levels)
    np.testing.assert_allclose(found, wanted, atol=1e-12)
    assert moved.tobytes() == fit.transport(x, z, noise=0.25).tobytes()


@CASES
@given(st.integers(1, 3000), st.integers(0, 10**6))
def test_places_without_ties_are_those_of_a_search(size, seed):
    untied = line_levels.law(np.arange(float(size)))[1]
    ends = line_levels.upper(untied)
    rng = np.random.default_rng(seed)
    some = rng.choice(np.concatenate((ends, np.nextafter(ends, 0), np.nextafter(ends, 2))), 200)
    ranks = np.concatenate((some, rng.random(50), [0.0]))
    ranks = ranks[ranks < 1.0]
    assert line_levels.untied(untied)
    np.testing.assert_array_equal(
        line_levels.places(untied, ranks), np.searchsorted(ends, ranks, side="right")
    )


def test_a_table_of_many_stretches_equals_one_stretch(monkeypatch):
    rng = np.random.default_rng(0)
    x, z = rng.normal(size=70_001), rng.integers(0, 2, 70_001)
    many = fit_line_barycenter(x, z)
    moved = many.transport(x, z, noise=0.5)
    monkeypatch.setattr(line_levels, "STRETCH", 10**6)
    once = fit_line_barycenter(x, z)
    np.testing.assert_array_equal(many.levels, once.levels)
    np.testing.assert_array_equal(many.points, once.points)
    assert many.value == pytest.approx(once.value, rel=1e-12)
    np.testing.assert_array_equal(moved, once.transport(x, z, noise=0.5))
