"""Warm restart: shrink the weights, add a fresh initialisation, let training heal the rest.

A trained network holds its records in its weights. Mixing them with fresh ones weakens what was
learned from any single record, and from whole classes, faster than any gradient does; training on
the retain set restores what is to be kept. ``keep`` is a dial between the two: near 0 the network
forgets almost everything and nearly becomes a retrained one, near 1 it keeps what it memorised of
the retain set.

References: Ash & Adams (2020), "On Warm-Starting Neural Network Training", for shrink and perturb;
the measured dial is in docs/method.md.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn

from infounlearn.data.reading import same_randomness
from infounlearn.errors import Problems, is_number
from infounlearn.point.batches import RecordSet, shuffled, to_device
from infounlearn.point.evaluation import forward

Fresh = Callable[[int], nn.Module]
"""Builds a freshly initialised network from a seed."""


@dataclass(frozen=True)
class Restart:
    """Weights become ``keep * weights + noise * fresh initialisation``.

    Attributes:
        keep: share of the trained weights that stays, from 0 to 1.
        noise: share of a fresh initialisation that is added.
    """

    keep: float = 0.15
    noise: float = 1.0

    def check(self, problems: Problems) -> None:
        """Collect settings that cannot be used."""
        for name in ("keep", "noise"):
            value = getattr(self, name)
            problems.require(
                is_number(value) and 0 <= value <= 1,
                f"restart.{name} is {value!r}",
                fix="pass a number from 0 to 1",
            )

    @torch.no_grad()
    def apply(self, model: nn.Module, fresh: nn.Module) -> None:
        """Change the trainable weights of ``model`` in place.

        Buffers (batch-norm statistics) are no weights and stay, unless ``keep`` is 0: then nothing
        that training left behind does.
        """
        source = dict(fresh.named_parameters())
        for name, weight in model.named_parameters():
            if weight.requires_grad:
                weight.mul_(self.keep).add_(source[name].to(weight), alpha=self.noise)
        if self.keep == 0:
            start = dict(fresh.named_buffers())
            for name, buffer in model.named_buffers():
                buffer.copy_(start[name])


def fresh_network(
    model: nn.Module, fresh: Fresh | None, seed: int, problems: Problems
) -> nn.Module | None:
    """A network like ``model`` with weights that owe nothing to its training.

    Uses ``fresh(seed)`` where it is given, else the ``reset_parameters`` of every submodule of a
    copy. Collects a problem where some weight would keep its trained value.
    """
    with same_randomness(seed=seed):
        if fresh is not None:
            network = fresh(seed)
        else:
            network = copy.deepcopy(model)
            for module in network.modules():
                reset = getattr(module, "reset_parameters", None)
                if callable(reset):
                    reset()
    ours, theirs = _shapes(model), _shapes(network)
    if not problems.require(
        ours == theirs,
        "fresh builds a network whose parameters or buffers differ from those of model",
        fix="pass the factory of this very architecture",
    ):
        return None
    trained = dict(model.named_parameters())
    # Frozen weights are not restarted. Biases of zero and norm weights of one are often equal
    # before and after training for good reason: they were never moved. Other values that stay are
    # not.
    untouched = [
        name
        for name, weight in network.named_parameters()
        if (weight.ndim > 1 or not ((weight == 0) | (weight == 1)).all())
        and trained[name].requires_grad
        and torch.equal(weight.to(trained[name]), trained[name])
    ]
    problems.require(
        not untouched,
        f"parameters {untouched[:5]} keep their trained values in a fresh network",
        why="their modules have no reset_parameters",
        fix="pass fresh=callable(seed) that builds a freshly initialised model, or restart=None",
    )
    return network


def _shapes(network: nn.Module) -> dict[str, torch.Size]:
    parts = (*network.named_parameters(), *network.named_buffers())
    return {name: part.shape for name, part in parts}


STATISTICS_ROWS = 10_000
"""Retain rows that are enough to measure batch-norm statistics."""


@torch.no_grad()
def measure_statistics(
    model: nn.Module,
    retain: RecordSet,
    seed: int,
    device: torch.device,
    limit: int = STATISTICS_ROWS,
) -> int:
    """Replace batch-norm statistics by those that retain rows have under the weights of now.

    Restarted weights leave the statistics of the trained ones far off: outputs in eval mode, which
    set the targets of objectives, would be those of no sensible network. The
    old ones also hold the forget records; these do not. Dropout is off meanwhile.

    Returns:
        Rows forwarded.
    """
    norms = [
        module
        for module in model.modules()
        if isinstance(module, nn.modules.batchnorm._BatchNorm) and module.running_mean is not None
    ]
    rows = shuffled(len(retain), seed, "batch-norm statistics")[:limit]
    if not norms or len(rows) < 2:  # one row has no spread
        return 0
    momenta = [module.momentum for module in norms]
    model.eval()
    for module in norms:
        module.reset_running_stats()
        module.momentum = None  # the plain mean over batches
        module.train()
    for chunk in rows.tensor_split(-(-len(rows) // 1024)):
        inputs, _ = retain.take(chunk)
        forward(model, to_device(inputs, device))
    for module, momentum in zip(norms, momenta, strict=True):
        module.momentum = momentum
    model.eval()
    return len(rows)


MANY_STEPS = 3_000
"""Steps after which a strong restart of MNIST networks was healed (docs/method.md)."""


def shortness(steps: int) -> float:
    """How much shorter than usual a run is: (3000/steps)^(1/3), at least 1.

    A short run cannot heal what a long one can, so it keeps more of the weights and takes longer
    steps. The power is fitted, not derived: it joins good settings near 300 steps (digits) and
    3,000 steps (MNIST), and nothing else was tried.
    """
    return max(1.0, (MANY_STEPS / steps) ** (1 / 3))
