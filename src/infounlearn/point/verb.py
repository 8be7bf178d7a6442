"""The verb: take records out of a trained model."""

from __future__ import annotations

import copy
import os
import warnings as python_warnings
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter
from typing import Any, Literal

import torch
from torch import nn

from infounlearn.errors import Problems
from infounlearn.files import check_folder, writable_folder
from infounlearn.interface import RunSummary
from infounlearn.point.batches import stream_seed
from infounlearn.point.checks import check_settings
from infounlearn.point.engine import Job, OnEvaluation, run
from infounlearn.point.evaluation import Evaluator, figures
from infounlearn.point.methods.base import Method
from infounlearn.point.methods.restart_teacher import RestartTeacher, for_rows
from infounlearn.point.methods.verb import check_needs, find_method, unlearn_by
from infounlearn.point.objective import Objective
from infounlearn.point.plan import BlindSpotWarning, make_plan
from infounlearn.point.processes import find_processes
from infounlearn.point.progress import showing
from infounlearn.point.restart import Fresh, Restart, fresh_network, measure_statistics
from infounlearn.point.result import Unlearned
from infounlearn.point.schedule import Schedule, default_schedule
from infounlearn.point.sets import gather
from infounlearn.point.settings import describe, fingerprint
from infounlearn.point.stop import Calibrated, Stop
from infounlearn.point.utility import Loss, Utility, cross_entropy_rows, squared_error_rows


def unlearn(
    model: nn.Module,
    *,
    forget: Any,
    retain: Any,
    holdout: Any = None,
    method: Method | str | None = "auto",
    objective: Objective | Literal["auto"] | None = "auto",
    restart: Restart | Literal["auto"] | None = "auto",
    utility: Utility | None = None,
    stop: Stop | Sequence[Stop] | Literal["auto"] = "auto",
    schedule: Schedule | None = None,
    fresh: Fresh | None = None,
    loss: Loss | None = None,
    audit_share: float = 0.5,
    seed: int = 0,
    device: str | torch.device | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
    progress: bool | None = None,
    on_evaluation: OnEvaluation | None = None,
) -> Unlearned:
    """Remove what ``model`` knows about the forget records, keeping what it knows of the rest.

    The default is :class:`infounlearn.point.methods.RestartTeacher`: a restarted copy, healed on
    the retain set, says what a network without the forget set would say of it, and the original
    learns these answers while it rehearses its own. Naming an objective, restart, utility, stop or
    schedule runs the information engine instead, which minimises utility loss + gamma *
    information; ``objective="auto"`` then looks at the forget set and chooses. docs/method.md has
    the measurements behind both.

    Args:
        model: any classifier ((n, c) logits) or regressor ((n, d) predictions); never changed.
        forget, retain: records the model was trained on, to forget and to keep: a Dataset, a
            DataLoader (its dataset and collate function are used), or (inputs, targets) tensors.
        holdout: records the model never saw, of the law of ``forget`` within classes. Cut by
            ``seed`` into transport targets, validation, and an audit part that stays unseen.
        method: "auto"; a method by name or with settings (:mod:`infounlearn.point.methods`), run
            as published, which brings its own objective, length and stop; or None, which is the
            information engine. "restart-teacher" by name is the default itself, whose length
            depends on the retain set; with settings it runs as they say.
        objective: an information term; "auto"; or None for healing on the retain set alone.
        restart: a :class:`Restart`; None; "auto" restarts only with ``objective="auto"``.
        utility: loss on the retain set; the task loss by default.
        stop: when to end early; "auto" is :class:`Calibrated` with held-out data. Several: the
            first to fire.
        schedule: length, batches, step size; by default :class:`Schedule`, and for small sets
            smaller batches and more passes.
        fresh: ``callable(seed)`` building a freshly initialised model, for a restart of modules
            without ``reset_parameters``.
        loss: per-row task loss ``(outputs, targets) -> (n,)``; cross-entropy or squared error by
            default.
        audit_share: share of ``holdout`` set aside for the final audit.
        seed: of every random choice; the same seed gives the same weights.
        device: where to run; the model's own device by default.
        checkpoint: folder that keeps the run; a killed run started again with the same arguments
            continues and ends as if it had not been killed.
        progress: show a progress bar; by default on a terminal.
        on_evaluation: called with each history row.

    Returns:
        Unlearned: the new model, history, reason of the end, and the untouched held-out part.

    Raises:
        InputError: anything about the arguments that would make the result meaningless, all
            problems at once, before any work.
        DivergenceError: numbers stopped being finite before the first evaluation.

    References: Xu & Strohmer (2025), arXiv:2502.05684, for information as the controlled quantity.
    """
    stops = _stops(stop, holdout is not None)
    problems = Problems("unlearn")
    check_settings(
        problems, objective=objective, restart=restart, utility=utility or Utility(), stops=stops,
        schedule=schedule or Schedule(),
        callables={"fresh": fresh, "loss": loss, "on_evaluation": on_evaluation},
        audit_share=audit_share, seed=seed, has_holdout=holdout is not None,
    )  # fmt: skip
    chosen = None
    engine_options = _given(objective, restart, utility, stop, schedule)
    if method == "auto":
        method = None if engine_options else RestartTeacher.name
    usual = method == RestartTeacher.name
    if method is not None:
        chosen = find_method(method, problems)
        problems.require(
            not engine_options,
            f"{' and '.join(engine_options)} given together with method",
            why="a method brings its own",
            fix="leave them out, or set the options of the method",
        )
        stops = ()
    own = _own_copy(model, device, problems)
    where = torch.device("cpu") if own is None else _device(own)
    processes = find_processes(where)
    # One process alone: several that try and tidy up the same folder get in each other's way.
    if checkpoint is not None and processes.is_main:
        check_folder(checkpoint, "checkpoint", problems)
    given = {"forget": forget, "retain": retain, "holdout": holdout}
    rows = loss if callable(loss) else None
    sets = gather(own, given, rows, stops, audit_share, seed, problems)
    if chosen is not None and sets is not None:
        labels = not sets.forget.targets.dtype.is_floating_point
        check_needs(chosen, holdout is not None, labels, processes.count, problems)
    problems.raise_if_any()
    assert own is not None  # both: no problems
    assert sets is not None
    if chosen is not None:
        if usual:
            chosen = for_rows(RestartTeacher(), len(sets.retain))
        return unlearn_by(
            chosen, own, sets, loss=loss or _default_loss(sets.forget.targets), fresh=fresh,
            seed=seed, device=where, checkpoint=None if checkpoint is None else Path(checkpoint),
            progress=progress, on_evaluation=on_evaluation,
            options={"loss": describe(loss), "fresh": describe(fresh), "audit_share": audit_share},
        )  # fmt: skip
    utility = utility or Utility()
    schedule = schedule or default_schedule(len(sets.retain))

    started = perf_counter()
    original = copy.deepcopy(own).eval()
    evaluator = Evaluator(sets, seed, where)
    first_look = evaluator.look(own)
    steps = schedule.steps(len(sets.retain))
    plan = make_plan(first_look, objective, restart, steps, holdout is not None, seed, problems)
    network = None
    if plan.restart is not None:
        network = fresh_network(own, fresh, stream_seed(seed, "fresh") % 2**32, problems)
    problems.raise_if_any()
    for sentence in plan.warnings:
        python_warnings.warn(sentence, BlindSpotWarning, stacklevel=2)
    if plan.restart is not None and network is not None:
        plan.restart.apply(own, network.to(where))
    measured = 0
    if plan.restart is not None and schedule.batch_norm == "auto":
        measured = measure_statistics(own, sets.retain, seed, where)
    penalty, looks = None, 1
    if plan.objective is not None:
        penalty = plan.objective.start(evaluator.look(own) if plan.restart else first_look)
        looks += plan.restart is not None

    settings = {
        "objective": describe(plan.objective),
        "restart": describe(plan.restart),
        "utility": describe(utility),
        "stop": describe(stops),
        "schedule": describe(schedule),
        "fresh": describe(fresh),
        "loss": describe(loss),
        "audit_share": audit_share,
        "seed": seed,
    }
    mark = fingerprint(original, sets, settings)
    processes.require_same(mark, where)
    folder = None if checkpoint is None else Path(checkpoint)
    if folder is not None and processes.is_main:
        folder = writable_folder(folder, "unlearn", "checkpoint")
    job = Job(
        model=own,
        original=original,
        sets=sets,
        penalty=penalty,
        holdout_in_batch=plan.objective is not None and plan.objective.holdout_in_batch,
        utility=utility,
        loss=loss or _default_loss(sets.forget.targets),
        schedule=schedule,
        stops=stops,
        judge=next((one for one in stops if isinstance(one, Calibrated)), Calibrated()),
        update_batch_norm=schedule.batch_norm == "update"
        or (schedule.batch_norm == "auto" and plan.restart is not None and penalty is None),
        evaluator=evaluator,
        first={"step": 0, "epoch": 0.0, "seconds": 0.0, **figures(first_look)},
        seed=seed,
        device=where,
        processes=processes,
        checkpoint=folder,
        fingerprint=mark,
        on_evaluation=on_evaluation,
        started=started,
    )
    with showing(progress, steps, job, processes.is_main):
        stopped = run(job)
    job.cost["rows_forward"] += (looks * evaluator.rows + measured) * processes.count
    summary = RunSummary(
        method=plan.in_words,
        settings=settings,
        history=tuple(job.history),
        stopped=stopped,
        warnings=plan.warnings + plan.remarks,
        cost={**job.cost, "seconds": perf_counter() - job.started},
    )
    audit_part = sets.audit.dataset if sets.audit is not None else None
    return Unlearned(own, tuple(job.history), stopped, audit_part, summary)


def _given(*options: Any) -> list[str]:
    """Which options of the information engine are not at their defaults."""
    names = ("objective", "restart", "utility", "stop", "schedule")
    defaults = ("auto", "auto", None, "auto", None)
    return [
        name
        for name, one, default in zip(names, options, defaults, strict=True)
        if not (one is default or (isinstance(one, str) and one == default))
    ]


def _stops(stop: Stop | Sequence[Stop] | Literal["auto"], has_holdout: bool) -> tuple[Stop, ...]:
    if stop == "auto":
        return (Calibrated(),) if has_holdout else ()
    several: Sequence[Any] = stop if isinstance(stop, tuple | list) else (stop,)
    return tuple(several)


def _device(model: nn.Module) -> torch.device:
    first = next(model.parameters(), None)
    return first.device if first is not None else torch.device("cpu")


def _own_copy(
    model: Any, device: str | torch.device | None, problems: Problems
) -> nn.Module | None:
    """A copy of the caller's model on the device of the run."""
    if not problems.require(
        isinstance(model, nn.Module),
        f"model is a {type(model).__name__}",
        fix="pass a torch.nn.Module",
    ):
        return None
    own: nn.Module = copy.deepcopy(model)
    try:
        return own if device is None else own.to(device)
    except (RuntimeError, AssertionError) as error:
        # torch says either, depending on what is missing.
        problems.add(f"device {str(device)!r} cannot be used ({error})", fix="pass 'cpu' or None")
        return None


def _default_loss(targets: torch.Tensor) -> Loss:
    return squared_error_rows if targets.dtype.is_floating_point else cross_entropy_rows
