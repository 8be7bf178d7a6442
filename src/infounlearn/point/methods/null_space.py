"""Steps that the retain set hardly feels: gradients damped along what its rows look like inside.

A weight matrix W acts on its inputs a. A change D of it moves the output of a row by D a, so a
change whose rows are orthogonal to all inputs of the retain set moves none of its outputs. With C
the second moment of those inputs (bias included), gradients G become G (I + C/(damping * c))^-1,
c the mean of C's diagonal: directions no retain row uses pass whole, those that all use are shrunk.
This is one side of a Kronecker-factored curvature (Martens & Grosse 2015, arXiv:1503.05671), and,
without damping, the null-space projection of continual learning (Zeng et al. 2019,
arXiv:1810.01256).
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.nn import functional

from infounlearn.point.methods.task import Batch, Task

Layer = nn.Linear | nn.Conv1d | nn.Conv2d
_PATCHES = 4096
"""Largest number of input positions of a convolution taken from one batch."""


def layers_of(model: nn.Module) -> list[Layer]:
    """Linear layers and convolutions with a weight that may change, each weight once."""
    found: list[Layer] = []
    seen: set[int] = set()
    for module in model.modules():
        if isinstance(module, nn.Linear | nn.Conv1d | nn.Conv2d) and module.weight.requires_grad:
            if id(module.weight) not in seen:
                found.append(module)
            seen.add(id(module.weight))
    return found


class NullSpace:
    """The damping of every layer, from the inputs that some retain rows give it.

    Args:
        task: the run; rows are shown to its original model and counted.
        model: the network whose gradients are changed, of the same architecture.
        rows: retain rows.
        damping: positive; large leaves gradients as they are.
    """

    def __init__(self, task: Task, model: nn.Module, rows: Iterable[Batch], damping: float) -> None:
        self._layers = layers_of(model)
        names = {module: name for name, module in model.named_modules()}
        theirs = dict(task.original.named_modules())
        moments: dict[nn.Module, Tensor] = {}
        hooks = [
            theirs[names[layer]].register_forward_hook(_adding(layer, moments))
            for layer in self._layers
        ]
        try:
            for batch in rows:
                task.look(batch, task.original)
        finally:
            for hook in hooks:
                hook.remove()
        self._factors = {
            layer: _damped(moments[layer], damping).to(layer.weight)
            for layer in self._layers
            if layer in moments
        }

    @torch.no_grad()
    def damp(self) -> None:
        """Change the gradients of all layers in place."""
        for layer, factor in self._factors.items():
            if layer.weight.grad is None:
                continue
            own = _grouped(layer.weight.grad, layer)
            with_bias = layer.bias is not None and layer.bias.grad is not None
            if with_bias:
                bias = layer.bias.grad.reshape(own.shape[0], -1, 1)  # type: ignore[union-attr]
                own = torch.cat([own, bias], 2)
            width = own.shape[2]
            own = own @ factor[:, :width, :width]
            weight = own[:, :, :-1] if with_bias else own
            layer.weight.grad.copy_(weight.reshape(layer.weight.shape))
            if with_bias:
                layer.bias.grad.copy_(own[:, :, -1].reshape(-1))  # type: ignore[union-attr]


def _adding(layer: Layer, moments: dict[nn.Module, Tensor]):  # type: ignore[no-untyped-def]
    """A hook that adds the second moments of a layer's inputs, group by group, in float64."""

    def add(module: nn.Module, inputs: tuple[Tensor, ...], _: Tensor) -> None:
        seen = _positions(layer, inputs[0].detach()).double()
        ones = torch.ones_like(seen[:, :, :1])
        seen = torch.cat([seen, ones], 2)
        # Mean over positions, so that batches of any size weigh by their rows.
        own = seen.transpose(1, 2) @ seen * (len(inputs[0]) / seen.shape[1])
        moments[layer] = moments[layer] + own if layer in moments else own

    return add


def _positions(layer: Layer, inputs: Tensor) -> Tensor:
    """(groups, positions, width) what the rows of the weight matrix are multiplied with."""
    if isinstance(layer, nn.Linear):
        return inputs.reshape(1, -1, inputs.shape[-1])
    if isinstance(layer, nn.Conv1d):
        inputs = inputs.unsqueeze(2)
        kernel, stride, padding, dilation = (
            (1, *layer.kernel_size), (1, *layer.stride), layer.padding, (1, *layer.dilation),
        )  # fmt: skip
        padding = padding if isinstance(padding, str) else (0, *padding)
    else:
        kernel, stride, padding, dilation = (
            layer.kernel_size, layer.stride, layer.padding, layer.dilation,
        )  # fmt: skip
    if isinstance(padding, str):
        total = [
            d * (k - 1) if padding == "same" else 0 for d, k in zip(dilation, kernel, strict=True)
        ]
        left = [one // 2 for one in total]
        inputs = functional.pad(inputs, [left[1], total[1] - left[1], left[0], total[0] - left[0]])
        padding = (0, 0)
    patches = functional.unfold(
        inputs, kernel, dilation=dilation, padding=padding, stride=stride
    )  # (n, channels * kernel, positions)
    groups = layer.groups
    split = patches.reshape(len(patches), groups, -1, patches.shape[-1])
    rows = split.permute(1, 0, 3, 2).reshape(groups, -1, split.shape[2])
    keep = -(-rows.shape[1] // _PATCHES)
    return rows[:, ::keep]


def _grouped(gradient: Tensor, layer: Layer) -> Tensor:
    """(groups, outputs per group, width) view of a weight's gradient."""
    groups = 1 if isinstance(layer, nn.Linear) else layer.groups
    return gradient.reshape(groups, gradient.shape[0] // groups, -1)


def _damped(moment: Tensor, damping: float) -> Tensor:
    """(I + C/(damping * mean diagonal))^-1 of each group, float64."""
    eye = torch.eye(moment.shape[-1], dtype=moment.dtype, device=moment.device)
    scale = damping * moment.diagonal(dim1=1, dim2=2).mean(1).clamp_min(
        torch.finfo(moment.dtype).tiny
    )
    return torch.cholesky_inverse(torch.linalg.cholesky(eye + moment / scale[:, None, None]))
