"""Training from scratch: one plain loop, the same for original and retrained networks.

Retraining is the reference of every audit, so it must be exactly "the original recipe on other
records". Records already are tensors; batches are cut from them directly, without a DataLoader.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from time import perf_counter
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from infounlearn.data.records import Records
from infounlearn.errors import DivergenceError, Problems
from infounlearn.experiments.networks import Factory, seeded

Progress = Callable[[int, int], None]
"""Called with (epochs done, epochs in all)."""


@dataclass(frozen=True)
class Recipe:
    """How a network is trained.

    Attributes:
        epochs: passes over the records; 0 returns the fresh initialisation.
        batch_size: rows of a step; the last batch of an epoch is the short rest.
        lr: learning rate, constant.
        weight_decay: L2 penalty, decoupled for "adamw".
        optimizer: "adam", "adamw" or "sgd" (momentum 0.9).

    Raises:
        InputError: a number is out of range or the optimizer unknown.
    """

    epochs: int
    batch_size: int
    lr: float
    weight_decay: float = 0.0
    optimizer: Literal["adam", "adamw", "sgd"] = "adam"

    def __post_init__(self) -> None:
        problems = Problems("Recipe")
        problems.require(self.epochs >= 0, f"epochs is {self.epochs}", fix="pass 0 or more")
        problems.require(
            self.batch_size >= 1, f"batch_size is {self.batch_size}", fix="pass 1 or more"
        )
        problems.require(self.lr > 0, f"lr is {self.lr}", fix="pass a positive learning rate")
        problems.require(
            self.weight_decay >= 0, f"weight_decay is {self.weight_decay}", fix="pass 0 or more"
        )
        problems.require(
            self.optimizer in ("adam", "adamw", "sgd"),
            f"optimizer is {self.optimizer!r}",
            fix="choose adam, adamw or sgd",
        )
        problems.raise_if_any()

    def build(self, model: nn.Module) -> torch.optim.Optimizer:
        """The optimizer of this recipe over all parameters of ``model``."""
        parameters = list(model.parameters())
        # One fused kernel per step: on small networks the step would otherwise cost most of all.
        if self.optimizer == "sgd":
            return torch.optim.SGD(
                parameters, self.lr, momentum=0.9, weight_decay=self.weight_decay, fused=True
            )
        kind = torch.optim.Adam if self.optimizer == "adam" else torch.optim.AdamW
        return kind(parameters, self.lr, weight_decay=self.weight_decay, fused=True)


@dataclass(frozen=True)
class TrainedModel:
    """A network in evaluation mode, the seed it grew from, and what it cost.

    Attributes:
        model: the network.
        seed: of initialisation, order of the records and dropout.
        seconds: wall time of training; of the original training where it came from a cache.
        rows_backward: rows that went through a backward pass.
    """

    model: nn.Module
    seed: int
    seconds: float
    rows_backward: int


def train(
    factory: Factory,
    records: Records,
    recipe: Recipe,
    seed: int,
    *,
    progress: Progress | None = None,
    on_epoch: Callable[[int, nn.Module], None] | None = None,
) -> TrainedModel:
    """Train a fresh network on ``records``: cross-entropy for labels, squared error otherwise.

    The same arguments on the same machine and number of threads give the same weights, bit for
    bit, and the global random state is untouched. Runs on the CPU.

    Args:
        factory: builds the network from a seed.
        records: what to learn.
        recipe: how.
        seed: one number for initialisation, order and dropout (each with a stream of its own).
        progress: told after each epoch.
        on_epoch: called with (epoch from 1, model) after each epoch, in evaluation mode; it may
            look at the model and draw random numbers without changing the result.

    Raises:
        InputError: there are no records, or the outputs of the network do not fit their targets.
        DivergenceError: the loss of an epoch is not finite.
    """
    problems = Problems("train")
    problems.require(len(records) > 0, f"{records.name} is empty", fix="pass at least one record")
    problems.require(seed >= 0, f"seed is {seed}", fix="pass 0 or more")
    problems.raise_if_any()
    init, order, dropout = (int(s) for s in np.random.SeedSequence(seed).generate_state(3))
    model = factory(init)
    _require_fit(model, records)
    loss_of = nn.functional.cross_entropy if records.is_classification else nn.functional.mse_loss
    optimizer = recipe.build(model)
    generator = torch.Generator().manual_seed(order)
    # Building the first optimizer of a process makes torch import its compiler, two seconds that
    # are no cost of training; so the clock starts here.
    start, watching = perf_counter(), 0.0
    for epoch in range(1, recipe.epochs + 1):
        model.train()
        total = torch.zeros(())
        # Dropout of an epoch has its own seed, so nothing that on_epoch draws can shift it.
        with seeded(dropout + epoch):
            for index in epoch_batches(len(records), recipe.batch_size, generator):
                optimizer.zero_grad()
                loss = loss_of(model(records.inputs[index]), records.targets[index])
                loss.backward()
                optimizer.step()
                total += loss.detach()
        if not torch.isfinite(total):
            raise DivergenceError(
                f"train: the loss on {records.name} is {float(total)} in epoch {epoch}: "
                f"lower lr (now {recipe.lr}) or check the records"
            )
        looking = perf_counter()
        if progress is not None:
            progress(epoch, recipe.epochs)
        if on_epoch is not None:
            model.eval()
            on_epoch(epoch, model)
        watching += perf_counter() - looking
    seconds = perf_counter() - start - watching
    return TrainedModel(model.eval(), seed, seconds, recipe.epochs * len(records))


def _require_fit(model: nn.Module, records: Records) -> None:
    """Look at the outputs for one record before any training."""
    with torch.no_grad():
        shape = tuple(model.eval()(records.inputs[:1]).shape)
    problems = Problems("train")
    if records.is_classification:
        low, high = int(records.targets.min()), int(records.targets.max())
        problems.require(
            len(shape) == 2 and low >= 0 and high < shape[1],
            f"outputs for one record have shape {shape}, labels lie in {low}..{high}",
            fix="build a network with one logit per class, classes counted from 0",
        )
    else:
        expected = (1, *records.targets.shape[1:])
        problems.require(
            shape == expected,
            f"outputs for one record have shape {shape}, targets {expected}",
            fix="build a network with one output per target",
        )
    problems.raise_if_any()


def epoch_batches(rows: int, batch_size: int, generator: torch.Generator) -> Iterator[Tensor]:
    """All of 0..rows-1 in random order, in batches; the last one is the short rest.

    A rest of one row joins the batch before it: batch-norm has no variance of a single row.
    """
    parts = list(torch.randperm(rows, generator=generator).split(batch_size))
    if len(parts) > 1 and len(parts[-1]) == 1 and batch_size > 1:
        parts[-2:] = [torch.cat(parts[-2:])]
    yield from parts


@contextmanager
def one_thread() -> Iterator[None]:
    """Run a block with a single torch thread: sums, and so weights, do not depend on the cores."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
