"""Can marginal information see this forget set at all?

The published objective compares the retain pool with the retain + forget pool, both of training
data. A forget set drawn at random shows the same labels as the rest, so the objective is almost
zero before any unlearning, has no gradient, and reports success. This is found out before a run.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from infounlearn.interface import Null
from infounlearn.math import information_null, marginal_ceiling, marginal_information
from infounlearn.point.objective import Look

VISIBLE_SHARE = 0.02
"""Share of the ceiling below which marginal information is too little to steer by.

Significance alone will not do: with enough records a random forget set's chance imbalance of labels
is significant, and still says nothing about memory.
"""


@dataclass(frozen=True)
class Sight:
    """What marginal information sees of a forget set, before unlearning.

    Attributes:
        information: marginal information of the sampled label, in nats.
        normalized: its share of the ceiling I(W; Z), in [0, 1].
        null: permutation law of ``information`` when forget and retain are shuffled.
        visible: outside its null (p at most 0.01) and at least 2 % of the ceiling.
    """

    information: float
    normalized: float
    null: Null
    visible: bool

    @property
    def sentence(self) -> str:
        """One sentence for people."""
        figures = (
            f"{self.information:.3g} nats, {self.normalized:.2%} of its ceiling; shuffled forget "
            f"sets reach {self.null.quantile95:.3g} nats, p = {self.null.p_value:.3f}"
        )
        if self.visible:
            return f"marginal information sees this forget set ({figures})"
        return (
            f"marginal information cannot see this forget set ({figures}): it has nothing to "
            "remove and would report success; use ScoreTransport or MembershipInformation with "
            "held-out records"
        )


def see_forget_set(look: Look, *, seed: int = 0, permutations: int = 999) -> Sight:
    """Measure marginal information of a classifier's forget set against its permutation null.

    Args:
        look: outputs of the original model on forget records and a sample of retain records.
        seed: of the permutations.
        permutations: number of shuffles.
    """
    logits = torch.cat([look.retain.outputs, look.forget.outputs]).double()
    forget = torch.arange(len(logits), device=logits.device) >= len(look.retain)
    value = float(marginal_information(logits, forget, alpha=look.alpha))
    null = information_null(
        torch.softmax(logits, 1),
        forget.long(),
        prior=(0.5, 0.5),
        mixing=[[1 - look.alpha, look.alpha], [1.0, 0.0]],
        permutations=permutations,
        seed=seed,
    )
    share = value / marginal_ceiling(look.alpha)
    return Sight(value, share, null, null.p_value <= 0.01 and share >= VISIBLE_SHARE)
