"""The only training loop: each row of a step is forwarded once, whatever the objective."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter

import torch
from torch import Tensor, nn

from infounlearn.errors import DivergenceError
from infounlearn.point.backward import backward
from infounlearn.point.batches import join, own_randomness, seed_step, stream_seed
from infounlearn.point.checkpoint import Progress, load_checkpoint, save_checkpoint, snapshot
from infounlearn.point.evaluation import Evaluator, Sets, figures, forward
from infounlearn.point.objective import Look, Penalty, Shown, Step
from infounlearn.point.processes import Processes
from infounlearn.point.rows import StepRows
from infounlearn.point.schedule import Schedule
from infounlearn.point.stop import Calibrated, Keeps, Stop
from infounlearn.point.utility import Loss, Utility

OnEvaluation = Callable[[dict[str, float]], None]


@dataclass
class Job:
    """Everything a run needs, checked and ready.

    ``model`` is the run's own copy, restarted if a restart was asked for; ``first`` is the row of
    the original model. ``best`` always holds the best state so far.
    """

    model: nn.Module
    original: nn.Module
    sets: Sets
    penalty: Penalty | None
    holdout_in_batch: bool
    utility: Utility
    loss: Loss
    schedule: Schedule
    stops: tuple[Stop, ...]
    judge: Calibrated
    update_batch_norm: bool
    evaluator: Evaluator
    first: dict[str, float]
    seed: int
    device: torch.device
    processes: Processes
    checkpoint: Path | None
    fingerprint: str
    on_evaluation: OnEvaluation | None
    started: float = 0.0
    step: int = 0
    history: list[dict[str, float]] = field(default_factory=list)
    best: dict[str, Tensor] = field(default_factory=dict)
    best_step: int = 0
    shortfall: float = float("inf")
    cost: dict[str, float] = field(default_factory=lambda: {"rows_forward": 0, "rows_backward": 0})


def run(job: Job) -> str:
    """Train until a stop fires or the schedule ends; leave the best state in ``job.model``.

    Returns:
        Why the run ended and which state it kept.

    Raises:
        DivergenceError: numbers stopped being finite before any evaluation.
    """
    optimizer = job.schedule.build([w for w in job.model.parameters() if w.requires_grad])
    retain_rows = len(job.sets.retain)
    steps = job.schedule.steps(retain_rows)
    every = job.schedule.evaluate_every(retain_rows)
    job.history, job.best = [job.first], snapshot(job.model)
    _resume(job, optimizer)
    # Killed after its last evaluation, a run has nothing left to do.
    reason = _fired(job)[0] if job.step else None
    visits = StepRows(job.sets, job.schedule, job.seed, job.device, job.processes)
    total = torch.zeros((), dtype=torch.float64, device=job.device)
    since = 0
    try:
        with own_randomness(job.device):
            while reason is None and job.step < steps:
                for group in optimizer.param_groups:
                    group["lr"] = job.schedule.lr_at(job.step, steps)
                total += _train_step(job, visits, optimizer)
                job.step, since = job.step + 1, since + 1
                if job.step % every and job.step < steps:
                    continue
                reason = _evaluate(job, optimizer, float(job.processes.total(total)) / since)
                total.zero_()
                since = 0
    except KeyboardInterrupt:
        reason = "interrupted"
    job.model.load_state_dict(job.best)
    job.model.eval().zero_grad()
    kept = f"state of step {job.best_step} kept"
    if not job.best_step:
        kept = "no evaluation was reached, so the state before the first step is kept"
    return f"{reason or 'the schedule ended'}; {kept}"


def _train_step(job: Job, visits: StepRows, optimizer: torch.optim.Optimizer) -> Tensor:
    """One step; returns this process's part of the loss, detached."""
    active = job.penalty is not None and job.penalty.gamma > 0
    retain = visits.retain(job.step)
    extra = [visits.forget(job.step)] if active else []
    if active and job.holdout_in_batch:
        extra.append(visits.matched_holdout(job.step))
    _set_modes(job)
    # Dropout draws from torch's global generator; a seed of its own per step makes any step
    # repeatable without storing generators.
    seed_step(job.device, stream_seed(job.seed, job.processes.rank, job.step))
    optimizer.zero_grad(set_to_none=True)
    outputs = _forward_once(job, [rows.inputs for rows in (retain, *extra)])
    teacher = None
    if job.utility.fidelity:
        with torch.no_grad():
            teacher = forward(job.original, retain.inputs)
    rows = job.utility.rows(outputs[0], retain.targets, teacher, job.loss)
    loss = rows.sum() / retain.total
    step = None
    if active:
        shown = [
            Shown(out, part.targets, part.index)
            for out, part in zip(outputs, (retain, *extra), strict=True)
        ]
        held = shown[2] if len(shown) > 2 else None
        if held is not None:
            held = Shown(held.outputs.detach(), held.targets, held.index)
        step = Step(shown[0], shown[1], held, job.sets.alpha, job.processes.count, extra[0].total)
    total = backward(loss, job.penalty, step)
    weights = [w for w in job.model.parameters() if w.requires_grad]
    job.processes.add_gradients(weights)
    if job.schedule.max_grad_norm is not None:
        torch.nn.utils.clip_grad_norm_(weights, job.schedule.max_grad_norm)
    optimizer.step()
    job.cost["rows_backward"] += retain.total + (extra[0].total if extra else 0)
    job.cost["rows_forward"] += sum(part.total for part in extra[1:])
    job.cost["rows_forward"] += retain.total if teacher is not None else 0
    return total


def _forward_once(job: Job, inputs: list[object]) -> list[Tensor]:
    """Outputs of each part of the step, every row forwarded once.

    Where batch-norm learns its statistics, it must learn them from retain rows alone: the other
    rows then pass in a second call with statistics frozen.
    """
    sizes = [_length(part) for part in inputs]
    if job.update_batch_norm and len(inputs) > 1:
        kept = forward(job.model, inputs[0])
        _freeze_batch_norm(job.model)
        return [kept, *forward(job.model, join(inputs[1:])).split(sizes[1:])]
    return list(forward(job.model, join(inputs)).split(sizes))


def _length(inputs: object) -> int:
    return len(next(iter(inputs.values()))) if isinstance(inputs, dict) else len(inputs)  # type: ignore[arg-type]


def _set_modes(job: Job) -> None:
    job.model.train()
    if not job.update_batch_norm:
        _freeze_batch_norm(job.model)


def _freeze_batch_norm(model: nn.Module) -> None:
    for module in model.modules():
        if isinstance(module, nn.modules.batchnorm._NormBase):
            module.eval()


def _evaluate(job: Job, optimizer: torch.optim.Optimizer, loss: float) -> str | None:
    """Look, steer, remember, save. Returns why the run cannot go on, or None."""
    job.processes.average_buffers(job.model)
    look = job.evaluator.look(job.model)
    job.cost["rows_forward"] += job.evaluator.rows * job.processes.count
    if not torch.isfinite(torch.tensor(loss)) or not _finite(look, job.model):
        if not job.best_step:
            raise DivergenceError(
                f"unlearn: the loss is {loss} after {job.step} steps: lower schedule.lr (now "
                f"{job.schedule.lr}) or gamma"
            )
        return f"numbers stopped being finite by step {job.step}"
    row = job_row(job, look, loss)
    job.history.append(row)
    reason, keeps = _fired(job)
    if _is_worth_keeping(job, row, keeps):
        job.best, job.best_step = snapshot(job.model), job.step
    if job.penalty is not None:
        job.penalty.refresh(look)
    if job.checkpoint is not None and job.processes.is_main:
        _save(job, optimizer)
    if job.on_evaluation is not None and job.processes.is_main:
        job.on_evaluation(dict(row))
    return reason


def _fired(job: Job) -> tuple[str | None, Keeps]:
    """Why to stop now and what that stop keeps, or None."""
    for stop in job.stops:
        reason = stop.reason(job.history)
        if reason is not None:
            return reason, stop.keeps
    return None, "best"


def _is_worth_keeping(job: Job, row: dict[str, float], keeps: Keeps) -> bool:
    """Whether the run, were it to end now, should return this state."""
    shortfall = job.judge.shortfall(row, job.first)
    if keeps == "this":
        job.shortfall = shortfall
        return True
    if "validation_auc" not in row:
        # Nothing measures forgetting: the best on the retain set alone would be the least changed.
        return keeps != "before"
    if shortfall > job.shortfall:
        return False
    job.shortfall = shortfall
    return True


def job_row(job: Job, look: Look, loss: float) -> dict[str, float]:
    """The history row of an evaluation."""
    row = {
        "step": job.step,
        "epoch": job.schedule.epoch(job.step, len(job.sets.retain)),
        # One clock for all: processes that stop at different times would wait for each other.
        "seconds": job.processes.from_main(perf_counter() - job.started, job.device),
        "loss": loss,
        **figures(look),
    }
    if job.penalty is not None:
        row["gamma"] = job.penalty.gamma
        information = job.penalty.information(look)
        if information is not None:
            row["information"] = information
    return row


def _finite(look: Look, model: nn.Module) -> bool:
    shown = [look.forget, look.retain, look.targets, look.validation]
    seen = [part.outputs for part in shown if part is not None]
    # Buffers are left out: an attention mask is full of -inf.
    return all(bool(torch.isfinite(values).all()) for values in [*seen, *model.parameters()])


def _save(job: Job, optimizer: torch.optim.Optimizer) -> None:
    assert job.checkpoint is not None
    facts = {
        "step": job.step,
        "history": job.history,
        "best_step": job.best_step,
        "shortfall": job.shortfall,
        "cost": job.cost,
        "gamma": None if job.penalty is None else job.penalty.gamma,
        "seconds": perf_counter() - job.started,
    }
    state = Progress(job.model.state_dict(), job.best, optimizer.state_dict(), facts)
    save_checkpoint(job.checkpoint, job.fingerprint, state)


def _resume(job: Job, optimizer: torch.optim.Optimizer) -> None:
    """Continue where a killed run of the same kind stopped."""
    kept = load_checkpoint(job.checkpoint, job.fingerprint) if job.checkpoint else None
    if kept is None:
        return
    facts = kept.facts
    job.model.load_state_dict(kept.weights)
    optimizer.load_state_dict(kept.optimizer)
    job.step, job.history = facts["step"], facts["history"]
    job.best_step, job.shortfall, job.cost = facts["best_step"], facts["shortfall"], facts["cost"]
    job.best = {name: value.to(job.device) for name, value in kept.best.items()}
    job.started = perf_counter() - facts["seconds"]
    if job.penalty is not None:
        job.penalty.refresh(job.evaluator.look(job.model))
        job.penalty.gamma = facts["gamma"]
