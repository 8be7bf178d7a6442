"""One batch's linearised information and its gradient, written out: the part that must be fast.

The step of a small network takes under a millisecond, of which a penalty taken through autograd
costs a third. Here value and gradient are formed together, on the CPU by NumPy, whose calls cost a
third of torch's on a few hundred rows.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from infounlearn.errors import DivergenceError
from infounlearn.feature.penalty_laws import RunningLaws
from infounlearn.math.logit_information import outcome_laws
from infounlearn.math.tables import cell_sums

Pool = Callable[[np.ndarray], np.ndarray]
"""Adds an array of float64 up over processes."""


class KnownGradient(torch.autograd.Function):
    """A number whose gradient by ``outputs`` is already there."""

    @staticmethod
    def forward(ctx: Any, outputs: Tensor, value: float, gradient: Tensor) -> Tensor:
        """The number, 0-d, of the type of ``outputs`` but never below single precision."""
        ctx.save_for_backward(gradient)
        kind = torch.promote_types(outputs.dtype, torch.float32)
        return torch.tensor(value, dtype=kind, device=outputs.device)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, arriving: Tensor) -> tuple[Tensor, None, None]:
        """The gradient times what arrives."""
        (gradient,) = ctx.saved_tensors
        return gradient * arriving.to(gradient.dtype), None, None


@dataclass(frozen=True)
class Rows:
    """How the rows of a batch fall into a table, and what is done with it.

    Attributes:
        cells: (n,) cell of each row, stratum by stratum.
        shape: strata and groups of the table.
        laws: what the batch is compared with.
        learn: whether the batch joins the laws.
        pool: adds sums and counts up over processes.
    """

    cells: np.ndarray
    shape: tuple[int, int]
    laws: RunningLaws
    learn: bool
    pool: Pool | None = None


def label_rows(logits: Tensor, rows: Rows) -> tuple[float, Tensor]:
    """Value of the sampled label's information and its (n, c) float64 gradient by the logits.

    ∂L/∂logit_y = p_y (w_y - Σ p w)/n: the softmax's own derivative.
    """
    return _compare(outcome_laws(logits), rows)


def score_rows(
    scores: Tensor, rows: Rows, *, centers: np.ndarray, widths: np.ndarray
) -> tuple[float, Tensor]:
    """The same for scores released through soft bins; every column of scores is a stratum.

    Args:
        scores: (n, k) detached scores.
        rows: their table, without the columns.
        centers: (k, bins) bin centres.
        widths: (k,) kernel widths.

    Returns:
        Mean over columns, and its (n, k) float64 gradient.
    """
    # Scores seen from the middle: squares of large scores would drown the differences.
    middle = centers[:, centers.shape[1] // 2]
    places = torch.from_numpy((centers - middle[:, None]) / widths[:, None]).to(scores.device)
    if scores.shape[1] == 1:
        place, width = places[0], float(widths[0])
        seen = (scores[:, 0].double() - float(middle[0])) / width
        kernel = torch.outer(place, seen).sub_(0.5 * place.square()[:, None])
        value, by_kernel = _compare(torch.softmax(kernel, 0).t(), rows)
        return value, torch.mv(by_kernel, place).div_(width)[:, None]
    columns = scores.shape[1]
    offset, scale = (torch.from_numpy(array).to(scores.device) for array in (middle, widths))
    seen = (scores.double() - offset) / scale
    kernel = (seen[:, :, None] * places - 0.5 * places.square()).flatten(0, 1)
    strata, groups = rows.shape
    stratum, group = np.divmod(rows.cells, groups)
    wide = stratum[:, None] * columns + np.arange(columns)
    cells = (wide * groups + group[:, None]).reshape(-1)
    rows = replace(rows, cells=cells, shape=(strata * columns, groups))
    value, by_kernel = _compare(torch.softmax(kernel, 1), rows)
    return value, (by_kernel.reshape(len(scores), columns, -1) * places).sum(2) / scale


def _compare(outcomes: Tensor, rows: Rows) -> tuple[float, Tensor]:
    """Mean of p·w over the rows, and its gradient by the logits of ``outcomes``."""
    shape, laws, kinds = rows.shape, rows.laws, outcomes.shape[1]
    total = shape[0] * shape[1]
    local = outcomes.device.type == "cpu"
    if local:
        table = outcomes.numpy()
        indicator = np.equal(_column(total), rows.cells).astype(np.float64)
        sums, counts = indicator @ table, indicator.sum(1)
    else:
        index = torch.from_numpy(rows.cells).to(outcomes.device)
        sums, counts = (part.cpu().numpy() for part in cell_sums(outcomes, index, shape))
    if rows.pool is not None:
        flat = rows.pool(np.concatenate((sums.reshape(-1), counts.reshape(-1))))
        sums, counts = flat[: total * kinds], flat[total * kinds :]
    sums, counts = sums.reshape(*shape, kinds), counts.reshape(shape)
    laws.grow(*shape, kinds)
    if not math.isfinite(sums.sum()):  # laws lie in [0, 1]: their sum is finite where they are
        raise DivergenceError(
            "InformationPenalty: outputs hold NaN or infinite numbers: lower learning_rate or "
            "gamma; what the penalty remembers is untouched"
        )
    weights = laws.weights(sums, counts)
    if local:
        # Columns of memory, as outcome_laws has them: a row of few classes is too short to loop on.
        lies = np.take((weights / len(table)).T, rows.cells, axis=1)
        by_class = lies * table.T
        per_row = by_class.sum(0)
        by_class -= table.T * per_row
        value, gradient = float(per_row.sum()), torch.from_numpy(by_class).t()
    else:
        gradient = torch.from_numpy(weights).to(outcomes.device)[index] * outcomes
        mean = gradient.sum(1, keepdim=True)
        gradient = (gradient - outcomes * mean) / len(outcomes)
        value = float(mean.mean())
    if rows.learn:
        # The value of all processes' rows, which the table holds too.
        linear = float(np.vdot(weights, sums)) / float(counts.sum())
        laws.take(sums, counts, linear)
    return value, gradient


@lru_cache(maxsize=64)
def _column(total: int) -> np.ndarray:
    """Numbers 0 to total, as a column."""
    return np.arange(total)[:, None]
