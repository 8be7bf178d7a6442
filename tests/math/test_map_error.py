"""Errors of maps against maps that are known."""

from __future__ import annotations

import numpy as np
import pytest

from infounlearn.errors import InputError
from infounlearn.math import l2_uvp, map_cosine, two_group_value

ROWS = np.random.default_rng(0).standard_normal((200_000, 1))


def test_the_optimal_map_has_no_error_and_the_constant_one_has_100_percent():
    truth = 2 * ROWS + 1
    assert l2_uvp(truth, truth) == 0.0
    assert l2_uvp(np.full_like(truth, truth.mean()), truth) == pytest.approx(100.0)
    assert l2_uvp(truth + 0.2, truth, variance=4.0) == pytest.approx(1.0)


def test_the_cosine_is_of_displacements():
    truth = ROWS + 3
    assert map_cosine(ROWS + 0.5, truth, ROWS) == pytest.approx(1.0)
    assert map_cosine(ROWS - 0.5, truth, ROWS) == pytest.approx(-1.0)
    assert map_cosine(-ROWS, 2 * ROWS, ROWS) == pytest.approx(-1.0)


def test_the_value_of_two_gaussians_is_the_closed_form():
    # N(0, 1) with w = .6 and N(2, 1.5²) with w = .4: V = .24 (4 + .25) = 1.02.
    assert two_group_value(ROWS, 1.5 * ROWS + 2, 0.6) == pytest.approx(1.02, rel=5e-3)


def test_images_are_read_as_rows():
    images = ROWS[:800].reshape(50, 1, 4, 4)
    assert l2_uvp(images + 1, images) == pytest.approx(
        l2_uvp(ROWS[:800].reshape(50, 16) + 1, images.reshape(50, 16))
    )


def test_what_cannot_be_measured_is_refused():
    with pytest.raises(InputError, match="shapes"):
        l2_uvp(ROWS[:5], ROWS[:6])
    with pytest.raises(InputError, match="variance 0"):
        l2_uvp(ROWS[:5], np.ones((5, 1)))
    with pytest.raises(InputError, match="not finite"):
        l2_uvp(ROWS[:5] * np.nan, ROWS[:5])
    with pytest.raises(InputError, match="moves nothing"):
        map_cosine(ROWS, ROWS + 1, ROWS)
    with pytest.raises(InputError, match="weight"):
        two_group_value(ROWS, ROWS + 1, 1.0)
    with pytest.raises(InputError, match="two rows"):
        l2_uvp(ROWS[:1], ROWS[:1])
