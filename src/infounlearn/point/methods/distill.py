"""Distance of a student's outputs to a teacher's, and batches that mix forget and retain rows."""

from __future__ import annotations

import torch
from torch import Tensor

from infounlearn.point.batches import Stream, shuffled
from infounlearn.point.methods.base import rows_of, steps_of
from infounlearn.point.methods.task import Batch, Part, Task


def kept_rows(retain: int, share: float) -> int:
    """How many of the retain rows a share is; at least one, unless it is 0."""
    return max(1, round(share * retain)) if share else 0


def distance_rows(
    student: Tensor, teacher: Tensor, temperature: float, *, is_classification: bool
) -> Tensor:
    """(n,) T² KL(softmax(teacher/T) || softmax(student/T)), nats; regressions: squared distance.

    T² keeps the size of the gradient where T changes (Hinton, Vinyals & Dean 2015). The squared
    distance of two predictions, mean over outputs, takes its place between real targets: it is
    that of z/T times T², so T falls out.
    """
    if not is_classification:
        return (student - teacher).square().reshape(len(student), -1).mean(1)
    wanted = torch.log_softmax(teacher / temperature, 1)
    shown = torch.log_softmax(student / temperature, 1)
    return temperature**2 * (wanted.exp() * (wanted - shown)).sum(1)


class Mixture:
    """The forget set and a share of the retain set, drawn once, shuffled as one set.

    Args:
        task: the run.
        batch_size: rows of a batch.
        retain_share: share of the retain rows that take part.
    """

    def __init__(self, task: Task, batch_size: int, retain_share: float = 1.0) -> None:
        sizes = task.sizes
        kept = kept_rows(sizes.retain, retain_share)
        self._task, self._size, self._forget = task, batch_size, sizes.forget
        self._retain = shuffled(sizes.retain, task.seed, "mixture", "sample")[:kept]
        self._rows = sizes.forget + kept
        self._stream = Stream(self._rows, task.seed, "mixture")

    def steps(self, share: float = 1.0) -> int:
        """Batches of a pass, or of a part of one."""
        return steps_of(self._rows, self._size, share)

    def batch(self, number: int) -> list[Batch]:
        """Forget rows and retain rows of batch ``number``, counted from 0; no empty ones."""
        rows = self._stream.batch(number, min(self._size, self._rows))
        forget = rows[rows < self._forget]
        retain = self._retain[rows[rows >= self._forget] - self._forget]
        parts: list[tuple[Part, Tensor]] = [("forget", forget), ("retain", retain)]
        return [
            self._task.rows(part, positions, number, "mixture")
            for part, positions in parts
            if len(positions)
        ]


def mixture_rows(
    forget: int, retain: int, batch_size: int, epochs: float = 1.0, retain_share: float = 1.0
) -> int:
    """Rows that so many passes of a :class:`Mixture` visit."""
    return rows_of(forget + kept_rows(retain, retain_share), batch_size, epochs)
