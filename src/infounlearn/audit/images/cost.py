"""What the change of the images cost, beside the least it can cost to hide the group.

If X̂ is independent of Z with law ν, then E|X - X̂|² ≥ Σ_z w_z W2²(μ_z, ν), for any number of
groups. Each W2² is at least that of the Gaussians of the same means and covariances (Gelbrich
1990), and Σ_z w_z W2²(N(m_z, C_z), ·) is least at their Gaussian barycenter (Agueh & Carlier 2011).
So the value of the Gaussian barycenter, for two groups w₀ w₁ (|m₀ - m₁|² + B²(C₀, C₁)), is a lower
bound of the cost of every independent release. Projections shrink W2, so the bound also holds of
the images' leading principal components, where it can be estimated from a few thousand images.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from infounlearn.errors import InputError
from infounlearn.math import GroupMoments, bures2, gaussian_barycenter

SHUFFLES = 5


@dataclass(frozen=True)
class Bound:
    """Estimated lower bound, per pixel value.

    Attributes:
        value: plug-in value less ``floor``, which is about its bias; below 0 where groups do not
            differ.
        plug_in: of the sample moments.
        floor: the same of shuffled groups, mean over a few shuffles.
        dimensions: principal components it was computed in.
        means_only: whether only the means count, since a group was singular among several.
    """

    value: float
    plug_in: float
    floor: float
    dimensions: int
    means_only: bool


def change(after: np.ndarray, before: np.ndarray) -> np.ndarray:
    """(n,) mean squared change of each image per pixel value, float64."""
    return np.array(
        [
            np.mean((new.astype(np.float64) - old) ** 2)
            for new, old in zip(after, before, strict=True)
        ]
    )


def gaussian_bound(images: np.ndarray, z: np.ndarray, dimensions: int, seed: int) -> Bound:
    """The least cost at which Z can be hidden, from below, from (n, c, h, w) images before."""
    from sklearn.utils.extmath import randomized_svd

    rows = images.reshape(len(images), -1)
    rows = rows - rows.mean(0, dtype=np.float64).astype(np.float32)
    least = int(np.bincount(z).min())
    kept = max(1, min(dimensions, least // 8, rows.shape[1]))
    # Any orthonormal basis gives a bound, so that an approximate one loses nothing but height.
    basis = randomized_svd(rows, kept, random_state=seed)[2].astype(np.float64)
    points = rows @ np.linalg.qr(basis.T)[0]
    rng = np.random.default_rng([seed, 91])
    found, means_only = _value(points, z)
    shuffled = [_value(points, rng.permutation(z))[0] for _ in range(SHUFFLES)]
    pixels = rows.shape[1]
    floor = float(np.mean(shuffled)) / pixels
    return Bound(found / pixels - floor, found / pixels, floor, kept, means_only)


def _value(points: np.ndarray, z: np.ndarray) -> tuple[float, bool]:
    """Value of the Gaussian barycenter, and whether of the means alone."""
    groups = int(z.max()) + 1
    moments = GroupMoments.empty(groups, points.shape[1]).add(points, z)
    shares, means = moments.shares, moments.means
    spread = float(shares @ ((means - shares @ means) ** 2).sum(1))
    if groups == 2:  # of singular covariances too
        turned = bures2(*moments.covariances)
        return spread + float(shares.prod()) * turned, False
    try:
        return gaussian_barycenter(moments).value, False
    except InputError:  # a group that does not vary where others do: the means alone still bound
        return spread, True
