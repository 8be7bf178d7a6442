"""The thin training loop of the estimators: a multi-layer perceptron, Adam, one penalty.

Own, not skorch's: it is one page, seeds itself without the global generators, and hands back plain
arrays, so that a fitted estimator pickles, predicts in float64 and needs no torch to do so.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from infounlearn.errors import DivergenceError
from infounlearn.feature.penalty import InformationPenalty

STEPS = 3000
"""Steps that ``epochs="auto"`` aims at, within 15 and 200 passes over the rows."""


@dataclass(frozen=True)
class Recipe:
    """How to train.

    Attributes:
        hidden: widths of the hidden layers.
        epochs: passes over the rows, or "auto".
        batch_size: rows of a step, at most.
        learning_rate: of Adam at the start; it falls to 0 as a half cosine.
        weight_decay: λ of λ‖w‖², decoupled (AdamW), biases left out.
        patience: epochs without a better validation objective before the run ends and the best
            weights are put back; None runs through.
        progress: whether to draw a bar.
    """

    hidden: tuple[int, ...]
    epochs: int | str
    batch_size: int
    learning_rate: float
    weight_decay: float
    patience: int | None
    progress: bool

    def passes(self, rows: int) -> int:
        """Number of epochs for so many rows."""
        if isinstance(self.epochs, int):
            return self.epochs
        return min(200, max(15, math.ceil(STEPS / math.ceil(rows / self.batch_size))))


@dataclass(frozen=True)
class Rows:
    """Rows to train or judge on: standardised inputs, targets, groups, strata."""

    inputs: Tensor
    targets: Tensor
    z: np.ndarray | None
    given: np.ndarray | None

    def __len__(self) -> int:
        return len(self.inputs)


@dataclass(frozen=True)
class Layers:
    """A network as arrays: weights (in, out) and biases (out,) of each layer, float64."""

    weights: tuple[np.ndarray, ...]
    biases: tuple[np.ndarray, ...]

    def __call__(self, inputs: np.ndarray) -> np.ndarray:
        """(n, outputs) of (n, d) standardised inputs."""
        values = inputs
        for layer, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            values = (np.maximum(values, 0.0) if layer else values) @ weight + bias
        return values


@dataclass(frozen=True)
class Trained:
    """Weights of a finished run and what happened in each epoch."""

    layers: Layers
    history: tuple[dict[str, float], ...]
    stopped: str


Loss = Callable[[Tensor, Tensor], Tensor]
Measure = Callable[[np.ndarray, Rows], float]
"""De-biased information of outputs with the groups of their rows."""


def train(
    rows: Rows,
    judges: Rows | None,
    *,
    outputs: int,
    loss: Loss,
    penalty: InformationPenalty | None,
    measure: Measure,
    recipe: Recipe,
    seed: int,
) -> Trained:
    """Minimise ``loss + penalty`` over a fresh network.

    Args:
        rows: to train on.
        judges: validation rows, or None.
        outputs: width of the last layer.
        loss: of outputs and targets.
        penalty: None where Z plays no part.
        measure: for the history of the validation rows.
        recipe: how.
        seed: of weights and batches; no global generator is used.

    Raises:
        DivergenceError: the loss left the finite numbers.
    """
    generator = torch.Generator().manual_seed(seed)
    widths = (rows.inputs.shape[1], *recipe.hidden, outputs)
    network = _network(widths, generator)
    matrices = [p for p in network.parameters() if p.dim() == 2]
    others = [p for p in network.parameters() if p.dim() != 2]
    groups: list[dict[str, Any]] = [
        {"params": matrices, "weight_decay": recipe.weight_decay},
        {"params": others},
    ]
    optimizer = torch.optim.AdamW(groups, lr=recipe.learning_rate, weight_decay=0.0)
    epochs = recipe.passes(len(rows))
    batches = math.ceil(len(rows) / recipe.batch_size)
    total, step = epochs * batches, 0
    history: list[dict[str, float]] = []
    best, best_layers, waited = math.inf, None, 0
    for epoch in _bar(range(1, epochs + 1), recipe.progress):
        order = torch.randperm(len(rows), generator=generator)
        spent = 0.0
        for index in torch.tensor_split(order, batches):
            for group in optimizer.param_groups:
                cosine = 0.5 * (1.0 + math.cos(math.pi * step / total))
                group["lr"] = recipe.learning_rate * cosine
            spent += _step(network, optimizer, rows, index, loss, penalty) * len(index)
            step += 1
        line = {"epoch": float(epoch), "loss": spent / len(rows)}
        if penalty is not None:
            line |= {
                "information": _number(penalty.information),
                "weight": _number(penalty.weights),
            }
        if judges is not None:
            line |= _judge(network, judges, loss, measure)
        history.append(line)
        if recipe.patience is None or judges is None:
            continue
        objective = line["validation_loss"]
        objective += line.get("weight", 0.0) * line["validation_information"]
        waited += 1
        if objective < best:
            best, best_layers, waited = objective, _layers(network), 0
        if waited >= recipe.patience:
            assert best_layers is not None  # an infinite objective diverged before
            return Trained(best_layers, tuple(history), f"no better for {waited} epochs")
    return Trained(best_layers or _layers(network), tuple(history), f"{epochs} epochs are over")


def _step(
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    rows: Rows,
    index: Tensor,
    loss: Loss,
    penalty: InformationPenalty | None,
) -> float:
    """One step; the task loss before it."""
    shown = network(rows.inputs[index])
    task = loss(shown, rows.targets[index])
    objective = task
    if penalty is not None and rows.z is not None:
        which = index.numpy()
        given = None if rows.given is None else rows.given[which]
        objective = task + penalty(shown, rows.z[which], given=given)
    value = float(task.detach())
    if not math.isfinite(value):
        raise DivergenceError(
            f"training: the loss is {value}: lower learning_rate, or scale the target"
        )
    optimizer.zero_grad(set_to_none=True)
    objective.backward()
    optimizer.step()
    return value


@torch.no_grad()
def _judge(network: nn.Module, rows: Rows, loss: Loss, measure: Measure) -> dict[str, float]:
    shown = network(rows.inputs)
    line = {"validation_loss": float(loss(shown, rows.targets)), "validation_information": 0.0}
    if rows.z is not None:
        line["validation_information"] = measure(shown.double().numpy(), rows)
    return line


def _network(widths: Sequence[int], generator: torch.Generator) -> nn.Sequential:
    """Linear layers with ReLU between them, drawn as torch draws them but from ``generator``."""
    modules: list[nn.Module] = []
    for inputs, outputs in pairwise(widths):
        layer: Any = nn.utils.skip_init(nn.Linear, inputs, outputs)
        bound = 1.0 / math.sqrt(inputs)
        with torch.no_grad():
            layer.weight.uniform_(-bound, bound, generator=generator)
            layer.bias.uniform_(-bound, bound, generator=generator)
        modules += [layer, nn.ReLU()]
    return nn.Sequential(*modules[:-1])


def _layers(network: nn.Sequential) -> Layers:
    linear = [module for module in network if isinstance(module, nn.Linear)]
    weights = tuple(layer.weight.detach().double().numpy().T.copy() for layer in linear)
    return Layers(weights, tuple(layer.bias.detach().double().numpy().copy() for layer in linear))


def _bar(epochs: Iterable[int], progress: bool) -> Iterable[int]:
    if not progress:
        return epochs
    from rich.console import Console
    from rich.progress import track

    return track(epochs, description="training", console=Console(stderr=True))


def _number(value: dict[str, float] | float) -> float:
    assert not isinstance(value, dict)  # one attribute, without a name
    return value
