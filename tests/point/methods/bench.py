"""A method's passes without the engine around them, so that tests can look between two steps."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from infounlearn.point.batches import RecordSet
from infounlearn.point.evaluation import Sets
from infounlearn.point.methods.base import Pass, Training
from infounlearn.point.methods.task import Batch, Part, Task
from infounlearn.point.utility import Loss, cross_entropy_rows, squared_error_rows
from tests.point.worlds import NETWORK, TRAINED, WORLD, Pair


class Recorder(Task):
    """Remembers which rows were asked for."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.seen: list[tuple[str, list[int]]] = []

    def _take(self, part: Part, rows: Tensor, *rest: Any) -> Batch:
        self.seen.append((part, rows.tolist()))
        return super()._take(part, rows, *rest)

    def visits(self, part: str) -> list[int]:
        """Positions asked for, sorted, with repetitions."""
        return sorted(row for one, rows in self.seen if one == part for row in rows)


def task_of(
    model: nn.Module = TRAINED,
    *,
    forget: Pair = WORLD.forget,
    retain: Pair = WORLD.retain,
    fresh: nn.Module | None = None,
    loss: Loss | None = None,
    seed: int = 0,
) -> Recorder:
    """A run's material, as the verb would prepare it."""
    rows = squared_error_rows if forget[1].dtype.is_floating_point else cross_entropy_rows
    return Recorder(
        copy.deepcopy(model),
        copy.deepcopy(model).eval().requires_grad_(False),
        Sets(RecordSet(forget, "forget"), RecordSet(retain, "retain")),
        loss or rows,
        fresh,
        seed,
        torch.device("cpu"),
    )


def do(training: Training, after: Callable[[Pass], Any] | None = None) -> None:
    """Take every step, and call ``after`` behind every pass."""
    for one in training.passes:
        if one.edit is not None:
            one.edit()
        for step in range(one.steps if one.loss is not None else 0):
            assert training.optimizer is not None
            assert one.loss is not None
            training.optimizer.zero_grad()
            one.loss(step).backward()
            if training.before_step is not None:
                training.before_step()
            training.optimizer.step()
            if training.after_step is not None:
                training.after_step()
        if after is not None:
            after(one)


def flat(model: nn.Module) -> Tensor:
    """All weights in one vector."""
    return torch.cat([weight.detach().reshape(-1) for weight in model.parameters()])


def storages(model: nn.Module) -> set[int]:
    """Where weights and buffers lie."""
    return {value.data_ptr() for value in model.state_dict().values()}


OTHER = NETWORK(7)
"""A network that knows nothing."""
