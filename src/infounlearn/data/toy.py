"""Toys whose truth is known: channels, Gaussians, and the two pictures of the paper.

An estimator of information is checked against numbers that need no estimator. Those of
:data:`CHANNELS` are closed forms; those of Gaussians are closed or one integral. The two
constructions after them are ours: Xu & Strohmer (2025), arXiv:2502.05684, give only captions.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from infounlearn.data.records import Records
from infounlearn.errors import Problems


@dataclass(frozen=True)
class Channel:
    """A channel with equally likely inputs, and the information it carries.

    Attributes:
        name: what it is called.
        laws: laws[z][y] = P(Y = y | Z = z).
        nats: I(Y; Z) for uniform Z, from its closed form.
    """

    name: str
    laws: tuple[tuple[float, ...], ...]
    nats: float


def _entropy(p: float) -> float:
    """Entropy of a coin in nats."""
    return -p * math.log(p) - (1 - p) * math.log1p(-p)


def _symmetric(name: str, error: float) -> Channel:
    laws = ((1 - error, error), (error, 1 - error))
    return Channel(name, laws, math.log(2) - _entropy(error))


CHANNELS = (
    _symmetric("binary symmetric, error 0.1", 0.1),
    _symmetric("binary symmetric, error 0.3", 0.3),
    _symmetric("binary symmetric, error 0.45", 0.45),
    _symmetric("randomised response, epsilon 1", 1 / (1 + math.e)),
    Channel("binary erasure 0.3", ((0.7, 0.3, 0.0), (0.0, 0.3, 0.7)), 0.7 * math.log(2)),
    Channel("Z-channel 0.5", ((1.0, 0.0), (0.5, 0.5)), _entropy(0.25) - math.log(2) / 2),
)
"""Closed forms (Cover & Thomas, Elements of Information Theory, chapter 7); some hold zeros."""


def gaussian_groups(
    rows: int, distance: float, *, prior: float = 0.5, seed: int = 0
) -> tuple[Tensor, Tensor]:
    """Scores of two groups, N(0, 1) and N(distance, 1), the first with probability ``prior``.

    Returns:
        (rows,) float64 scores and (rows,) int64 groups.
    """
    rng = np.random.default_rng(seed)
    groups = (rng.random(rows) >= prior).astype(np.int64)
    scores = rng.standard_normal(rows) + distance * groups
    return torch.from_numpy(scores), torch.from_numpy(groups)


def gaussian_information(distance: float, prior: float = 0.5) -> float:
    """I(score; group) of :func:`gaussian_groups` in nats, to 1e-9: h(mixture) - h(N(0, 1)).

    Written as the prior-weighted divergence of each group from the mixture, which needs no
    difference of entropies and stays exact for small distances.
    """
    from scipy.integrate import quad

    def excess(x: float, own: float, other: float, share: float) -> float:
        ratio = math.exp((other - own) * (x - (own + other) / 2))  # density of other over own
        density = math.exp(-((x - own) ** 2) / 2) / math.sqrt(2 * math.pi)
        return -density * math.log1p((1 - share) * (ratio - 1))

    total = 0.0
    for own, other, share in ((0.0, distance, prior), (distance, 0.0, 1 - prior)):
        value, _ = quad(
            excess, own - 12, own + 12, (own, other, share), epsabs=1e-13, epsrel=1e-11, limit=200
        )
        total += share * value
    return total


def correlated_normals(
    rows: int, correlation: float, *, pairs: int = 1, seed: int = 0
) -> tuple[Tensor, Tensor, float]:
    """Independent pairs of standard normals with one correlation, and their information.

    Returns:
        (rows, pairs) x, (rows, pairs) z, both float64, and -pairs/2 · ln(1 - correlation²) nats.
    """
    rng = np.random.default_rng(seed)
    x, noise = rng.standard_normal((2, rows, pairs))
    z = correlation * x + math.sqrt(1 - correlation**2) * noise
    nats = -pairs / 2 * math.log1p(-(correlation**2))
    return torch.from_numpy(x), torch.from_numpy(z), nats


def density_toy(forget: int = 200, retain: int = 1000, *, seed: int = 0) -> tuple[Records, Records]:
    """(forget, retain) of a scalar regression whose output densities differ.

    Inputs are (n, 2): a cluster coordinate, +1 or -1 with sd 0.1, and a position u ~ U(-1, 1).
    Retained targets are u, so uniform on (-1, 1); forgotten ones are N(0, 0.05²) whatever u is. A
    network that never saw the forget cluster extends u to it: its outputs there are uniform too.
    Targets that did not depend on the input would have left nothing but a constant to learn.

    Returns:
        Two regression records; ids 0..forget-1 and forget..forget+retain-1.
    """
    problems = Problems("density_toy")
    problems.require(
        min(forget, retain) >= 1,
        f"forget is {forget} and retain is {retain}",
        fix="pass at least one row each",
    )
    problems.raise_if_any()
    rng = np.random.default_rng(seed)
    rows = forget + retain
    side = np.where(np.arange(rows) < forget, 1.0, -1.0)
    position = rng.uniform(-1, 1, rows)
    inputs = np.stack([side + 0.1 * rng.standard_normal(rows), position], axis=1)
    targets = np.where(side > 0, 0.05 * rng.standard_normal(rows), position)
    both = Records(
        torch.from_numpy(inputs.astype(np.float32)),
        torch.from_numpy(targets.astype(np.float32)).unsqueeze(1),
        torch.arange(rows),
    )
    return (
        both.subset(torch.arange(forget), "forget"),
        both.subset(torch.arange(forget, rows), "retain"),
    )


def gaussian_toy(
    rows: int = 5000, dimension: int = 10, *, distance: float = 3.0, seed: int = 0
) -> tuple[Records, Records]:
    """(forget, retain): one record on the border of two Gaussian classes, and ``rows`` others.

    Classes are balanced, unit-covariance and ``distance`` apart. The forgotten record lies exactly
    between the two means, off the line that joins them by a standard normal draw, and has label 0;
    the true probability of class 0 there is one half, which is what forgetting it should leave.

    Returns:
        Two classification records; the forgotten one has id ``rows``.
    """
    problems = Problems("gaussian_toy")
    problems.require(
        rows >= 2 and dimension >= 1,
        f"rows is {rows} and dimension is {dimension}",
        fix="pass two or more rows and one or more dimensions",
    )
    problems.raise_if_any()
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.arange(rows) % 2)
    inputs = rng.standard_normal((rows + 1, dimension))
    inputs[:rows, 0] += distance * (labels - 0.5)
    inputs[rows, 0] = 0.0
    everything = Records(
        torch.from_numpy(inputs.astype(np.float32)),
        torch.from_numpy(np.append(labels, 0)),
        torch.arange(rows + 1),
    )
    return (
        everything.subset([rows], "forget"),
        everything.subset(torch.arange(rows), "retain"),
    )
