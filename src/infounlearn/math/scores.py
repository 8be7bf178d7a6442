"""One number per record: margins, losses, residuals, and their release through soft bins.

Scores are the finest outcome a black-box attacker thresholds. A continuous score released as it is
tells everything about a finite set of records, so its information is measured through a *soft
bin*: the attacker sees bin b with probability softmax_b(-(s - c_b)²/2w²). That release is a known
kernel on a finite alphabet, so its information is exact, differentiable and certifiable.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from infounlearn.errors import InputError, Problems
from infounlearn.math.information import check_index, check_logits, mutual_information
from infounlearn.math.tables import Prior


def logit_margin(logits: Tensor, labels: Tensor) -> Tensor:
    """Margin φ = ln p_y - ln(1 - p_y) = z_y - LSE_{c≠y} z_c of the true label.

    Monotone in the loss but unbounded on both sides, so confident records stay apart.

    Args:
        logits: (n, c) with c ≥ 2, any float type.
        labels: (n,) integer classes.

    Returns:
        (n,) float64, differentiable.

    Raises:
        InputError: shapes or types do not fit, a label is out of range, or there is one class.
    """
    labels = _checked_labels("logit_margin", logits, labels)
    if logits.shape[1] < 2:
        raise InputError("logit_margin: there is one class: a margin needs two or more")
    column = labels[:, None]
    wide = logits.to(torch.float64)
    others = torch.logsumexp(wide.scatter(1, column, -math.inf), 1)
    return wide.gather(1, column).squeeze(1) - others


def cross_entropy_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Loss -ln p_y of each record, in nats: (n, c) logits, (n,) labels to (n,) float64.

    Raises:
        InputError: shapes or types do not fit, or a label is out of range.
    """
    labels = _checked_labels("cross_entropy_loss", logits, labels)
    log_p = torch.log_softmax(logits, 1, dtype=torch.float64)
    return -log_p.gather(1, labels[:, None]).squeeze(1)


def confidence(logits: Tensor) -> Tensor:
    """Probability of the most likely label: (n, c) logits to (n,) float64 in [1/c, 1].

    Raises:
        InputError: ``logits`` is no float matrix.
    """
    check_logits("confidence", logits)
    return torch.softmax(logits, 1, dtype=torch.float64).amax(1)


def residual(predictions: Tensor, targets: Tensor) -> Tensor:
    """Signed residual target - prediction of a regressor, float64, shape (n, d).

    Args:
        predictions: (n,) or (n, d), any float type.
        targets: as many numbers, in the same order.

    Raises:
        InputError: the two do not hold one target per prediction.
    """
    if predictions.dim() not in (1, 2) or predictions.numel() != targets.numel():
        raise InputError(
            f"residual: predictions {tuple(predictions.shape)} and targets "
            f"{tuple(targets.shape)} differ: pass one target per prediction"
        )
    rows = len(predictions)
    return (targets.to(torch.float64) - predictions.to(torch.float64).view_as(targets)).reshape(
        rows, -1
    )


def squared_error(predictions: Tensor, targets: Tensor) -> Tensor:
    """Squared error of each record, mean over its outputs: float64, shape (n,).

    Raises:
        InputError: as :func:`residual`.
    """
    return residual(predictions, targets).square().mean(1)


def soft_bin_centers(scores: Tensor, bins: int = 16) -> Tensor:
    """Equal-mass bin centres: the quantiles (b - ½)/bins of ``scores``, ascending and detached.

    Fix them once, on scores that are not audited; repeated scores may give repeated centres, which
    then share their mass.

    Args:
        scores: (n,) finite numbers.
        bins: number of centres, at least 2.

    Returns:
        (bins,) float64.

    Raises:
        InputError: no scores, a score that is not finite, or fewer than 2 bins.
    """
    values = scores.detach().to(torch.float64).flatten()
    problems = Problems("soft_bin_centers")
    problems.require(bins >= 2, f"bins is {bins}", fix="pass 2 or more")
    problems.require(len(values) > 0, "scores are empty", fix="pass at least one score")
    problems.require(
        bool(torch.isfinite(values).all()), "a score is not finite", fix="pass finite scores"
    )
    problems.raise_if_any()
    # Not torch.quantile: it refuses more than 16 million values.
    ordered = values.sort().values
    place = (torch.arange(bins, dtype=torch.float64, device=values.device) + 0.5) / bins
    place = (place * len(ordered) - 0.5).clamp(0, len(ordered) - 1)
    low = place.floor().to(torch.int64)
    high = (low + 1).clamp_max(len(ordered) - 1)
    return torch.lerp(ordered[low], ordered[high], place - low)


def bin_width(centers: Tensor) -> float:
    """Default kernel width: the median positive gap between neighbouring centres.

    Neighbouring bins then exchange mass over about one bin, so the kernel loses little information
    (16 bins keep 95 % of that between N(0,1) and N(1,1)) and its gradient reaches
    scores anywhere inside the range: far narrower bins are hard and have none. The median, not the
    mean, because equal-mass centres lie far apart in the tails. Where all centres coincide every
    width gives the same release, and 1 is returned.

    Args:
        centers: (bins,) ascending.
    """
    gaps = torch.diff(centers.to(torch.float64))
    gaps = gaps[gaps > 0]
    return float(gaps.median()) if len(gaps) else 1.0


def soft_bins(scores: Tensor, centers: Tensor, width: float) -> Tensor:
    """Log release kernel ln a_b(s) = log-softmax_b(-(s - c_b)²/2w²).

    Logits of :func:`mutual_information`: ``mutual_information(soft_bins(...), z)``.

    Args:
        scores: (n,) finite numbers.
        centers: (bins,) of :func:`soft_bin_centers`.
        width: positive kernel width, for example :func:`bin_width`.

    Returns:
        (n, bins) float64 log-probabilities, differentiable in ``scores``.

    Raises:
        InputError: shapes do not fit or the width is not positive.
    """
    problems = Problems("soft_bins")
    problems.require(
        scores.dim() == 1 and centers.dim() == 1,
        f"scores have shape {tuple(scores.shape)}, centers {tuple(centers.shape)}",
        fix="pass one score per record and one number per bin",
    )
    problems.require(
        0.0 < width < math.inf, f"width is {width}", fix="pass a positive, finite width"
    )
    problems.raise_if_any()
    # -(s-c)²/2w² without the s²/2w² that every bin shares, and seen from the middle: squares of
    # large scores would drown the differences.
    middle = centers[len(centers) // 2].to(torch.float64)
    place = (centers.to(torch.float64) - middle) / width
    score = (scores.to(torch.float64) - middle) / width
    return torch.log_softmax(score[:, None] * place - 0.5 * place.square(), 1)


def score_information(
    scores: Tensor,
    z: Tensor,
    *,
    centers: Tensor,
    width: float | None = None,
    given: Tensor | None = None,
    prior: Prior | None = None,
) -> Tensor:
    """Information, in nats, between the soft bin of a score and the group of its record.

    Args:
        scores: (n,) finite scores.
        z: (n,) group of each row.
        centers: (bins,) centres, fixed beforehand.
        width: kernel width; default :func:`bin_width` of the centres.
        given: optional (n,) stratum to condition on.
        prior: (m,) probabilities of the groups; default their shares.

    Returns:
        0-d float64 tensor in [0, min(H(Z), ln bins)], differentiable once.

    Raises:
        InputError: as :func:`soft_bins` and :func:`mutual_information`.
    """
    log_kernel = soft_bins(scores, centers, bin_width(centers) if width is None else width)
    return mutual_information(log_kernel, z, given=given, prior=prior)


def _checked_labels(where: str, logits: Tensor, labels: Tensor) -> Tensor:
    check_logits(where, logits)
    return check_index(where, "labels", labels, len(logits), logits.shape[1])[0]
