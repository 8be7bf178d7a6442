"""Rounds of closed forms between the first one and the critics.

The Gaussian map leaves what moments of first and second order do not say: how images end at black
and white, how peaked their edges are. A round moves single coordinates of a few frames, each to the
barycenter of its laws in the groups (:mod:`~infounlearn.feature.images.marginals`), then moments
once more, which these steps have disturbed. No step is trained, each is the optimal transport of
what it looks at, and what one moves the next sees.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from infounlearn.feature.images.choosing import pinched
from infounlearn.feature.images.critics import CHUNK
from infounlearn.feature.images.frames import frames_of
from infounlearn.feature.images.marginals import fit_marginals
from infounlearn.math.barycenter_gaussian import gaussian_barycenter
from infounlearn.math.moments import GroupMoments


class Turn(nn.Module):
    """x + B (M_z e + o_z), e = Bᵀ x: an affine map in the directions of the metric.

    Args:
        turn: (K, r, r) M_z.
        offsets: (K, r) o_z.
    """

    turn: Tensor
    offsets: Tensor

    def __init__(self, turn: Any, offsets: Any) -> None:
        super().__init__()
        for name, value in (("turn", turn), ("offsets", offsets)):
            self.register_buffer(name, torch.as_tensor(value, dtype=torch.float32))

    def forward(self, x: Tensor, codes: Tensor, metric: Any) -> Tensor:
        """(n, ...) moved rows of (n, ...) rows of groups (n,)."""
        inside = x.flatten(1) @ metric.basis
        turned = torch.einsum("nr,zrs->nzs", inside, self.turn)
        step = turned[torch.arange(len(x), device=x.device), codes] + self.offsets[codes]
        return x + (step @ metric.basis.T).reshape(x.shape)


def add_rounds(
    flow: Any,
    x: Tensor,
    codes: Tensor,
    weights: Tensor,
    *,
    count: int,
    tail: int = 0,
    flip: bool = False,
    seed: int = 0,
    tell: Callable[[dict[str, float]], None] | None = None,
) -> None:
    """Append ``count`` rounds to ``flow.rounds``.

    Args:
        flow: a :class:`~infounlearn.feature.images.flow.Flow`.
        x: (n, ...) standardised rows to learn from, as they came.
        codes: (n,) their groups.
        weights: (K,) shares of the groups.
        count: rounds.
        tail: last directions of the metric of which variances alone are matched.
        flip: moments of mirrored rows count too.
        seed: of the frames of vectors.
        tell: told the round and the mean squared change so far.
    """
    moved = in_parts(flow.free, x, codes)
    shape = tuple(x.shape[1:])
    for number in range(count):
        for frame in frames_of(shape, number, seed):
            part = fit_marginals(moved, codes, weights, frame.to(x.device))
            moved = _appended(flow, part, moved, codes)
        turn = _turn_of(moved, codes, len(weights), flow.metric, tail, flip and x.ndim == 4)
        moved = _appended(flow, turn.to(x.device), moved, codes)
        if tell is not None:
            cost = float(((moved - x) ** 2).mean(dtype=torch.float64))
            tell({"round": float(number + 1), "cost": cost})


def _appended(flow: Any, part: nn.Module, moved: Tensor, codes: Tensor) -> Tensor:
    flow.rounds.append(part.eval().requires_grad_(False))
    return in_parts(lambda rows, own: part(rows, own, flow.metric), moved, codes)


def _turn_of(moved: Tensor, codes: Tensor, groups: int, metric: Any, tail: int, flip: bool) -> Turn:
    """Map of every group to the Gaussian barycenter of the moved rows."""
    size, padded = metric.directions, metric.basis.shape[1]
    basis = metric.basis[:, :size]
    moments = GroupMoments.empty(groups, size)
    for start in range(0, len(moved), CHUNK):
        part, own = moved[start : start + CHUNK], codes[start : start + CHUNK].cpu().numpy()
        for rows in (part, part.flip(-1)) if flip else (part,):
            inside = (rows.flatten(1) @ basis).cpu().double().numpy()
            moments = moments.add(inside, own)
    # The metric of groups of which one does not vary at all has no directions.
    known = gaussian_barycenter(pinched(moments, max(size - tail, 0)))
    turn = np.zeros((len(known.weights), padded, padded))
    offsets = np.zeros((len(known.weights), padded))
    turn[:, :size, :size] = known.maps - np.eye(size)
    offsets[:, :size] = known.mean - np.einsum("zrs,zs->zr", known.maps, known.means)
    # Rows are multiplied from the left; the maps are symmetric.
    return Turn(turn, offsets)


@torch.no_grad()
def in_parts(move: Callable[[Tensor, Tensor], Tensor], rows: Tensor, codes: Tensor) -> Tensor:
    """Rows after a map, in parts."""
    pairs = zip(rows.split(CHUNK), codes.split(CHUNK), strict=True)
    return torch.cat([move(part, own) for part, own in pairs])
