"""Maps that take from images what one critic after another could tell of the group.

A flow is the closed form, then rounds in which single coordinates and the closed form again are
moved (:mod:`~infounlearn.feature.images.rounds`), then a stage for every critic. A critic s reads
log odds of a group. In the metric C, the covariance of the shared law, the shortest way to change s
is along C∇s. A stage moves every row along it until its log odds are where the barycenter of the
groups' laws of s on the line puts them, by mean and spread:

    x + (s* - s(x)) C∇s / <∇s, C∇s>,      s* = Σ w m + (Σ w d / d_z) (s(x) - m_z)

For two groups of one covariance whose means differ, s is linear, C∇s is the difference of the
means, and one stage is the optimal transport to their barycenter. Elsewhere it is a step of natural
gradient on the information that the critic has found, and the next critic is asked what is left.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from infounlearn.feature.images.critics import DESIGNS, Critic, read
from infounlearn.feature.images.marginals import marginals_of
from infounlearn.feature.images.networks import laid_out
from infounlearn.feature.images.rounds import Turn

INFINITE = float("inf")


class Metric(nn.Module):
    """v -> C v with C = B S Bᵀ + r (I - B Bᵀ)."""

    basis: Tensor
    spread: Tensor
    rest: Tensor

    def __init__(self, basis: Any, spread: Any, rest: Any) -> None:
        super().__init__()
        for name, value in (("basis", basis), ("spread", spread), ("rest", rest)):
            self.register_buffer(name, torch.as_tensor(value, dtype=torch.float32))

    @property
    def directions(self) -> int:
        """Columns of the basis, without those that only fill it up."""
        return int((self.basis != 0).any(0).sum())

    def forward(self, v: Tensor) -> Tensor:
        """(n, ...) C v of every row."""
        flat = v.flatten(1)
        inside = flat @ self.basis
        own = (inside @ self.spread - self.rest * inside) @ self.basis.T
        return (own + self.rest * flat).reshape(v.shape)


class Stage(nn.Module):
    """What one critic takes away.

    Args:
        critic: (n,) log odds of (n, ...) rows.
        means: (K,) m_z, mean log odds of each group.
        spreads: (K,) d_z, their standard deviations.
        weights: (K,) w_z.
        floor: least <∇s, C∇s> that is divided by.
        share: of the way that is gone, in [0, 1].
    """

    means: Tensor
    turns: Tensor
    target: Tensor
    floor: Tensor
    share: Tensor
    design: Tensor

    def __init__(
        self, critic: nn.Module, means: Any, spreads: Any, weights: Any, floor: Any, share: Any
    ) -> None:
        super().__init__()
        self.critic = critic
        means, spreads, weights = (
            torch.as_tensor(value, dtype=torch.float64).cpu() for value in (means, spreads, weights)
        )
        turns = (weights @ spreads) / spreads
        self.register_buffer("means", means.float())
        self.register_buffer("turns", turns.float())
        for name, value in (("target", weights @ means), ("floor", floor), ("share", share)):
            self.register_buffer(name, torch.as_tensor(value, dtype=torch.float32))
        design = getattr(critic, "design", DESIGNS[0])
        self.register_buffer("design", torch.tensor(DESIGNS.index(design)))

    def way(self, scores: Tensor, codes: Tensor) -> Tensor:
        """(n,) s* - s."""
        return self.target + self.turns[codes] * (scores - self.means[codes]) - scores

    def forward(self, x: Tensor, codes: Tensor, metric: nn.Module) -> Tensor:
        """(n, ...) rows of groups ``codes`` after the stage."""
        scores, slopes = read(self.critic, x)
        along = metric(slopes)
        gains = (slopes * along).flatten(1).sum(1)
        steps = self.share * self.way(scores, codes) / torch.maximum(gains, self.floor)
        return x + steps.view(-1, *[1] * (x.ndim - 1)) * along


class Flow(nn.Module):
    """T: the start, the rounds, then every stage; values stay between the limits, if there are any.

    Args:
        start: change that the closed form makes; None for none.
        metric: C.
        limits: least and largest value of a standardised pixel; None for none.
    """

    limits: Tensor

    def __init__(
        self,
        start: nn.Module | None,
        metric: Metric,
        limits: tuple[float, float] | None = None,
    ) -> None:
        super().__init__()
        self.start, self.metric, self.scale = start, metric, 1.0
        self.register_buffer("limits", torch.tensor(limits or (-INFINITE, INFINITE)))
        self.rounds = nn.ModuleList()
        self.stages = nn.ModuleList()

    def begin(self, x: Tensor, codes: Tensor) -> Tensor:
        """(n, ...) rows before the first stage."""
        moved = self.free(x, codes)
        return moved.clamp(self.limits[0], self.limits[1])

    def free(self, x: Tensor, codes: Tensor) -> Tensor:
        """(n, ...) rows after start and rounds, beyond the limits too."""
        moved = x if self.start is None else x + self.start(x, codes)
        for part in self.rounds:
            moved = part(moved, codes, self.metric)
        return moved

    def through(self, stage: nn.Module, x: Tensor, codes: Tensor) -> Tensor:
        """(n, ...) rows after one stage."""
        return stage(x, codes, self.metric).clamp(self.limits[0], self.limits[1])

    def forward(self, x: Tensor, codes: Tensor) -> Tensor:
        """(n, ...) T_z(x) of (n, ...) x for (n,) z."""
        moved = self.begin(x, codes)
        for stage in self.stages:
            moved = self.through(stage, moved, codes)
        return moved


def grown(flow: Flow, shape: tuple[int, ...], groups: int, tensors: dict[str, Tensor]) -> Flow:
    """A flow with the rounds and stages that kept tensors have, and their values."""
    for number in range(len(flow.rounds), _count("rounds", tensors)):
        own = _under(f"rounds.{number}.", tensors)
        flow.rounds.append(Turn(**own) if "turn" in own else marginals_of(own))
    ones = torch.ones(groups)
    for number in range(len(flow.stages), _count("stages", tensors)):
        design = DESIGNS[int(tensors[f"stages.{number}.design"])]
        critic = laid_out(Critic(shape, design), shape)
        flow.stages.append(Stage(critic, ones, ones, ones, 1.0, 1.0))
    flow.load_state_dict(tensors)
    return flow.eval().requires_grad_(False)


def _count(name: str, tensors: dict[str, Tensor]) -> int:
    return len({key.split(".")[1] for key in tensors if key.startswith(f"{name}.")})


def _under(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    # Copies: what products round to depends on where in memory a file was read to.
    return {k.removeprefix(prefix): v.clone() for k, v in tensors.items() if k.startswith(prefix)}
