"""SalUn: random labels, learned only by the weights that the forget set would move most."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from infounlearn.errors import Problems
from infounlearn.point.methods.base import (
    Choice,
    Need,
    OptimizerName,
    Range,
    Sizes,
    Space,
    Training,
    build_optimizer,
    check_numbers,
    check_optimizer,
)
from infounlearn.point.methods.random_label import alternating, alternating_cost
from infounlearn.point.methods.task import Task


@dataclass(frozen=True)
class SalUn:
    """Random labels, alternating, for a share of the weights; the others stay exactly.

    The weights are those with the largest abs(sum over batches of grad L(D_f)) at the original
    model, over the whole network, the gradient taken in eval mode.

    Attributes:
        epochs: each one pass over D_f with random labels and one over D_r; need not be whole.
        lr: step size.
        share: of the weights that are trained, above 0; 1 is random labels.
        batch_size: rows per step, and of the gradients for the mask.
        optimizer: "sgd" (momentum 0.9), "adam" or "adamw".
        weight_decay: of the optimizer.

    References: Fan, Liu, Zhang, Wong, Wei & Liu (2024), arXiv:2310.12508.
    """

    epochs: float = 10.0
    lr: float = 0.013
    share: float = 0.5
    batch_size: int = 64
    optimizer: OptimizerName = "sgd"
    weight_decay: float = 0.0

    name: ClassVar[str] = "salun"
    title: ClassVar[str] = "SalUn"
    paper: ClassVar[str] = "Fan et al. 2024, arXiv:2310.12508"
    needs: ClassVar[frozenset[Need]] = frozenset({"labels"})
    reads_forget: ClassVar[bool] = True
    space: ClassVar[Space] = {
        "lr": Range(1e-5, 0.1),
        "share": Range(0.1, 1.0, log=False),
        "optimizer": Choice(("sgd", "adam")),
    }

    def check(self, problems: Problems) -> None:
        """See :class:`Method`."""
        check_optimizer(self, problems)
        check_numbers(self, problems, above_zero=("share",), shares=("share",))

    def start(self, task: Task) -> Training:
        """See :class:`Method`."""
        optimizer = build_optimizer(self.optimizer, task.model, self.lr, self.weight_decay)
        mask = Mask(task.model, top_share(saliency(task, self.batch_size), self.share))
        return Training(
            alternating(task, self.batch_size, self.epochs),
            optimizer,
            before_step=mask.gradients,
            after_step=lambda: mask.restore(optimizer),
        )

    def cost(self, sizes: Sizes) -> float:
        """See :class:`Method`."""
        return 3 * sizes.forget + alternating_cost(sizes, self.batch_size, self.epochs)


def saliency(task: Task, batch_size: int) -> list[Tensor]:
    """abs(sum over batches of the gradient of the mean loss), for each trainable weight."""
    weights = trainable(task.model)
    total = [torch.zeros_like(weight) for weight in weights]
    for rows in task.once("forget", batch_size):
        loss = task.mean_loss(rows, task.show(rows, as_evaluated=True))
        slopes = torch.autograd.grad(loss, weights, allow_unused=True, materialize_grads=True)
        total = [one + slope for one, slope in zip(total, slopes, strict=True)]
    return [one.abs() for one in total]


def top_share(values: list[Tensor], share: float) -> list[Tensor]:
    """Masks of the shapes of ``values``, true at the largest ``share`` of all, at least at one."""
    flat = torch.cat([one.flatten() for one in values])
    # By rank, not by a threshold: many weights may have slope 0, and all of them would pass it.
    chosen = torch.zeros_like(flat, dtype=torch.bool)
    chosen[flat.topk(max(1, round(share * len(flat)))).indices] = True
    cuts = chosen.split([one.numel() for one in values])
    return [cut.reshape(one.shape) for cut, one in zip(cuts, values, strict=True)]


class Mask:
    """Keeps weights outside masks where they were when this was made."""

    def __init__(self, model: nn.Module, masks: list[Tensor]) -> None:
        self._masks, self._weights = masks, trainable(model)
        self._start = [weight.detach().clone() for weight in self._weights]

    def gradients(self) -> None:
        """Set gradients outside the masks to 0."""
        for weight, mask in zip(self._weights, self._masks, strict=True):
            if weight.grad is not None:
                weight.grad.masked_fill_(~mask, 0)

    @torch.no_grad()
    def restore(self, optimizer: torch.optim.Optimizer) -> None:
        """Put weights outside the masks back, and their momentum to 0.

        A gradient of 0 does not hold a weight: weight decay moves it, and momentum goes on.
        """
        for weight, mask, start in zip(self._weights, self._masks, self._start, strict=True):
            weight.copy_(torch.where(mask, weight, start))
            for name, value in optimizer.state.get(weight, {}).items():
                if name != "step" and isinstance(value, Tensor):
                    value.masked_fill_(~mask, 0)


def trainable(model: nn.Module) -> list[nn.Parameter]:
    """The weights that may change, in their order."""
    return [weight for weight in model.parameters() if weight.requires_grad]
