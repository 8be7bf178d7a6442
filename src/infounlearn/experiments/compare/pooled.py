"""Measures that take all seeds of a method together, and what halves of the retrained pool show.

All read the margins of the forget records that judge. Their floor depends on the size of the pools:
the retrained networks are cut into two halves, and one is measured as if it were unlearned. Halves
are smaller than the pools of a method, so these floors are on the cautious side, and with the few
networks of a comparison most of these measures can only find what is gross.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from infounlearn.data.records import Records
from infounlearn.experiments.compare.measures import Measure
from infounlearn.math import logit_margin
from infounlearn.math.challenge_score import LEAST_MODELS, forgetting_quality
from infounlearn.math.klom import kl_of_margins
from infounlearn.math.likelihood_attack import u_lira

_NOTE = "Takes all seeds together; retrained: one half of these networks against the other."
POOLED = (
    Measure("klom/mean", "KLoM, mean over forget records", "nats", "retrained", _NOTE),
    Measure("klom/95", "KLoM, 95th percentile", "nats", "retrained", _NOTE),
    Measure("u_lira/accuracy", "U-LiRA, balanced accuracy", "accuracy", "retrained", _NOTE),
    Measure("challenge/quality", "Forgetting quality of the challenge", "", "retrained",
            f"{_NOTE} Not 1 for retrained networks."),
    Measure("challenge/epsilon", "Challenge ε, median over forget records", "nats", "retrained",
            _NOTE),
)  # fmt: skip
LEAST_LIRA = 3


def margins(networks: Sequence[Tensor] | Tensor, records: Records) -> Tensor:
    """(N, n) margins of N networks' log-probabilities (n, c)."""
    return torch.stack([logit_margin(own, records.targets) for own in networks])


def pooled(unlearned: Tensor, retrained: Tensor) -> dict[str, float | None]:
    """Pooled measures; None where the pools are too small.

    Args:
        unlearned: (N, n) margins of the forget records under N unlearned networks.
        retrained: (M, n) the same under retrained ones.
    """
    found: dict[str, float | None] = {one.name: None for one in POOLED}
    # Attacks are fair where both pools are of one size.
    size = min(len(unlearned), len(retrained))
    one, two = unlearned[:size], retrained[:size]
    if size >= 2:
        klom = kl_of_margins(one, two)
        found |= {"klom/mean": klom.mean, "klom/95": klom.percentile95}
    if size >= LEAST_LIRA:
        found["u_lira/accuracy"] = u_lira(one, two).accuracy
    if size >= LEAST_MODELS:
        quality = forgetting_quality(one, two)
        found["challenge/quality"] = quality.value
        found["challenge/epsilon"] = float(torch.as_tensor(quality.epsilon).median())
    return found


def pooled_yardsticks(
    retrained: Tensor, originals: Tensor
) -> Mapping[str, tuple[float | None, ...]]:
    """By measure: its value of halves of the retrained pool, and of the originals."""
    half = pooled(retrained[0::2], retrained[1::2])
    before = pooled(originals, retrained)
    return {name: (half[name], before[name]) for name in half}
