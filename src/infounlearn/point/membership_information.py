"""Information between what the model shows and Z = forget or held-out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from infounlearn.errors import InputError, Problems, is_number
from infounlearn.math import (
    bin_width,
    information_from_log_laws,
    mutual_information,
    pooled_mutual_information,
    soft_bin_centers,
    soft_bins,
)
from infounlearn.point.batches import classes
from infounlearn.point.objective import (
    DualAscent,
    Look,
    Shown,
    Slopes,
    Step,
    check_weight,
    loss_score,
    score,
)

Level = Literal["label", "score", "loss"]


@dataclass(frozen=True)
class MembershipInformation:
    """gamma x I(outcome; forget or held-out), in nats. Its zero *is* the right goal.

    If the forget set was chosen by labels only, a model that never saw it shows forget and held-out
    records of a class alike (docs/method.md has the proof). Held-out rows of each step have the
    classes of its forget rows and carry no gradient: nothing is learned from them.

    Attributes:
        gamma: weight; the first weight where ``budget`` is given.
        level: the outcome: "label" (sampled), "score" (logit margin of the true label in soft
            bins) or "loss" (in soft bins).
        bins: soft bins, of equal mass under the model at the start.
        budget: keep the information at this many nats by dual ascent on gamma; None fixes gamma.
        rate: step of the dual ascent per relative excess over ``budget``.
    """

    gamma: float = 1.0
    level: Level = "score"
    bins: int = 16
    budget: float | None = None
    rate: float = 0.5
    needs_holdout = True
    holdout_in_batch = True

    def __post_init__(self) -> None:
        problems = Problems("MembershipInformation")
        check_weight(self.gamma, self.budget, self.rate, problems)
        problems.require(
            self.level in ("label", "score", "loss"),
            f"level is {self.level!r}",
            fix="choose label, score or loss",
        )
        problems.require(
            is_number(self.bins, whole=True) and self.bins >= 2,
            f"bins is {self.bins!r}",
            fix="pass 2 or more",
        )
        problems.raise_if_any()

    def start(self, look: Look) -> MembershipPenalty:
        """See :class:`infounlearn.point.objective.Objective`."""
        return MembershipPenalty(self, look)


class MembershipPenalty(DualAscent):
    """Information of each batch on bins fixed at the start."""

    def __init__(self, settings: MembershipInformation, look: Look) -> None:
        super().__init__(settings.gamma, settings.budget, settings.rate)
        if settings.level == "label" and not look.forget.is_classification:
            raise InputError(
                "MembershipInformation: a regressor shows no label: pass level='score' or 'loss'"
            )
        self._level = settings.level
        self._centers = torch.zeros(1)
        self._width = 1.0
        if settings.level != "label":
            assert look.targets is not None  # needs_holdout: checked before the run
            both = torch.cat([self._scores(look.forget), self._scores(look.targets)])
            self._centers = soft_bin_centers(both, settings.bins)
            self._width = bin_width(self._centers)

    def refresh(self, look: Look) -> None:
        """Move gamma towards the budget."""
        self.update(self.information(look))

    def __call__(self, step: Step) -> Tensor:
        """Plug-in information of the step's rows, pooled over the processes."""
        assert step.holdout is not None  # holdout_in_batch
        outcomes, z = self._rows(step.forget, step.holdout)
        if step.processes > 1:
            pooled = pooled_mutual_information(outcomes, z, num_groups=2, prior=(0.5, 0.5))
            return step.part_of(pooled)
        return mutual_information(outcomes, z, prior=(0.5, 0.5))

    def slopes(self, step: Step) -> Slopes | None:
        """None: left to autograd, through scores and soft bins."""
        return None

    def information(self, look: Look) -> float:
        """Information of the forget set against held-out records of the same classes, in nats.

        Held-out classes count by their share of the forget set, as they do in the steps: else a
        forget set of one class would be told from the rest for good.
        """
        held = look.targets
        assert held is not None
        outcomes, z = self._rows(look.forget, held)
        ours, theirs = (torch.softmax(outcomes[z == group], 1) for group in (0, 1))
        law = torch.zeros_like(theirs[0])
        for label in classes(look.forget.targets).unique():
            share = (classes(look.forget.targets) == label).double().mean()
            law += share * theirs[classes(held.targets) == label].mean(0)
        laws = torch.stack([ours.mean(0), law])
        return float(information_from_log_laws(laws.log(), (0.5, 0.5)))

    def _scores(self, shown: Shown) -> Tensor:
        return score(shown) if self._level == "score" else loss_score(shown)

    def _rows(self, forget: Shown, holdout: Shown) -> tuple[Tensor, Tensor]:
        parts = (forget, holdout)
        if self._level == "label":
            outcomes = torch.cat([part.outputs for part in parts])
        else:
            scores = torch.cat([self._scores(part) for part in parts])
            outcomes = soft_bins(scores, self._centers, self._width)
        z = torch.zeros(len(outcomes), dtype=torch.long, device=outcomes.device)
        z[len(forget) :] = 1
        return outcomes, z
