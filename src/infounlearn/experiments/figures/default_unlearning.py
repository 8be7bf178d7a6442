"""``figure default-unlearning``: how close the default run comes to retraining, and what it costs.

Three forget sets on digits and on MNIST: 75 % of the 3s, a whole class, and a random tenth of
records of which a fifth carry wrong labels. Every network is compared with an ensemble of truly
retrained ones; the spread of that ensemble is the floor. Beside the default run the information
engine with its own choice of restart and objective, which was the default before, and the plain
warm restart; on digits also the objectives one by one and plain fine-tuning. All but the default
have one schedule.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from joblib import Parallel, cpu_count, delayed
from torch import Tensor, nn

from infounlearn.data.records import Records
from infounlearn.experiments.cases import Case, case
from infounlearn.experiments.defaults import method_for, schedule_for
from infounlearn.experiments.ensemble import trained
from infounlearn.experiments.figures import default_drawing
from infounlearn.experiments.figures.default_table import table
from infounlearn.experiments.figures.result import (
    FigureResult,
    Progress,
    Story,
    check_folder,
    write,
)
from infounlearn.experiments.recipe import one_thread
from infounlearn.math import distance_to_ensemble
from infounlearn.point import (
    MarginalInformation,
    MembershipInformation,
    Restart,
    ScoreTransport,
    unlearn,
)
from infounlearn.point.plan import BlindSpotWarning

NAME = "default-unlearning"
REQUESTS: dict[str, dict[str, Any]] = {
    "75% of the 3s": {"forget_class": 3, "forget_fraction": 0.75},
    "whole class 3": {"forget_class": 3},
    "random 10%, 20% noise": {"forget_random": 0.1, "label_noise": 0.2},
}
DEFAULT = "default"
METHODS: dict[str, dict[str, Any]] = {
    DEFAULT: {},
    "restart and transport": {"objective": "auto"},
    "warm restart": {"objective": None, "restart": Restart(keep=0.5, noise=1.0)},
    "transport alone": {"objective": ScoreTransport(), "restart": None},
    "membership information": {"objective": MembershipInformation(), "restart": None},
    "marginal information": {"objective": MarginalInformation(gamma=1.5)},
    "fine-tuning": {"objective": None, "restart": None},
}
"""Options of the information engine; the default is ``method_for(case)``."""
SETS = ("forget", "retain", "test")


@dataclass(frozen=True)
class Design:
    """Size of the comparison."""

    data: tuple[str, ...] = ("digits", "mnist")
    seeds: int = 5
    references: int = 5
    rivals: tuple[str, ...] = ("digits",)

    def methods(self, data: str) -> tuple[str, ...]:
        """What runs on a data set: everything, or the default and the rivals nearest to it."""
        near = (DEFAULT, "restart and transport", "warm restart")
        return tuple(METHODS) if data in self.rivals else near


FULL = Design()
QUICK = Design(data=("digits",), seeds=2, references=3)


def run(
    quick: bool,
    out: Path,
    seed: int = 0,
    progress: Progress | None = None,
    *,
    design: Design | None = None,
    workers: int | None = None,
) -> FigureResult:
    """Make the table and its figure.

    The full form trains fifty networks and unlearns 150 times: about an hour on two cores. The
    networks are kept in ``out``/default-unlearning-networks.

    Args:
        quick: digits only, 2 seeds and 3 references; under a minute.
        out: folder of the files.
        seed: of forget sets and label noise; networks and runs take 0, 1, ... of their own.
        progress: told once per batch of networks and once per run.
        design: another size than the two built in.
        workers: processes; default one per core.

    Raises:
        InputError: ``out`` cannot be written, or MNIST is neither present nor downloadable.
    """
    check_folder(out, seed)
    design = design or (QUICK if quick else FULL)
    workers = workers or cpu_count()
    cache = str(out / "default-unlearning-networks")
    jobs = [
        (data, request, method, number, seed, design, cache)
        for data in design.data
        for request in REQUESTS
        for method in design.methods(data)
        for number in range(design.seeds)
    ]
    tell = progress or (lambda done, total, what: None)
    for data in design.data:
        for request in REQUESTS:
            built = case(data, seed=seed, **REQUESTS[request])  # type: ignore[arg-type]
            tell(0, len(jobs), f"networks of {built.description}")
            trained(built, "original", range(design.seeds), cache_dir=cache, workers=workers)
            trained(built, "retrained", range(design.references), cache_dir=cache, workers=workers)
    rows = []
    finished = Parallel(n_jobs=workers, return_as="generator")(delayed(one_run)(*j) for j in jobs)
    for row in finished:
        rows.append(row)
        tell(len(rows), len(jobs), f"{row['data']}, {row['request']}: {row['method']}")
    settings = {
        "design": vars(design),
        "methods": {name: str(how) for name, how in METHODS.items()},
        "default": "method_for(case)",
        "schedule": "schedule_for(case)",
    }
    story = Story(NAME, quick, seed, rows, table(rows), notes(design), settings)
    with default_drawing.draw(rows) as drawing:
        return write(story, drawing, out)


def one_run(
    data: str, request: str, method: str, number: int, seed: int, design: Design, cache: str
) -> dict[str, Any]:
    """Unlearn once and compare with the retrained ensemble."""
    with one_thread():
        bench = _bench(data, request, seed, design, cache)
        built, original = bench.case, bench.originals[number]
        with warnings.catch_warnings():
            # Marginal information is run where it is blind, too: that is part of the comparison.
            warnings.simplefilter("ignore", BlindSpotWarning)
            result = unlearn(
                original,
                forget=built.forget,
                retain=built.retain,
                holdout=built.holdout,
                seed=number,
                progress=False,
                **options_of(method, built),
            )
        cost = result.summary.cost
        # A training row is one forward and a backward of about two: three forwards.
        spent = cost["rows_forward"] + 3 * cost["rows_backward"]
        return {
            "data": data,
            "request": request,
            "method": method,
            "seed": number,
            **bench.compare(result.model),
            "row_share": spent / (3 * built.recipe.epochs * len(built.retain)),
            "time_share": cost["seconds"] / bench.retrain_seconds,
        }


def options_of(method: str, built: Case) -> dict[str, Any]:
    """Arguments of :func:`infounlearn.unlearn` that make it run ``method`` on a case."""
    if method == DEFAULT:
        return {"method": method_for(built)}
    return {"method": None, "schedule": schedule_for(built), **METHODS[method]}


@dataclass(frozen=True)
class Bench:
    """A case with its networks and what the retrained ones show."""

    case: Case
    originals: tuple[nn.Module, ...]
    shown: Mapping[str, Tensor]
    retrain_seconds: float

    def compare(self, model: nn.Module) -> dict[str, float]:
        """Distances of a model to the ensemble in units of its floor, and accuracy gaps."""
        found: dict[str, float] = {}
        for name in SETS:
            records = _records(self.case, name)
            ensemble = self.shown[name]
            own = log_laws(model, records)
            distance = distance_to_ensemble(own, ensemble)
            accuracy = (ensemble.argmax(-1) == records.targets).double().mean(1)
            hits = (own.argmax(-1) == records.targets).double().mean()
            found[f"{name}_js"], found[f"{name}_floor"] = distance.value, distance.floor
            found[f"{name}_accuracy"] = float(hits)
            found[f"{name}_gap"] = float(hits - accuracy.mean())
            found[f"{name}_retrained_sd"] = float(accuracy.std())
        return found


@lru_cache(maxsize=1)
def _bench(data: str, request: str, seed: int, design: Design, cache: str) -> Bench:
    built = case(data, seed=seed, **REQUESTS[request])  # type: ignore[arg-type]
    originals = trained(built, "original", range(design.seeds), cache_dir=cache)
    references = trained(built, "retrained", range(design.references), cache_dir=cache)
    shown = {
        name: torch.stack([log_laws(one.model, _records(built, name)) for one in references])
        for name in SETS
    }
    seconds = sum(one.seconds for one in references) / len(references)
    return Bench(built, tuple(one.model for one in originals), shown, seconds)


def _records(built: Case, name: str) -> Records:
    return {"forget": built.forget, "retain": built.retain, "test": built.test}[name]


@torch.no_grad()
def log_laws(model: nn.Module, records: Records) -> Tensor:
    """(n, c) log-probabilities in float64."""
    parts = [model.eval()(chunk) for chunk in records.inputs.split(4096)]
    return torch.log_softmax(torch.cat(parts).double(), 1)


def notes(design: Design) -> list[str]:
    """What must be read with the table."""
    return [
        f"Mean ± sd over {design.seeds} originals, each unlearned with its own seed; floor: mean "
        f"distance of {design.references} retrained networks to the mean of the others.",
        "Gaps in points against the mean of the retrained networks. Rows: forward and backward "
        "rows of the run over those of retraining (a backward counts as two forwards). Time: wall "
        "time over that of retraining, on one thread of this machine.",
        "missed: which of these the mean over seeds fails: forget gap within 2 points, forget JS "
        "within 1.25 floors, retain and test gap within 0.5 point, rows within 10 %.",
    ]
