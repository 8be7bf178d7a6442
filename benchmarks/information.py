"""What the information itself costs, forward and backward, beside cross-entropy on the logits."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn

from benchmarks.steps import take_turns
from benchmarks.timing import Line, lines_of
from infounlearn.math import marginal_information, mutual_information

SHAPES = ((80, 10), (1024, 10), (65_536, 10), (256, 1000))


def run(*, rounds: int, steps: int) -> list[Line]:
    """Each shape (rows, classes) alone: no network, no optimiser, so no target either."""
    lines = []
    for rows, classes in SHAPES:
        generator = torch.Generator().manual_seed(rows)
        logits = torch.randn(rows, classes, generator=generator).requires_grad_()
        labels = torch.randint(classes, (rows,), generator=generator)
        z = torch.randint(2, (rows,), generator=generator)
        calls: dict[str, Callable[[], object]] = {
            "cross_entropy": _both(logits, partial(nn.functional.cross_entropy, target=labels)),
            "mutual_information": _both(logits, partial(mutual_information, z=z)),
            "marginal_information": _both(logits, partial(marginal_information, forget=z.bool())),
        }
        few = max(10, min(steps, steps * 4096 // rows))
        timing = take_turns(calls, rounds=rounds, steps=few)
        lines += lines_of(timing, "information", f"({rows:,}, {classes:,}) logits: ", target=None)
    return lines


def _both(leaf: Tensor, call: Callable[[Tensor], Tensor]) -> Callable[[], None]:
    """Forward and backward of ``call``."""

    def forward_and_backward() -> None:
        leaf.grad = None
        call(leaf).backward()

    return forward_and_backward
