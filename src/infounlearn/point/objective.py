"""What an objective sees and what it must give.

An objective is a frozen value; a run turns it into a :class:`Penalty`, which holds what changes
during the run (its weight gamma, bins, transport targets). The engine shows a penalty two things:
a :class:`Step` in every training step, and a :class:`Look` at every evaluation.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from infounlearn.errors import Problems, is_number
from infounlearn.math import logit_margin, squared_error


@dataclass(frozen=True)
class Shown:
    """Outputs and targets of some rows, and the rows' positions in their set."""

    outputs: Tensor
    targets: Tensor
    index: Tensor

    def __len__(self) -> int:
        return len(self.targets)

    @property
    def is_classification(self) -> bool:
        """Whether the targets are class labels."""
        return not self.targets.dtype.is_floating_point


@dataclass(frozen=True)
class Step:
    """One training step: the outputs of this process's rows, each forwarded once.

    Attributes:
        retain, forget: with gradient.
        holdout: without gradient, of the same classes as ``forget``; None unless asked for.
        alpha: natural share |F|/(|F|+|R|) of the forget set.
        processes: number of processes; losses of one process are parts of the whole's sum.
        forget_total: forget rows of this step over all processes.
    """

    retain: Shown
    forget: Shown
    holdout: Shown | None
    alpha: float
    processes: int
    forget_total: int

    def mean_over_forget(self, values: Tensor) -> Tensor:
        """This process's part of the mean of a per-row quantity over all forget rows."""
        return values.sum() / self.forget_total

    def part_of(self, pooled: Tensor) -> Tensor:
        """This process's part of a value that every process holds whole.

        Pooled information is the same in every process and its gradient that of the process's own
        rows. So the value is shared out and the gradient left alone.
        """
        if self.processes == 1:
            return pooled
        return pooled.detach() / self.processes + (pooled - pooled.detach())


@dataclass(frozen=True)
class Look:
    """One evaluation: what the model shows in eval mode, without gradient.

    Attributes:
        forget: all forget records, in order.
        retain: a fixed sample of the retain set.
        targets: held-out records that the objective may aim at; None without held-out data.
        validation: held-out records that judge the run and nothing else.
        alpha: natural share of the forget set.
    """

    forget: Shown
    retain: Shown
    targets: Shown | None
    validation: Shown | None
    alpha: float


@dataclass(frozen=True)
class Slopes:
    """Value of a penalty and its gradient by the outputs of a step's rows, written out.

    ``retain`` is None where the penalty does not depend on retain rows.
    """

    value: float
    forget: Tensor
    retain: Tensor | None = None


class Penalty(Protocol):
    """The information term of a running job."""

    gamma: float

    def refresh(self, look: Look) -> None:
        """Take in an evaluation: move gamma, bins or targets."""
        ...

    def __call__(self, step: Step) -> Tensor:
        """Unweighted penalty of a step, 0-d; over processes, parts that sum to the whole."""
        ...

    def slopes(self, step: Step) -> Slopes | None:
        """The same with its gradient, where that can be written out; None leaves it to autograd."""
        ...

    def information(self, look: Look) -> float | None:
        """The controlled information, in nats, where the penalty has one."""
        ...


class Objective(Protocol):
    """A frozen description of an information term."""

    @property
    def gamma(self) -> float: ...

    @property
    def needs_holdout(self) -> bool:
        """Whether held-out records are required."""
        ...

    @property
    def holdout_in_batch(self) -> bool:
        """Whether each step must forward held-out rows too."""
        ...

    def start(self, look: Look) -> Penalty:
        """The penalty at the beginning of a run."""
        ...


def score(shown: Shown, scale: float = 1.0) -> Tensor:
    """(n,) membership score, larger for records the model knows better.

    The logit margin of the true label, or the negative squared error in units of ``scale``.
    """
    if len(shown) == 0:  # this process's share of a small batch
        return shown.outputs.double().sum(1)
    if shown.is_classification:
        return logit_margin(shown.outputs, shown.targets)
    return -squared_error(shown.outputs, shown.targets) / scale


def loss_score(shown: Shown) -> Tensor:
    """(n,) loss of each record: -ln p_y in nats, or squared error."""
    if len(shown) == 0:
        return shown.outputs.double().sum(1)
    if shown.is_classification:
        rows = torch.log_softmax(shown.outputs.double(), 1)
        return -rows.gather(1, shown.targets[:, None])[:, 0]
    return squared_error(shown.outputs, shown.targets)


def check_weight(gamma: float, budget: float | None, rate: float, problems: Problems) -> None:
    """Collect weights, budgets and rates of dual ascent that cannot be used."""
    problems.require(
        is_number(gamma) and gamma >= 0, f"gamma is {gamma!r}", fix="pass a number of 0 or more"
    )
    problems.require(
        budget is None or (is_number(budget) and budget > 0),
        f"budget is {budget!r}",
        fix="pass nats above 0, or None",
    )
    problems.require(
        is_number(rate) and rate >= 0, f"rate is {rate!r}", fix="pass a number of 0 or more"
    )


class DualAscent:
    """gamma ← max(0, gamma + rate (I - budget)/budget): the weight that a budget asks for."""

    def __init__(self, gamma: float, budget: float | None, rate: float) -> None:
        self.gamma, self.budget, self.rate = gamma, budget, rate

    def update(self, information: float) -> float:
        """Move gamma by one evaluation's information (nats, may be negative) and return it."""
        if self.budget is not None:
            excess = (information - self.budget) / self.budget
            self.gamma = max(0.0, self.gamma + self.rate * excess)
        return self.gamma
