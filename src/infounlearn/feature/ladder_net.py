"""A network that gives the law of each variable from the variables before it and the group.

One pass yields every conditional law of the chain P(x₁|z) P(x₂|x₁,z) ... at once: masks cut each
path from a variable to itself or to an earlier one (Germain, Gregor, Murray & Larochelle 2015,
"MADE"; written from the paper). Groups share all weights but their own offsets: what the network
gets wrong about the table it gets wrong alike for all groups, and only a difference can leak.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import nn
from torch.nn import functional

__all__ = ["LadderNet", "one_hot"]


class LadderNet(nn.Module):
    """Masked network over the levels of d variables.

    Args:
        sizes: number of levels of each variable, in the order of the chain.
        groups: number of groups m.
        hidden: units of each of the two hidden layers.
        dropout: share of hidden units left out in training.
        generator: draws the first weights.
    """

    degree: torch.Tensor
    into: torch.Tensor
    between: torch.Tensor
    out_of: torch.Tensor
    across: torch.Tensor

    def __init__(
        self,
        sizes: Sequence[int],
        groups: int,
        *,
        hidden: int,
        dropout: float,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        self.ends = np.concatenate(([0], np.cumsum(sizes)))
        self.dropout = dropout
        inputs = int(self.ends[-1])
        variable = torch.from_numpy(np.repeat(np.arange(len(sizes)), sizes))
        # A hidden unit of degree k may see the variables before k, and speak to k and later ones.
        degree = torch.arange(hidden) % len(sizes)
        self.register_buffer("degree", degree)
        self.register_buffer("into", (variable[None, :] < degree[:, None]).float())
        self.register_buffer("between", (degree[None, :] <= degree[:, None]).float())
        self.register_buffer("out_of", (degree[None, :] <= variable[:, None]).float())
        self.register_buffer("across", (variable[None, :] < variable[:, None]).float())

        def drawn(*shape: int, scale: float) -> nn.Parameter:
            return nn.Parameter(scale * torch.randn(*shape, generator=generator))

        self.first = drawn(hidden, inputs, scale=0.1)
        self.first_group = drawn(hidden, groups, scale=0.1)
        self.second = drawn(hidden, hidden, scale=0.7 / hidden**0.5)
        self.second_group = drawn(hidden, groups, scale=0.1)
        self.last = drawn(inputs, hidden, scale=0.1 / hidden**0.5)
        self.last_group = nn.Parameter(torch.zeros(inputs, groups))
        self.direct = nn.Parameter(torch.zeros(inputs, inputs))

    def forward(
        self,
        levels: torch.Tensor,
        groups: torch.Tensor,
        generator: torch.Generator | None = None,
    ) -> torch.Tensor:
        """(n, Σ sizes) logits of the levels.

        Args:
            levels: (n, Σ sizes) one-hot levels; a variable looks at those before it alone.
            groups: (n, m) one-hot groups.
            generator: draws the dropout; None: no dropout.
        """
        hidden = torch.relu(levels @ (self.first * self.into).T + groups @ self.first_group.T)
        inner = hidden @ (self.second * self.between).T + groups @ self.second_group.T
        hidden = hidden + torch.relu(inner)
        if generator is not None and self.dropout > 0:
            kept = torch.rand(hidden.shape, generator=generator) >= self.dropout
            hidden = hidden * kept / (1.0 - self.dropout)
        logits = hidden @ (self.last * self.out_of).T + levels @ (self.direct * self.across).T
        return logits + groups @ self.last_group.T

    def loss(
        self,
        levels: torch.Tensor,
        groups: torch.Tensor,
        wanted: torch.Tensor,
        generator: torch.Generator | None = None,
    ) -> torch.Tensor:
        """Mean negative log-likelihood of rows, in nats: Σ over the variables."""
        logits = self(levels, groups, generator=generator)
        total = logits.new_zeros(())
        for variable, (start, end) in enumerate(zip(self.ends[:-1], self.ends[1:], strict=True)):
            total = total + functional.cross_entropy(logits[:, start:end], wanted[:, variable])
        return total


def one_hot(levels: np.ndarray, sizes: Sequence[int]) -> torch.Tensor:
    """(n, Σ sizes) float32 from (n, d) levels."""
    found = torch.zeros(len(levels), int(np.sum(sizes)))
    starts = np.concatenate(([0], np.cumsum(sizes)[:-1]))
    return found.scatter_(1, torch.from_numpy(levels + starts), 1.0)
