"""The loop of every published method: passes, looks, the state to return, checkpoints."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter

import torch
from torch import Tensor

from infounlearn.errors import DivergenceError
from infounlearn.point.batches import own_randomness, seed_step, stream_seed
from infounlearn.point.checkpoint import Progress, load_checkpoint, save_checkpoint, snapshot
from infounlearn.point.evaluation import Evaluator, figures
from infounlearn.point.methods.base import Method, Pass, Training
from infounlearn.point.methods.task import Task
from infounlearn.point.objective import Look

OnEvaluation = Callable[[dict[str, float]], None]


@dataclass
class Candidate:
    """A state that may be returned: see :attr:`Training.rewind`."""

    step: int
    shown: float
    state: dict[str, Tensor]


@dataclass
class Run:
    """A method at work. ``best`` holds the state that would be returned now."""

    method: Method
    task: Task
    training: Training
    evaluator: Evaluator
    first: dict[str, float]
    checkpoint: Path | None
    fingerprint: str
    on_evaluation: OnEvaluation | None
    started: float
    step: int = 0
    passes_done: int = 0
    history: list[dict[str, float]] = field(default_factory=list)
    best: dict[str, Tensor] = field(default_factory=dict)
    best_step: int = 0
    candidates: list[Candidate] = field(default_factory=list)
    looked: int = 0


def run(job: Run) -> str:
    """Do all passes and leave the state to return in ``task.model``.

    Returns:
        Why the run ended and which state it kept.

    Raises:
        DivergenceError: a loss, a weight or an output stopped being finite.
    """
    task, training = job.task, job.training
    job.history, job.best = [job.first], snapshot(task.original)
    _resume(job)
    total = sum(one.steps for one in training.passes)
    reason = "all passes done"
    try:
        with own_randomness(task.device):
            for number, one in enumerate(training.passes):
                if number >= job.passes_done:
                    loss = _do(job, one, total)
                    job.passes_done = number + 1
                    _evaluate(job, one, loss)
    except KeyboardInterrupt:
        reason = "interrupted"
    task.model.load_state_dict(job.best)
    task.thaw()
    task.model.eval().zero_grad()
    kept = f"state of step {job.best_step} kept"
    if not job.passes_done:
        kept = "no pass was finished, so the original weights are kept"
    return f"{reason}; {kept}"


def _do(job: Run, one: Pass, total: int) -> float:
    """One pass; returns its mean loss, 0 for an edit."""
    task, training = job.task, job.training
    if one.edit is not None:
        one.edit()
        job.step += one.steps
        return 0.0
    optimizer = one.optimizer or training.optimizer
    before_step = one.before_step or training.before_step
    if optimizer is None or one.loss is None:
        raise TypeError(f"{job.method.name}: a pass with steps needs a loss and an optimizer")
    losses = torch.zeros((), dtype=torch.float64, device=task.device)
    for step in range(one.steps):
        if one.lr_at is not None:
            _set_lr(optimizer, one.lr_at(step))
        elif training.lr_at is not None:
            _set_lr(optimizer, training.lr_at(job.step, total))
        # Dropout draws from torch's global generator; a seed of its own per step makes any step
        # repeatable without storing generators.
        seed_step(task.device, stream_seed(task.seed, "step", job.step))
        optimizer.zero_grad(set_to_none=True)
        loss = one.loss(step)
        loss.backward()
        if before_step is not None:
            before_step()
        optimizer.step()
        if training.after_step is not None:
            training.after_step()
        losses += loss.detach()
        job.step += 1
    if one.finish is not None:
        one.finish()
    return float(losses) / max(one.steps, 1)


def _set_lr(optimizer: torch.optim.Optimizer, lr: float) -> None:
    for group in optimizer.param_groups:
        group["lr"] = lr


def _evaluate(job: Run, one: Pass, loss: float) -> None:
    """Look, remember, save."""
    task = job.task
    look = job.evaluator.look(task.model)
    job.looked += job.evaluator.rows
    shown = [part for part in (look.forget, look.retain, look.targets, look.validation) if part]
    tensors = [*(part.outputs for part in shown), *task.model.parameters()]
    if not all(bool(torch.isfinite(values).all()) for values in [torch.tensor(loss), *tensors]):
        raise DivergenceError(
            f"{job.method.name}: numbers are not finite after {job.step} steps (loss {loss}): "
            + ("lower lr" if hasattr(job.method, "lr") else "choose milder settings")
        )
    row = {
        "step": job.step,
        "epoch": task.cost["rows_backward"] / len(task.sets.retain),
        "seconds": perf_counter() - job.started,
        "loss": loss,
        **figures(look),
    }
    job.history.append(row)
    _choose(job, one, look)
    if job.checkpoint is not None:
        _save(job)
    if job.on_evaluation is not None:
        job.on_evaluation(dict(row))


def _choose(job: Run, one: Pass, look: Look) -> None:
    """Which state the run, were it to end now, would return."""
    rewind = job.training.rewind
    if not one.candidate:
        return
    if rewind is None:
        job.best, job.best_step = snapshot(job.task.model), job.step
    else:
        shown, wanted = rewind(look)
        job.candidates.append(Candidate(job.step, shown, snapshot(job.task.model)))
        best = min(reversed(job.candidates), key=lambda one: abs(one.shown - wanted))
        job.best, job.best_step = best.state, best.step


def _save(job: Run) -> None:
    assert job.checkpoint is not None
    optimizer = job.training.optimizer
    facts = {
        "step": job.step,
        "passes_done": job.passes_done,
        "history": job.history,
        "best_step": job.best_step,
        "candidates": [[one.step, one.shown] for one in job.candidates],
        "cost": job.task.cost,
        "looked": job.looked,
        "seconds": perf_counter() - job.started,
    }
    state = {"state": {}, "param_groups": []} if optimizer is None else optimizer.state_dict()
    best = dict(job.best)
    for number, one in enumerate(job.candidates):
        best |= {f"{number}/{name}": value for name, value in one.state.items()}
    if job.training.memory is not None:
        best |= {f"memory/{name}": value for name, value in job.training.memory().items()}
    progress = Progress(job.task.model.state_dict(), best, state, facts)
    save_checkpoint(job.checkpoint, job.fingerprint, progress)


def _resume(job: Run) -> None:
    """Continue after the last pass that a killed run of the same kind finished."""
    kept = load_checkpoint(job.checkpoint, job.fingerprint) if job.checkpoint else None
    if kept is None:
        return
    facts = kept.facts
    job.task.model.load_state_dict(kept.weights)
    if job.training.optimizer is not None:
        job.training.optimizer.load_state_dict(kept.optimizer)
    job.step, job.passes_done = facts["step"], facts["passes_done"]
    job.history, job.looked = facts["history"], facts["looked"]
    job.best_step = facts["best_step"]
    job.task.cost.update(facts["cost"])
    best = {name: value.to(job.task.device) for name, value in kept.best.items()}
    names = list(job.task.model.state_dict())
    job.best = {name: best[name] for name in names}
    job.candidates = [
        Candidate(step, shown, {name: best[f"{number}/{name}"] for name in names})
        for number, (step, shown) in enumerate(facts["candidates"])
    ]
    if job.training.remember is not None:
        prefix = "memory/"
        own = {name[len(prefix) :]: kept.best[name] for name in best if name.startswith(prefix)}
        job.training.remember(own)
    job.started = perf_counter() - facts["seconds"]
