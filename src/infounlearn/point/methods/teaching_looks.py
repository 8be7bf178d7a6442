"""What a teacher and the original show on the same records, and what follows for the lesson.

Three things are read from it: how much surer the teacher must be, how much there is to forget, and
what a network that knows nothing would lose, the unit of both.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from infounlearn.point.utility import Loss, cross_entropy_rows, squared_error_rows

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

    and the answer is a / (a + nothing/100), 0 if a is not positive. Differences that are not finite
    are no reason to stay: they give 1.

    A mean hides few records among many: where all others show nothing, one remembered record among
    several gives 0 whatever it shows, and so do two among ten or more. Without held-out records all
    that a teacher is worse by counts as remembered.

    Args:
        gone, held: (n,) and (m,) losses of the teacher less those of the original, on forget and
            on held-out records; m may be 0.
        nothing: loss of a network that knows nothing (:func:`loss_of_nothing`).
    """
    if not all(bool(torch.isfinite(one).all()) for one in (gone, held)):
        return 1.0
    usual = max(0.0, float(held.double().mean())) if len(held) else 0.0
    excess = float(gone.double().mean()) - usual - DOUBT * _error(gone, held)
    return excess / (excess + ENOUGH * nothing) if excess > 0 else 0.0


def nothing_found(gone: Tensor, held: Tensor, forget: int) -> str:
    """What a report must say where :func:`amount` is 0: what was seen, and what that leaves open.

    Args:
        gone, held: see :func:`amount`.
        forget: records of the whole forget set.
    """
    seen = (
        f"on {len(gone)} of {forget} forget records the original loses "
        f"{float(gone.double().mean()):.3g} less on average than a copy that this run healed on "
        f"the retain set alone (standard error {_error(gone, held):.2g}), "
    )
    hidden = "A mean hides few records among many"
    if len(held):
        ahead = int((gone > held.max()).sum())
        seen += f"on {len(held)} held-out records {float(held.double().mean()):.3g} less. "
        hidden += f": on {ahead} of the forget records it is further ahead than on any held-out one"
    else:
        seen += "and no held-out records were there to compare with. "
    return (
        "Nothing was found to forget: the weights are those of the original. This is no proof: "
        f"{seen}{hidden}. A longer run sees smaller differences. Where the records must be "
        "forgotten whatever is found, retrain, or set full_steps."
    )


def loss_of_nothing(targets: Tensor, loss: Loss, outputs: Tensor) -> float:
    """Least loss of an answer that is the same for all records.

    Of classes the entropy of their shares, in nats; of numbers the mean variance of their columns.
    In a loss of other units, the size of what it says of such an answer: the shares, each class
    counted once more, or the means. Never 0: where it would be, as of a single class, it is the
    least positive number.

    Args:
        targets: of the records.
        loss: of each row.
        outputs: of any records, for their shape, type and device.
    """
    targets = targets.cpu()
    if targets.dtype.is_floating_point:
        values = targets.double().reshape(len(targets), -1)
        lost = float(values.var(0, unbiased=False).mean())
        if loss is not squared_error_rows:
            answers = values.mean(0).to(outputs).expand(len(targets), -1)
            answers = answers.reshape(len(targets), *outputs.shape[1:])
            lost = float(loss(answers, targets.to(outputs.device)).detach().double().mean())
    else:
        shares = torch.bincount(targets).double() / len(targets)
        lost = float(-torch.xlogy(shares, shares).sum())
        if loss is not cross_entropy_rows:
            # A row per class, as all rows of a class are alike.
            classes, counts = targets.unique(return_counts=True)
            known = torch.bincount(targets, minlength=outputs.shape[1]) + 1.0
            answers = (known / known.sum()).log().to(outputs).expand(len(classes), -1)
            rows = loss(answers, classes.to(outputs.device)).detach().double().cpu()
            lost = float((counts * rows).sum()) / len(targets)
    return max(abs(lost), torch.finfo(torch.float64).tiny)


def _error(gone: Tensor, held: Tensor) -> float:
    """Standard error of the mean of ``gone``.

    A single record has no deviation of its own; it is given that of the held-out ones.
    """
    spread = gone if len(gone) > 1 else held
    return float(spread.double().std()) / math.sqrt(len(gone)) if len(spread) > 1 else 0.0
