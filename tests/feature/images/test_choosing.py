"""The closed form takes as many directions as rows that were kept speak for."""

from __future__ import annotations

import numpy as np
import pytest

from infounlearn.errors import InputError
from infounlearn.feature.images import NeuralBarycenter
from infounlearn.feature.images.choosing import choose, held_out_value, pinched
from infounlearn.feature.images.latent_gaussian import fit_latent_gaussian
from infounlearn.math import GroupMoments, gaussian_barycenter

from .test_latent_gaussian import rows_of

WIDTH = 40


def law_of(seed: int = 0) -> GroupMoments:
    """Two Gaussians that differ in their means, variances and directions, around their mean."""
    draws = np.random.default_rng(seed)
    sizes = 0.9 ** np.arange(WIDTH)
    turn = np.eye(WIDTH) + 0.25 * draws.standard_normal((WIDTH, WIDTH)) / WIDTH**0.5
    turn = (turn + turn.T) / 2 + 0.2 * np.diag(draws.random(WIDTH))
    first = np.diag(sizes**2)
    means = np.zeros((2, WIDTH))
    means[:, 0] = 0.4, -0.6
    return GroupMoments.of(np.array([0.6, 0.4]), means, np.stack([first, turn @ first @ turn]))


def drawn(law: GroupMoments, count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    draws = np.random.default_rng(seed)
    codes = (np.arange(count) % 5 > 2).astype(int)
    roots = np.linalg.cholesky(law.covariances)
    noise = draws.standard_normal((count, WIDTH))
    return law.means[codes] + np.einsum("nij,nj->ni", roots[codes], noise), codes


def test_the_dual_of_the_true_maps_is_the_value_and_of_others_less():
    law = law_of()
    known = gaussian_barycenter(law)
    assert held_out_value(known, law, law) == pytest.approx(known.value, rel=1e-10)
    shift = gaussian_barycenter(pinched(law, 1))
    for moments, maps in ((pinched(law, 1), shift), (law_of(3), gaussian_barycenter(law_of(3)))):
        assert held_out_value(maps, moments, law) < 0.999 * known.value
    assert held_out_value(None, law, law) == pytest.approx(0.24)


def test_pinching_only_lowers_the_value():
    law = law_of()
    values = [gaussian_barycenter(pinched(law, 9, trust)).value for trust in (0.0, 0.5, 1.0)]
    values.append(gaussian_barycenter(law).value)
    assert values == sorted(values)
    assert values[0] < values[1] < values[2] < values[3]


@pytest.mark.parametrize("count", [150, 1500, 30_000])
def test_the_choice_is_nearer_the_law_than_all_directions_or_none(count):
    law = law_of()
    value = gaussian_barycenter(law).value / WIDTH
    rows, codes = drawn(law, count, 1)
    fresh, z = drawn(law, 4000, 2)
    best = gaussian_barycenter(law).transport(fresh, z)

    def error(**settings):
        one = fit_latent_gaussian(rows, codes, **settings)
        return float(((one.transport(fresh, z) - best) ** 2).mean()), one

    auto, fitted = error(dims="auto")
    everything = error(dims=min(WIDTH - 1, count // 5))[0]
    assert auto < 1.1 * min(everything, error(dims=0)[0], error(dims=4)[0])
    assert (auto < 0.8 * everything) == (count < 10_000)
    assert fitted.held_out < 1.1 * value
    if count > 10_000:
        assert fitted.trust > 0.8
        assert fitted.value == pytest.approx(value, rel=0.05)


def test_more_rows_bear_more():
    law = law_of()
    kept = GroupMoments.empty(2, WIDTH).add(*drawn(law, 20_000, 7))
    choices = [
        choose(GroupMoments.empty(2, WIDTH).add(*drawn(law, count, 5)), kept, 1)
        for count in (60, 600, 20_000)
    ]
    sizes = [choice.trust * (1 + choice.dims) for choice in choices]
    assert sizes == sorted(sizes)
    assert sizes[0] < sizes[-1]


def test_pixels_that_are_constant_in_one_group_are_no_hindrance():
    draws = np.random.default_rng(0)
    images = draws.random((400, 1, 5, 5)).astype(np.float32) * 0.5
    codes = np.arange(400) % 2
    images[codes == 1, :, 0] = 0.2
    images[codes == 0, :, -1] = 0.4
    images[:, :, 2, 2] = 0.3
    one = NeuralBarycenter(method="latent-gaussian", clip=False).fit(images, sensitive=codes)
    moved = one.transform(images, sensitive=codes)
    assert np.isfinite(moved).all()
    means = [moved[codes == z].mean(0) for z in (0, 1)]
    np.testing.assert_allclose(means[0], means[1], atol=1e-5)
    np.testing.assert_allclose(moved[:, :, 2, 2], 0.3, atol=1e-5)
    for settings in ({"method": "pixel-gaussian"}, {"method": "latent-gaussian", "dims": 20}):
        with pytest.raises(InputError, match=r"dims is .* directions .* 'auto'"):
            NeuralBarycenter(**settings).fit(images, sensitive=codes)


def test_few_images_get_the_shift_of_their_means_and_mirrors_stay_together():
    rows, codes = rows_of(2)
    few = np.r_[np.flatnonzero(codes == 0)[:9], np.flatnonzero(codes == 1)[:9]]
    shift = fit_latent_gaussian(rows[few], codes[few], dims="auto")
    assert shift.held_out is None
    assert shift.basis.shape[1] == 1
    # Twins on both sides of the split would speak for every direction.
    noise = np.random.default_rng(1).standard_normal((60, 30))
    z = np.arange(60) % 2
    twice = fit_latent_gaussian(np.vstack([noise, noise]), np.tile(z, 2), dims="auto", sides=2)
    once = fit_latent_gaussian(noise, z, dims="auto")
    assert twice.held_out == pytest.approx(once.held_out, rel=1e-6, abs=1e-9)
