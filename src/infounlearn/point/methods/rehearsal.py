"""Retain rows in the order in which they need rehearsal.

A change that makes a network forget some records hurts few of the others, and these much: after it
a hundred of ten thousand retain rows may hold nine tenths of the lost utility. Uniform passes meet
each of them once per pass. So one part of every batch passes through the set evenly, which keeps
every row in sight, and the other is drawn in proportion to the loss that a row showed when it was
last seen (prioritised replay: Schaul et al. 2016, arXiv:1511.05952).

The mean over such a batch is no estimate of the mean loss. With a share h of hard rows and all
losses L known, its gradient is on average that of (1 - h) mean(L) + h sum(L^2) / (2 sum(L)), the
second sum held fixed: where all losses can vanish it leads to the same place, and elsewhere it
gives more to the worst rows, among them wrong labels, than training did.
"""

from __future__ import annotations

import torch
from torch import Tensor

from infounlearn.point.batches import classes
from infounlearn.point.methods.task import Batch, Task

UNSEEN = 1e-4
"""Loss, in nats, that a row is taken to have before it was seen; those of a trained network."""
ALIKE = 1e-2
"""What is added where all forget records are of the row's class: such rows suffer first."""
BLOCK = 512
"""Rows whose losses are summed up: a draw then reads some blocks, not a million rows."""


class Rehearsal:
    """Batches of retain rows, part of them chosen by the losses told so far.

    Args:
        task: the run.
        batch_size: rows of a batch, at most all.
        hard: share of these drawn by loss; one row is always of the even passes.

    Attributes:
        even: rows of the even passes, the first of each batch.
    """

    def __init__(self, task: Task, batch_size: int, hard: float) -> None:
        self._task = task
        size = min(batch_size, len(task.sets.retain))
        self._hard = min(round(hard * size), size - 1)
        self.even = size - self._hard
        kept, gone = task.sets.retain.targets, task.sets.forget.targets
        shares = torch.zeros(len(kept))
        if task.is_classification:
            width = int(max(kept.max(), gone.max())) + 1
            shares = (torch.bincount(classes(gone), minlength=width) / len(gone))[kept].float()
        self.losses = UNSEEN + ALIKE * shares

    @property
    def losses(self) -> Tensor:
        """(n,) last known loss of each retain row; keep it to go on later."""
        return self._blocks.reshape(-1)[: self._rows].clone()

    @losses.setter
    def losses(self, losses: Tensor) -> None:
        self._rows = len(losses)
        filled = torch.nn.functional.pad(losses, (0, -self._rows % BLOCK))
        self._blocks = filled.reshape(-1, BLOCK)
        self._sums = _sums(self._blocks)

    def batch(self, number: int) -> Batch:
        """Batch ``number``: even rows, then hard ones (drawn with replacement)."""
        rows = self._task.positions("retain", self.even, number, "rehearsal")
        if self._hard:
            generator = self._task.generator("rehearsal", number)
            marks = torch.rand(self._hard, dtype=torch.float64, generator=generator)
            rows = torch.cat([rows, self.at(marks)])
        return self._task.rows("retain", rows, number, "rehearsal")

    def at(self, marks: Tensor) -> Tensor:
        """Rows at these points of the distribution function of the losses, from 0 to 1."""
        # Its inverse, by hand: torch.multinomial stops at 2^24 rows.
        edges = self._sums.cumsum(0)
        marks = marks * edges[-1]
        block = torch.searchsorted(edges, marks).clamp_max(len(edges) - 1)
        rest = marks - (edges - self._sums)[block]
        inside = self._blocks[block].double().cumsum(1)
        place = torch.searchsorted(inside, rest[:, None]).squeeze(1).clamp_max(BLOCK - 1)
        return (block * BLOCK + place).clamp_max(self._rows - 1)

    def tell(self, rows: Batch, losses: Tensor) -> None:
        """Remember what rows showed."""
        known = losses.detach().float().cpu().nan_to_num(UNSEEN).clamp_min(1e-2 * UNSEEN)
        block = rows.index // BLOCK
        self._blocks[block, rows.index % BLOCK] = known
        self._sums[block] = _sums(self._blocks[block])


def _sums(blocks: Tensor) -> Tensor:
    """Of each block, one addend after another: the same however many are summed at once."""
    return blocks.double().cumsum(1)[:, -1]
