"""Networks alone, from the identity, against optimal maps that are known."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.stats import norm

from infounlearn.data import load_digits
from infounlearn.feature.images import NeuralBarycenter
from infounlearn.math import l2_uvp

ALONE = {
    "start": "identity",
    "validation": 0.0,
    "clip": False,
    "lr": 4e-3,
    "potential_lr": 4e-3,
    "ema": 0.98,
}


def compared(rows, codes, mapped, known):
    """UVP of each group, and the cost over that of the known maps."""
    uvp = [l2_uvp(mapped[codes == z], known[codes == z]) for z in (0, 1)]
    return uvp, ((mapped - rows) ** 2).mean() / ((known - rows) ** 2).mean()


def test_digits_under_a_brightness_map():
    # x -> .25 + .6 x is the gradient of a convex function: the Brenier map to its image.
    digits = load_digits().inputs.reshape(-1, 1, 8, 8)
    codes = (torch.arange(len(digits)) % 5 > 2).long()
    view = codes.view(-1, 1, 1, 1)
    images = torch.where(view == 1, 0.25 + 0.6 * digits, digits)
    fit, held = slice(0, 1500), slice(1500, None)
    one = NeuralBarycenter(network="tiny", steps=160, batch_size=24, penalty=0.1, **ALONE)
    one.fit(images[fit], sensitive=codes[fit])
    moved = one.transform(images[held], sensitive=codes[held])
    weight = float(one.weights_[0])
    known = torch.where(
        view == 1,
        (1 - weight) * images + weight * (images - 0.25) / 0.6,
        weight * images + (1 - weight) * (0.25 + 0.6 * images),
    )[held]
    rows, z = images[held].numpy(), codes[held].numpy()
    uvp, cost = compared(rows, z, moved.numpy(), known.numpy())
    assert max(uvp) < 5.0
    assert cost == pytest.approx(1.0, abs=0.05)
    still, _ = compared(rows, z, rows, known.numpy())
    assert min(still) > 10.0


def test_a_mixture_and_a_gaussian_in_one_dimension():
    # On the line the barycenter maps are means of quantile functions.
    draws = np.random.default_rng(0)
    codes = np.arange(6000) % 2
    side = np.sign(draws.standard_normal(6000))
    noise = draws.standard_normal(6000)
    rows = np.where(codes == 1, 2 * side + 0.5 * noise, noise)
    grid = np.linspace(-6, 6, 40001)
    mixed = (norm.cdf(grid, -2, 0.5) + norm.cdf(grid, 2, 0.5)) / 2
    levels = np.where(codes == 1, np.interp(rows, grid, mixed), norm.cdf(rows))
    known = (norm.ppf(levels) + np.interp(levels, mixed, grid)) / 2
    fit, held = slice(0, 4000), slice(4000, None)
    one = NeuralBarycenter(steps=400, batch_size=192, penalty=0.1, **ALONE)
    one.fit(rows[fit, None].astype(np.float32), sensitive=codes[fit])
    moved = one.transform(rows[held, None].astype(np.float32), sensitive=codes[held])
    uvp, cost = compared(rows[held, None], codes[held], moved, known[held, None])
    assert max(uvp) < 5.0
    assert cost == pytest.approx(1.0, abs=0.1)
    closed = NeuralBarycenter(method="latent-gaussian").fit(
        rows[fit, None].astype(np.float32), sensitive=codes[fit]
    )
    plain = closed.transform(rows[held, None].astype(np.float32), sensitive=codes[held])
    affine, _ = compared(rows[held, None], codes[held], plain, known[held, None])
    assert max(affine) > 8.0
