"""Interclass confusion: does a model still mix up two classes whose labels it once saw swapped?

*Definition.* The labels of k records of classes a and b were swapped before training, and these
records are then forgotten. With the confusion matrix C (row: true label, column: prediction) on
records with true labels, the score is C[a,b] + C[b,a], and beside it the number of errors of any
kind on a ∪ b. Both are counts, and shares of the records of a ∪ b with Clopper-Pearson intervals
over those records (for one fixed model; the spread over seeds is another matter).

*Source.* Goel et al. (2022), Towards adversarial evaluations for inexact machine unlearning,
arXiv:2201.06640.

*Floor.* Not 0: a retrained model confuses a and b as well. Compare with the value of retrained
models, and that of one retrained model with the others'.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from infounlearn.errors import Problems, is_number
from infounlearn.math.intervals import clopper_pearson

__all__ = ["InterclassConfusion", "interclass_confusion"]


@dataclass(frozen=True)
class InterclassConfusion:
    """Confusion of two classes by one model.

    Attributes:
        confused: C[a,b] + C[b,a].
        errors: wrong predictions of any kind on records of a or b; at least ``confused``.
        records: number of those records.
        confused_share: confused / records.
        confused_interval: Clopper-Pearson interval of the share.
        error_share: errors / records.
        error_interval: Clopper-Pearson interval of the share.
        confidence: of both intervals.
    """

    confused: int
    errors: int
    records: int
    confused_share: float
    confused_interval: tuple[float, float]
    error_share: float
    error_interval: tuple[float, float]
    confidence: float


def interclass_confusion(
    predictions: Tensor, labels: Tensor, a: int, b: int, *, confidence: float = 0.95
) -> InterclassConfusion:
    """Count how often a model takes class ``a`` for ``b`` or ``b`` for ``a``.

    Args:
        predictions: (n,) predicted classes, integers.
        labels: (n,) true classes, not the swapped ones.
        a: one class.
        b: the other.
        confidence: of the intervals.

    Returns:
        Counts and shares with exact intervals; the same with ``a`` and ``b`` changed.

    Raises:
        InputError: shapes or types do not fit, the classes are equal, one has no record, or a bad
            confidence.
    """
    problems = Problems("interclass_confusion")
    fits = problems.require(
        labels.dim() == 1 and predictions.shape == labels.shape,
        f"predictions have shape {tuple(predictions.shape)}, labels {tuple(labels.shape)}",
        fix="pass one predicted and one true class per record",
    )
    for name, values in (("predictions", predictions), ("labels", labels)):
        problems.require(
            not (values.is_floating_point() or values.is_complex()),
            f"{name} are {values.dtype}",
            fix="pass integers, for example logits.argmax(1)",
        )
    whole = problems.require(
        is_number(a, whole=True) and is_number(b, whole=True) and a != b,
        f"a and b are {a!r} and {b!r}",
        fix="pass two different classes",
    )
    if fits and whole:
        for label in (a, b):
            problems.require(
                bool(torch.any(labels == label)),
                f"no record has the label {label}",
                fix="pass records of both classes",
            )
    problems.require(
        is_number(confidence) and 0 < confidence < 1,
        f"confidence is {confidence!r}",
        fix="pass a level such as 0.95",
    )
    problems.raise_if_any()
    of_either = (labels == a) | (labels == b)
    true, seen = labels[of_either], predictions[of_either]
    wrong = seen != true
    confused = int((wrong & ((seen == a) | (seen == b))).sum())
    errors, records = int(torch.count_nonzero(wrong)), len(true)
    return InterclassConfusion(
        confused,
        errors,
        records,
        confused / records,
        _interval(confused, records, confidence),
        errors / records,
        _interval(errors, records, confidence),
        confidence,
    )


def _interval(hits: int, records: int, confidence: float) -> tuple[float, float]:
    low, high = clopper_pearson(hits, records, confidence)
    return float(low), float(high)
