"""The one differentiable step from logits to information, value and gradient written out.

An information term is computed in every training step on a few rows, where not the arithmetic
costs but the number of calls. So the gradient is formed with the value, in one pass; and on a CPU
batches of training size go through NumPy, whose calls cost a third of torch's.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from infounlearn.math.tables import Design, cell_sums

Reduce = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]

# Above this many logits (measured) torch's vectorised exponential outweighs what its calls cost.
_SMALL = 1 << 12


class LogitInformation(torch.autograd.Function):
    """Information of a design as a function of its rows' logits.

    ∂I/∂p_j(y) = a_j w, w = ln(T/E) of the row's cell: all other parts of the total differential sum
    to zero. Through the softmax it becomes p_j(y)(w_y - Σ p_j w), finite because w is needed only
    where p_j(y) > 0. Written out, because autograd would take the same derivative through a
    dozen small steps, and 0 * inf in some of them.
    """

    @staticmethod
    def forward(
        ctx: Any, logits: Tensor, cells: Tensor, design: Design, reduce: Reduce | None, scale: float
    ) -> Tensor:
        """Value in nats; ``reduce`` pools the table, ``scale`` multiplies the gradient only."""
        wanted = ctx.needs_input_grad[0]
        if reduce is None and logits.device.type == "cpu" and logits.numel() <= _SMALL:
            value, grad = _by_numpy(logits, cells, design, wanted)
        else:
            value, grad = _by_torch(logits, cells, design, reduce, wanted)
        ctx.scale, ctx.dtype = scale, logits.dtype
        if grad is not None:
            ctx.save_for_backward(grad)
        return torch.tensor(value, dtype=torch.float64, device=logits.device)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None, None, None]:
        """The gradient in float64 times what arrives, then in the type of the logits."""
        (slopes,) = ctx.saved_tensors
        if ctx.scale != 1.0:
            grad = grad * ctx.scale
        # Rows of memory, as the logits have them: the layers below multiply by this.
        logits = (slopes * grad).to(ctx.dtype, memory_format=torch.contiguous_format)
        return logits, None, None, None, None


def information_and_gradient(logits: Tensor, cells: Tensor, design: Design) -> tuple[float, Tensor]:
    """Value in nats and (n, c) float64 gradient by the logits, without autograd.

    Args:
        logits: (n, c), any float type.
        cells: (n,) cell of each row in the design's table.
        design: how rows become groups.
    """
    small = logits.device.type == "cpu" and logits.numel() <= _SMALL
    if small:
        value, gradient = _by_numpy(logits, cells, design, True)
    else:
        value, gradient = _by_torch(logits, cells, design, None, True)
    assert gradient is not None  # wanted
    return value, gradient


def _by_numpy(
    logits: Tensor, cells: Tensor, design: Design, wanted: bool
) -> tuple[float, Tensor | None]:
    """Value and, if wanted, (n, c) float64 gradient of a small batch."""
    # One call of torch, and the one whose code the task loss has just used.
    laws = outcome_laws(logits.detach()).numpy()
    strata, groups = design.shape
    cell = cells.numpy()
    indicator = np.equal(np.arange(strata * groups)[:, None], cell).astype(np.float64)
    sums = (indicator @ laws).reshape(strata, groups, -1)
    value, slopes = design(sums, indicator.sum(1).reshape(strata, groups))
    if not wanted:
        return value, None
    weighted = slopes.reshape(strata * groups, -1)[cell]
    weighted *= laws
    weighted -= laws * weighted.sum(1, keepdims=True)
    return value, torch.from_numpy(weighted)


def _by_torch(
    logits: Tensor, cells: Tensor, design: Design, reduce: Reduce | None, wanted: bool
) -> tuple[float, Tensor | None]:
    """Value and, if wanted, (n, c) float64 gradient of any batch, on any device."""
    laws = outcome_laws(logits)
    sums, counts = cell_sums(laws, cells, design.shape)
    if reduce is not None:
        sums, counts = reduce(sums, counts)
    value, slopes = design(sums.cpu().numpy(), counts.cpu().numpy())
    if not wanted:
        return value, None
    by_cell = torch.from_numpy(slopes.reshape(-1, slopes.shape[-1])).to(laws.device)
    weighted = by_cell.index_select(0, cells).mul_(laws)
    weighted.addcmul_(laws, weighted.sum(1, keepdim=True), value=-1)
    return value, weighted


def outcome_laws(logits: Tensor) -> Tensor:
    """Softmax in float64 of logits of any float type, shape (n, c)."""
    # Few classes: torch vectorises a softmax along rows of memory only over the other dimension,
    # which is three times faster at ten classes and slower from about fifty.
    if logits.shape[1] <= 32:
        return torch.softmax(logits.t(), 0, dtype=torch.float64).t()
    return torch.softmax(logits, 1, dtype=torch.float64)
