"""How many directions of the closed form the rows can bear, by the dual on rows that were kept.

Any potentials with Σ w_z f_z = 0 bound the barycenter's cost from below,

    Σ w_z E_z f_z^c(x) ≤ V,     f_z^c(x) = min_y |x - y|² - f_z(y),

for every law, with equality at the optimum (Agueh & Carlier 2011). The affine maps of Gaussians
have such potentials, quadratic ones, so that kept rows enter through two moments alone:

    D = Σ w_z [ tr (I - A_z) E_z ee' + 2 <m_z, E_z e> + |m_z|² ],     e = x - m_z,  Σ w_z m_z = 0.

Covariances that were overfitted lower D as those that were left out do: for Gaussians V - D is the
squared error of the maps, nearly. So D chooses both how many components have their covariances
matched and how far these are to be trusted, and it says what the law costs at least.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from infounlearn.math.barycenter_gaussian import GaussianBarycenter, gaussian_barycenter
from infounlearn.math.factors import factorised, range_basis
from infounlearn.math.moments import GroupMoments

__all__ = ["Choice", "choose", "held_out_value", "leading", "pinched", "shortfalls"]

FLAT = 1e-10
"""Share of a variance that is none: rounding, of eigenvectors too."""


TRUST = 0.7
"""At which components are counted before the trust itself is chosen."""
TRUSTS = (1.0, 0.85, 0.5, 0.3, 0.15)
PATIENCE = 2
"""Doublings that may lower D before no more components are tried."""


@dataclass(frozen=True)
class Choice:
    """What kept rows speak for.

    Attributes:
        dims: components beside the directions of the means whose covariance is matched.
        tail: further ones, of which each variance is matched.
        trust: share that is kept of covariances between directions, in (0, 1].
        value: D of that choice, in total units.
    """

    dims: int
    tail: int
    trust: float
    value: float


def choose(learned: GroupMoments, kept: GroupMoments, lead: int) -> Choice:
    """The choice with the largest D.

    Args:
        learned: moments of r coordinates around Σ w_z m_z, directions of the means first, then
            components in falling order.
        kept: of other rows, in the same coordinates.
        lead: number of directions of the means.
    """
    most = learned.means.shape[1] - lead
    best = Choice(0, 0, 1.0, held_out_value(None, learned, kept))
    tails = _tail_values(learned, kept)
    sizes = sorted({0, *(min(2**k, most) for k in range(2, most.bit_length() + 1))})
    lower = 0
    for dims in sizes:
        found = _tried(learned, kept, lead, dims, TRUST, tails)
        lower = 0 if found.value > best.value else lower + 1
        best = max(best, found, key=lambda one: one.value)
        if lower > PATIENCE:
            break
    for trust in TRUSTS:
        found = _tried(learned, kept, lead, best.dims, trust, tails)
        best = max(best, found, key=lambda one: one.value)
    return best


def _tried(
    learned: GroupMoments,
    kept: GroupMoments,
    lead: int,
    dims: int,
    trust: float,
    tails: np.ndarray,
) -> Choice:
    """With a tail or without, whichever is better; no choice where a group does not vary."""
    full = lead + dims
    block, known = pinched(leading(learned, full), full, trust), None
    if full:
        if shortfalls(block):
            return Choice(dims, 0, trust, -np.inf)
        known = gaussian_barycenter(block, tolerance=1e-7, max_iterations=200)
    value, rest = held_out_value(known, block, leading(kept, full)), len(tails) - full
    # The means lie within the block: what is left has none.
    further = float(tails[full:].sum())
    if dims == 0 and further <= 0:  # which is the name of the mean shift
        return Choice(0, 0, trust, -np.inf)
    return Choice(dims, rest if further > 0 else 0, trust, value + max(further, 0.0))


def held_out_value(
    known: GaussianBarycenter | None, learned: GroupMoments, kept: GroupMoments
) -> float:
    """D of the maps ``known`` (None: the mean shift) on ``kept`` rows, in total units.

    Args:
        known: barycenter of ``learned``.
        learned: moments around Σ w_z m_z.
        kept: moments of other rows in the same coordinates.
    """
    means, weights = learned.means, learned.shares
    gaps = kept.means - means
    value = 2.0 * np.einsum("zr,zr->z", means, gaps) + (means**2).sum(1)
    if known is not None:
        seconds = kept.covariances + gaps[:, :, None] * gaps[:, None, :]
        turns = np.eye(means.shape[1]) - known.maps
        value = value + np.einsum("zrs,zrs->z", turns, seconds)
    return float(weights @ value)


def pinched(moments: GroupMoments, full: int, trust: float = 1.0) -> GroupMoments:
    """Variances alone beyond the first ``full`` directions, and none where a group has none there;
    nor any, in any direction, that is rounding.

    Within these, the share ``trust`` of each covariance of two directions is kept. W2² of Gaussians
    is jointly convex in the covariances, and pinching is a mean over changes of sign: the value is
    at most that of the moments themselves.
    """
    squares = moments.scatters.copy()
    spreads = np.diagonal(squares, axis1=1, axis2=2).copy()
    still, flat = _flat(moments)
    squares[:, full:, :] = 0.0
    squares[:, :, full:] = 0.0
    within, ends = np.arange(full), np.arange(full, squares.shape[1])
    squares[:, ends, ends] = spreads[:, ends] * ~flat[ends]
    if trust != 1.0:
        squares[:, :full, :full] *= trust
        squares[:, within, within] = spreads[:, within]
    squares[:, still, :] = 0.0
    squares[:, :, still] = 0.0
    return GroupMoments(moments.counts, moments.means, squares)


def leading(moments: GroupMoments, size: int) -> GroupMoments:
    """Of the first ``size`` coordinates."""
    return GroupMoments(moments.counts, moments.means[:, :size], moments.scatters[:, :size, :size])


def shortfalls(moments: GroupMoments) -> list[tuple[int, int, int]]:
    """(group, its rank, that of all groups) where a group does not vary in all of them."""
    pooled = np.tensordot(moments.shares, moments.covariances, 1)
    basis = range_basis(pooled)
    scale = np.diag(basis.T @ pooled @ basis)
    ranks = [factorised(basis.T @ own @ basis, scale)[2] for own in moments.covariances]
    return [(z, rank, len(scale)) for z, rank in enumerate(ranks) if rank < len(scale)]


def _tail_values(learned: GroupMoments, kept: GroupMoments) -> np.ndarray:
    """(r,) what matching the variance of each direction alone adds to D."""
    own, others = (
        np.diagonal(moments.covariances, axis1=1, axis2=2) for moments in (learned, kept)
    )
    flat = _flat(learned)[1]
    spreads = np.sqrt(np.where(flat, 1.0, own))
    turns = 1.0 - learned.shares @ spreads / spreads
    gaps = (kept.means - learned.means) ** 2
    return np.where(flat, 0.0, learned.shares @ (turns * (others + gaps)))


def _flat(moments: GroupMoments) -> tuple[np.ndarray, np.ndarray]:
    """(r,) directions in which no group varies, and those in which some group does not."""
    spreads = np.diagonal(moments.covariances, axis1=1, axis2=2)
    pooled = moments.shares @ spreads
    still = pooled <= FLAT * max(float(pooled.max(initial=0.0)), 1e-300)
    return still, still | (spreads <= FLAT * pooled).any(0)
