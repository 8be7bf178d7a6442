"""What is to be kept: the loss on the retain set."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from infounlearn.errors import Problems, is_number

Loss = Callable[[Tensor, Tensor], Tensor]
"""Per-row loss of (outputs, targets): (n, ...) to (n,)."""


@dataclass(frozen=True)
class Utility:
    """``task`` x task loss + ``fidelity`` x KL(original model, model), both on retain rows.

    Attributes:
        task: weight of cross-entropy (classification) or squared error (regression).
        fidelity: weight of the divergence to the original model: KL of the two label laws, or
            squared distance of the two predictions. Needs a second forward of the retain rows,
            through the original model.
    """

    task: float = 1.0
    fidelity: float = 0.0

    def check(self, problems: Problems) -> None:
        """Collect settings that cannot be used."""
        weights = (self.task, self.fidelity)
        problems.require(
            all(is_number(weight) and weight >= 0 for weight in weights) and any(weights),
            f"utility weighs task {self.task!r} and fidelity {self.fidelity!r}",
            fix="pass weights of which none is negative and one is positive",
        )

    def rows(self, outputs: Tensor, targets: Tensor, original: Tensor | None, loss: Loss) -> Tensor:
        """(n,) utility loss of each row; ``original`` holds the original model's outputs."""
        total = outputs.new_zeros(len(outputs))
        if self.task:
            total = total + self.task * loss(outputs, targets)
        if self.fidelity and original is not None:
            total = total + self.fidelity * _distance(outputs, original, targets)
        return total


def cross_entropy_rows(outputs: Tensor, targets: Tensor) -> Tensor:
    """-ln p_y of each row, in nats."""
    return functional.cross_entropy(outputs, targets, reduction="none")


def squared_error_rows(outputs: Tensor, targets: Tensor) -> Tensor:
    """Mean over the outputs of the squared error of each row."""
    return (outputs.reshape(targets.shape) - targets).square().reshape(len(targets), -1).mean(1)


def _distance(outputs: Tensor, original: Tensor, targets: Tensor) -> Tensor:
    if targets.dtype.is_floating_point:
        return (outputs - original).square().reshape(len(targets), -1).mean(1)
    teacher = torch.log_softmax(original, 1)
    student = torch.log_softmax(outputs, 1)
    return functional.kl_div(student, teacher, reduction="none", log_target=True).sum(1)
