"""Tug of war and average gap: accuracies of unlearned models against those of retrained ones.

*Definitions.* With Δ the difference between an unlearned and a retrained model, each a share in
[0, 1]:

- ToW = (1 - |Δ forget|) (1 - |Δ retain|) (1 - |Δ test|) of accuracies; 1 is best.
- ToW-MIA: the forget factor uses the membership share instead, the share of forget records that a
  membership attack calls non-members.
- average gap = mean of |Δ| of forget, retain and test accuracy and membership share; 0 is best.
  (The literature writes unlearning accuracy = 1 - forget accuracy, which has the same gap.)

All are pure numbers. Every unlearned model is compared with every retrained one and averaged over
these; the interval is Student's t over the seeds of unlearning, given the retrained models.

*Floor.* The same score of pairs of retrained models, which is neither 1 nor 0: networks that differ
in their seed differ in accuracy. One more retrained network has exactly the floor as expectation.

*Source.* ToW and ToW-MIA: Zhao et al. (2024), arXiv:2406.01257. Average gap: Fan et al. (2023),
arXiv:2310.12508. Both leave open how repeats are paired; published tables subtract means over
seeds, which hides the spread of the references.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from infounlearn.errors import Problems, is_number
from infounlearn.math.intervals import mean_interval

__all__ = ["Performance", "SeedScore", "average_gap", "tow", "tow_mia"]

_Score = Callable[[Tensor], Tensor]


@dataclass(frozen=True, eq=False)
class Performance:
    """What models, one per seed, are worth.

    Attributes:
        forget: (s,) accuracy on the forget records, in [0, 1].
        retain: (s,) on the retained records.
        test: (s,) on test records.
        membership: (s,) share of the forget records that an attack calls non-members; needed by
            :func:`tow_mia` and :func:`average_gap`.
    """

    forget: Tensor
    retain: Tensor
    test: Tensor
    membership: Tensor | None = None


@dataclass(frozen=True, eq=False)
class SeedScore:
    """A score of unlearned models, and the same of retrained ones among themselves.

    Attributes:
        per_seed: (s,) float64, mean over retrained models for each unlearned one.
        value: its mean.
        interval: Student's t interval of the mean over seeds; None for one seed.
        floor_per_network: (K,) float64, each retrained model against the others.
        floor: its mean.
    """

    per_seed: Tensor
    value: float
    interval: tuple[float, float] | None
    floor_per_network: Tensor
    floor: float


def tow(unlearned: Performance, retrained: Performance, *, confidence: float = 0.95) -> SeedScore:
    """Tug of war of forget, retain and test accuracy; in [0, 1], 1 is best.

    Args:
        unlearned: of one or more unlearned models.
        retrained: of two or more retrained ones.
        confidence: of the interval.

    Raises:
        InputError: shares that are missing, not (s,) or outside [0, 1], fewer than two retrained
            models, or a bad confidence.
    """
    return _score("tow", ("forget", "retain", "test"), _product, unlearned, retrained, confidence)


def tow_mia(
    unlearned: Performance, retrained: Performance, *, confidence: float = 0.95
) -> SeedScore:
    """Tug of war of membership share, retain and test accuracy; in [0, 1], 1 is best.

    Arguments and errors as of :func:`tow`.
    """
    names = ("membership", "retain", "test")
    return _score("tow_mia", names, _product, unlearned, retrained, confidence)


def average_gap(
    unlearned: Performance, retrained: Performance, *, confidence: float = 0.95
) -> SeedScore:
    """Mean absolute gap of all four shares; in [0, 1], 0 is best.

    Arguments and errors as of :func:`tow`.
    """
    names = ("forget", "retain", "test", "membership")
    return _score("average_gap", names, _mean, unlearned, retrained, confidence)


def _product(gaps: Tensor) -> Tensor:
    return (1.0 - gaps).prod(-1)


def _mean(gaps: Tensor) -> Tensor:
    return gaps.mean(-1)


def _score(
    where: str,
    names: tuple[str, ...],
    score: _Score,
    unlearned: Performance,
    retrained: Performance,
    confidence: float,
) -> SeedScore:
    problems = Problems(where)
    own = _shares(problems, "unlearned", unlearned, names, least=1)
    others = _shares(problems, "retrained", retrained, names, least=2)
    problems.require(
        is_number(confidence) and 0 < confidence < 1,
        f"confidence is {confidence!r}",
        fix="pass a level such as 0.95",
    )
    problems.raise_if_any()
    per_seed = score((own[:, None] - others).abs()).mean(1)
    among = score((others[:, None] - others).abs())
    count = len(others)
    # Each model's comparison with itself is no pair.
    floors = among.masked_fill(torch.eye(count, dtype=torch.bool), 0.0).sum(1) / (count - 1)
    interval = mean_interval(per_seed, confidence) if len(per_seed) > 1 else None
    return SeedScore(per_seed, float(per_seed.mean()), interval, floors, float(floors.mean()))


def _shares(
    problems: Problems, who: str, shown: Performance, names: tuple[str, ...], *, least: int
) -> Tensor:
    """(s, d) float64 shares of the given names; what is wrong goes to ``problems``."""
    found = len(problems.found)
    columns = []
    for name in names:
        values = getattr(shown, name)
        if not problems.require(
            values is not None, f"{who}.{name} is missing", fix="pass one share per model"
        ):
            continue
        values = torch.as_tensor(values).detach().cpu().to(torch.float64)
        columns.append(values)
        problems.require(
            values.dim() == 1 and len(values) >= least,
            f"{who}.{name} has shape {tuple(values.shape)}",
            fix=f"pass one share for each of at least {least} model{'s' * (least > 1)}",
        )
        problems.require(
            bool(((values >= 0) & (values <= 1)).all()),
            f"{who}.{name} holds a number that is no share",
            fix="pass numbers in [0, 1], not percentages; report a diverged model as such",
        )
    lengths = sorted({len(column) for column in columns if column.dim() == 1})
    problems.require(
        len(lengths) <= 1,
        f"{who} has shares of {lengths} models",
        fix="pass every share for the same models",
    )
    return torch.zeros(1, 1) if len(problems.found) > found else torch.stack(columns, 1)
