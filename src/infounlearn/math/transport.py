"""Optimal transport on the line: make forget scores look like scores of unseen records.

On the line the optimal coupling sorts both sides, so matching a sample to a target law means moving
the i-th smallest of n scores to the target's quantile at (i - ½)/n. Literature: Villani, Topics in
Optimal Transportation, ch. 2; the membership use is this project's (docs).
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

from infounlearn.errors import InputError, Problems

Kind = Literal["smooth_l1", "squared", "absolute"]


def quantile_match(
    scores: Tensor,
    targets: Tensor,
    *,
    labels: Tensor | None = None,
    target_labels: Tensor | None = None,
    kind: Kind = "smooth_l1",
) -> Tensor:
    """Mean cost of moving each score to its quantile of the target sample.

    With as many targets as scores (or a divisor of their number) ``squared`` is W2² and
    ``absolute`` is W1 of the two samples; else each score is compared with the target's middle
    quantile of its n-th part (see :func:`wasserstein_1d` for the distance itself).

    Ranks are those within the rows passed: on a mini-batch the order statistics are biased by
    O(1/batch). Use full passes, or :func:`quantile_targets` of a full pass.

    Args:
        scores: (n,) scores to move, differentiable.
        targets: (m,) scores that show the target law; detached.
        labels: optional (n,) class of each score; each class is then matched to its own targets.
        target_labels: (m,) class of each target; needed with ``labels``.
        kind: cost of a difference d: "squared" d², "absolute" |d|, or "smooth_l1" (d²/2 up to 1,
            |d| - ½ beyond), whose gradient no single record can dominate.

    Returns:
        0-d tensor of the type of ``scores``; its gradient by s_(i) is 2(s_(i) - q_i)/n for
        ``squared``. Classes count by their share of the scores.

    Raises:
        InputError: as :func:`quantile_targets`, or an unknown kind.
    """
    wanted = quantile_targets(scores, targets, labels=labels, target_labels=target_labels)
    if kind == "smooth_l1":
        return functional.smooth_l1_loss(scores, wanted)
    if kind == "squared":
        return functional.mse_loss(scores, wanted)
    if kind == "absolute":
        return functional.l1_loss(scores, wanted)
    raise InputError(f"quantile_match: kind is {kind!r}: pass 'smooth_l1', 'squared' or 'absolute'")


@torch.no_grad()
def quantile_targets(
    scores: Tensor,
    targets: Tensor,
    *,
    labels: Tensor | None = None,
    target_labels: Tensor | None = None,
) -> Tensor:
    """Where optimal transport sends each score: the target's quantile at (rank - ½)/n.

    A quantile that falls between two targets is their midpoint, so mirroring both sides mirrors
    the result. Equal scores take their ranks in the order of the rows.

    Args:
        scores: (n,) scores.
        targets: (m,) scores of the target sample.
        labels: optional (n,) integer class of each score; ranks and quantiles are then per class.
        target_labels: (m,) integer class of each target; needed with ``labels``.

    Returns:
        (n,) detached, of the type of ``scores``, in the order of ``scores``.

    Raises:
        InputError: a side is empty or no vector, only one side is labelled, or a class of the
            scores has no target.
    """
    labels, target_labels = _checked(scores, targets, labels, target_labels)
    ordered, start, size = _by_class(targets, target_labels)
    # Stable sorts, last key first: by score, then by class.
    order = torch.argsort(scores, stable=True)
    order = order[torch.argsort(labels[order], stable=True)]
    counts = torch.bincount(labels, minlength=len(size))
    if len(counts) > len(size) or bool(((counts > 0) & (size[: len(counts)] == 0)).any()):
        have = set(target_labels.unique().tolist())
        lost = [c for c in labels.unique().tolist() if c not in have]
        raise InputError(
            f"quantile_match: classes {lost} have scores but no target: pass targets of every "
            "class, or match without labels"
        )
    group = labels[order]
    n, m = counts[group], size[group]
    first = torch.cumsum(counts, 0) - counts
    rank = torch.arange(len(scores), device=scores.device) - first[group]
    # Quantile at (rank + ½)/n of m points in whole numbers, so that ties of the grid are exact.
    place = (2 * rank + 1) * m
    low, high = (place - 1) // (2 * n), place // (2 * n)
    # At rank n - 1 the place is below m, so both indices stay inside.
    wanted = 0.5 * (ordered[start[group] + low] + ordered[start[group] + high])
    return torch.empty_like(scores).index_put_((order,), wanted.to(scores.dtype))


@torch.no_grad()
def wasserstein_1d(x: Tensor, y: Tensor, order: float = 2.0) -> float:
    """Wasserstein distance W_p of two samples on the line, exact for unequal sizes.

    Args:
        x: (n,) sample.
        y: (m,) sample.
        order: p ≥ 1.

    Raises:
        InputError: a side is empty or no vector, or p < 1.
    """
    _checked(x, y, None, None)
    if not order >= 1.0:
        raise InputError(f"wasserstein_1d: order is {order}: pass p >= 1")
    n, m = len(x), len(y)
    x, y = x.double().sort().values, y.double().sort().values
    # Both quantile functions are constant between the merged steps i/n, j/m: whole numbers again.
    steps = torch.cat((torch.arange(1, n + 1) * m, torch.arange(1, m + 1) * n)).unique()
    mass = torch.diff(steps, prepend=steps.new_zeros(1)).double() / (n * m)
    at_x = ((steps - 1) // m).to(x.device)
    at_y = ((steps - 1) // n).to(y.device)
    cost = (x[at_x] - y[at_y].to(x.device)).abs().pow(order)
    return float((mass.to(x.device) * cost).sum().pow(1.0 / order))


def _by_class(targets: Tensor, labels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Targets sorted by class and value, and where each class starts and how many it has."""
    ordered = targets.sort()
    by_class = torch.argsort(labels[ordered.indices], stable=True)
    size = torch.bincount(labels)
    return ordered.values[by_class], torch.cumsum(size, 0) - size, size


def _checked(
    scores: Tensor, targets: Tensor, labels: Tensor | None, target_labels: Tensor | None
) -> tuple[Tensor, Tensor]:
    """Labels of both sides as int64, all 0 where there are none."""
    problems = Problems("quantile_match")
    for name, values, classes in (
        ("scores", scores, labels),
        ("targets", targets, target_labels),
    ):
        problems.require(
            values.dim() == 1 and len(values) > 0 and values.is_floating_point(),
            f"{name} have shape {tuple(values.shape)} and type {values.dtype}",
            fix="pass a non-empty vector of real numbers",
        )
        problems.require(
            classes is None or (classes.shape == values.shape and not classes.is_floating_point()),
            f"the labels of {name} do not fit them",
            fix="pass one integer per number",
        )
    problems.require(
        (labels is None) == (target_labels is None),
        "only one side has labels",
        fix="pass labels and target_labels, or neither",
    )
    problems.raise_if_any()
    if labels is None or target_labels is None:
        zeros = torch.zeros(len(scores), dtype=torch.int64, device=scores.device)
        return zeros, torch.zeros(len(targets), dtype=torch.int64, device=targets.device)
    both = torch.cat((labels, target_labels))
    if bool((both < 0).any()):
        raise InputError("quantile_match: a label is negative: number classes from 0")
    return labels.to(torch.int64), target_labels.to(torch.int64)
