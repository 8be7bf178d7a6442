"""Dependence without a table: for continuous groups and whole output vectors.

Neither number is an information, and neither is certified: they say *whether*, not how many nats.
"""

from __future__ import annotations

import torch
from torch import Tensor

from infounlearn.errors import InputError, Problems


def hsic_unbiased(
    x: Tensor,
    z: Tensor,
    *,
    bandwidth_x: float | None = None,
    bandwidth_z: float | None = None,
) -> Tensor:
    """Unbiased Hilbert-Schmidt independence criterion of two samples of pairs.

    [tr K̃L̃ + 1ᵀK̃1 1ᵀL̃1/((n-1)(n-2)) - 2/(n-2) 1ᵀK̃L̃1]/(n(n-3)), K̃ and L̃ with zero diagonals and
    Gaussian kernels exp(-d²/2σ²); a kernel of equality for integer groups. Its expectation is 0 at
    independence, so it may be negative. Fix bandwidths over the steps of a training epoch.

    Args:
        x: (n,) or (n, d) outputs, n ≥ 4, real.
        z: (n,) or (n, k) real groups, or (n,) integer groups.
        bandwidth_x: σ of x; default the median distance.
        bandwidth_z: σ of z; default the median distance; not used for integer groups.

    Returns:
        0-d float64 tensor, differentiable in ``x`` (and in a real ``z``).

    Raises:
        InputError: fewer than 4 rows, shapes that differ, or a bandwidth that is not positive.

    References:
        Song, Smola, Gretton, Bedo, Borgwardt (2012), JMLR 13, equation 5.
    """
    problems = Problems("hsic_unbiased")
    problems.require(
        x.dim() in (1, 2) and z.dim() in (1, 2) and len(x) == len(z),
        f"x has shape {tuple(x.shape)}, z {tuple(z.shape)}",
        fix="pass one row of each per record",
    )
    problems.require(
        len(x) >= 4, f"there are {len(x)} rows", fix="pass 4 or more (fewer have no such estimate)"
    )
    problems.require(x.is_floating_point(), "x is not real", fix="pass floating-point outputs")
    for name, width in (("bandwidth_x", bandwidth_x), ("bandwidth_z", bandwidth_z)):
        problems.require(
            width is None or width > 0, f"{name} is {width}", fix="pass a positive number"
        )
    problems.raise_if_any()
    n = len(x)
    left = _gaussian(x, bandwidth_x)
    if z.is_floating_point():
        right = _gaussian(z, bandwidth_z)
    else:
        rows = z.reshape(n, -1)
        right = (rows[:, None] == rows).all(2).to(torch.float64).fill_diagonal_(0.0)
    by_left, by_right = left.sum(1), right.sum(1)
    total = (left * right).sum()
    total = total + by_left.sum() * by_right.sum() / ((n - 1) * (n - 2))
    return (total - 2.0 / (n - 2) * (by_left @ by_right)) / (n * (n - 3))


def energy_distance(x: Tensor, y: Tensor) -> Tensor:
    """Unbiased energy distance 2 E|X-Y| - E|X-X'| - E|Y-Y'| of two samples.

    0 in expectation iff the laws are equal, so it may be negative.

    Args:
        x: (n,) or (n, d) sample, n ≥ 2.
        y: (m,) or (m, d) sample, m ≥ 2.

    Returns:
        0-d float64 tensor, differentiable.

    Raises:
        InputError: fewer than 2 rows, or widths that differ.

    References:
        Székely & Rizzo (2013), Journal of Statistical Planning and Inference 143.
    """
    left, right = _rows(x), _rows(y)
    if len(left) < 2 or len(right) < 2 or left.shape[1:] != right.shape[1:]:
        raise InputError(
            f"energy_distance: samples have shapes {tuple(x.shape)} and {tuple(y.shape)}: pass two "
            "or more rows of each, equally wide"
        )
    n, m = len(left), len(right)
    across = _distances(left, right).mean()
    # Off-diagonal means: a record's distance to itself would pull them to 0.
    inside = _distances(left, left).sum() / (n * (n - 1))
    beside = _distances(right, right).sum() / (m * (m - 1))
    return 2.0 * across - inside - beside


def median_bandwidth(x: Tensor) -> float:
    """Median distance between distinct rows of (n,) or (n, d); 1 where all rows are equal."""
    rows = _rows(x.detach())
    apart = torch.pdist(rows)
    apart = apart[apart > 0]
    return float(apart.median()) if len(apart) else 1.0


def _rows(x: Tensor) -> Tensor:
    return x.to(torch.float64).reshape(len(x), -1) if x.dim() else x.to(torch.float64)[None, None]


def _distances(x: Tensor, y: Tensor) -> Tensor:
    # Not by a matrix product: its rounding leaves distances of 1e-8 between equal rows.
    return torch.cdist(x, y, compute_mode="donot_use_mm_for_euclid_dist")


def _gaussian(x: Tensor, bandwidth: float | None) -> Tensor:
    """Kernel matrix with zero diagonal."""
    rows = _rows(x)
    width = median_bandwidth(x) if bandwidth is None else bandwidth
    kernel = torch.exp(-_distances(rows, rows).square() / (2.0 * width**2))
    return kernel - torch.diag(torch.diag(kernel))
