"""Marks that no convolution sees are found by probes of places and of statistics."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from infounlearn.audit import audit_images
from infounlearn.audit.feature.inference import gain_interval, null_of
from infounlearn.audit.feature.probes import EXACT, PROBES, TREES, Job, Reading, read_all
from infounlearn.audit.feature.verdicts import VISIBLE
from infounlearn.audit.images.checks import is_rounded
from infounlearn.audit.images.places import read_places, ways
from infounlearn.audit.images.readings import balanced_hits, seen
from infounlearn.audit.images.traces import bit, traces
from tests.audit.images.marks import MARKS, last_bit_of_one_pixel, textures
from tests.audit.images.worlds import FAST

N = 400
IMAGES = textures(N, 16, 0)
Z = np.random.default_rng(1).permutation(np.arange(N) % 2)


def told(images: np.ndarray, groups: list[np.ndarray], name: str) -> list[Reading]:
    table = traces(images)[name == EXACT]
    jobs = [Job(name, table, z, None, 5, (0, draw)) for draw, z in enumerate(groups)]
    return read_places(images, jobs) if name == "places" else read_all(jobs, PROBES, 1)


@pytest.mark.parametrize("mark", MARKS, ids=lambda mark: mark.__name__)
def test_a_mark_is_found(mark: Callable[..., np.ndarray]) -> None:
    marked = mark(IMAGES, Z, np.random.default_rng(2))
    apart = marked[Z == 1].mean(0) - marked[Z == 0].mean(0)
    assert np.median(np.abs(apart)) < 0.03  # to the eye the groups are alike
    readings = [told(marked, [Z], name)[0] for name in ("places", TREES, EXACT)]
    lows = [gain_interval(one.gains, one.folds, 0.95)[0] for one in readings]
    assert max(lows) > 0.02


def test_an_audit_names_the_probe_that_found_it() -> None:
    """The last bit of one float: equal to seven decimals, and no secret any more."""
    marked = last_bit_of_one_pixel(IMAGES, Z, np.random.default_rng(2))
    assert np.abs(marked - IMAGES).max() < 1e-7
    audit = audit_images(marked, Z, before=IMAGES, **FAST)
    assert audit.verdict(VISIBLE).answer == "still visible"
    assert "single places: 0.6" in audit.verdict(VISIBLE).reason
    assert audit.finding("probes/places").value > 0.6
    assert audit.finding("probes/places").original < 0.05
    assert audit.finding("probes/cnn").value < 0.05
    assert audit.finding("probes/within_margin").title.endswith("majority rate: no")
    assert audit.finding("probes/within_margin").interval[0] > 0.4


def test_several_groups_are_told_by_places_and_statistics() -> None:
    z = np.random.default_rng(3).permutation(np.arange(N) % 3)
    marked = IMAGES.copy()
    marked[:, 0, 3, 3] = np.where(z == 1, 0.25, marked[:, 0, 3, 3])
    marked[:, 0, 9, 9] = np.where(z == 2, 0.75, marked[:, 0, 9, 9])
    places = told(marked, [z], "places")[0]
    assert places.information > 0.9
    level = IMAGES - IMAGES.mean((1, 2, 3), keepdims=True) + 1e-3 * z[:, None, None, None]
    assert told(level.astype(np.float32), [z], TREES)[0].information > 0.9


@pytest.mark.parametrize("name", ["places", TREES, EXACT])
def test_independent_groups_are_rarely_called_visible(name: str) -> None:
    """The level: each of twenty shuffles beside five others as its null."""
    rng = np.random.default_rng(9)
    groups = [rng.permutation(np.arange(120) % 2) for _ in range(20)]
    readings = told(textures(120, 8, 1), groups, name)
    rates = [float(balanced_hits(*pair).mean()) for pair in zip(readings, groups, strict=True)]
    calls = 0
    for draw, (own, z) in enumerate(zip(readings, groups, strict=True)):
        others = [(draw + step) % 20 for step in range(1, 6)]
        null = null_of(own.information, [readings[other].information for other in others])
        rate = null_of(rates[draw], [rates[other] for other in others])
        calls += seen(own, z, null, rate, 0.95)
    assert calls <= 1


def test_bits_are_counted_from_the_last_that_is_used() -> None:
    halves = np.array([1.0, 1.5, 1.25, 1.75], dtype=np.float32)
    assert bit(halves, 0).tolist() == [0, 0, 1, 1]
    assert bit(halves, 1).tolist() == [0, 1, 0, 1]
    assert bit(np.array([0.0, -0.0], dtype=np.float32), 0).tolist() == [0, 1]


def test_a_place_of_equal_values_tells_nothing() -> None:
    """Their deviation may be a rounding error, which scaling would blow up to one."""
    images = np.broadcast_to(IMAGES.mean(0), IMAGES.shape).copy()
    reading = told(images, [Z], "places")[0]
    assert np.abs(reading.gains).max() < 1e-9
    assert len(list(ways(images))) == 7


def test_digits_that_are_not_audited_are_told() -> None:
    exact = IMAGES.astype(np.float64)
    assert not is_rounded(IMAGES)
    assert not is_rounded(exact)
    assert is_rounded(np.nextafter(exact, 2.0))
