"""This project's default: a restarted copy says what to forget, the original what to keep.

Forgetting and keeping pull a network apart, and no single run does both well in a short time. A
restarted network, healed on the retain set alone, soon says of the forget records what a network
that never saw them says; but it takes nearly a whole training until it is as sure of the retain set
as a retrained network. The original is as sure from the start. So the restarted copy is only a
teacher: the original learns the teacher's answers on the forget set, and nothing else of it changes
more than it must. Two things keep the retain set, at a tenth of the steps that plain training
takes: gradients are damped along the inputs that retain rows give each layer (:class:`NullSpace`),
and half of the retain rows of a step are those that suffered most (:class:`Rehearsal`).

What was tried, and what each part is worth, is in docs/method.md.
"""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from infounlearn.errors import InputError, Problems
from infounlearn.point.methods.base import (
    Need,
    Pass,
    Range,
    Sizes,
    Space,
    Training,
    build_optimizer,
    check_numbers,
)
from infounlearn.point.methods.distill import distance_rows
from infounlearn.point.methods.null_space import NullSpace, layers_of
from infounlearn.point.methods.rehearsal import Rehearsal
from infounlearn.point.methods.task import Batch, Sweep, Task
from infounlearn.point.restart import Restart, measure_statistics

MOST_SAMPLED = 1000
"""Rows that are enough to know the inputs of every layer, or how sure a network is."""
OVER = 3.0
"""Times its share of the retain set that a class must have of the forget set to stand out."""
LOOKS = 4
"""Passes into which the student's steps are cut, with a look and a checkpoint after each."""


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


@dataclass(frozen=True)
class RestartTeacher:
    """Teach the original what a restarted, healed copy says of the forget set.

    The teacher's weights are ``keep`` * original + ``noise`` * fresh, healed on the retain set by
    Adam with a step that falls to 5 %. The student starts from the original and minimises

        mean task loss of retain rows + ``strength`` * mean KL(teacher, student) of forget rows,

    by gradients damped along the retain set's inputs, scaled to ``student_lr`` times the norm of
    the weights, with momentum 0.8 and a step that falls to 0, in eval mode. With held-out records
    the teacher's logits are first scaled by one number, so that on records that neither network
    learned it is as sure as the original (:func:`sharpness`): a short training leaves it less so.

    Attributes:
        epochs: cost of the whole run, in passes over the retain set; need not be whole.
        lr: first step size of the teacher; three times that of the original's training is good.
        teacher_share: share of the cost that goes into the teacher.
        keep, noise: of the restart, from 0 to 1.
        teacher_batch_size: retain rows per step of the teacher; None takes about 100 steps with
            32 to 128 rows.
        strength: weight of the teacher's answers; 0 leaves the original's.
        student_lr: first step of the student as a share of the norm of its weights.
        batch_size: rows per step of the student, a quarter of them to forget; None takes about
            150 steps with 32 to 128 rows.
        hard: share of these retain rows drawn by the loss they last showed.
        damping: of the student's gradients: small ones protect the retain set more.
        sample_share: share of the cost spent on seeing the inputs of retain rows.

    References: ours, measured in docs/method.md; shrink and perturb: Ash & Adams (2020),
    arXiv:1910.08475; distilling a teacher that must not know: Chundawat et al. (2023),
    arXiv:2205.08096, whose teacher knows nothing at all.
    """

    epochs: float = 7.0
    lr: float = 3e-3
    teacher_share: float = 0.4
    keep: float = 0.5
    noise: float = 1.0
    teacher_batch_size: int | None = None
    strength: float = 0.1
    student_lr: float = 2.5e-3
    batch_size: int | None = None
    hard: float = 0.75
    damping: float = 0.04
    sample_share: float = 0.05

    name: ClassVar[str] = "restart-teacher"
    title: ClassVar[str] = "ours: restarted teacher"
    paper: ClassVar[str] = "this project, docs/method.md"
    needs: ClassVar[frozenset[Need]] = frozenset({"fresh"})
    reads_forget: ClassVar[bool] = True
    space: ClassVar[Space] = {
        "lr": Range(1e-4, 0.1),
        "keep": Range(0.1, 0.9, log=False),
        "strength": Range(0.01, 10.0),
        "student_lr": Range(1e-4, 0.02),
    }

    def check(self, problems: Problems) -> None:
        """See :class:`Method`."""
        check_numbers(
            self,
            problems,
            above_zero=("epochs", "lr", "student_lr", "damping"),
            zero_or_more=("strength",),
            shares=("keep", "noise", "hard", "teacher_share", "sample_share"),
            whole=[
                name
                for name in ("teacher_batch_size", "batch_size")
                if getattr(self, name) is not None
            ],
        )
        problems.require(
            self.teacher_share < 1,
            f"{self.name}: teacher_share is {self.teacher_share!r}",
            why="the student needs a part of the cost",
            fix="pass a share below 1",
        )

    def start(self, task: Task) -> Training:
        """See :class:`Method`.

        Raises:
            InputError: the model has no linear layer and no convolution that may change.
        """
        assert task.fresh is not None  # Method.needs
        layers = layers_of(task.model)
        if not layers:
            raise InputError(
                f"{self.name}: model has no linear layer or convolution that may change: choose "
                "another method"
            )
        plan = self.plan(task.sizes)
        teacher = _Teacher(self, task, plan)
        weights = [
            p for layer in layers for p in layer.parameters(recurse=False) if p.requires_grad
        ]
        optimizer = torch.optim.SGD(weights, self.student_lr, momentum=0.8)
        sample = task.once("retain", 1024, plan.sampled)
        space = NullSpace(task, task.model, sample, self.damping)
        length = torch.cat([weight.detach().flatten() for weight in weights]).norm()

        def before_step() -> None:
            space.damp()
            own = [weight.grad for weight in weights if weight.grad is not None]
            size = torch.stack([gradient.norm() for gradient in own]).norm()
            # A gradient of exactly zero stays one.
            scale = length / size.clamp_min(torch.finfo(size.dtype).tiny)
            for gradient in own:
                gradient.mul_(scale)

        student = _Student(self, task, plan, teacher)
        steps = [len(part) for part in torch.arange(plan.student_steps).tensor_split(LOOKS)]
        passes = [teacher.healing]
        for number, count in enumerate(steps):
            if count:
                passes.append(student.part(sum(steps[:number]), count, before_step))
        return Training(passes, optimizer, memory=student.memory, remember=student.remember)

    def cost(self, sizes: Sizes) -> float:
        """See :class:`Method`."""
        plan = self.plan(sizes)
        shown = plan.student_steps * plan.forget_rows
        return float(
            3 * plan.teacher_steps * plan.teacher_rows
            + plan.statistics
            + plan.sampled
            + 2 * plan.compared
            + 3 * plan.student_steps * (plan.retain_rows + plan.forget_rows)
            + min(shown, sizes.forget)
        )

    def plan(self, sizes: Sizes) -> Plan:
        """Steps of teacher and student that cost ``epochs`` passes over the retain set."""
        whole = 3 * self.epochs * sizes.retain
        sampled = max(1, min(round(self.sample_share * whole), sizes.retain, MOST_SAMPLED))
        compared = min(round(self.sample_share * whole / 2), sizes.targets, MOST_SAMPLED)
        statistics = sampled if sizes.batch_norm and sampled > 1 else 0
        trained = self.teacher_share * whole / 3
        teacher_rows = min(self.teacher_batch_size or _rows_for(trained, 100), sizes.retain)
        teacher_steps = max(1, round(trained / teacher_rows))
        left = whole - 3 * teacher_steps * teacher_rows - sampled - statistics - 2 * compared
        rows = self.batch_size or _rows_for(left / 3, 150)
        forget_rows = min(max(1, rows // 4), sizes.forget)
        retain_rows = max(1, min(rows - forget_rows, sizes.retain))
        # Each forget row is also shown to the teacher, the first time it is met.
        each = 3 * (retain_rows + forget_rows)
        early = min(left / (each + forget_rows), sizes.forget / forget_rows)
        steps = early + max(0.0, left - early * (each + forget_rows)) / each
        return Plan(
            teacher_rows, teacher_steps, statistics, sampled, compared, retain_rows, forget_rows,
            max(1, int(steps)),
        )  # fmt: skip


def _rows_for(rows: float, steps: int) -> int:
    """A batch of 32 to 128 rows, so that ``rows`` make about ``steps`` steps."""
    return 32 if rows < 48 * steps else 64 if rows < 96 * steps else 128


def sharpness(taught: Tensor, original: Tensor) -> float:
    """The factor b that brings softmax(b * taught) nearest to softmax(original), from 1/8 to 8.

    Minimises mean KL(original || b * taught), which is convex in b: its slope is the mean of
    sum_c (softmax(b * taught)_c - softmax(original)_c) * taught_c, found zero by bisection.

    Args:
        taught, original: (n, c) logits of the same records.
    """
    logits, wanted = taught.double(), torch.softmax(original.double(), 1)
    low, high = math.log(1 / 8), math.log(8.0)
    for _ in range(40):
        middle = (low + high) / 2
        shown = torch.softmax(math.exp(middle) * logits, 1)
        if float(((shown - wanted) * logits).sum()) < 0:
            low = middle
        else:
            high = middle
    return math.exp((low + high) / 2)


class _Teacher:
    """A restarted copy, healed on the retain set alone."""

    def __init__(self, method: RestartTeacher, task: Task, plan: Plan) -> None:
        self._task, self._plan = task, plan
        self.sharpness = 1.0
        self.model: nn.Module = copy.deepcopy(task.model)
        assert task.fresh is not None
        Restart(method.keep, method.noise).apply(self.model, task.fresh)
        optimizer = build_optimizer("adam", self.model, method.lr)
        steps = plan.teacher_steps
        sweep = Sweep(
            task, "retain", plan.teacher_rows,
            lambda rows: task.mean_loss(rows, task.show(rows, self.model)), "teacher",
        )  # fmt: skip
        self.healing = Pass(
            "teacher", steps, sweep.steps(steps), candidate=False, optimizer=optimizer,
            lr_at=lambda step: method.lr * (0.05 + 0.95 * (1 - step / steps)),
            finish=self._finish,
        )  # fmt: skip

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


class _Student:
    """The original, learning the teacher's answers and rehearsing its own."""

    def __init__(self, method: RestartTeacher, task: Task, plan: Plan, teacher: _Teacher) -> None:
        self._method, self._task, self._plan, self._teacher = method, task, plan, teacher
        self._rehearsal = Rehearsal(task, plan.retain_rows, method.hard)
        self._told: Tensor | None = None
        self._known = torch.zeros(len(task.sets.forget), dtype=torch.bool)

    def part(self, first: int, steps: int, before_step) -> Pass:  # type: ignore[no-untyped-def]
        """Some of the student's steps."""
        method, task, total = self._method, self._task, self._plan.student_steps

        def loss(step: int) -> Tensor:
            rows = self._rehearsal.batch(first + step)
            forget = task.batch("forget", self._plan.forget_rows, first + step)
            told = self._answers(forget)
            outputs, shown = task.show_together(rows, forget)
            kept = task.loss(outputs, rows.targets)
            self._rehearsal.tell(rows, kept)
            apart = distance_rows(shown, told, 1.0, is_classification=task.is_classification)
            return kept.mean() + method.strength * apart.mean()

        return Pass(
            "student", steps, loss, before_step=before_step,
            lr_at=lambda step: method.student_lr * (1 - (first + step) / total),
        )  # fmt: skip

    def _answers(self, rows: Batch) -> Tensor:
        """The teacher's outputs, asked for once per record."""
        new = ~self._known[rows.index]
        if bool(new.any()):
            asked = self._task.rows("forget", rows.index[new], rows.number, "answers")
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
        if self._told is not None:
            kept["told"] = self._told
        weights = self._teacher.model.state_dict()
        return {**kept, **{f"teacher/{name}": value for name, value in weights.items()}}

    def remember(self, kept: dict[str, Tensor]) -> None:
        """Undo :meth:`memory`."""
        self._rehearsal.losses, self._known = kept["losses"], kept["known"].bool()
        self._teacher.sharpness = float(kept["sharpness"])
        device = self._task.device
        self._told = kept["told"].to(device) if "told" in kept else None
        prefix = "teacher/"
        self._teacher.model.load_state_dict(
            {name[len(prefix) :]: value for name, value in kept.items() if name.startswith(prefix)}
        )
