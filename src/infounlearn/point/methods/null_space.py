"""Steps that the retain set hardly feels: gradients damped along what its rows look like inside.

A weight matrix W acts on its inputs a. A change D of it moves the output of a row by D a, so a
change whose rows are orthogonal to all inputs of the retain set moves none of its outputs; and if
every layer that changes only changes so, no later layer's inputs move either. With C the second
moment of those inputs (with a 1 for a bias that may change), gradients G become
G (I + C/(damping * c))^-1, c the mean of C's diagonal: directions no retain row uses pass whole,
those that all use are shrunk. This is one side of a Kronecker-factored curvature (Martens & Grosse
2015, arXiv:1503.05671), and, without damping, the null-space projection of continual learning (Zeng
et al. 2019, arXiv:1810.01256).

It holds of weights that are used by the forward of their own module alone, and that retain rows
were seen to use: others are no part of it, and must stay.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from infounlearn.point.methods.task import Batch, Task

Layer = nn.Linear | nn.Conv1d | nn.Conv2d
_PATCHES = 4096
"""Largest number of input positions of a convolution taken from one batch."""
_ROWS_AT_ONCE = 64
"""Rows whose patches are laid out together: nine times the size of what a 3 x 3 layer sees."""


class Affine(NamedTuple):
    """A weight, the bias that changes with it, and the modules that have both."""

    weight: nn.Parameter
    bias: nn.Parameter | None
    users: tuple[Layer, ...]


def affine_maps(model: nn.Module) -> list[Affine]:
    """The weights of linear layers and convolutions that may change, each once.

    None that are computed from others (``torch.nn.utils.parametrizations``), or that a module of
    another kind has too, such as an embedding. A bias that other modules have too stays.
    """
    owners: dict[nn.Parameter, list[nn.Module]] = {}
    for module in model.modules():
        for own in module.parameters(recurse=False):
            owners.setdefault(own, []).append(module)
    found = []
    for weight, users in owners.items():
        if not weight.requires_grad or not all(_is_its_weight(weight, one) for one in users):
            continue
        biases = {dict(one.named_parameters(recurse=False)).get("bias") for one in users}
        bias = biases.pop() if len(biases) == 1 else None
        if bias is None or not bias.requires_grad or owners[bias] != users:
            bias = None
        found.append(Affine(weight, bias, tuple(users)))  # type: ignore[arg-type]
    return found


def _is_its_weight(weight: nn.Parameter, module: nn.Module) -> bool:
    own = dict(module.named_parameters(recurse=False)).get("weight")
    return isinstance(module, nn.Linear | nn.Conv1d | nn.Conv2d) and own is weight


class NullSpace:
    """The damping of every layer, from the inputs that some retain rows give it.

    Args:
        task: the run; rows are shown to its original model and counted.
        model: the network whose gradients are changed, of the same architecture.
        rows: retain rows.
        damping: positive; large leaves gradients as they are.

    Attributes:
        weights: those whose gradients are damped. No other may change.
    """

    def __init__(self, task: Task, model: nn.Module, rows: Iterable[Batch], damping: float) -> None:
        names = {module: name for name, module in model.named_modules()}
        theirs = dict(task.original.named_modules())
        moments: dict[nn.Parameter, Tensor] = {}
        maps = affine_maps(model)
        hooks = [
            theirs[names[user]].register_forward_hook(_adding(one, moments), with_kwargs=True)
            for one in maps
            for user in one.users
        ]
        try:
            for batch in rows:
                task.look(batch, task.original)
        finally:
            for hook in hooks:
                hook.remove()
        self._factors = [
            (one, _damped(moments[one.weight], damping).to(one.weight))
            for one in maps
            if one.weight in moments
        ]
        self.weights = [
            weight for one, _ in self._factors for weight in one[:2] if weight is not None
        ]

    @torch.no_grad()
    def damp(self) -> None:
        """Change the gradients of all layers in place."""
        for (weight, bias, _), factor in self._factors:
            if weight.grad is None:
                continue
            groups = len(factor)
            own = weight.grad.reshape(groups, len(weight) // groups, -1)
            if bias is not None:
                if bias.grad is None:
                    bias.grad = torch.zeros_like(bias)
                own = torch.cat([own, bias.grad.reshape(groups, -1, 1)], 2)
            own = own @ factor
            if bias is not None and bias.grad is not None:
                bias.grad.copy_(own[:, :, -1].reshape(-1))
                own = own[:, :, :-1]
            weight.grad.copy_(own.reshape(weight.shape))


def _adding(own: Affine, moments: dict[nn.Parameter, Tensor]) -> Any:
    """A hook that adds the second moments of a layer's inputs, group by group, in float64."""

    def add(module: Layer, inputs: tuple[Tensor, ...], named: dict[str, Tensor], _: Any) -> None:
        rows = (inputs[0] if inputs else named["input"]).detach()
        if rows.numel() == 0:  # of a layer that is shown some rows only
            return
        seen = _positions(module, rows).double()
        if own.bias is not None:
            seen = torch.cat([seen, torch.ones_like(seen[:, :, :1])], 2)
        # Mean over positions, so that batches of any size weigh by their rows.
        moment = seen.transpose(1, 2) @ seen * (len(rows) / seen.shape[1])
        moments[own.weight] = moments[own.weight] + moment if own.weight in moments else moment

    return add


def _positions(layer: Layer, inputs: Tensor) -> Tensor:
    """(groups, positions, width) what the rows of the weight matrix are multiplied with."""
    if isinstance(layer, nn.Linear):
        return inputs.reshape(1, -1, inputs.shape[-1])
    inputs = inputs.reshape(-1, *inputs.shape[-len(layer.kernel_size) - 1 :])  # of one row, too
    padding, mode = layer.padding, layer.padding_mode
    sides: list[int] = []
    for axis in reversed(range(len(layer.kernel_size))):
        before, after = 0, 0
        if not isinstance(padding, str):
            before = after = padding[axis]
        elif padding == "same":
            total = layer.dilation[axis] * (layer.kernel_size[axis] - 1)
            before, after = total // 2, total - total // 2
        sides += [before, after]
    kernel, stride, dilation = layer.kernel_size, layer.stride, layer.dilation
    if isinstance(layer, nn.Conv1d):
        kernel, stride, dilation = ((1, *one) for one in (kernel, stride, dilation))
    taken: list[Tensor] = []
    places = step = 0
    for first in range(0, len(inputs), _ROWS_AT_ONCE):
        part = inputs[first : first + _ROWS_AT_ONCE]
        if any(sides):
            part = functional.pad(part, sides, "constant" if mode == "zeros" else mode)
        if isinstance(layer, nn.Conv1d):
            part = part.unsqueeze(2)
        # (n, channels * kernel, places)
        patches = functional.unfold(part, kernel, dilation=dilation, stride=stride)
        if not taken:
            places = patches.shape[2]
            step = _stride(len(inputs) * places, places)
        split = patches.reshape(len(patches), layer.groups, -1, places)
        rows = split.permute(1, 0, 3, 2).reshape(layer.groups, -1, split.shape[2])
        taken.append(rows[:, -first * places % step :: step].clone())
    return torch.cat(taken, 1)


def _stride(positions: int, places: int) -> int:
    """Every how many-th position is taken.

    Without a factor in common with the places of a picture; else some places, such as all but its
    left edge, would never be seen.
    """
    step = -(-positions // _PATCHES)
    while math.gcd(step, places) > 1:
        step += 1
    return step


def _damped(moment: Tensor, damping: float) -> Tensor:
    """(I + C/(damping * mean diagonal))^-1 of each group, float64."""
    eye = torch.eye(moment.shape[-1], dtype=moment.dtype, device=moment.device)
    scale = (damping * moment.diagonal(dim1=1, dim2=2).mean(1)).clamp_min(
        torch.finfo(moment.dtype).tiny
    )
    return torch.cholesky_inverse(torch.linalg.cholesky(eye + moment / scale[:, None, None]))
