"""What transport costs beside the sort, covariance pass or matrix product it cannot do without.

Sorting is single-threaded: set the threads of the linear algebra to 1 as well.
"""

from __future__ import annotations

import numpy as np

from benchmarks.timing import Line, interleave, lines_of
from infounlearn.feature.barycenter import WassersteinBarycenter
from infounlearn.math import (
    GroupMoments,
    fit_common_support,
    fit_line_barycenter,
    gaussian_barycenter,
)


def run(*, rounds: int, tiny: bool) -> list[Line]:
    """All of them; a few thousand rows where ``tiny``."""
    rows = 20_000 if tiny else 1_000_000
    lines = line(rows, rounds) + moments(rows, rounds)
    lines += gaussian(rounds, tiny, 1e-7, None) + gaussian(rounds, tiny, 1e-9, 10.0)
    return lines + common_support(rows, 16 if tiny else 64)


def line(rows: int, rounds: int) -> list[Line]:
    """The barycenter on the line against one sort; with its map, which needs the order of the rows,
    also against one argsort.
    """
    rng = np.random.default_rng(0)
    x, noise = rng.standard_normal(rows), rng.random(rows)
    two, eight = rng.integers(0, 2, rows), rng.integers(0, 8, rows)
    x += two
    ages = rng.integers(17, 90, rows)
    name = f"{rows:,} rows, one column: "

    def both() -> np.ndarray:
        return fit_line_barycenter(x, two).transport(x, two, noise=noise)

    fits = interleave(
        {"np.sort": lambda: np.sort(x), "fit, 2 groups": lambda: fit_line_barycenter(x, two)},
        rounds=rounds,
    )
    others = interleave(
        {
            "np.sort": lambda: np.sort(x),
            "fit, 8 groups": lambda: fit_line_barycenter(x, eight),
            "fit, 2 groups, whole numbers": lambda: fit_line_barycenter(ages, two),
            "fit and map, 2 groups": both,
        },
        rounds=rounds,
    )
    order = interleave(
        {"np.argsort": lambda: np.argsort(x), "fit and map, 2 groups, to argsort": both},
        rounds=rounds,
    )
    lines = lines_of(fits, "transport", name, target=3.0)
    return lines + [
        made
        for timing in (others, order)
        for made in lines_of(timing, "transport", name, target=None)
    ]


def _at_scale(rows: int, target: float) -> float | None:
    """Targets are for large tables: on small ones fixed costs are all there is."""
    return target if rows >= 1_000_000 else None


def moments(rows: int, rounds: int) -> list[Line]:
    """Group moments against one covariance, and the Gaussian map against one matrix product."""
    rng = np.random.default_rng(0)
    X, z = rng.standard_normal((rows, 50)), rng.integers(0, 4, rows)
    single, matrix = X.astype(np.float32), rng.standard_normal((50, 50))
    empty = GroupMoments.empty(4, 50)
    fit = gaussian_barycenter(empty.add(X, z))
    whole = WassersteinBarycenter(method="gaussian").fit(X, sensitive=z)

    def covariance() -> np.ndarray:
        centred = X - X.mean(0)
        return centred.T @ centred

    name = f"{rows:,} x 50, 4 groups: "
    passes = interleave(
        {
            "covariance": covariance,
            "GroupMoments.add": lambda: empty.add(X, z),
            "GroupMoments.add, float32": lambda: empty.add(single, z),
            "WassersteinBarycenter.fit": lambda: whole.fit(X, sensitive=z),
        },
        rounds=rounds,
    )
    maps = interleave(
        {
            "matrix product": lambda: X @ matrix,
            "Gaussian map": lambda: fit.transport(X, z),
            "WassersteinBarycenter.transform": lambda: whole.transform(X, sensitive=z),
        },
        rounds=rounds,
    )
    target = _at_scale(rows, 2.0)
    lines = lines_of(passes, "transport", name, target=target)
    return lines + lines_of(maps, "transport", name, target=target)


def gaussian(rounds: int, tiny: bool, step: float, target: float | None) -> list[Line]:
    """8 groups at condition 1e6 against the iteration of POT, both to the residual that POT has
    where its step falls below ``step``: 1e-7 is its default, 1e-9 what a fixed point asks.
    """
    import ot

    rng = np.random.default_rng(0)
    groups, width = (3, 4) if tiny else (8, 32)
    squares = np.stack([_covariance(rng, width, 1e6) for _ in range(groups)])
    weights, means = np.full(groups, 1 / groups), np.zeros((groups, width))
    known = GroupMoments.of(weights, means, squares)

    def theirs() -> np.ndarray:
        return ot.gaussian.bures_wasserstein_barycenter(
            means, squares, weights, num_iter=20_000, eps=step
        )[1]

    reached = _residual(theirs(), squares, weights)
    tolerance, own = 1e-3, np.inf
    while own > reached:
        tolerance /= 2
        square = gaussian_barycenter(known, tolerance=tolerance).covariance
        own = _residual(square, squares, weights)
    timing = interleave(
        {"POT": theirs, "own": lambda: gaussian_barycenter(known, tolerance=tolerance)},
        rounds=max(2, rounds // 4),
    )
    name = f"Gaussian barycenter, {groups} groups, d = {width}, residual {reached:.0e}: "
    return lines_of(timing, "transport", name, target=None if tiny else target, is_speedup=True)


def _covariance(rng: np.random.Generator, width: int, condition: float) -> np.ndarray:
    turn = np.linalg.qr(rng.normal(size=(width, width)))[0]
    square = (turn * np.geomspace(1.0, 1.0 / condition, width)) @ turn.T
    return (square + square.T) / 2


def _residual(square: np.ndarray, squares: np.ndarray, weights: np.ndarray) -> float:
    """‖S - Σ w_z (S^½ C_z S^½)^½‖ / ‖S‖, the same for both sides."""
    root = _root(square)
    mixed = sum(w * _root(root @ own @ root) for w, own in zip(weights, squares, strict=True))
    return float(np.linalg.norm(square - mixed) / np.linalg.norm(square))


def _root(square: np.ndarray) -> np.ndarray:
    values, vectors = np.linalg.eigh((square + square.T) / 2)
    return (vectors * np.sqrt(np.where(values > 0, values, 0.0))) @ vectors.T


def common_support(rows: int, atoms: int) -> list[Line]:
    """Kernels of all rows to J atoms, against computing the (n, J) costs once."""
    rng = np.random.default_rng(0)
    z = rng.integers(0, 2, rows)
    x = rng.standard_normal((rows, 8)) * (1 + z[:, None] / 5) + 0.3 * z[:, None]
    points = x[rng.choice(rows, atoms, replace=False)]
    sizes = (points**2).sum(1)

    def costs(chosen: np.ndarray) -> np.ndarray:
        own = x[chosen]
        return (own**2).sum(1)[:, None] + sizes - 2.0 * own @ points.T

    def once() -> None:
        for start in range(0, rows, 2048):
            costs(np.arange(start, min(start + 2048, rows)))

    timing = interleave(
        {"costs once": once, "fit_common_support": lambda: fit_common_support(costs, z, reg=1.0)},
        rounds=1,
    )
    return lines_of(timing, "transport", f"{rows:,} rows, {atoms} atoms: ", target=None)
