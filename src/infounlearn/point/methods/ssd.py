"""Selective synaptic dampening: weights that matter more to the forget set are made smaller."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar

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
    rows_of,
    steps_of,
)
from infounlearn.point.methods.distill import Mixture, mixture_rows
from infounlearn.point.methods.task import Batch, Task


@dataclass(frozen=True)
class SelectiveDampening:
    """Where I_f > alpha · I_D: weight · min(dampening · I_D / I_f, 1). No training.

    The importance I_S of each weight is the mean over batches of S of (gradient of the mean
    loss)²; D is forget and retain set together. The square of a mean over B rows shrinks as B
    grows, so I_f and I_D are comparable, and alpha means the same, at one batch size alone: every
    batch has ``batch_size`` rows, the last one filled from a second order of the rows. A forget
    set smaller than that is one smaller batch. Gradients are those of the model in eval mode.

    Attributes:
        alpha: how many times more a weight must matter to the forget set to be dampened.
        dampening: lambda; larger values dampen less.
        batch_size: rows per gradient.

    References: Foster, Schoepf & Brintrup (2024), arXiv:2308.07707.
    """

    alpha: float = 10.0
    dampening: float = 1.0
    batch_size: int = 64

    name: ClassVar[str] = "ssd"
    title: ClassVar[str] = "selective dampening"
    paper: ClassVar[str] = "Foster et al. 2024, arXiv:2308.07707"
    needs: ClassVar[frozenset[Need]] = frozenset()
    reads_forget: ClassVar[bool] = True
    space: ClassVar[Space] = {"alpha": Range(0.1, 100.0), "dampening": Range(0.01, 10.0)}

    def check(self, problems: Problems) -> None:
        """See :class:`Method`."""
        check_numbers(
            self, problems, zero_or_more=("alpha", "dampening"), whole=("batch_size",)
        )  # fmt: skip

    def start(self, task: Task) -> Training:
        """See :class:`Method`."""
        return Training([Pass("dampening", 1, edit=lambda: self._dampen(task))])

    def _dampen(self, task: Task) -> None:
        mixture = Mixture(task, self.batch_size)
        forget = (
            [task.batch("forget", self.batch_size, number)]
            for number in range(steps_of(task.sizes.forget, self.batch_size))
        )
        ours = importances(task, forget)
        all_rows = importances(task, (mixture.batch(n) for n in range(mixture.steps())))
        weights = [weight for weight in task.model.parameters() if weight.requires_grad]
        with torch.no_grad():
            for weight, mine, everyones in zip(weights, ours, all_rows, strict=True):
                factor = (self.dampening * everyones / mine).clamp(max=1.0)
                # 0/0 where no row moves a weight; it is not chosen.
                weight.copy_(torch.where(mine > self.alpha * everyones, weight * factor, weight))

    def cost(self, sizes: Sizes) -> float:
        """See :class:`Method`."""
        return 3 * (
            rows_of(sizes.forget, self.batch_size)
            + mixture_rows(sizes.forget, sizes.retain, self.batch_size)
        )


def importances(task: Task, batches: Iterable[Sequence[Batch]]) -> list[Tensor]:
    """Mean over batches, each in parts, of the squared gradient of the mean loss, per weight."""
    weights = [weight for weight in task.model.parameters() if weight.requires_grad]
    totals, count = [torch.zeros_like(weight) for weight in weights], 0
    for parts in batches:
        rows = [task.loss(task.show(part, as_evaluated=True), part.targets) for part in parts]
        loss = torch.cat(rows).mean()
        slopes = torch.autograd.grad(loss, weights, allow_unused=True, materialize_grads=True)
        for total, slope in zip(totals, slopes, strict=True):
            total.addcmul_(slope, slope)
        count += 1
    return [total / count for total in totals]
