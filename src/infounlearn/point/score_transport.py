"""One-dimensional optimal transport of forget scores onto held-out scores."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from infounlearn.errors import Problems
from infounlearn.math import quantile_targets, squared_error
from infounlearn.point.objective import Look, Shown, Slopes, Step, check_weight, score

ENOUGH_PER_CLASS = 20
"""Held-out records that a class needs for quantiles of its own; else all classes share them."""


@dataclass(frozen=True)
class ScoreTransport:
    """gamma x mean excess of each forget score over the held-out score of the same rank.

    At every evaluation the forget records are ranked by score (the logit margin of the true label)
    and each gets as its target the held-out quantile of that rank, class by class: the Brenier map
    of the line. Ranks of the whole set, not of a batch, because batch order statistics are biased
    and jitter; between evaluations the targets stand still. So records that were hardest stay
    hardest, and only the law moves. Sees random forget sets, which marginal information cannot.

    Scores are only ever pushed down: raising the score of a forget record would be training on it.

    Attributes:
        gamma: weight of the smooth absolute excess.

    References: McCann (1995) for monotone transport; the use is this project's own, measured in
    docs/method.md.
    """

    gamma: float = 0.1
    needs_holdout = True
    holdout_in_batch = False

    def __post_init__(self) -> None:
        problems = Problems("ScoreTransport")
        check_weight(self.gamma, None, 0.0, problems)
        problems.raise_if_any()

    def start(self, look: Look) -> TransportPenalty:
        """See :class:`infounlearn.point.objective.Objective`."""
        return TransportPenalty(self.gamma, look)


class TransportPenalty:
    """Targets of every forget record, renewed at each evaluation."""

    def __init__(self, gamma: float, look: Look) -> None:
        self.gamma = gamma
        assert look.targets is not None  # needs_holdout: checked before the run
        self._by_class = look.forget.is_classification and _enough(look.forget, look.targets)
        self._scale = 1.0
        if not look.forget.is_classification:
            # Errors have the unit of the target; in units of their held-out mean gamma has none.
            errors = squared_error(look.targets.outputs, look.targets.targets)
            self._scale = float(errors.mean())
        self._goals = torch.zeros(0)
        self.refresh(look)

    def refresh(self, look: Look) -> None:
        """Give each forget record the held-out quantile of its rank."""
        assert look.targets is not None
        labels: dict[str, Tensor] = {}
        if self._by_class:
            labels = {"labels": look.forget.targets, "target_labels": look.targets.targets}
        self._goals = quantile_targets(
            score(look.forget, self._scale), score(look.targets, self._scale), **labels
        )

    def __call__(self, step: Step) -> Tensor:
        """Mean smooth excess of the step's forget rows over their targets."""
        scores = score(step.forget, self._scale)
        goals = self._goals[step.forget.index]
        excess = (scores - goals).clamp_min(0.0)
        rows = functional.smooth_l1_loss(excess, torch.zeros_like(excess), reduction="none")
        return step.mean_over_forget(rows)

    def slopes(self, step: Step) -> Slopes | None:
        """Written out for classifiers on a CPU: dφ/dz is 1 at the label and -p_c/(1 - p_y) else."""
        rows = step.forget
        if not rows.is_classification or rows.outputs.device.type != "cpu" or len(rows) == 0:
            return None
        logits = rows.outputs.detach().to(torch.float64).numpy()
        places, labels = np.arange(len(rows)), rows.targets.numpy()
        others = logits.copy()
        others[places, labels] = -np.inf
        largest = others.max(1)
        shares = np.exp(others - largest[:, None])
        sums = shares.sum(1)
        margins = logits[places, labels] - largest - np.log(sums)
        excess = np.maximum(margins - self._goals[rows.index].numpy(), 0.0)
        pull = np.minimum(excess, 1.0)
        push = pull / step.forget_total
        slopes = shares * (-push / sums)[:, None]
        slopes[places, labels] = push
        # pull (excess - pull/2) is half the square below 1, the distance less a half above.
        value = float((pull * (excess - 0.5 * pull)).sum()) / step.forget_total
        return Slopes(value, torch.from_numpy(slopes))

    def information(self, look: Look) -> float | None:
        """None: this objective moves a law and computes no information."""
        return None


def _enough(forget: Shown, targets: Shown) -> bool:
    present = forget.targets.unique()
    counts = torch.bincount(targets.targets, minlength=int(present.max()) + 1)
    return bool((counts[present] >= ENOUGH_PER_CLASS).all())
