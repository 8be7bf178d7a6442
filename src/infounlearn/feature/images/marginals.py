"""Every coordinate of a frame moved to the barycenter of its laws in the groups.

On the line the Wasserstein-2 barycenter of laws with quantile functions Q_z and weights w_z has the
quantile function Σ w_z Q_z, and the map to it is Σ w_z' Q_z'(F_z(x)). In orthonormal coordinates
that are independent within groups these maps together are the optimal transport of the whole law;
otherwise they are the cheapest after which no single coordinate tells the group, and what groups
tell by dependence is left to what follows (Bonneel et al. 2015, "Sliced and Radon Wasserstein
barycenters of measures"; Laparra et al. 2011, "Iterative Gaussianization").

An affine map cannot do this: images end at black and white, and what it makes of these ends tells
the group.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from infounlearn.feature.images.frames import Frame

LEVELS = 65
"""Most quantiles of each coordinate in each group, closer together at both ends."""
PART = 256
"""Coordinates sorted or looked up at once."""


class Marginals(nn.Module):
    """x -> the rows whose coordinates in the frame are Σ w_z' Q_z'(F_z(e)).

    Args:
        frame: coordinates e.
        quantiles: (K, d, q) Q_z at :func:`levels`.
        weights: (K,) w_z.
    """

    quantiles: Tensor
    weights: Tensor

    def __init__(self, frame: Frame, quantiles: Tensor, weights: Tensor) -> None:
        super().__init__()
        self.frame = frame
        self.register_buffer("quantiles", quantiles)
        self.register_buffer("weights", weights.to(quantiles))

    def forward(self, x: Tensor, codes: Tensor, metric: nn.Module | None = None) -> Tensor:
        """(n, ...) moved rows of (n, ...) rows of groups (n,); the metric plays no part."""
        inside = self.frame(x)
        # From the first curve on: groups of one law stay where they are, to the bit.
        first = self.quantiles[0]
        shared = first + torch.einsum("z,zdq->dq", self.weights, self.quantiles - first)
        step = torch.zeros_like(inside)
        for z, here in enumerate(self.quantiles):
            own = torch.nonzero(codes == z)[:, 0]
            if len(own):
                step[own] = _carried(inside[own], here, shared)
        return x + self.frame.back(step, x.shape)


def marginals_of(tensors: dict[str, Tensor]) -> Marginals:
    """What was kept as these tensors."""
    sides = (tensors[f"frame.{name}"] for name in ("colours", "rows", "columns"))
    return Marginals(Frame(*sides), tensors["quantiles"], tensors["weights"])


def fit_marginals(x: Tensor, codes: Tensor, weights: Tensor, frame: Frame) -> Marginals:
    """Quantiles of every group.

    Args:
        x: (n, ...) rows.
        codes: (n,) their groups, none of them empty.
        weights: (K,) shares of the groups.
        frame: coordinates.
    """
    inside = frame(x)
    counts = torch.bincount(codes, minlength=len(weights))
    share = levels(min(LEVELS, int(counts.min()))).to(x.device)
    curves = []
    for z in range(len(weights)):
        own = inside[codes == z]
        place = share * (len(own) - 1)
        low = place.floor().long().clamp(max=max(len(own) - 2, 0))
        part = (place - low)[:, None].float()
        found = []
        for columns in own.split(PART, dim=1):
            ordered = columns.sort(dim=0).values
            high = ordered[(low + 1).clamp(max=len(own) - 1)]
            found.append(torch.lerp(ordered[low], high, part).T)
        curves.append(torch.cat(found))
    return Marginals(frame, torch.stack(curves).contiguous(), weights)


def levels(count: int) -> Tensor:
    """(q,) float64 shares from 0 to 1, half a cosine apart, so that both ends are seen closely."""
    return (1.0 - torch.cos(torch.pi * torch.linspace(0, 1, count, dtype=torch.float64))) / 2


def _carried(values: Tensor, here: Tensor, there: Tensor) -> Tensor:
    """(n, d) from values to those at the same shares of the curves ``there`` as of ``here``.

    Beyond its ends a curve goes on with slope 1. Where it is level, many images have one value:
    they go to the middle of where their shares lead.
    """
    steps = []
    last, away = here.shape[1] - 1, there - here
    for part, own, change in zip(
        values.T.split(PART), here.split(PART), away.split(PART), strict=True
    ):
        columns, curve = part.contiguous(), own.contiguous()
        ends = []
        level = bool((curve[:, 1:] == curve[:, :-1]).any())
        for right in (False, True) if level else (False,):
            upper = torch.searchsorted(curve, columns, right=right)
            after = upper.clamp(1, last)
            a, b = curve.gather(1, after - 1), curve.gather(1, after)
            # Level only where the whole curve begins or ends so.
            share = torch.where(b > a, (columns - a) / (b - a), (upper > last).to(a))
            before, behind = change.gather(1, after - 1), change.gather(1, after)
            ends.append(torch.lerp(before, behind, share.clamp(0, 1)))
        steps.append((ends[0] + ends[-1]) / 2)
    return torch.cat(steps).T
