"""Bad teacher: imitate a network that knows nothing on the forget set, the original elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from infounlearn.errors import Problems
from infounlearn.point.methods.base import (
    Choice,
    Need,
    OptimizerName,
    Pass,
    Range,
    Sizes,
    Space,
    Training,
    build_optimizer,
    check_numbers,
    check_optimizer,
    fractions,
)
from infounlearn.point.methods.distill import Mixture, distance_rows, mixture_rows
from infounlearn.point.methods.task import Task


@dataclass(frozen=True)
class BadTeacher:
    """min T² KL(t || p): t of a randomly initialised network on D_f, of the trained one on D_r.

    Forget rows and a share of the retain rows, drawn once, are shuffled as one set; a step takes
    the mean over its rows, whichever they are. Both teachers are frozen and in eval mode. Between
    real targets the squared distance takes the place of KL.

    Attributes:
        epochs: passes over the forget rows and the share of the retain rows; need not be whole.
        retain_share: share of the retain set that takes part.
        temperature: T, of both softmaxes.
        lr: step size.
        batch_size: rows per step.
        optimizer: "sgd" (momentum 0.9), "adam" or "adamw".
        weight_decay: of the optimizer.

    References: Chundawat, Tarun, Mandal & Kankanhalli (2023), arXiv:2205.08096.
    """

    epochs: float = 1.0
    retain_share: float = 0.3
    temperature: float = 1.0
    lr: float = 1e-4
    batch_size: int = 256
    optimizer: OptimizerName = "adam"
    weight_decay: float = 0.0

    name: ClassVar[str] = "bad-teacher"
    title: ClassVar[str] = "bad teacher"
    paper: ClassVar[str] = "Chundawat et al. 2023, arXiv:2205.08096"
    needs: ClassVar[frozenset[Need]] = frozenset({"fresh"})
    reads_forget: ClassVar[bool] = True
    space: ClassVar[Space] = {
        "lr": Range(1e-5, 1e-2),
        "retain_share": Range(0.1, 1.0),
        "temperature": Range(0.5, 8.0),
        "optimizer": Choice(("sgd", "adam")),
    }

    def check(self, problems: Problems) -> None:
        """See :class:`Method`."""
        check_optimizer(self, problems)
        check_numbers(self, problems, above_zero=("temperature",), shares=("retain_share",))

    def start(self, task: Task) -> Training:
        """See :class:`Method`."""
        optimizer = build_optimizer(self.optimizer, task.model, self.lr, self.weight_decay)
        mixture = Mixture(task, self.batch_size, self.retain_share)
        fresh = task.fresh
        assert fresh is not None  # checked before the run: needs
        fresh.requires_grad_(False)

        def imitate(number: int) -> Tensor:
            rows = []
            for part in mixture.batch(number):
                teacher = task.look(part, fresh if part.part == "forget" else task.original)
                rows.append(
                    distance_rows(
                        task.show(part),
                        teacher,
                        self.temperature,
                        is_classification=task.is_classification,
                    )
                )
            return torch.cat(rows).mean()

        passes, done = list[Pass](), 0
        for share in fractions(self.epochs):
            steps = mixture.steps(share)

            def loss(step: int, first: int = done) -> Tensor:
                return imitate(first + step)

            passes.append(Pass("forget and retain", steps, loss))
            done += steps
        return Training(passes, optimizer)

    def cost(self, sizes: Sizes) -> float:
        """See :class:`Method`: each row goes through the student and one of the teachers."""
        return 4 * mixture_rows(
            sizes.forget, sizes.retain, self.batch_size, self.epochs, self.retain_share
        )
