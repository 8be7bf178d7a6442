"""Influence: one step to where a quadratic approximation puts the network without D_f."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

from infounlearn.errors import Problems
from infounlearn.point.methods.base import (
    Need,
    Pass,
    Range,
    Sizes,
    Space,
    Training,
    check_numbers,
)
from infounlearn.point.methods.curvature import conjugate_gradient, rows_asked, woodbury_solve
from infounlearn.point.methods.task import Batch, Part, Task

_ROWS = 256
"""Rows per forward pass where only a sum over rows is wanted."""
_TOLERANCE = 1e-10


@dataclass(frozen=True)
class Influence:
    """θ + strength · H⁻¹ (g_f - g_r). No training.

    g_f = Σ_{D_f} ∇ℓ / n and g_r = n_f / (n n_r) Σ_{D_r} ∇ℓ, n = n_f + n_r. Where the mean loss
    over all n records is least, g_f - g_r = -∇L(D_r): with the Hessian of L(D_r) and strength 1
    this is Newton's step, and for a quadratic loss it is retraining. Gradients are those of the
    model in eval mode.

    WoodFisher puts H = damping · I + Σ_{i≤N} g_i g_iᵀ / N over N single records of D_r, and solves
    with it exactly by the N x N matrix of inner products. "exact" puts damping · I plus the Hessian
    of the mean loss on D_r and solves by conjugate gradients; where that is not positive definite
    the run ends with an error.

    Attributes:
        strength: length of the step; the paper tunes it.
        samples: N.
        damping: of H; 1 in the paper, above 0 with "woodfisher".
        held: gradients of single records in memory at a time; fewer than ``samples`` cost about
            samples / (2 held) times as many rows.
        hessian: "woodfisher", or "exact".
        iterations: conjugate gradients, at most; with "exact" alone.

    References: Koh & Liang (2017), arXiv:1703.04730; Singh & Alistarh (2020), arXiv:2004.14340.
    """

    strength: float = 1.0
    samples: int = 1000
    damping: float = 1.0
    held: int = 1000
    hessian: Literal["woodfisher", "exact"] = "woodfisher"
    iterations: int = 200

    name: ClassVar[str] = "influence"
    title: ClassVar[str] = "influence"
    paper: ClassVar[str] = "Koh & Liang 2017, arXiv:1703.04730; Singh & Alistarh 2020"
    needs: ClassVar[frozenset[Need]] = frozenset()
    reads_forget: ClassVar[bool] = True
    space: ClassVar[Space] = {"strength": Range(0.1, 300.0), "damping": Range(1e-3, 10.0)}

    def check(self, problems: Problems) -> None:
        """See :class:`Method`."""
        check_numbers(
            self, problems, zero_or_more=("strength", "damping"),
            whole=("samples", "held", "iterations"),
        )  # fmt: skip
        if problems.require(
            self.hessian in ("woodfisher", "exact"),
            f"{self.name}: hessian is {self.hessian!r}",
            fix="choose woodfisher or exact",
        ):
            problems.require(
                self.hessian == "exact" or self.damping != 0,
                f"{self.name}: damping is 0",
                why="without it the Hessian of woodfisher has no inverse",
                fix="pass a number above 0",
            )

    def start(self, task: Task) -> Training:
        """See :class:`Method`."""
        return Training([Pass("influence", 1, edit=lambda: self._step(task))])

    def _step(self, task: Task) -> None:
        weights = [weight for weight in task.model.parameters() if weight.requires_grad]
        sizes = task.sizes
        forget, retain = (_summed(task, weights, part) for part in ("forget", "retain"))
        rows = sizes.forget + sizes.retain
        wanted = forget / rows - retain * sizes.forget / (rows * sizes.retain)
        step = self.strength * self._solve(task, weights, wanted)
        with torch.no_grad():
            for weight, part in zip(weights, _split(step, weights), strict=True):
                weight.add_(part)

    def _solve(self, task: Task, weights: Sequence[Tensor], vector: Tensor) -> Tensor:
        """H⁻¹ times a vector."""
        if self.hessian == "exact":

            def product(direction: Tensor) -> Tensor:
                return self.damping * direction + _hessian_times(task, weights, direction)

            return conjugate_gradient(
                product, vector, iterations=self.iterations, tolerance=_TOLERANCE
            )
        singles = list(task.once("retain", 1, limit=self.samples))

        def row(number: int) -> Tensor:
            loss = task.mean_loss(singles[number], _show(task, singles[number]))
            return _flat(_slopes(loss, weights))

        return woodbury_solve(row, len(singles), vector, damping=self.damping, held=self.held)

    def cost(self, sizes: Sizes) -> float:
        """See :class:`Method`. With "exact" at most this: conjugate gradients may end earlier."""
        curvature = rows_asked(min(self.samples, sizes.retain), self.held)
        if self.hessian == "exact":
            curvature = 2 * self.iterations * sizes.retain
        return 3.0 * (sizes.forget + sizes.retain + curvature)


def _show(task: Task, rows: Batch) -> Tensor:
    return task.show(rows, as_evaluated=True)


def _slopes(
    loss: Tensor, weights: Sequence[Tensor], create_graph: bool = False
) -> tuple[Tensor, ...]:
    return torch.autograd.grad(
        loss, weights, allow_unused=True, materialize_grads=True, create_graph=create_graph
    )


def _flat(parts: Iterable[Tensor]) -> Tensor:
    return torch.cat([part.detach().reshape(-1) for part in parts])


def _split(vector: Tensor, weights: Sequence[Tensor]) -> list[Tensor]:
    """A (P,) vector in the shapes and types of the weights."""
    pieces = vector.split([weight.numel() for weight in weights])
    return [piece.reshape(w.shape).to(w) for piece, w in zip(pieces, weights, strict=True)]


def _summed(task: Task, weights: Sequence[Tensor], part: Part) -> Tensor:
    """(P,) float64: sum of the gradients of all rows of a record set."""
    total = torch.zeros((), dtype=torch.float64, device=task.device)
    for rows in task.once(part, _ROWS):
        loss = task.loss(_show(task, rows), rows.targets).sum()
        total = total + _flat(_slopes(loss, weights))
    return total


def _hessian_times(task: Task, weights: Sequence[Tensor], direction: Tensor) -> Tensor:
    """(P,) float64: Hessian of the mean loss on D_r times a vector (Pearlmutter 1994)."""
    total, pieces = torch.zeros_like(direction), _split(direction, weights)
    for rows in task.once("retain", _ROWS):
        loss = task.loss(_show(task, rows), rows.targets).sum() / task.sizes.retain
        slopes = _slopes(loss, weights, create_graph=True)
        along = sum((slope * piece).sum() for slope, piece in zip(slopes, pieces, strict=True))
        assert isinstance(along, Tensor)  # there is a weight
        # The gradient of a gradient costs about as much as another one.
        task.cost["rows_backward"] += len(rows)
        if along.requires_grad:
            total += _flat(_slopes(along, weights))
    return total
