"""What a method works with: the models, the rows, and a count of what they cost."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch import Tensor, nn

from infounlearn.point.batches import Stream, join, shuffled, stream_seed, to_device
from infounlearn.point.evaluation import Sets, forward
from infounlearn.point.methods.base import Pass, Sizes, fractions, steps_of
from infounlearn.point.utility import Loss

Part = Literal["forget", "retain", "targets", "validation"]


@dataclass(frozen=True)
class Batch:
    """Rows of one record set: inputs, targets, their positions in it, and the batch's number."""

    part: Part
    inputs: Any
    targets: Tensor
    index: Tensor
    number: int = 0

    def __len__(self) -> int:
        return len(self.targets)


def has_statistics(model: nn.Module) -> bool:
    """Whether some batch-norm layer has running statistics, which can be measured anew.

    Instance norm is none of them, nor is a layer that does not track its statistics.
    """
    return any(
        isinstance(module, nn.modules.batchnorm._BatchNorm) and module.running_mean is not None
        for module in model.modules()
    )


@dataclass(eq=False)
class Task:
    """One run's material.

    Attributes:
        model: the run's own copy, to be changed.
        original: a second copy in eval mode without gradients; shares no storage with ``model``.
        sets: forget and retain records; ``targets`` and ``validation`` are parts of the held-out
            set, None without it.
        loss: per-row task loss (outputs, targets) to (n,).
        fresh: freshly initialised network of the same architecture; None unless the method needs
            it.
        seed: of every random choice.
        device: where rows are shown.
        cost: rows forwarded without gradient and rows trained on, so far.
    """

    model: nn.Module
    original: nn.Module
    sets: Sets
    loss: Loss
    fresh: nn.Module | None
    seed: int
    device: torch.device
    cost: dict[str, float] = field(default_factory=lambda: {"rows_forward": 0, "rows_backward": 0})

    def __post_init__(self) -> None:
        self._norms = [
            module
            for module in self.model.modules()
            if isinstance(module, nn.modules.batchnorm._NormBase)
            and module.running_mean is not None
        ]
        self._frozen_norms: list[nn.Module] = []
        self._flags = [(weight, weight.requires_grad) for weight in self.model.parameters()]
        self._streams: dict[tuple[str, str], Stream] = {}

    @property
    def is_classification(self) -> bool:
        """Whether the targets are class labels."""
        return not self.sets.forget.targets.dtype.is_floating_point

    @property
    def sizes(self) -> Sizes:
        """Rows of each record set."""
        targets, validation = self.sets.targets, self.sets.validation
        return Sizes(
            len(self.sets.forget),
            len(self.sets.retain),
            0 if targets is None else len(targets),
            0 if validation is None else len(validation),
            batch_norm=has_statistics(self.model),
        )

    def generator(self, *purpose: object) -> torch.Generator:
        """Random numbers for one purpose, the same in every run of this seed."""
        return torch.Generator().manual_seed(stream_seed(self.seed, *purpose))

    def batch(self, part: Part, size: int, number: int, purpose: str = "") -> Batch:
        """Batch ``number`` of an endless sequence of shuffled passes over a record set.

        Every row occurs once per pass; a batch is never larger than the set. Sequences of different
        ``purpose`` have orders of their own.
        """
        rows = self.positions(part, size, number, purpose)
        return self._take(part, rows, stream_seed(self.seed, part, purpose, number), number)

    def positions(self, part: Part, size: int, number: int, purpose: str = "") -> Tensor:
        """Which rows batch ``number`` holds."""
        records = self._records(part)
        stream = self._streams.setdefault(
            (part, purpose), Stream(len(records), self.seed, part, *filter(None, (purpose,)))
        )
        return stream.batch(number, min(size, len(records)))

    def mixed(self, size: int, number: int) -> list[Batch]:
        """Batch ``number`` of shuffled passes over all rows to keep and to forget together.

        Cut by record set, retain rows first, so that each can be shown in its own way; a set
        without a row in this batch is left out.
        """
        kept, total = len(self.sets.retain), len(self.sets.retain) + len(self.sets.forget)
        stream = self._streams.setdefault(("mixed", ""), Stream(total, self.seed, "mixed"))
        rows = stream.batch(number, min(size, total))
        parts: tuple[tuple[Part, Tensor], ...] = (
            ("retain", rows[rows < kept]), ("forget", rows[rows >= kept] - kept),
        )  # fmt: skip
        return [self.rows(part, own, number, "mixed") for part, own in parts if len(own)]

    def once(self, part: Part, size: int, limit: int | None = None) -> Iterator[Batch]:
        """All rows of a record set in order, or a random sample of ``limit`` rows, in batches."""
        rows = torch.arange(len(self._records(part)))
        if limit is not None and limit < len(rows):
            rows = shuffled(len(rows), self.seed, part, "sample")[:limit].sort().values
        for number, chunk in enumerate(rows.split(size)):
            yield self._take(part, chunk, stream_seed(self.seed, part, "once", number), number)

    def rows(self, part: Part, positions: Tensor, number: int = 0, purpose: str = "") -> Batch:
        """Rows of a record set by position; random transforms draw from the other arguments."""
        return self._take(part, positions, stream_seed(self.seed, part, purpose, number), number)

    def show(
        self, rows: Batch, model: nn.Module | None = None, *, as_evaluated: bool = False
    ) -> Tensor:
        """Outputs of the model in training mode, with gradient; counted as trained rows.

        Batch-norm learns its statistics from retain rows alone, and from no single row; that of
        frozen layers learns nothing. Show the retain rows of a step first: statistics that move
        between the forward of other rows and the backward would spoil their gradient. With
        ``as_evaluated`` the model is in eval mode: no dropout, and no statistics are learned.
        """
        own = self.model if model is None else model
        self.cost["rows_backward"] += len(rows)
        own.train(not as_evaluated)
        learns = rows.part == "retain" and len(rows) > 1
        for norm in self._frozen_norms if learns else self._norms:
            norm.eval()
        return forward(own, rows.inputs)

    def show_together(self, *parts: Batch) -> tuple[Tensor, ...]:
        """Outputs of several batches by one call, in eval mode, with gradient; counted as trained.

        For steps that learn no batch-norm statistics and want no dropout.
        """
        self.cost["rows_backward"] += sum(map(len, parts))
        self.model.eval()
        outputs = forward(self.model, join([part.inputs for part in parts]))
        return outputs.split([len(part) for part in parts])

    def freeze(self, but: Iterable[nn.Module]) -> None:
        """Let no weight and no batch-norm statistic change outside these modules.

        Frozen weights are to be in no optimizer, where weight decay and momentum would move them:
        build it afterwards. The engine restores ``requires_grad`` at the end.
        """
        inside = {module for one in but for module in one.modules()}
        free = {id(weight) for one in inside for weight in one.parameters(recurse=False)}
        for weight in self.model.parameters():
            if id(weight) not in free:
                weight.requires_grad_(False)
        self._frozen_norms = [norm for norm in self._norms if norm not in inside]

    def thaw(self) -> None:
        """Undo :meth:`freeze`."""
        self._frozen_norms = []
        for weight, flag in self._flags:
            weight.requires_grad_(flag)

    @torch.no_grad()
    def look(self, rows: Batch, model: nn.Module) -> Tensor:
        """Outputs of ``model`` in eval mode without gradient; counted as forwarded rows."""
        self.cost["rows_forward"] += len(rows)
        was_training = model.training
        model.eval()
        shown = forward(model, rows.inputs)
        model.train(was_training)
        return shown

    def training_loss(self, rows: Batch) -> Tensor:
        """Mean task loss of a batch by the model in training mode: see :meth:`show`."""
        return self.mean_loss(rows, self.show(rows))

    def mean_loss(self, rows: Batch, outputs: Tensor) -> Tensor:
        """Mean task loss of a batch."""
        return self.loss(outputs, rows.targets).mean()

    def _records(self, part: Part) -> Any:
        records = getattr(self.sets, part)
        assert records is not None  # checked before the run: Method.needs
        return records

    def _take(self, part: Part, rows: Tensor, seed: int, number: int) -> Batch:
        inputs, targets = self._records(part).take(rows, seed)
        return Batch(part, to_device(inputs, self.device), targets.to(self.device), rows, number)


class Sweep:
    """Shuffled passes over one record set with one loss, handed out one after another.

    Args:
        task: the run.
        part: which record set.
        batch_size: rows per step.
        loss: 0-d loss of a batch.
        purpose: gives two sweeps over one set orders of their own.
    """

    def __init__(
        self,
        task: Task,
        part: Part,
        batch_size: int,
        loss: Callable[[Batch], Tensor],
        purpose: str = "",
    ) -> None:
        self._task, self._part, self._size = task, part, batch_size
        self._loss, self._purpose, self._done = loss, purpose, 0

    def next(self, share: float = 1.0, *, candidate: bool = True) -> Pass:
        """The next pass, or a part of one."""
        rows = len(self._task._records(self._part))
        steps = steps_of(rows, self._size, share)
        return Pass(self._part, steps, self.steps(steps), candidate=candidate)

    def passes(self, epochs: float) -> list[Pass]:
        """So many passes, the last of them a part where they are not whole."""
        return [self.next(share) for share in fractions(epochs)]

    def steps(self, count: int) -> Callable[[int], Tensor]:
        """Losses of the next ``count`` steps."""
        first = self._done
        self._done += count

        def loss(step: int) -> Tensor:
            batch = self._task.batch(self._part, self._size, first + step, self._purpose)
            return self._loss(batch)

        return loss
