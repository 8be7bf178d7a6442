"""What a teacher and the original show on the same records, and what follows for the lesson.

Three things are read from it: how much surer the teacher must be, how much there is to forget, and
what a network that knows nothing would lose, the unit of both.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

ENOUGH = 0.01
"""Share of what knowing nothing costs that makes half of a full lesson."""
DOUBT = 1.5
"""Standard errors that a mean must exceed before it is believed."""


class Looks(NamedTuple):
    """Records shown to both networks.

    Attributes:
        targets: of the records.
        taught, original: outputs of the teacher and of the original.
    """

    targets: Tensor
    taught: Tensor
    original: Tensor


def sharpness(taught: Tensor, original: Tensor) -> float:
    """The factor b that brings softmax(b * taught) nearest to softmax(original), from 1/8 to 8.

    Minimises mean KL(original || b * taught), which is convex in b: its slope is the mean of
    sum_c (softmax(b * taught)_c - softmax(original)_c) * taught_c, found zero by bisection. Where
    no b makes a difference, of no records or logits all alike, it is 1.

    Args:
        taught, original: (n, c) logits of the same records.
    """
    logits, wanted = taught.double(), torch.softmax(original.double(), 1)
    # Shifts change no softmax, but what is left of a slope after rounding.
    logits = logits - logits.mean(1, keepdim=True)
    rounding = 8 * torch.finfo(taught.dtype).eps * taught.abs().double()
    if bool((logits.abs() <= rounding).all()):
        return 1.0
    low, high = math.log(1 / 8), math.log(8.0)
    for _ in range(40):
        middle = (low + high) / 2
        shown = torch.softmax(math.exp(middle) * logits, 1)
        if float(((shown - wanted) * logits).sum()) < 0:
            low = middle
        else:
            high = middle
    return math.exp((low + high) / 2)


def amount(gone: Tensor, held: Tensor, nothing: float) -> float:
    """How much of a full lesson the forget set needs, from 0 to 1.

    What a network remembers of its training records, it loses less on than a network that never
    saw them; on records that neither saw, the two differ by how good they are. So with g and h the
    mean losses of the teacher over those of the original, the excess is

        a = g - max(0, h) - 1.5 standard errors of g,

    and the answer is a / (a + nothing/100), 0 if a is not positive. A single record has no
    deviation of its own; it is given that of the held-out ones.

    Args:
        gone, held: (n,) and (m,) losses of the teacher less those of the original, on forget and
            on held-out records; m may be 0.
        nothing: loss of a network that knows nothing (:func:`loss_of_nothing`).
    """
    spread = gone if len(gone) > 1 else held
    error = float(spread.double().std()) / math.sqrt(len(gone)) if len(spread) > 1 else 0.0
    usual = max(0.0, float(held.double().mean())) if len(held) else 0.0
    excess = float(gone.double().mean()) - usual - DOUBT * error
    if not excess > 0:
        return 0.0
    return excess / (excess + ENOUGH * nothing) if math.isfinite(excess) else 1.0


def loss_of_nothing(targets: Tensor) -> float:
    """Least loss of an answer that is the same for all records.

    Of classes the entropy of their shares, in nats; of numbers the mean variance of their columns.
    Never 0: a set of a single class has the least positive number.
    """
    if targets.dtype.is_floating_point:
        values = targets.double().reshape(len(targets), -1)
        lost = float(values.var(0, unbiased=False).mean())
    else:
        shares = torch.bincount(targets.reshape(-1)).double() / targets.numel()
        lost = float(-torch.xlogy(shares, shares).sum())
    return max(lost, torch.finfo(torch.float64).tiny)
