"""Laws of a chain of variables in every group, learned by an ensemble of masked networks."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional

from infounlearn.feature.ladder_net import LadderNet, one_hot
from infounlearn.feature.ladder_walk import Frozen, Walk, frozen

__all__ = ["Ladder", "Training", "fit_ladder"]

logger = logging.getLogger(__name__)

FEWEST_STEPS = 50
"""Steps between two looks at the validation rows: an epoch of a small table is too short."""


@dataclass(frozen=True)
class Training:
    """How the networks are trained.

    Attributes:
        networks: size of the ensemble: the mean of several laws errs less than each.
        hidden: units of each hidden layer.
        dropout: share of hidden units left out in a step.
        steps: most steps of each network.
        patience: looks at the validation rows without a better likelihood after which training
            ends.
        lr: largest learning rate of AdamW.
        weight_decay: of AdamW.
        validation: share of the rows on which the best weights are chosen.
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
    """P(level of variable k | levels before k, group).

    Attributes:
        sizes: number of levels of each variable.
        groups: number of groups.
        networks: the ensemble.
        likelihoods: best validation log-likelihood of each network, nats per row.
    """

    sizes: tuple[int, ...]
    groups: int
    networks: Frozen
    likelihoods: tuple[float, ...]

    def walk(self, codes: np.ndarray) -> Walk:
        """Rows of the groups ``codes`` (n,) at the start of the chain."""
        return Walk(self.networks, codes)


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
        networks.append(network)
        logger.info(
            "network %d of %d: %.3f nats per row", number + 1, training.networks, likelihoods[-1]
        )
    return Ladder(tuple(sizes), groups, frozen(networks), tuple(likelihoods))


def _train(
    network: LadderNet,
    inputs: torch.Tensor,
    groups: torch.Tensor,
    wanted: torch.Tensor,
    training: Training,
    generator: torch.Generator,
) -> float:
    """Train one network in place, keep its best weights; return its validation log-likelihood."""
    order = torch.randperm(len(inputs), generator=generator)
    held = max(1, int(training.validation * len(order)))
    validation, rows = order[:held], order[held:]
    batch = batch_size(len(rows))
    each = max(1, -(-len(rows) // batch))
    epochs = max(1, training.steps // each)
    optimizer = torch.optim.AdamW(
        network.parameters(), lr=training.lr, weight_decay=training.weight_decay
    )
    total = epochs * each
    apart = -(-FEWEST_STEPS // each)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: _rate(step, total))
    best, weights, since = -np.inf, None, 0
    for epoch in range(epochs):
        shuffled = rows[torch.randperm(len(rows), generator=generator)]
        for start in range(0, len(shuffled), batch):
            some = shuffled[start : start + batch]
            loss = network.loss(inputs[some], groups[some], wanted[some], generator)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
        if (epoch + 1) % apart and epoch + 1 < epochs:
            continue
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
