"""Unlearning by a published method: the same checks, record sets and result as the default."""

from __future__ import annotations

import copy
from dataclasses import fields
from pathlib import Path
from time import perf_counter
from typing import Any

import torch
from torch import nn

from infounlearn.errors import Problems
from infounlearn.files import writable_folder
from infounlearn.interface import RunSummary
from infounlearn.point.batches import RecordSet, stream_seed
from infounlearn.point.evaluation import Evaluator, Sets, figures
from infounlearn.point.methods import METHODS
from infounlearn.point.methods.base import Method
from infounlearn.point.methods.engine import OnEvaluation, Run, run
from infounlearn.point.methods.task import Task
from infounlearn.point.progress import showing
from infounlearn.point.restart import Fresh, fresh_network
from infounlearn.point.result import Unlearned
from infounlearn.point.settings import describe, fingerprint
from infounlearn.point.utility import Loss, cross_entropy_rows

_REMEDY = {
    "holdout": ("compares with held-out records, and holdout is missing", "pass holdout"),
    "labels": ("works on class labels, and the targets are real numbers", "choose another method"),
}


def find_method(value: Any, problems: Problems) -> Method | None:
    """A method by name or as it is; collects what is wrong with it."""
    if isinstance(value, str):
        if not problems.require(
            value in METHODS,
            f"method is {value!r}",
            fix=f"choose one of {', '.join(METHODS)}",
        ):
            return None
        value = METHODS[value]()
    if not problems.require(
        hasattr(value, "start") and hasattr(value, "needs") and not isinstance(value, type),
        f"method is {value!r}",
        fix=f"pass a method such as FineTune(), or one of {', '.join(METHODS)}",
    ):
        return None
    method: Method = value
    method.check(problems)
    return method


def check_needs(
    method: Method, has_holdout: bool, is_classification: bool, processes: int, problems: Problems
) -> None:
    """Collect what the method needs and the caller did not give."""
    for need, given in (("holdout", has_holdout), ("labels", is_classification)):
        what, remedy = _REMEDY[need]
        problems.require(
            need not in method.needs or given, f"method {method.name} {what}", fix=remedy
        )
    problems.require(
        processes == 1,
        f"method {method.name} was started in {processes} processes",
        why="only the information engine shares its rows among processes",
        fix="pass method=None for the information engine, or start one process",
    )


def unlearn_by(
    method: Method,
    own: nn.Module,
    sets: Sets,
    *,
    loss: Loss,
    fresh: Fresh | None,
    seed: int,
    device: torch.device,
    checkpoint: Path | None,
    progress: bool | None,
    on_evaluation: OnEvaluation | None,
    options: dict[str, Any],
) -> Unlearned:
    """Run a checked method on ``own``, a copy of the caller's model that is changed in place.

    Raises:
        InputError: the method needs a fresh network and none can be made, or the checkpoint
            belongs to another run.
        DivergenceError: numbers stopped being finite.
    """
    started = perf_counter()
    task = _task(method, own, sets, loss, fresh, seed, device)
    original = task.original
    settings = {"method": method.name, **describe(method), **options, "seed": seed}
    mark = fingerprint(original, sets, settings)
    evaluator = Evaluator(sets, seed, device)
    folder = None
    if checkpoint is not None:
        folder = writable_folder(checkpoint, "unlearn", "checkpoint")
    job = Run(
        method=method,
        task=task,
        training=method.start(task),
        evaluator=evaluator,
        first={"step": 0, "epoch": 0.0, "seconds": 0.0, **figures(evaluator.look(original))},
        checkpoint=folder,
        fingerprint=mark,
        on_evaluation=on_evaluation,
        started=started,
    )
    with showing(progress, sum(one.steps for one in job.training.passes), job):
        stopped = run(job)
    # Looks show a run and change nothing, but for a method that chooses among its states.
    looks = evaluator.rows + job.looked
    counted = looks if job.training.rewind is not None else 0
    summary = RunSummary(
        method=in_words(method),
        settings=settings,
        history=tuple(job.history),
        stopped=stopped,
        warnings=job.training.remarks + job.training.found(),
        cost={
            **task.cost,
            "rows_looked": looks - counted,
            "rows_forward": task.cost["rows_forward"] + counted,
            "seconds": perf_counter() - started,
        },
    )
    audit_part = sets.audit.dataset if sets.audit is not None else None
    return Unlearned(own, tuple(job.history), stopped, audit_part, summary)


def rehearse(
    method: Method, model: nn.Module, *, forget: Any, retain: Any, fresh: Fresh | None, seed: int
) -> None:
    """Prepare a run on a copy of ``model``, which need not be trained, and take no step.

    Raises:
        InputError: what the run itself would be refused for once the model is trained.
    """
    sets = Sets(RecordSet(forget, "forget"), RecordSet(retain, "retain"))
    own, device = copy.deepcopy(model), torch.device("cpu")
    method.start(_task(method, own, sets, cross_entropy_rows, fresh, seed, device))


def in_words(method: Method) -> str:
    """The method, where it was published, and the settings that are not its usual ones."""
    own: Any = method
    changed = [
        f"{field.name} {getattr(own, field.name)}"
        for field in fields(own)
        if getattr(own, field.name) != field.default
    ]
    told = f"with {', '.join(changed)}" if changed else "default settings"
    return f"{method.title} ({method.paper}), {told}"


def _task(
    method: Method,
    own: nn.Module,
    sets: Sets,
    loss: Loss,
    fresh: Fresh | None,
    seed: int,
    device: torch.device,
) -> Task:
    """The material of a run."""
    original = copy.deepcopy(own).eval().requires_grad_(False)
    network, problems = None, Problems("unlearn")
    if "fresh" in method.needs:
        network = fresh_network(own, fresh, stream_seed(seed, "fresh") % 2**32, problems)
        network = None if network is None else network.to(device)
    problems.raise_if_any()
    return Task(own, original, sets, loss, network, seed, device)
