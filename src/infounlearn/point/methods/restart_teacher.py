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

import math
from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import nn

from infounlearn.errors import InputError, Problems
from infounlearn.point.methods.base import (
    Need,
    Range,
    Sizes,
    Space,
    Training,
    check_numbers,
)
from infounlearn.point.methods.null_space import NullSpace
from infounlearn.point.methods.task import Task
from infounlearn.point.methods.teaching import Plan, Student, Teacher
from infounlearn.point.restart import Restart

MANY_STEPS = 150
"""Steps of the student that forget all that the teacher says; fewer must be longer."""
MOST_SAMPLED = 1000
"""Rows that are enough to know the inputs of every layer, or how sure a network is."""
FEWEST_ROWS = 12_000
"""Rows of the shortest default run: fewer steps move a network too little to forget anything."""
LOOKS = 4
"""Passes into which the student's steps are cut, with a look and a checkpoint after each."""


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

    Steps are as long as there is something to forget (:func:`amount`): the share of a full step is
    read from how much more the teacher loses than the original on forget records, beyond what it
    loses more on held-out records, and beyond chance. Where none of that is left the weights stay
    those of the original, and the run's warnings say so: it is no proof that nothing is known.

    Only linear layers and convolutions of the student change (:func:`affine_maps`); all other
    weights, and batch-norm statistics, stay those of the original. The teacher is shown no forget
    record in training, but starts with ``keep`` of weights that were.

    Attributes:
        epochs: cost of the whole run, in passes over the retain set; need not be whole.
        lr: first step size of the teacher; three to four times that of the original's training.
        teacher_share: share of the cost that goes into the teacher.
        keep, noise: of the restart, from 0 to 1; None takes what the teacher's steps can heal: 0.3
            and 1 where they are many, up to 0.7 and 0.5 where they are few.
        teacher_batch_size: retain rows per step of the teacher; None takes 100 steps of 32 rows,
            then 300 of 64, then 128.
        strength: weight of the teacher's answers for an original that fits its retain set. One that
            does not is pulled back harder by it, so answers weigh more, by 1 + 160 times the retain
            loss that it shows on the first batch, as a share of the loss of knowing nothing
            (fitted, not derived). 0 leaves the forget records to what rehearsal does to them, in
            steps that are no shorter.
        student_lr: first step of the student as a share of the norm of its weights, in a run of
            150 steps or more; shorter runs take longer steps, by (150 / steps)^(1/2).
        batch_size: rows per step of the student, a quarter of them to forget; None takes about
            150 steps with 32 to 128 rows.
        hard: share of these retain rows drawn by the loss they last showed.
        damping: of the student's gradients: small ones protect the retain set more.
        full_steps: take steps of full length, whatever there is to forget.
        sample_share: share of the cost, up to 1,000 rows, spent on seeing the inputs of retain
            rows; measuring batch-norm statistics, held-out and forget records takes as much again
            each.

    References: ours, measured in docs/method.md; shrink and perturb: Ash & Adams (2020),
    arXiv:1910.08475; distilling a teacher that must not know: Chundawat et al. (2023),
    arXiv:2205.08096, whose teacher knows nothing at all.
    """

    epochs: float = 7.0
    lr: float = 3.5e-3
    teacher_share: float = 0.42
    keep: float | None = None
    noise: float | None = None
    teacher_batch_size: int | None = None
    strength: float = 0.07
    student_lr: float = 1.2e-3
    batch_size: int | None = None
    hard: float = 0.55
    damping: float = 0.05
    full_steps: bool = False
    sample_share: float = 0.05

    name: ClassVar[str] = "restart-teacher"
    title: ClassVar[str] = "ours: restarted teacher"
    paper: ClassVar[str] = "this project, docs/method.md"
    needs: ClassVar[frozenset[Need]] = frozenset({"fresh"})
    reads_forget: ClassVar[bool] = True
    space: ClassVar[Space] = {
        "lr": Range(1e-4, 0.1),
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
            shares=[*self._given("keep", "noise"), "hard", "teacher_share", "sample_share"],
            whole=self._given("teacher_batch_size", "batch_size"),
        )
        problems.require(
            self.teacher_share < 1,
            f"{self.name}: teacher_share is {self.teacher_share!r}",
            why="the student needs a part of the cost",
            fix="pass a share below 1",
        )

    def _given(self, *names: str) -> list[str]:
        return [name for name in names if getattr(self, name) is not None]

    def restart(self, steps: int) -> Restart:
        """The restart of a teacher that is healed in ``steps`` steps.

        The curve is fitted, not derived: it joins the best of those tried at about 20, 50, 100 and
        200 to 450 steps on digits and MNIST.
        """
        keep = 0.3 + 0.4 * math.exp(-((steps / 140) ** 2)) if self.keep is None else self.keep
        noise = min(1.0, 0.5 + steps / 180) if self.noise is None else self.noise
        return Restart(round(keep, 3), round(noise, 3))

    def start(self, task: Task) -> Training:
        """See :class:`Method`.

        Raises:
            InputError: the model has no linear layer and no convolution that may change.
        """
        assert task.fresh is not None  # Method.needs
        plan = self.plan(task.sizes)
        sample = task.once("retain", 1024, plan.sampled)
        space = NullSpace(task, task.model, sample, self.damping)
        weights = space.weights
        if not weights:
            raise InputError(
                f"{self.name}: model has no linear layer or convolution that may change: choose "
                "another method"
            )
        teacher = Teacher(self, task, plan)
        optimizer = torch.optim.SGD(weights, 1.0, momentum=0.8)
        length = torch.cat([weight.detach().flatten() for weight in weights]).norm()

        def before_step() -> None:
            space.damp()
            own = [weight.grad for weight in weights if weight.grad is not None]
            size = torch.stack([gradient.norm() for gradient in own]).norm()
            # A gradient of exactly zero stays one.
            scale = (length / size).clamp_max(torch.finfo(size.dtype).max)
            for gradient in own:
                gradient.mul_(scale)

        student = Student(self, task, plan, teacher)
        steps = [len(part) for part in torch.arange(plan.student_steps).tensor_split(LOOKS)]
        passes = [teacher.healing]
        for number, count in enumerate(steps):
            if count:
                passes.append(student.part(sum(steps[:number]), count, before_step))
        return Training(
            passes, optimizer, memory=student.memory, remember=student.remember,
            remarks=_left(task.model, weights), found=student.remarks,
        )  # fmt: skip

    def cost(self, sizes: Sizes) -> float:
        """See :class:`Method`."""
        plan = self.plan(sizes)
        shown = plan.student_steps * plan.forget_rows
        return float(
            3 * plan.teacher_steps * plan.teacher_rows
            + plan.statistics
            + plan.sampled
            + 2 * (plan.compared + plan.weighed)
            + 3 * plan.student_steps * (plan.retain_rows + plan.forget_rows)
            + min(shown, sizes.forget)
        )

    def plan(self, sizes: Sizes) -> Plan:
        """Steps of teacher and student that cost ``epochs`` passes over the retain set."""
        whole = 3 * self.epochs * sizes.retain
        sampled = max(1, min(round(self.sample_share * whole), sizes.retain, MOST_SAMPLED))
        compared = min(round(self.sample_share * whole / 2), sizes.targets, MOST_SAMPLED)
        weighed = max(1, min(round(self.sample_share * whole / 2), sizes.forget, MOST_SAMPLED))
        statistics = sampled if sizes.batch_norm and sampled > 1 else 0
        trained = self.teacher_share * whole / 3
        teacher_rows = min(self.teacher_batch_size or _rows_for(trained, 100, 300), sizes.retain)
        teacher_steps = max(1, round(trained / teacher_rows))
        left = whole - 3 * teacher_steps * teacher_rows - sampled - statistics
        left -= 2 * (compared + weighed)
        rows = self.batch_size or _rows_for(left / 3, MANY_STEPS, MANY_STEPS)
        forget_rows = min(max(1, rows // 4), sizes.forget)
        retain_rows = max(1, min(rows - forget_rows, sizes.retain))
        # Each forget row is also shown to the teacher, the first time it is met.
        each = 3 * (retain_rows + forget_rows)
        early = min(left / (each + forget_rows), sizes.forget / forget_rows)
        steps = early + max(0.0, left - early * (each + forget_rows)) / each
        student_steps = max(1, int(steps))
        return Plan(
            teacher_rows, teacher_steps, statistics, sampled, compared, weighed, retain_rows,
            forget_rows, student_steps, max(1.0, MANY_STEPS / student_steps) ** 0.5,
        )  # fmt: skip


def _left(model: nn.Module, changed: list[nn.Parameter]) -> tuple[str, ...]:
    """What to say of weights that could change and do not; that of norms goes without saying."""
    ours = set(changed)
    left = {
        name: weight.numel()
        for name, weight in model.named_parameters()
        if weight.requires_grad and weight.ndim > 1 and weight not in ours
    }
    if not left:
        return ()
    every = sum(weight.numel() for weight in model.parameters() if weight.requires_grad)
    return (
        f"{sum(left.values())} of {every} trainable weights stay as in the original, among them "
        f"{list(left)[:5]}: only linear layers and convolutions change, and of these the ones "
        "whose inputs could be seen",
    )


def for_rows(method: RestartTeacher, retain: int) -> RestartTeacher:
    """The default for a retain set of this size: small ones take more passes, for enough steps."""
    return replace(method, epochs=max(method.epochs, FEWEST_ROWS / retain))


def _rows_for(rows: float, steps: int, many: int) -> int:
    """A batch of 32 rows up to ``steps`` steps, of 64 up to ``many``, of 128 beyond."""
    return 32 if rows < 48 * steps else 64 if rows < 96 * many else 128
