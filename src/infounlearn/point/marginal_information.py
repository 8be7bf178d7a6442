"""The paper's objective: I(f(X); Z) where Z tells the retain pool from retain + forget."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from infounlearn.errors import InputError, Problems, is_number
from infounlearn.math import Pools, marginal_information, pooled_marginal_information
from infounlearn.math.logit_information import information_and_gradient
from infounlearn.point.objective import DualAscent, Look, Shown, Slopes, Step, check_weight


@dataclass(frozen=True)
class MarginalInformation:
    """gamma x marginal information of the sampled label, in nats (classifiers).

    Its zero is no goal: even a model retrained without the forget set has some, so driving it to
    zero over-unlearns; and it cannot see a forget set whose labels are distributed like the retain
    set's. The run says so beforehand (:func:`infounlearn.point.see_forget_set`).

    Attributes:
        gamma: weight; the first weight where ``budget`` is given.
        budget: keep the information at this many nats by dual ascent on gamma; None fixes gamma.
        alpha: design share of the forget set in the pool; None is its natural share. Batch sizes
            never set it.
        prior: probabilities (π0, π1) of the pool and of retain alone.
        conditional: condition on the class label (then it grows for a retrained model: see
            docs/method.md before use).
        rate: step of the dual ascent per relative excess over ``budget``.

    References: Xu & Strohmer (2025), arXiv:2502.05684.
    """

    gamma: float = 1.5
    budget: float | None = None
    alpha: float | None = None
    prior: tuple[float, float] = (0.5, 0.5)
    conditional: bool = False
    rate: float = 0.5
    needs_holdout = False
    holdout_in_batch = False

    def __post_init__(self) -> None:
        problems = Problems("MarginalInformation")
        check_weight(self.gamma, self.budget, self.rate, problems)
        problems.require(
            self.alpha is None or (is_number(self.alpha) and 0 < self.alpha <= 1),
            f"alpha is {self.alpha!r}",
            fix="pass a share above 0 and up to 1, or None",
        )
        problems.require(
            len(self.prior) == 2
            and all(is_number(share) and share > 0 for share in self.prior)
            and math.isclose(sum(self.prior), 1.0),
            f"prior is {self.prior!r}",
            why="with one group alone there is nothing to tell apart",
            fix="pass two probabilities above 0 that sum to 1",
        )
        problems.raise_if_any()

    def start(self, look: Look) -> MarginalPenalty:
        """See :class:`infounlearn.point.objective.Objective`."""
        return MarginalPenalty(self, look)


class MarginalPenalty(DualAscent):
    """Marginal information of each batch; gamma follows the evaluations."""

    def __init__(self, settings: MarginalInformation, look: Look) -> None:
        super().__init__(settings.gamma, settings.budget, settings.rate)
        if not look.forget.is_classification:
            raise InputError(
                "MarginalInformation: the model is a regressor: pass ScoreTransport or "
                "MembershipInformation(level='loss'), which work on losses"
            )
        self._settings = settings
        self._alpha = look.alpha if settings.alpha is None else settings.alpha

    def refresh(self, look: Look) -> None:
        """Move gamma towards the budget."""
        self.update(self.information(look))

    def __call__(self, step: Step) -> Tensor:
        """Plug-in information of the step's rows, pooled over the processes."""
        logits, forget, given = self._rows(step.retain, step.forget)
        alpha, prior = self._alpha, self._settings.prior
        if step.processes > 1:
            classes = logits.shape[1] if given is not None else None
            pooled = pooled_marginal_information(
                logits, forget, alpha=alpha, prior=prior, given=given, num_given=classes
            )
            return step.part_of(pooled)
        return marginal_information(logits, forget, alpha=alpha, prior=prior, given=given)

    def slopes(self, step: Step) -> Slopes | None:
        """Written out where all rows are here and no class is conditioned on."""
        if step.processes > 1 or self._settings.conditional:
            return None
        logits, forget, _ = self._rows(step.retain, step.forget)
        design = Pools(self._alpha, self._settings.prior)
        value, slopes = information_and_gradient(logits.detach(), forget.long(), design)
        return Slopes(value, slopes[len(step.retain) :], slopes[: len(step.retain)])

    def information(self, look: Look) -> float:
        """Information of the evaluated records, in nats."""
        logits, forget, given = self._rows(look.retain, look.forget)
        return float(
            marginal_information(
                logits, forget, alpha=self._alpha, prior=self._settings.prior, given=given
            )
        )

    def _rows(self, retain: Shown, forget: Shown) -> tuple[Tensor, Tensor, Tensor | None]:
        logits = torch.cat([retain.outputs, forget.outputs])
        member = torch.zeros(len(logits), dtype=torch.bool, device=logits.device)
        member[len(retain) :] = True
        given = torch.cat([retain.targets, forget.targets]) if self._settings.conditional else None
        return logits, member, given
