"""What a published method is, and what it asks of the engine.

A method is a frozen value: its settings, every default the published one. :meth:`Method.start`
prepares the run's own copy of the model and says what will be done: passes over rows, each step of
which gives a loss to be minimised, or edits of the weights. The engine does the rest, the same for
all: order of the rows, modes, batch-norm, cost, evaluations, checkpoints, divergence, Ctrl-C.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol, TypeVar

import torch
from torch import Tensor, nn

from infounlearn.errors import Problems, is_number
from infounlearn.point.objective import Look

if TYPE_CHECKING:
    from infounlearn.point.methods.task import Task

Need = Literal["holdout", "labels", "fresh"]
"""What a method may need of the caller: held-out records, class labels (no regression), or a
freshly initialised network (``reset_parameters`` in every module, or ``fresh=``)."""

OptimizerName = Literal["sgd", "adam", "adamw"]


@dataclass(frozen=True)
class Range:
    """Values a tuner may give a setting: from ``low`` to ``high``, by default on a log scale."""

    low: float
    high: float
    log: bool = True
    whole: bool = False


@dataclass(frozen=True)
class Choice:
    """Values a tuner may give a setting, one of these."""

    values: tuple[Any, ...]


Space = Mapping[str, Range | Choice]


@dataclass(frozen=True)
class Sizes:
    """Rows of each record set that a run is given; 0 held-out rows where there are none.

    ``batch_norm`` says whether the model has running statistics, which some methods measure: see
    :func:`infounlearn.point.methods.task.has_statistics`.
    """

    forget: int
    retain: int
    targets: int = 0
    validation: int = 0
    batch_norm: bool = False


@dataclass(frozen=True)
class Pass:
    """Some steps of one kind, with an evaluation after the last.

    Attributes:
        name: for messages, such as "forget".
        steps: number of steps; 0 is allowed and does nothing.
        loss: 0-d loss of step i (counted from 0 within the pass), to be minimised. It must depend
            on i, the seed and the weights alone, so that a resumed run repeats it.
        edit: instead of a loss: one change of the weights in place, without an optimizer.
        candidate: whether the state at its end may be the one that is returned, be it as the last
            one, after Ctrl-C, or by :attr:`Training.rewind`.
        optimizer: of these steps, where it is not that of the whole training.
        lr_at: step size of step i of this pass, where it is not that of the whole training.
        before_step: as in :class:`Training`, for this pass alone.
        finish: called after the last step, before the evaluation.
    """

    name: str
    steps: int
    loss: Callable[[int], Tensor] | None = None
    edit: Callable[[], None] | None = None
    candidate: bool = True
    optimizer: torch.optim.Optimizer | None = None
    lr_at: Callable[[int], float] | None = None
    before_step: Callable[[], None] | None = None
    finish: Callable[[], None] | None = None


@dataclass(frozen=True)
class Training:
    """All that will be done, decided before the first step.

    Attributes:
        passes: in order.
        optimizer: of all steps; None where only edits are made.
        lr_at: step size of step i of n; None leaves the optimizer's own.
        before_step: called between the gradient and the optimizer's step, to change gradients.
        after_step: called after the optimizer's step, to put weights back.
        rewind: what an evaluated state shows, and what it says should be shown. All candidates are
            kept, and the one returned is that whose first number is nearest to the second number
            of the last candidate, the later of two equal ones. None returns the last.
        memory: tensors that a resumed run needs beside weights and optimizer, at the end of a pass.
        remember: takes them back.
        remarks: what a report must say.
        found: what it must say besides, once the run is over.
    """

    passes: Sequence[Pass]
    optimizer: torch.optim.Optimizer | None = None
    lr_at: Callable[[int, int], float] | None = None
    before_step: Callable[[], None] | None = None
    after_step: Callable[[], None] | None = None
    rewind: Callable[[Look], tuple[float, float]] | None = None
    memory: Callable[[], dict[str, Tensor]] | None = None
    remember: Callable[[dict[str, Tensor]], None] | None = None
    remarks: tuple[str, ...] = ()
    found: Callable[[], tuple[str, ...]] = tuple


class Method(Protocol):
    """One way to unlearn, with its settings.

    Attributes:
        name: on a command line and in tables.
        title: in figures and reports.
        paper: where it was published.
        needs: of the caller; checked before any work. May depend on the settings.
        space: settings that a tuner may change, and to what; ``epochs`` is always one of them,
            through the budget.
        reads_forget: whether the forget records themselves enter, or only the rest.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    paper: ClassVar[str]
    space: ClassVar[Space]
    reads_forget: ClassVar[bool]

    @property
    def needs(self) -> frozenset[Need]: ...

    def check(self, problems: Problems) -> None:
        """Collect settings that cannot be used."""
        ...

    def start(self, task: Task) -> Training:
        """Prepare ``task.model`` in place and say what will be done.

        A resumed run calls it again and then loads weights over it; so it must depend on the
        original model, the records and the seed alone.
        """
        ...

    def cost(self, sizes: Sizes) -> float:
        """Rows of a whole run in forward rows, a backward counting as two more.

        What the engine counts, evaluations left out; tested to be equal for every method.
        """
        ...


AnyMethod = TypeVar("AnyMethod", bound=Method)


def within(method: AnyMethod, rows: float, sizes: Sizes) -> AnyMethod | None:
    """The method with as many epochs, up to its own, as cost at most ``rows`` forward rows.

    None where even the shortest run, of one step, costs more. A method without ``epochs`` runs
    whole or not.
    """
    epochs = getattr(method, "epochs", None)
    fits = method.cost(sizes) <= rows
    if epochs is None:
        return method if fits else None
    low, high = 0.0, float(epochs)
    for _ in range(0 if fits else 40):
        middle = (low + high) / 2
        if replace(method, epochs=middle).cost(sizes) <= rows:  # type: ignore[type-var]
            low = middle
        else:
            high = middle
    # No step costs nothing and always fits, but is no run.
    if not fractions(high if fits else low):
        return None
    return method if fits else replace(method, epochs=low)  # type: ignore[type-var]


def fractions(epochs: float) -> list[float]:
    """Shares of the passes of a run that need not be whole: 2.5 is [1, 1, 0.5]."""
    whole = math.floor(epochs)
    rest = epochs - whole
    # 3 epochs found by bisection are 2.9999...: no pass of a step or less.
    return [1.0] * whole + ([rest] if rest > 1e-6 else [])


def steps_of(rows: int, batch_size: int, share: float = 1.0) -> int:
    """Steps of a pass over ``share`` of ``rows``; every row is in a whole pass.

    A part of a pass has at least one step: without it alternating methods would lose their other
    half.
    """
    return max(1, math.floor(share * math.ceil(rows / min(batch_size, rows)) + 1e-9))


def rows_of(rows: int, batch_size: int, epochs: float = 1.0) -> int:
    """Rows that so many passes visit: the last batch of a pass is filled from the next pass."""
    steps = sum(steps_of(rows, batch_size, share) for share in fractions(epochs))
    return steps * min(batch_size, rows)


def build_optimizer(
    kind: OptimizerName, model: nn.Module, lr: float, weight_decay: float = 0.0
) -> torch.optim.Optimizer:
    """Over the trainable parameters of ``model``; "sgd" has momentum 0.9."""
    weights = [weight for weight in model.parameters() if weight.requires_grad]
    if kind == "sgd":
        return torch.optim.SGD(weights, lr, momentum=0.9, weight_decay=weight_decay, fused=True)
    make = torch.optim.Adam if kind == "adam" else torch.optim.AdamW
    return make(weights, lr, weight_decay=weight_decay, fused=True)


def check_numbers(
    method: Method,
    problems: Problems,
    *,
    above_zero: Sequence[str] = (),
    zero_or_more: Sequence[str] = (),
    shares: Sequence[str] = (),
    whole: Sequence[str] = (),
) -> None:
    """Collect numeric settings out of range: positive, non-negative, in [0, 1], whole and >= 1.

    Whole ones are integers: 32.0 counts as a mistake, for they count rows and steps.
    """
    for names, fits, fix in (
        (above_zero, lambda v: v > 0, "a number above 0"),
        (zero_or_more, lambda v: v >= 0, "a number of 0 or more"),
        (shares, lambda v: 0 <= v <= 1, "a number from 0 to 1"),
        (whole, lambda v: v >= 1, "an integer of 1 or more"),
    ):
        for name in names:
            value = getattr(method, name)
            problems.require(
                is_number(value, whole=names is whole) and fits(value),
                f"{method.name}: {name} is {value!r}",
                fix=f"pass {fix}",
            )


def check_optimizer(method: Any, problems: Problems) -> None:
    """Collect the settings that every trained method has: lr, epochs, batch_size, optimizer."""
    check_numbers(
        method, problems, above_zero=("lr", "epochs"), zero_or_more=("weight_decay",),
        whole=("batch_size",),
    )  # fmt: skip
    problems.require(
        method.optimizer in ("sgd", "adam", "adamw"),
        f"{method.name}: optimizer is {method.optimizer!r}",
        fix="choose sgd, adam or adamw",
    )
