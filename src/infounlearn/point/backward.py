"""Gradients of a step: the utility through autograd, the penalty written out where it can be.

A penalty looks at a few rows of a small matrix. Taken through autograd it costs two dozen calls on
them, a third of a small network's whole step; its gradient by the outputs, formed directly, costs a
few and enters the backward pass of the utility at the outputs.
"""

from __future__ import annotations

import torch
from torch import Tensor

from infounlearn.point.objective import Penalty, Step


def backward(loss: Tensor, penalty: Penalty | None, step: Step | None) -> Tensor:
    """Add the gradients of ``loss + gamma * penalty`` to the weights; return the sum."""
    if penalty is None or step is None:
        loss.backward()
        return loss.detach()
    slopes = penalty.slopes(step)
    if slopes is None:
        loss = loss + penalty.gamma * penalty(step).to(loss)
        loss.backward()
        return loss.detach()
    roots, arriving = [loss], [torch.ones_like(loss)]
    for part, slope in ((step.forget, slopes.forget), (step.retain, slopes.retain)):
        if slope is not None:
            roots.append(part.outputs)
            arriving.append(slope.mul_(penalty.gamma).to(part.outputs))
    torch.autograd.backward(roots, arriving)
    return loss.detach() + penalty.gamma * slopes.value
