"""What a training step costs with InformationPenalty, against the plain step on the same rows."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from benchmarks.steps import TARGET, pictures, take_turns
from benchmarks.timing import Line, lines_of
from infounlearn.experiments.networks import MNIST_MLP
from infounlearn.feature.penalty import InformationPenalty

ROWS = (128, 256, 512)


def penalties() -> dict[str, InformationPenalty]:
    """What is measured: a fixed weight, a budget, two attributes, scores of two classes."""
    return {
        "label": InformationPenalty(gamma=1.0),
        # A weight that moves but stays: at 0 a budget forms no gradient, and costs less.
        "label, budget": InformationPenalty(gamma=1.0, max_information=1e-3, rate=1e-6),
        "label given 10 classes": InformationPenalty(gamma=1.0),
        "margin in 16 soft bins": InformationPenalty(gamma=1.0, level="score"),
    }


def run(*, rounds: int, steps: int) -> list[Line]:
    """All batch sizes."""
    lines = []
    for rows in ROWS:
        runs: dict[str, Callable[[], object]] = {"plain": _stepper(rows, None, "plain")}
        runs |= {name: _stepper(rows, penalty, name) for name, penalty in penalties().items()}
        timing = take_turns(runs, rounds=rounds, steps=steps)
        prefix = f"MLP 784-128-64-10, {rows} rows: "
        lines += lines_of(timing, "penalty cost", prefix, target=TARGET)
    return lines


def _stepper(rows: int, penalty: InformationPenalty | None, name: str) -> Callable[[], None]:
    model: nn.Module = MNIST_MLP(0)
    optimizer = torch.optim.Adam(model.parameters(), 1e-3, fused=True)
    data = pictures(8192, seed=0)
    generator = torch.Generator().manual_seed(1)
    sensitive = torch.randint(2, (len(data),), generator=generator)

    def informed(loss: Tensor, logits: Tensor, index: Tensor) -> Tensor:
        if penalty is None:
            return loss
        shown = logits[:, :2] if penalty.level == "score" else logits
        strata = data.targets[index] if "given" in name else None
        return loss + penalty(shown, sensitive[index], given=strata)

    def step() -> None:
        index = torch.randint(len(data), (rows,), generator=generator)
        optimizer.zero_grad(set_to_none=True)
        logits = model(data.inputs[index])
        loss = nn.functional.cross_entropy(logits, data.targets[index])
        informed(loss, logits, index).backward()
        optimizer.step()

    return step
