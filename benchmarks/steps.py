"""What a training step costs with an information term, against plain cross-entropy on the rows."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.timing import Line, Timing, lines_of
from infounlearn.data import Records
from infounlearn.experiments.networks import MNIST_MLP, Cnn, Factory
from infounlearn.math import marginal_information
from infounlearn.point import (
    BlindSpotWarning,
    MarginalInformation,
    MembershipInformation,
    Schedule,
    ScoreTransport,
    Steps,
    engine,
    unlearn,
)

TARGET = 1.15
OBJECTIVES: dict[str, Any] = {
    "MarginalInformation": MarginalInformation(),
    "ScoreTransport": ScoreTransport(),
    "MembershipInformation": MembershipInformation(),
}


@dataclass(frozen=True)
class Setting:
    """A network and the rows of a step."""

    title: str
    factory: Factory
    retain: int
    forget: int


SETTINGS = (
    Setting("MLP 784-128-64-10, 64+16 rows", MNIST_MLP, 64, 16),
    Setting("MLP 784-128-64-10, 128+32 rows", MNIST_MLP, 128, 32),
    Setting("small CNN, 64+16 rows", Cnn(width=16), 64, 16),
)


def pictures(rows: int, seed: int, first: int = 0) -> Records:
    """Random pictures of MNIST's shape: what is in them costs no time."""
    generator = torch.Generator().manual_seed(seed)
    inputs = torch.rand(rows, 1, 28, 28, generator=generator)
    targets = torch.randint(10, (rows,), generator=generator)
    return Records(inputs, targets, torch.arange(first, first + rows))


def own_loop(setting: Setting, *, rounds: int, steps: int) -> Timing:
    """``cross_entropy`` against ``cross_entropy + gamma * marginal_information`` by hand.

    The same rows are drawn, forwarded once and stepped on; the plain step has a target for each of
    them, the other for the retain rows.
    """
    data = pictures(8192, seed=0)
    is_forget = torch.arange(setting.retain + setting.forget) >= setting.retain

    def plain(logits: Tensor, targets: Tensor) -> Tensor:
        return nn.functional.cross_entropy(logits, targets)

    def informed(logits: Tensor, targets: Tensor) -> Tensor:
        kept = setting.retain
        task = nn.functional.cross_entropy(logits[:kept], targets[:kept])
        return task + 1.5 * marginal_information(logits, is_forget, alpha=0.2)

    runs: dict[str, Callable[[], object]] = {
        "plain cross-entropy": _stepper(setting, data, plain),
        "own loop, + marginal_information": _stepper(setting, data, informed),
    }
    return take_turns(runs, rounds=rounds, steps=steps)


def take_turns(
    runs: dict[str, Callable[[], object]], *, rounds: int, steps: int, block: int = 5
) -> Timing:
    """Blocks of a few steps in turn; a round sums ``steps`` steps of each.

    Short blocks, because the machine's mood changes within tens of milliseconds.
    """
    names = list(runs)
    seconds: dict[str, list[float]] = {name: [] for name in names}
    for number in range(rounds + 1):
        spent = dict.fromkeys(names, 0.0)
        for turn in range(max(1, steps // block)):
            for name in names if turn % 2 else reversed(names):
                start = perf_counter()
                for _ in range(block):
                    runs[name]()
                spent[name] += perf_counter() - start
        if number:  # the first round warms up
            for name in names:
                seconds[name].append(spent[name] / (block * max(1, steps // block)))
    return Timing({name: tuple(some) for name, some in seconds.items()}, names[0])


def _stepper(
    setting: Setting, data: Records, loss_of: Callable[[Tensor, Tensor], Tensor]
) -> Callable[[], None]:
    model = setting.factory(0)
    optimizer = torch.optim.Adam(model.parameters(), 1e-3, fused=True)
    generator = torch.Generator().manual_seed(1)
    rows = setting.retain + setting.forget

    def step() -> None:
        index = torch.randint(len(data), (rows,), generator=generator)
        optimizer.zero_grad(set_to_none=True)
        loss_of(model(data.inputs[index]), data.targets[index]).backward()
        optimizer.step()

    return step


def engine_steps(setting: Setting, name: str, *, rounds: int, steps: int) -> Timing:
    """A step of :func:`infounlearn.unlearn` with an objective, and with none on as many rows.

    Held-out rows that an objective forwards count as rows. Evaluations and checks are not steps and
    are not timed.
    """
    forget, retain = pictures(512, 1), pictures(4096, 2, first=10_000)
    holdout = pictures(1024, 3, first=20_000)
    objective = OBJECTIVES[name]
    held = setting.forget if objective.holdout_in_batch else 0
    rows = setting.retain + setting.forget + held
    baseline = f"unlearn, no objective, {rows} rows"
    seconds: dict[str, list[float]] = {baseline: [], name: []}
    for turn in range(rounds + 1):
        for label in seconds if turn % 2 else reversed(list(seconds)):
            plain = label == baseline
            with _watched_steps() as spent, warnings.catch_warnings():
                # Noise has nothing to see for marginal information; the step costs the same.
                warnings.simplefilter("ignore", BlindSpotWarning)
                unlearn(
                    setting.factory(0),
                    forget=forget,
                    retain=retain,
                    holdout=holdout,
                    objective=None if plain else objective,
                    restart=None,
                    stop=Steps(steps),
                    schedule=Schedule(
                        epochs=steps * (rows if plain else setting.retain) / len(retain),
                        batch_size=rows if plain else setting.retain,
                        forget_batch_size=setting.forget,
                        evaluations_per_epoch=0.01,
                        batch_norm="frozen",
                    ),
                    seed=turn,
                    progress=False,
                )
            if turn:
                # The median: the first steps of a run allocate, and now and then one is hit.
                seconds[label].append(sorted(spent)[len(spent) // 2])
    return Timing({key: tuple(some) for key, some in seconds.items()}, baseline)


class _watched_steps:
    """Collects the duration of every step of the engine."""

    def __enter__(self) -> list[float]:
        self._step = engine._train_step
        spent: list[float] = []

        def watched(*args: Any) -> Tensor:
            start = perf_counter()
            loss = self._step(*args)
            spent.append(perf_counter() - start)
            return loss

        engine._train_step = watched  # type: ignore[assignment]
        return spent

    def __exit__(self, *_: object) -> None:
        engine._train_step = self._step


def run(*, rounds: int, steps: int) -> list[Line]:
    """All settings, by hand and in the engine."""
    lines = []
    for setting in SETTINGS:
        timing = own_loop(setting, rounds=rounds, steps=steps)
        lines += lines_of(timing, "step cost", f"{setting.title}: ", target=TARGET)
        for name in OBJECTIVES:
            timing = engine_steps(setting, name, rounds=max(2, rounds // 2), steps=steps)
            lines += lines_of(timing, "step cost", f"{setting.title}: unlearn, ", target=TARGET)
    return lines
