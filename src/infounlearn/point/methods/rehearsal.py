"""Retain rows in the order in which they need rehearsal.

A change that makes a network forget some records hurts few of the others, and these much: after it
a hundred of ten thousand retain rows may hold nine tenths of the lost utility. Uniform passes meet
each of them once per pass. So one part of every batch passes through the set evenly, which keeps
every row in sight, and the other is drawn in proportion to the loss that a row showed when it was
last seen (prioritised replay: Schaul et al. 2016, arXiv:1511.05952).
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


class Rehearsal:
    """Batches of retain rows, part of them chosen by the losses told so far.

    Attributes:
        losses: (n,) last known loss of each retain row; keep it to go on later.
    """

    def __init__(self, task: Task, batch_size: int, hard: float) -> None:
        self._task = task
        size = min(batch_size, len(task.sets.retain))
        self._hard = min(round(hard * size), size - 1)
        self._even = size - self._hard
        kept, gone = task.sets.retain.targets, task.sets.forget.targets
        shares = torch.zeros(len(kept))
        if task.is_classification:
            width = int(max(kept.max(), gone.max())) + 1
            shares = (torch.bincount(classes(gone), minlength=width) / len(gone))[kept].float()
        self.losses = UNSEEN + ALIKE * shares

    def batch(self, number: int) -> Batch:
        """Batch ``number``: even rows, then hard ones (drawn with replacement)."""
        rows = self._task.positions("retain", self._even, number, "rehearsal")
        if self._hard:
            generator = self._task.generator("rehearsal", number)
            # Inverse of the distribution function: torch.multinomial stops at 2^24 rows.
            edges = self.losses.double().cumsum(0)
            marks = torch.rand(self._hard, dtype=torch.float64, generator=generator) * edges[-1]
            drawn = torch.searchsorted(edges, marks).clamp_max(len(edges) - 1)
            rows = torch.cat([rows, drawn])
        return self._task.rows("retain", rows, number, "rehearsal")

    def tell(self, rows: Batch, losses: Tensor) -> None:
        """Remember what rows showed."""
        self.losses[rows.index] = losses.detach().float().cpu().clamp_min(1e-2 * UNSEEN)
