"""The two networks of :class:`RestartTeacher`: who says what to forget, and who learns it."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor, nn

from infounlearn.point.methods.base import Pass, build_optimizer
from infounlearn.point.methods.distill import distance_rows
from infounlearn.point.methods.rehearsal import Rehearsal
from infounlearn.point.methods.task import Batch, Sweep, Task
from infounlearn.point.restart import measure_statistics

if TYPE_CHECKING:
    from infounlearn.point.methods.restart_teacher import RestartTeacher

PULL = 70.0
"""By how much more answers weigh for each nat of retain loss that the original has."""
OVER = 3.0
"""Times its share of the retain set that a class must have of the forget set to stand out."""


class Plan(NamedTuple):
    """What a budget buys."""

    teacher_rows: int
    teacher_steps: int
    statistics: int
    sampled: int
    compared: int
    retain_rows: int
    forget_rows: int
    student_steps: int
    stretch: float


class Teacher:
    """A restarted copy, healed on the retain set alone."""

    def __init__(self, method: RestartTeacher, task: Task, plan: Plan) -> None:
        self._task, self._plan = task, plan
        self.sharpness = 1.0
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
        if self._plan.compared:
            self.sharpness = self._compare()

    def _compare(self) -> float:
        """How much surer the teacher must be, seen on held-out records.

        Not on those of classes that the forget set holds more than its share of: of these the
        teacher may well be less sure for good.
        """
        task = self._task
        kept, gone = task.sets.retain.targets, task.sets.forget.targets
        shown: list[Tensor] = []
        known: list[Tensor] = []
        for rows in task.once("targets", 1024, self._plan.compared):
            taught, original = task.look(rows, self.model), task.look(rows, task.original)
            if not task.is_classification:
                continue
            width = taught.shape[1]
            shares = [torch.bincount(one, minlength=width) / len(one) for one in (gone, kept)]
            usual = (shares[0] <= OVER * shares[1])[rows.targets.cpu()].to(taught.device)
            shown.append(taught[usual])
            known.append(original[usual])
        if sum(map(len, shown)) == 0:
            return 1.0
        return sharpness(torch.cat(shown), torch.cat(known))


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
            if first + step == 0 and task.is_classification:
                self.pull = 1.0 + PULL * float(kept[: self._rehearsal.even].detach().mean())
            return kept.mean() + method.strength * self.pull * apart.mean()

        return Pass(
            "student", steps, loss, before_step=before_step,
            lr_at=lambda step: longest * (1 - (first + step) / total),
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

    def memory(self) -> dict[str, Tensor]:
        """What a resumed run needs beside the student's weights."""
        sharp = torch.tensor([self._teacher.sharpness], dtype=torch.float64)
        kept = {"losses": self._rehearsal.losses, "known": self._known, "sharpness": sharp}
        kept["pull"] = torch.tensor([self.pull], dtype=torch.float64)
        if self._told is not None:
            kept["told"] = self._told
        weights = self._teacher.model.state_dict()
        return {**kept, **{f"teacher/{name}": value for name, value in weights.items()}}

    def remember(self, kept: dict[str, Tensor]) -> None:
        """Undo :meth:`memory`."""
        self._rehearsal.losses, self._known = kept["losses"], kept["known"].bool()
        self._teacher.sharpness, self.pull = float(kept["sharpness"]), float(kept["pull"])
        device = self._task.device
        self._told = kept["told"].to(device) if "told" in kept else None
        prefix = "teacher/"
        self._teacher.model.load_state_dict(
            {name[len(prefix) :]: value for name, value in kept.items() if name.startswith(prefix)}
        )


def sharpness(taught: Tensor, original: Tensor) -> float:
    """The factor b that brings softmax(b * taught) nearest to softmax(original), from 1/8 to 8.

    Minimises mean KL(original || b * taught), which is convex in b: its slope is the mean of
    sum_c (softmax(b * taught)_c - softmax(original)_c) * taught_c, found zero by bisection. Where
    no b makes a difference, of no records or logits all alike, it is 1.

    Args:
        taught, original: (n, c) logits of the same records.
    """
    logits, wanted = taught.double(), torch.softmax(original.double(), 1)
    # Shifts change no softmax, but what is left of a slope after rounding.
    logits = logits - logits.mean(1, keepdim=True)
    rounding = 8 * torch.finfo(taught.dtype).eps * taught.abs().double()
    if bool((logits.abs() <= rounding).all()):
        return 1.0
    low, high = math.log(1 / 8), math.log(8.0)
    for _ in range(40):
        middle = (low + high) / 2
        shown = torch.softmax(math.exp(middle) * logits, 1)
        if float(((shown - wanted) * logits).sum()) < 0:
            low = middle
        else:
            high = middle
    return math.exp((low + high) / 2)
