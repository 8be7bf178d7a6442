"""The verb: take records out of a trained model."""

from __future__ import annotations

import copy
import hashlib
import json
import os
import warnings as python_warnings
from collections.abc import Sequence
from dataclasses import asdict, dataclass, is_dataclass
from time import perf_counter
from typing import Any, Literal

import torch
from torch import nn

from infounlearn.errors import InputError, Problems
from infounlearn.interface import RunSummary
from infounlearn.point.batches import RecordSet, shuffled, stream_seed
from infounlearn.point.blind_spot import Sight, see_forget_set
from infounlearn.point.checkpoint import weights_bytes, writable_folder
from infounlearn.point.checks import check_classes, check_model, check_sets, read_sets
from infounlearn.point.engine import Job, OnEvaluation, run
from infounlearn.point.evaluation import Evaluator, Sets, figures
from infounlearn.point.marginal_information import MarginalInformation
from infounlearn.point.objective import Look, Objective
from infounlearn.point.processes import find_processes
from infounlearn.point.progress import showing
from infounlearn.point.restart import Fresh, Restart, fresh_network
from infounlearn.point.result import Unlearned
from infounlearn.point.schedule import Schedule
from infounlearn.point.score_transport import ScoreTransport
from infounlearn.point.stop import Calibrated, Stop
from infounlearn.point.utility import Loss, Utility, cross_entropy_rows, squared_error_rows

STRONG = Restart(keep=0.15, noise=1.0)
"""For forget sets that marginal information sees: what a class taught must go too."""
MILD = Restart(keep=0.97, noise=0.03)
"""For forget sets like the rest: only memory of single records must go."""


class BlindSpotWarning(UserWarning):
    """The chosen objective cannot see this forget set."""


def unlearn(
    model: nn.Module,
    *,
    forget: Any,
    retain: Any,
    holdout: Any = None,
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

    The default looks first. If marginal information sees the forget set (its classes are not those
    of the rest), the weights are restarted strongly and healed on the retain set. If it does not,
    the weights are restarted mildly and forget scores are transported onto held-out ones. Either
    way the run ends where forget records cannot be told from held-out ones, not at zero
    information. docs/method.md has the measurements behind this.

    Args:
        model: any classifier ((n, c) logits) or regressor ((n, d) predictions); never changed.
        forget, retain: records the model was trained on, to forget and to keep: a Dataset, a
            DataLoader (its dataset and collate function are used), or (inputs, targets) tensors.
        holdout: records the model never saw, of the law of ``forget`` within classes. Cut by
            ``seed`` into transport targets, validation, and an audit part that stays unseen.
        objective: an information term; "auto"; or None for healing on the retain set alone.
        restart: a :class:`Restart`; None; "auto" restarts only with ``objective="auto"``.
        utility: loss on the retain set; the task loss by default.
        stop: when to end early; "auto" is :class:`Calibrated` with held-out data. Several: the
            first to fire.
        schedule: length, batches, step size.
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
    schedule, utility = schedule or Schedule(), utility or Utility()
    stops = _stops(stop, holdout is not None)
    problems = Problems("unlearn")
    where = _device(model, device)
    own = copy.deepcopy(model).to(where)
    sets = _check(
        own, {"forget": forget, "retain": retain, "holdout": holdout}, where, problems,
        schedule=schedule, utility=utility, stops=stops, objective=objective,
        audit_share=audit_share, seed=seed, restart=restart,
    )  # fmt: skip
    folder = None if checkpoint is None else writable_folder(checkpoint, "unlearn", "checkpoint")

    started = perf_counter()
    original = copy.deepcopy(own).eval()
    evaluator = Evaluator(sets, seed, where)
    first_look = evaluator.look(own)
    plan = _plan(first_look, objective, restart, holdout is not None, seed, problems)
    network = None
    if plan.restart is not None:
        network = fresh_network(own, fresh, stream_seed(seed, "fresh") % 2**32, problems)
    problems.raise_if_any()
    for sentence in plan.warnings:
        python_warnings.warn(sentence, BlindSpotWarning, stacklevel=2)
    if plan.restart is not None and network is not None:
        plan.restart.apply(own, network.to(where))
    penalty = None
    if plan.objective is not None:
        penalty = plan.objective.start(evaluator.look(own) if plan.restart else first_look)

    settings = {
        "objective": _describe(plan.objective),
        "restart": _describe(plan.restart),
        "utility": _describe(utility),
        "stop": [_describe(one) for one in stops],
        "schedule": _describe(schedule),
        "audit_share": audit_share,
        "seed": seed,
    }
    job = Job(
        model=own,
        original=original,
        sets=sets,
        penalty=penalty,
        holdout_in_batch=plan.objective is not None and plan.objective.holdout_in_batch,
        utility=utility,
        loss=loss or _default_loss(sets.forget),
        schedule=schedule,
        stops=stops,
        judge=next((one for one in stops if isinstance(one, Calibrated)), Calibrated()),
        update_batch_norm=schedule.batch_norm == "update"
        or (schedule.batch_norm == "auto" and plan.restart is not None),
        evaluator=evaluator,
        first={"step": 0, "epoch": 0.0, "seconds": 0.0, **figures(first_look)},
        seed=seed,
        device=where,
        processes=find_processes(where),
        checkpoint=folder,
        fingerprint=_fingerprint(original, sets, settings),
        on_evaluation=on_evaluation,
        started=started,
    )
    steps = schedule.steps(len(sets.retain))
    with showing(progress, steps, job):
        stopped = run(job)
    job.cost["rows_forward"] += evaluator.rows
    summary = RunSummary(
        method=_in_words(plan),
        settings=settings,
        history=tuple(job.history),
        stopped=stopped,
        warnings=plan.warnings + plan.remarks,
        cost={**job.cost, "seconds": perf_counter() - job.started},
    )
    audit_part = sets.audit.dataset if sets.audit is not None else None
    return Unlearned(own, tuple(job.history), stopped, audit_part, summary)


@dataclass(frozen=True)
class _Plan:
    """What will be done, and what must be said about it."""

    objective: Objective | None
    restart: Restart | None
    warnings: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()


def _plan(
    look: Look,
    objective: Objective | Literal["auto"] | None,
    restart: Restart | Literal["auto"] | None,
    has_holdout: bool,
    seed: int,
    problems: Problems,
) -> _Plan:
    """Choose what the caller left open, after looking whether marginal information sees F."""
    sight: Sight | None = None
    if look.forget.is_classification:
        sight = see_forget_set(look, seed=stream_seed(seed, "sight") % 2**32)
    remarks = (sight.sentence,) if sight is not None else ()
    if objective == "auto":
        visible = sight is not None and sight.visible
        if visible:
            return _Plan(None, STRONG if restart == "auto" else restart, remarks=remarks)
        problems.require(
            has_holdout,
            "objective='auto' needs holdout for this forget set"
            + (f": {sight.sentence}" if sight is not None else ""),
            fix="pass held-out records, or name an objective",
        )
        return _Plan(ScoreTransport(), MILD if restart == "auto" else restart, remarks=remarks)
    kept = None if restart == "auto" else restart
    blind = isinstance(objective, MarginalInformation) and sight is not None and not sight.visible
    if blind and sight is not None:
        return _Plan(objective, kept, warnings=(sight.sentence,))
    return _Plan(objective, kept, remarks=remarks)


def _stops(stop: Stop | Sequence[Stop] | Literal["auto"], has_holdout: bool) -> tuple[Stop, ...]:
    if stop == "auto":
        return (Calibrated(),) if has_holdout else ()
    one_or_more: Sequence[Any] = stop if isinstance(stop, tuple | list) else (stop,)
    strange = [one for one in one_or_more if not hasattr(one, "reason")]
    if strange:
        raise InputError(f"unlearn: stop is {stop!r}: pass Calibrated(), Steps(n) or 'auto'")
    return tuple(one_or_more)


def _device(model: nn.Module, device: str | torch.device | None) -> torch.device:
    if device is not None:
        return torch.device(device)
    first = next(model.parameters(), None)
    return first.device if first is not None else torch.device("cpu")


def _check(
    model: nn.Module,
    given: dict[str, Any],
    device: torch.device,
    problems: Problems,
    *,
    schedule: Schedule,
    utility: Utility,
    stops: tuple[Stop, ...],
    objective: Any,
    restart: Any,
    audit_share: float,
    seed: int,
) -> Sets:
    """The records of the run, or one error with everything that is wrong."""
    schedule.check(problems)
    utility.check(problems)
    for one in stops:
        one.check(problems)
    if isinstance(restart, Restart):
        restart.check(problems)
    problems.require(
        objective is None or objective == "auto" or hasattr(objective, "start"),
        f"objective is {objective!r}",
        fix='pass an objective such as ScoreTransport(), "auto" or None',
    )
    problems.require(
        0 <= audit_share < 1, f"audit_share is {audit_share}", fix="pass a share from 0 up to 1"
    )
    problems.require(seed >= 0, f"seed is {seed}", fix="pass 0 or more")
    has_holdout = given["holdout"] is not None
    wants = [type(stop).__name__ for stop in stops if stop.needs_holdout]
    if getattr(objective, "needs_holdout", False):
        wants.append(type(objective).__name__)
    problems.require(
        has_holdout or not wants,
        f"{' and '.join(wants)} compare(s) forget with held-out records, and holdout is missing",
        fix="pass holdout, or another objective and stop",
    )
    sets = read_sets(given, problems)
    problems.raise_if_any()
    check_model(model, sets, device, problems)
    check_sets(sets, problems)
    parts = _cut(sets["holdout"], audit_share, seed, problems) if has_holdout else {}
    steered = {name: part for name, part in parts.items() if name != "audit"}
    check_classes(sets["forget"], steered, problems)
    calibrated = any(isinstance(stop, Calibrated) for stop in stops)
    problems.require(
        len(sets["forget"]) > 1 or not calibrated,
        "forget holds one record",
        why="no test tells one record from held-out ones, so a calibrated stop has nothing to say",
        fix="pass stop=Steps(n), or more records",
    )
    problems.raise_if_any()
    return Sets(sets["forget"], sets["retain"], **parts)


def _cut(
    holdout: RecordSet, audit_share: float, seed: int, problems: Problems
) -> dict[str, RecordSet]:
    """Transport targets, validation and audit part, each with its share of every class."""
    if not problems.require(
        len(holdout) >= 6,
        f"holdout holds {len(holdout)} record(s)",
        why="it is cut into transport targets, validation and an audit part",
        fix="pass more held-out records",
    ):
        return {}
    labels = holdout.targets
    order = shuffled(len(holdout), seed, "holdout")
    if not labels.dtype.is_floating_point:
        # Sorted by class, ties in random order: cutting every k-th row then cuts every class.
        order = order[torch.argsort(labels[order], stable=True)]
    place = (torch.arange(len(order)) + 0.5) * 0.6180339887498949 % 1.0
    steer = (1.0 - audit_share) / 2
    parts = {
        "targets": order[place < steer],
        "validation": order[(place >= steer) & (place < 2 * steer)],
        "audit": order[place >= 2 * steer],
    }
    return {
        name: holdout.part(index.sort().values, name)
        for name, index in parts.items()
        if len(index) > 0
    }


def _default_loss(forget: RecordSet) -> Loss:
    return squared_error_rows if forget.targets.dtype.is_floating_point else cross_entropy_rows


def _describe(value: Any) -> Any:
    """A setting as plain values with its name."""
    if is_dataclass(value) and not isinstance(value, type):
        fields = {k: v if not callable(v) else repr(v) for k, v in asdict(value).items()}
        return {"name": type(value).__name__, **fields}
    return None if value is None else repr(value)


def _in_words(plan: _Plan) -> str:
    parts = [repr(part) for part in (plan.restart, plan.objective) if part is not None]
    return " + ".join(parts) if parts else "fine-tuning on the retain set"


def _fingerprint(model: nn.Module, sets: Sets, settings: dict[str, Any]) -> str:
    """SHA-256 of everything that determines a run."""
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True, default=str).encode())
    digest.update(weights_bytes(model.state_dict()))
    for part in (sets.forget, sets.retain, sets.targets, sets.validation):
        if part is not None:
            digest.update(b"".join(part.hashes))
    return digest.hexdigest()
