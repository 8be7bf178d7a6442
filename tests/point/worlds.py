"""A small world whose forget set every objective can see, and a network that remembers it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from infounlearn.experiments.networks import Mlp, seeded
from infounlearn.point import (
    MarginalInformation,
    MembershipInformation,
    Schedule,
    ScoreTransport,
    Unlearned,
    unlearn,
)

CLASSES, WIDTH = 3, 8
NETWORK = Mlp((WIDTH, 16, CLASSES))
SCHEDULE = Schedule(
    epochs=2, batch_size=32, forget_batch_size=16, lr=1e-2, evaluations_per_epoch=0.5
)
"""Twelve steps and one evaluation, at the end."""

OBJECTIVES: Mapping[str, Any] = {
    "marginal": MarginalInformation(gamma=2.0),
    "conditional": MarginalInformation(gamma=2.0, conditional=True),
    "label": MembershipInformation(gamma=2.0, level="label"),
    "score": MembershipInformation(gamma=2.0),
    "loss": MembershipInformation(gamma=2.0, level="loss"),
    "transport": ScoreTransport(gamma=1.0),
}

EVERY = pytest.mark.parametrize("name", ["none", *OBJECTIVES])
"""For a test of every objective, and of none."""


def objective(name: str) -> Any:
    """The objective of that name; None for "none"."""
    return OBJECTIVES.get(name)


Pair = tuple[Tensor, Tensor]


@dataclass(frozen=True)
class World:
    """Record sets of one law within classes; the forget set holds class 0 alone."""

    forget: Pair
    retain: Pair
    holdout: Pair

    def given(self) -> dict[str, Any]:
        return {"forget": self.forget, "retain": self.retain, "holdout": self.holdout}


def rows(labels: Tensor, seed: int, width: int = WIDTH) -> Pair:
    """Overlapping Gaussians: some rows can only be known by heart."""
    generator = torch.Generator().manual_seed(seed)
    centre = torch.randn(CLASSES, width, generator=torch.Generator().manual_seed(99))
    return centre[labels] + torch.randn(len(labels), width, generator=generator), labels


def world(*, forget: int = 36, retain: int = 192, holdout: int = 120, seed: int = 0) -> World:
    return World(
        rows(torch.zeros(forget, dtype=torch.long), 10 * seed + 1),
        rows(torch.arange(retain) % CLASSES, 10 * seed + 2),
        rows(torch.arange(holdout) % CLASSES, 10 * seed + 3),
    )


def fit(model: nn.Module, *parts: Pair, steps: int = 150) -> nn.Module:
    """Train on all rows at once."""
    inputs, labels = (torch.cat(columns) for columns in zip(*parts, strict=True))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    model.train()
    with seeded(0):
        for _ in range(steps):
            optimizer.zero_grad()
            functional.cross_entropy(model(inputs), labels).backward()
            optimizer.step()
    optimizer.zero_grad()
    return model.eval()


WORLD = world()
TRAINED = fit(NETWORK(0), WORLD.forget, WORLD.retain)

MISLABELLED = replace(WORLD, forget=(WORLD.forget[0], 1 + torch.arange(36) % 2))
"""Its forget set has wrong labels, which no network knows that did not see them."""
MISTAUGHT = fit(NETWORK(0), MISLABELLED.forget, MISLABELLED.retain, steps=400)


def go(objective: Any = None, model: nn.Module = TRAINED, /, **more: Any) -> Unlearned:
    """One short run to the end of its schedule; ``more`` replaces any argument."""
    schedule = {k: more.pop(k) for k in list(more) if k in SCHEDULE.__dataclass_fields__}
    options = {**WORLD.given(), "stop": (), "progress": False, "objective": objective, **more}
    options.setdefault("schedule", replace(SCHEDULE, **schedule))
    return unlearn(model, **options)


def amsgrad(parameters: Any, lr: float) -> torch.optim.Optimizer:
    """An optimizer of one's own."""
    return torch.optim.Adam(parameters, lr=lr, amsgrad=True)


def weights(model: nn.Module) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in model.state_dict().items()}


def same(first: nn.Module, second: nn.Module) -> bool:
    """Equal weights and buffers, bit for bit."""
    ours, theirs = first.state_dict(), second.state_dict()
    return ours.keys() == theirs.keys() and all(torch.equal(ours[k], theirs[k]) for k in ours)


class Named(torch.utils.data.Dataset[Any]):
    """Rows as dictionaries with labels."""

    def __init__(self, pair: Pair) -> None:
        self._pair = pair

    def __len__(self) -> int:
        return len(self._pair[0])

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        return {"x": self._pair[0][index], "labels": self._pair[1][index]}


class ByName(nn.Module):
    """Takes inputs by name and returns an object with logits, as transformers do."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: Tensor) -> Any:
        return SimpleNamespace(logits=self.inner(x))
