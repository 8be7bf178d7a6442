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
    places = (centers - middle[:, None]) / widths[:, None]
    columns = scores.shape[1]
    if columns == 1 and scores.device.type == "cpu":
        seen = (scores.numpy()[:, 0].astype(np.float64) - middle[0]) / widths[0]
        value, slopes = _binned_column(seen, places[0], rows)
        return value, torch.from_numpy(slopes / widths[0])[:, None]
    place, offset, scale = (
        torch.from_numpy(array).to(scores.device) for array in (places, middle, widths)
    )
    seen = (scores.double() - offset) / scale
    kernel = (seen[:, :, None] * place - 0.5 * place.square()).flatten(0, 1)
    strata, groups = rows.shape
    stratum, group = np.divmod(rows.cells, groups)
    wide = stratum[:, None] * columns + np.arange(columns)
    cells = (wide * groups + group[:, None]).reshape(-1)
    rows = replace(rows, cells=cells, shape=(strata * columns, groups))
    value, by_kernel = _compare(torch.softmax(kernel, 1), rows)
    return value, (by_kernel.reshape(len(scores), columns, -1) * place).sum(2) / scale


def _binned_column(seen: np.ndarray, place: np.ndarray, rows: Rows) -> tuple[float, np.ndarray]:
    """Value and derivative by each of (n,) scores in units of the width, places alike.

    With a_b the release of a row and w its weights, d(Σ a w)/ds = Σ a w c - Σ a w · Σ a c for
    places c: three moments of a, for all cells in one product, instead of a table of n rows.
    """
    release = np.multiply.outer(place, seen)
    release -= 0.5 * np.square(place)[:, None]
    release -= release.max(0)
    np.exp(release, out=release)
    release /= release.sum(0)
    total, n = rows.shape[0] * rows.shape[1], len(seen)
    indicator = np.equal(_column(total), rows.cells).astype(np.float64)
    weights = _weights(indicator @ release.T, indicator.sum(1), rows)
    moments = np.concatenate((weights, weights * place, place[None])) @ release
    every = np.arange(n)
    per_row = moments[rows.cells, every]
    slopes = moments[total + rows.cells, every] - per_row * moments[-1]
    return float(per_row.sum()) / n, slopes / n


def _compare(outcomes: Tensor, rows: Rows) -> tuple[float, Tensor]:
    """Mean of p·w over the rows, and its gradient by the logits of ``outcomes``."""
    total = rows.shape[0] * rows.shape[1]
    if outcomes.device.type == "cpu":
        table = outcomes.numpy()
        indicator = np.equal(_column(total), rows.cells).astype(np.float64)
        weights = _weights(indicator @ table, indicator.sum(1), rows)
        # Columns of memory, as outcome_laws has them: a row of few classes is too short to loop on.
        by_class = np.take((weights / len(table)).T, rows.cells, axis=1)
        by_class *= table.T
        per_row = by_class.sum(0)
        by_class -= table.T * per_row
        return float(per_row.sum()), torch.from_numpy(by_class).t()
    index = torch.from_numpy(rows.cells).to(outcomes.device)
    sums, counts = (part.cpu().numpy() for part in cell_sums(outcomes, index, rows.shape))
    weights = _weights(sums.reshape(total, -1), counts.reshape(total), rows)
    gradient = torch.from_numpy(weights).to(outcomes.device)[index] * outcomes
    mean = gradient.sum(1, keepdim=True)
    return float(mean.mean()), (gradient - outcomes * mean) / len(outcomes)


def _weights(sums: np.ndarray, counts: np.ndarray, rows: Rows) -> np.ndarray:
    """(cells, outcomes) weights that the past gives a batch, which then joins the past."""
    if rows.pool is not None:
        flat = rows.pool(np.concatenate((sums.reshape(-1), counts)))
        sums, counts = flat[: sums.size].reshape(sums.shape), flat[sums.size :]
    if not math.isfinite(sums.sum()):  # laws lie in [0, 1]: their sum is finite where they are
        raise DivergenceError(
            "InformationPenalty: outputs hold NaN or infinite numbers: lower learning_rate or "
            "gamma; what the penalty remembers is untouched"
        )
    laws, shape = rows.laws, rows.shape
    laws.grow(*shape, sums.shape[1])
    table, sizes = sums.reshape(*shape, -1), counts.reshape(shape)
    weights = laws.weights(table, sizes)
    if rows.learn:
        laws.take(table, sizes, float(np.vdot(weights, sums)) / float(counts.sum()))
    return weights


@lru_cache(maxsize=64)
def _column(total: int) -> np.ndarray:
    """Numbers 0 to total, as a column."""
    return np.arange(total)[:, None]
