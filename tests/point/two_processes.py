"""What each of two launched processes does: every run of the test, and their results on disk."""

from __future__ import annotations

import sys
from time import perf_counter
from unittest import mock

import torch
from safetensors.torch import save_file

from infounlearn.errors import InputError
from infounlearn.point import Restart, TimeBudget, Utility, engine

from .worlds import NETWORK, OBJECTIVES, WORLD, World, fit, go

DOUBLE = World(*((pair[0].double(), pair[1]) for pair in WORLD.given().values()))
MODEL = fit(NETWORK(0).double(), DOUBLE.forget, DOUBLE.retain)
EVEN = {"evaluations_per_epoch": 2}
ODD = {"batch_size": 37, "forget_batch_size": 1, "restart": Restart(0.9, 0.1), **EVEN}
RUNS = {
    **{name: (goal, EVEN) for name, goal in OBJECTIVES.items()},
    **{f"{name}, odd": (goal, ODD) for name, goal in OBJECTIVES.items()},
    "none": (None, {"utility": Utility(0.5, 0.5), "max_grad_norm": 0.1, **EVEN}),
    "unused": (OBJECTIVES["score"], {"optimizer": "adamw", "weight_decay": 0.5}),
}
"""Where one forget row meets two processes, one of them has none."""


class Spare(torch.nn.Module):
    """A network with a weight that no output needs."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = fit(NETWORK(0).double(), DOUBLE.forget, DOUBLE.retain)
        self.spare = torch.nn.Parameter(torch.ones(3, dtype=torch.float64))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.inner(x)


def everything(folder: str | None = None) -> dict[str, torch.Tensor]:
    """Weights, figures and costs of every run, by name; kept in ``folder`` on the way."""
    found = {}
    for name, (goal, options) in RUNS.items():
        model = Spare() if name == "unused" else MODEL
        if folder is not None:
            options = {**options, "checkpoint": f"{folder}/runs/{name}"}
        result = go(goal, model, **{**DOUBLE.given(), **options})
        found |= {f"{name}/weights/{k}": v for k, v in result.model.state_dict().items()}
        figures = [[v for k, v in row.items() if k != "seconds"] for row in result.history[1:]]
        found[f"{name}/history"] = torch.tensor(figures, dtype=torch.float64)
        found[f"{name}/backward"] = torch.tensor(result.summary.cost["rows_backward"])
    return found


def main(folder: str) -> None:
    import torch.distributed as dist

    torch.set_num_threads(1)
    found = everything(folder)
    rank = dist.get_rank()
    # On the main process's clock the budget is long spent: without one clock for all, the other
    # process would train on and wait for ever.

    def clock() -> float:
        return perf_counter() + 2000.0 * (rank == 0)

    with mock.patch.object(engine, "perf_counter", clock):
        budget = go(
            OBJECTIVES["score"], MODEL, **{**DOUBLE.given(), "stop": TimeBudget(999), **EVEN}
        )
    found["budget"] = torch.tensor(len(budget.history))
    try:
        go(OBJECTIVES["score"], MODEL, **DOUBLE.given(), seed=rank)
        found["refused"] = torch.tensor(0)
    except InputError as error:
        found["refused"] = torch.tensor(int("hold different models" in str(error)))
    save_file(found, f"{folder}/{rank}.safetensors")
    dist.destroy_process_group()


if __name__ == "__main__":
    main(sys.argv[1])
