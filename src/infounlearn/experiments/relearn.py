"""Relearn time: how quickly a model learns the forgotten records again.

*Definition.* A copy of the model is trained on the forget records alone, by the original recipe
with a fresh optimizer, until its mean loss on them is at most that of the original model plus 1e-5.
Counted are optimizer steps; the loss is looked at before the first step and after each. Several
seeds give several orders of the records; the figure is the median of the steps, relative to the
median of retrained models under the same seeds.

A run that does not get there in ``cap`` steps is *censored*: its time is at least the cap, and is
never averaged as if it were known. Medians and ratios are therefore intervals (low, high), which
close to a point as soon as enough runs arrive.

Batch-norm keeps its running statistics, so that the network that learns is the one whose loss is
looked at, and a single record can be relearned.

*Floor.* Each retrained network's own ratio to the others; a ratio inside their range is what
retrained networks show. Well below it: the model still remembers. Above it: its damage can be seen.

*Source.* Golatkar et al. (2020), arXiv:1911.04933 (relearn time); Chundawat et al. (2022),
arXiv:2201.05629 (its ratio to that of a retrained model, as "anamnesis index").
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from infounlearn.data.records import Records
from infounlearn.errors import Problems, is_number
from infounlearn.experiments.networks import seeded
from infounlearn.experiments.recipe import Recipe, epoch_batches

__all__ = ["RelearnRatio", "RelearnRuns", "mean_loss", "relearn", "relearn_ratio"]

MARGIN = 1e-5
"""How far above the original model's loss a copy may stop."""

Bounds = tuple[float, float]
"""Lowest and highest value that censored runs allow; the same number twice where all is known."""


@dataclass(frozen=True, eq=False)
class RelearnRuns:
    """Steps of several models over several seeds.

    Attributes:
        steps: (m, s) int64, of model i under seed j; the cap where the target was not reached.
        reached: (m, s) bool.
        target: loss to be reached (nats, or squared unit of the target).
        cap: most steps of a run.
        seeds: the s seeds.
    """

    steps: Tensor
    reached: Tensor
    target: float
    cap: int
    seeds: tuple[int, ...]


@dataclass(frozen=True)
class RelearnRatio:
    """Relearn time of unlearned models relative to retrained ones.

    Attributes:
        ratio: median steps of the unlearned over those of the retrained; 1 where both are 0, inf
            where only the latter is.
        steps: median steps of the unlearned models.
        retrained_steps: median steps of the retrained models.
        floor_per_network: ratio of each retrained model to the others.
    """

    ratio: Bounds
    steps: Bounds
    retrained_steps: Bounds
    floor_per_network: tuple[Bounds, ...]


def relearn(
    models: Sequence[nn.Module],
    original: nn.Module,
    forget: Records,
    recipe: Recipe,
    *,
    seeds: Iterable[int] = range(3),
    cap: int = 1_000,
) -> RelearnRuns:
    """Steps that copies of ``models`` need to learn ``forget`` as well as ``original`` knows it.

    No model is changed. The same arguments give the same steps, on one number of threads; all
    models see the same records in the same order under one seed. Runs on the CPU.

    Args:
        models: unlearned models, or retrained ones.
        original: the model that has learned ``forget``.
        forget: the forgotten records.
        recipe: of the original training; its number of epochs has no effect.
        seeds: of the order of records and of dropout.
        cap: most steps of a run.

    Returns:
        Steps, and whether each run arrived. A run whose loss is not finite never arrives.

    Raises:
        InputError: no model, no records, no or negative seeds, a negative cap, or an original model
            whose loss is not finite.
    """
    wanted = tuple(seeds)
    problems = Problems("relearn")
    problems.require(len(models) > 0, "there is no model", fix="pass one or more")
    filled = problems.require(
        len(forget) > 0, f"{forget.name} is empty", fix="pass at least one record"
    )
    problems.require(
        bool(wanted) and all(is_number(seed, whole=True) and seed >= 0 for seed in wanted),
        f"seeds are {wanted}",
        fix="pass one or more seeds, none negative",
    )
    problems.require(
        is_number(cap, whole=True) and cap >= 0, f"cap is {cap!r}", fix="pass 0 or more steps"
    )
    target = mean_loss(original, forget) + MARGIN if filled else math.nan
    problems.require(
        math.isfinite(target) or not filled,
        f"the original model's loss on {forget.name} is {target}",
        fix="pass the model that has learned these records",
    )
    problems.raise_if_any()
    found = [
        [_steps(model, forget, recipe, target, cap, int(seed)) for seed in wanted]
        for model in models
    ]
    known = torch.tensor([[steps is not None for steps in row] for row in found])
    steps = torch.tensor([[cap if steps is None else steps for steps in row] for row in found])
    return RelearnRuns(steps, known, target, cap, wanted)


def relearn_ratio(unlearned: RelearnRuns, retrained: RelearnRuns) -> RelearnRatio:
    """Relearn time relative to retraining, with the spread of retrained models as floor.

    Args:
        unlearned: of one or more unlearned models; all their runs count alike.
        retrained: of two or more retrained models.

    Raises:
        InputError: fewer than two retrained models, or runs of another target, cap or seeds.
    """
    problems = Problems("relearn_ratio")
    networks = len(retrained.steps)
    problems.require(
        networks >= 2,
        f"there are {networks} retrained models",
        why="the floor is each one's ratio to the others",
        fix="relearn with two or more",
    )
    terms = [(runs.target, runs.cap, runs.seeds) for runs in (unlearned, retrained)]
    problems.require(
        terms[0] == terms[1],
        f"target, cap and seeds are {terms[0]} and {terms[1]}",
        fix="relearn both with the same original model, records, cap and seeds",
    )
    problems.raise_if_any()
    own, reference = _median(unlearned), _median(retrained)
    floors = []
    for k in range(networks):
        others = [i for i in range(networks) if i != k]
        floors.append(_ratio(_median(retrained, [k]), _median(retrained, others)))
    return RelearnRatio(_ratio(own, reference), own, reference, tuple(floors))


@torch.no_grad()
def mean_loss(model: nn.Module, records: Records) -> float:
    """Mean loss of a copy of ``model`` in evaluation mode: cross-entropy, or squared error."""
    return _loss(copy.deepcopy(model).eval(), records)


def _loss(model: nn.Module, records: Records) -> float:
    """Mean loss in float64 of a model that is in evaluation mode."""
    with torch.no_grad():
        outputs = torch.cat([model(chunk) for chunk in records.inputs.split(4096)]).double()
    if records.is_classification:
        return float(nn.functional.cross_entropy(outputs, records.targets))
    return float(nn.functional.mse_loss(outputs, records.targets.double()))


def _steps(
    model: nn.Module, forget: Records, recipe: Recipe, target: float, cap: int, seed: int
) -> int | None:
    """Steps until the loss is at most ``target``; None where ``cap`` steps are not enough."""
    learner = copy.deepcopy(model).requires_grad_(True)
    loss_of = nn.functional.cross_entropy if forget.is_classification else nn.functional.mse_loss
    optimizer = recipe.build(learner)
    order, dropout = (int(part) for part in np.random.SeedSequence(seed).generate_state(2))
    generator = torch.Generator().manual_seed(order)
    done = epoch = 0
    loss = _loss(learner.eval(), forget)
    while done < cap and target < loss < math.inf:
        epoch += 1
        with seeded(dropout + epoch):
            for index in epoch_batches(len(forget), recipe.batch_size, generator):
                _learning(learner)
                optimizer.zero_grad()
                loss_of(learner(forget.inputs[index]), forget.targets[index]).backward()
                optimizer.step()
                done += 1
                loss = _loss(learner.eval(), forget)
                # NaN stops, too: such a run never arrives.
                if done == cap or not target < loss < math.inf:
                    break
    return done if loss <= target else None


def _learning(model: nn.Module) -> None:
    """Training mode, except for batch-norm."""
    model.train()
    for part in model.modules():
        if isinstance(part, nn.modules.batchnorm._BatchNorm):
            part.eval()


def _median(runs: RelearnRuns, models: list[int] | None = None) -> Bounds:
    """Median over seeds and models, with censored runs at the cap and at infinity."""
    rows = list(range(len(runs.steps))) if models is None else models
    steps, reached = runs.steps[rows].double(), runs.reached[rows]
    latest = torch.where(reached, steps, math.inf)
    return float(np.median(steps.numpy())), float(np.median(latest.numpy()))


def _ratio(own: Bounds, reference: Bounds) -> Bounds:
    return _quotient(own[0], reference[1]), _quotient(own[1], reference[0])


def _quotient(steps: float, reference: float) -> float:
    if reference > 0:
        return steps / reference
    return 1.0 if steps == 0 else math.inf
