"""Laws of a chain of variables in every group, learned by an ensemble of masked networks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional

from infounlearn.feature.ladder_net import LadderNet, one_hot

__all__ = ["Ladder", "Training", "fit_ladder"]

BLOCK = 16_384
"""Rows passed through the networks at once."""


@dataclass(frozen=True)
class Training:
    """How the networks are trained.

    Attributes:
        networks: size of the ensemble: the mean of several laws errs less than each.
        hidden: units of each hidden layer.
        dropout: share of hidden units left out in a step.
        steps: most steps of each network.
        patience: epochs without a better validation likelihood after which training ends.
        lr: largest learning rate of AdamW.
        weight_decay: of AdamW.
        validation: share of the rows on which the best epoch is chosen.
    """

    networks: int = 5
    hidden: int = 256
    dropout: float = 0.3
    steps: int = 2500
    patience: int = 4
    lr: float = 1.5e-3
    weight_decay: float = 0.1
    validation: float = 0.1


@dataclass(frozen=True, eq=False)
class Ladder:
    """P(level of variable k | levels before k, group), shape (n, K).

    Attributes:
        sizes: number of levels of each variable.
        groups: number of groups.
        networks: the ensemble, in evaluation mode.
        likelihoods: best validation log-likelihood of each network, nats per row.
    """

    sizes: tuple[int, ...]
    groups: int
    networks: tuple[LadderNet, ...]
    likelihoods: tuple[float, ...]

    def law(self, levels: np.ndarray, codes: np.ndarray, variable: int) -> np.ndarray:
        """(n, K) law of a variable in the group of each row, given its earlier levels.

        Args:
            levels: (n, d) levels; those from ``variable`` on are not looked at.
            codes: (n,) groups.
            variable: place in the chain.
        """
        found = np.empty((len(levels), self.sizes[variable]))
        for start in range(0, len(levels), BLOCK):
            some = slice(start, start + BLOCK)
            inputs = one_hot(levels[some], self.sizes)
            groups = functional.one_hot(torch.from_numpy(codes[some]), self.groups).float()
            laws = [network.law(inputs, groups, variable).double() for network in self.networks]
            found[some] = torch.stack(laws).mean(0).numpy()
        return found / found.sum(1, keepdims=True)


def fit_ladder(
    levels: np.ndarray,
    codes: np.ndarray,
    sizes: Sequence[int],
    groups: int,
    *,
    training: Training,
    seed: int,
) -> Ladder:
    """Fit the laws of a chain.

    Args:
        levels: (n, d) levels, in the order of the chain.
        codes: (n,) groups.
        sizes: number of levels of each variable.
        groups: number of groups.
        training: how.
        seed: of first weights, batches, dropout and validation rows.
    """
    inputs = one_hot(levels, sizes)
    known = functional.one_hot(torch.from_numpy(codes), groups).float()
    wanted = torch.from_numpy(levels)
    networks, likelihoods = [], []
    for number in range(training.networks):
        generator = torch.Generator().manual_seed((seed + 7919 * number) % 2**63)
        network = LadderNet(
            sizes,
            groups,
            hidden=training.hidden,
            dropout=training.dropout,
            generator=generator,
        )
        likelihoods.append(_train(network, inputs, known, wanted, training, generator))
        networks.append(network.eval())
    return Ladder(tuple(sizes), groups, tuple(networks), tuple(likelihoods))


def _train(
    network: LadderNet,
    inputs: torch.Tensor,
    groups: torch.Tensor,
    wanted: torch.Tensor,
    training: Training,
    generator: torch.Generator,
) -> float:
    """Train one network in place, keep its best epoch; return its validation log-likelihood."""
    order = torch.randperm(len(inputs), generator=generator)
    held = max(1, int(training.validation * len(order)))
    validation, rows = order[:held], order[held:]
    batch = batch_size(len(rows))
    epochs = max(1, training.steps * batch // max(len(rows), 1))
    optimizer = torch.optim.AdamW(
        network.parameters(), lr=training.lr, weight_decay=training.weight_decay
    )
    total = epochs * -(-len(rows) // batch)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: _rate(step, total))
    best, weights, since = -np.inf, None, 0
    for _ in range(epochs):
        shuffled = rows[torch.randperm(len(rows), generator=generator)]
        for start in range(0, len(shuffled), batch):
            some = shuffled[start : start + batch]
            loss = network.loss(inputs[some], groups[some], wanted[some], generator)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
        with torch.no_grad():
            score = -float(network.loss(inputs[validation], groups[validation], wanted[validation]))
        since += 1
        if score > best:
            weights = {name: value.clone() for name, value in network.state_dict().items()}
            best, since = score, 0
        if since >= training.patience:
            break
    if weights is not None:
        network.load_state_dict(weights)
    return best


def batch_size(rows: int) -> int:
    """Rows of a step: small tables need steps, large ones speed."""
    return int(np.clip(2 ** round(np.log2(max(rows, 1) / 100)), 32, 512))


def _rate(step: int, total: int) -> float:
    """Share of the learning rate: up over a twentieth of the run, then down to nothing."""
    warm = max(total // 20, 1)
    return min((step + 1) / warm, max(0.0, (total - step) / max(total - warm, 1)))
