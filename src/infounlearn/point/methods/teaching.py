"""The two networks of :class:`RestartTeacher`: who says what to forget, and who learns it."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor, nn

from infounlearn.point.methods.base import Pass, build_optimizer
from infounlearn.point.methods.distill import distance_rows
from infounlearn.point.methods.rehearsal import Rehearsal
from infounlearn.point.methods.task import Batch, Part, Sweep, Task
from infounlearn.point.methods.teaching_looks import (
    Looks,
    amount,
    loss_of_nothing,
    nothing_found,
    sharpness,
)
from infounlearn.point.restart import measure_statistics

if TYPE_CHECKING:
    from infounlearn.point.methods.restart_teacher import RestartTeacher

PULL = 160.0
"""By how much more answers weigh where the original knows nothing of its retain set."""
OVER = 3.0
"""Times its share of the retain set that a class must have of the forget set to stand out."""


class Plan(NamedTuple):
    """What a budget buys."""

    teacher_rows: int
    teacher_steps: int
    statistics: int
    sampled: int
    compared: int
    weighed: int
    retain_rows: int
    forget_rows: int
    student_steps: int
    stretch: float


class Teacher:
    """A restarted copy, healed on the retain set alone.

    Attributes:
        model: its network.
        sharpness: factor of its logits; see :func:`.teaching_looks.sharpness`.
        amount: how much there is to forget; see :func:`.teaching_looks.amount`.
        gone, held: losses of the teacher less those of the original, on forget and on held-out
            records, once it is healed.
    """

    def __init__(self, method: RestartTeacher, task: Task, plan: Plan) -> None:
        self._task, self._plan = task, plan
        self._full_steps = method.full_steps
        self.sharpness = self.amount = 1.0
        self.gone = self.held = torch.zeros(0)
        self.model: nn.Module = copy.deepcopy(task.model)
        assert task.fresh is not None
        method.restart(plan.teacher_steps).apply(self.model, task.fresh)
        optimizer = build_optimizer("adam", self.model, method.lr)
        steps = plan.teacher_steps
        sweep = Sweep(
            task, "retain", plan.teacher_rows,
            lambda rows: task.mean_loss(rows, self._shown(rows)), "teacher",
        )  # fmt: skip
        self.healing = Pass(
            "teacher", steps, sweep.steps(steps), candidate=False, optimizer=optimizer,
            lr_at=lambda step: method.lr * (0.05 + 0.95 * (1 - step / steps)),
            finish=self._finish,
        )  # fmt: skip

    def _shown(self, rows: Batch) -> Tensor:
        """Outputs in training; batch-norm has nothing to learn from a single row."""
        alone = len(rows) == 1 and self._task.sizes.batch_norm
        return self._task.show(rows, self.model, as_evaluated=alone)

    def _finish(self) -> None:
        """Batch-norm statistics of the healed weights; few steps leave those of before."""
        if self._plan.statistics:
            self._task.cost["rows_forward"] += measure_statistics(
                self.model, self._task.sets.retain, self._task.seed, self._task.device,
                self._plan.statistics,
            )  # fmt: skip
        held = self._looks("targets", self._plan.compared)
        if held is not None and self._task.is_classification:
            self.sharpness = self._surer(held)
        # Looked at in any case: what a run costs does not depend on how its looks are used.
        gone = self._looks("forget", self._plan.weighed)
        assert gone is not None  # the plan weighs at least one
        self.gone = self._ahead(gone)
        self.held = self.gone.new_zeros(0) if held is None else self._ahead(held)
        if self._full_steps:
            return
        nothing = loss_of_nothing(self._task.sets.retain.targets, self._task.loss, gone.original)
        self.amount = amount(self.gone, self.held, nothing)
        if held is not None and not self.amount:
            # Of a class that the retain set lacks, any network loses more that never saw it.
            self.amount = amount(self.gone, self.held[self._retained(held.targets)], nothing)

    def _retained(self, targets: Tensor) -> Tensor:
        """Which records are of a class that the retain set has; of numbers, all."""
        if not self._task.is_classification:
            return torch.ones(len(targets), dtype=torch.bool, device=targets.device)
        return torch.isin(targets, self._task.sets.retain.targets.unique().to(targets))

    def _looks(self, part: Part, limit: int) -> Looks | None:
        """A sample of a record set; None of no records."""
        if not limit:
            return None
        task = self._task
        found = [
            Looks(rows.targets, task.look(rows, self.model), task.look(rows, task.original))
            for rows in task.once(part, 1024, limit)
        ]
        return Looks(*(torch.cat(one) for one in zip(*found, strict=True)))

    def _surer(self, held: Looks) -> float:
        """How much surer the teacher must be, seen on held-out records.

        Not on those of classes that the forget set holds more than its share of: of these the
        teacher may well be less sure for good.
        """
        kept, gone = self._task.sets.retain.targets, self._task.sets.forget.targets
        width = held.taught.shape[1]
        shares = [torch.bincount(one, minlength=width) / len(one) for one in (gone, kept)]
        usual = (shares[0] <= OVER * shares[1])[held.targets.cpu()].to(held.taught.device)
        return sharpness(held.taught[usual], held.original[usual])

    def _ahead(self, seen: Looks) -> Tensor:
        """(n,) by how much the teacher loses more than the original."""
        taught = self.sharpness * seen.taught if self._task.is_classification else seen.taught
        return (
            self._task.loss(taught, seen.targets) - self._task.loss(seen.original, seen.targets)
        ).detach()


class Student:
    """The original, learning the teacher's answers and rehearsing its own."""

    def __init__(self, method: RestartTeacher, task: Task, plan: Plan, teacher: Teacher) -> None:
        self._method, self._task, self._plan, self._teacher = method, task, plan, teacher
        self._rehearsal = Rehearsal(task, plan.retain_rows, method.hard)
        self.pull = 1.0
        self._told: Tensor | None = None
        self._known = torch.zeros(len(task.sets.forget), dtype=torch.bool)

    def part(self, first: int, steps: int, before_step: Callable[[], None]) -> Pass:
        """Some of the student's steps."""
        method, task, total = self._method, self._task, self._plan.student_steps
        longest = method.student_lr * self._plan.stretch

        def loss(step: int) -> Tensor:
            rows = self._rehearsal.batch(first + step)
            forget = task.batch("forget", self._plan.forget_rows, first + step)
            told = self._answers(forget)
            outputs, shown = task.show_together(rows, forget)
            kept = task.loss(outputs, rows.targets)
            self._rehearsal.tell(rows, kept)
            apart = distance_rows(shown, told, 1.0, is_classification=task.is_classification)
            if first + step == 0:
                lost = float(kept[: self._rehearsal.even].detach().mean())
                nothing = loss_of_nothing(task.sets.retain.targets, task.loss, outputs)
                # No network need know less than nothing; where that costs nothing, as of a single
                # class, their ratio has no bound.
                self.pull = 1.0 + PULL * min(1.0, max(0.0, lost) / nothing)
            return kept.mean() + method.strength * self.pull * apart.mean()

        return Pass(
            "student", steps, loss, before_step=before_step,
            lr_at=lambda step: self._teacher.amount * longest * (1 - (first + step) / total),
        )  # fmt: skip

    def _answers(self, rows: Batch) -> Tensor:
        """The teacher's outputs, asked for once per record."""
        # A batch over the end of a pass may hold a row twice.
        new = list(dict.fromkeys(rows.index[~self._known[rows.index]].tolist()))
        if new:
            asked = self._task.rows("forget", torch.tensor(new), rows.number, "answers")
            outputs = self._teacher.sharpness * self._task.look(asked, self._teacher.model)
            if self._told is None:
                self._told = outputs.new_zeros(len(self._known), *outputs.shape[1:])
            self._told[asked.index] = outputs
            self._known[asked.index] = True
        assert self._told is not None
        return self._told[rows.index]

    def remarks(self) -> tuple[str, ...]:
        """What the teacher's looks said, if it kept the student where it was."""
        if self._teacher.amount > 0:
            return ()
        teacher = self._teacher
        return (nothing_found(teacher.gone, teacher.held, len(self._task.sets.forget)),)

    def memory(self) -> dict[str, Tensor]:
        """What a resumed run needs beside the student's weights."""
        numbers = [self._teacher.sharpness, self._teacher.amount, self.pull]
        kept = {
            "losses": self._rehearsal.losses,
            "known": self._known,
            "numbers": torch.tensor(numbers, dtype=torch.float64),
            "gone": self._teacher.gone,
            "held": self._teacher.held,
        }
        if self._told is not None:
            kept["told"] = self._told
        weights = self._teacher.model.state_dict()
        return {**kept, **{f"teacher/{name}": value for name, value in weights.items()}}

    def remember(self, kept: dict[str, Tensor]) -> None:
        """Undo :meth:`memory`."""
        self._rehearsal.losses, self._known = kept["losses"], kept["known"].bool()
        self._teacher.sharpness, self._teacher.amount, self.pull = kept["numbers"].tolist()
        self._teacher.gone, self._teacher.held = kept["gone"], kept["held"]
        device = self._task.device
        self._told = kept["told"].to(device) if "told" in kept else None
        prefix = "teacher/"
        self._teacher.model.load_state_dict(
            {name[len(prefix) :]: value for name, value in kept.items() if name.startswith(prefix)}
        )
