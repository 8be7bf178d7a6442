"""One process or several: who takes which rows, and how gradients meet.

Every process draws the same batches (see :mod:`infounlearn.point.batches`) and forwards its own
share of the rows. Losses of the processes are parts of one sum, so gradients are added, not
averaged; batches that do not divide evenly are then right too. The process group is the one that
``accelerate launch`` (or torchrun) set up.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor

from infounlearn.errors import InputError


@dataclass(frozen=True)
class Processes:
    """Rank and number of the processes that share a run."""

    rank: int = 0
    count: int = 1

    @property
    def is_main(self) -> bool:
        """Whether this process writes files and shows progress."""
        return self.rank == 0

    def share(self, positions: Tensor) -> Tensor:
        """The rows of a batch that this process forwards."""
        return positions[self.rank :: self.count]

    def add_gradients(self, parameters: Iterable[Tensor]) -> None:
        """Sum gradients over the processes, in one message; none at all stays none."""
        if self.count == 1:
            return
        weights = list(parameters)
        used = torch.tensor([float(weight.grad is not None) for weight in weights])
        parts = [torch.zeros_like(w) if w.grad is None else w.grad for w in weights]
        flat = torch.cat([part.reshape(-1) for part in parts] + [used.to(parts[0])])
        dist.all_reduce(flat)
        *summed, used = flat.split([part.numel() for part in parts] + [len(weights)])
        for weight, gradient, users in zip(weights, summed, used.tolist(), strict=True):
            # A zero in place of none would let weight decay and momentum move the weight.
            weight.grad = gradient.view_as(weight).to(weight.dtype) if users else None

    def total(self, value: Tensor) -> Tensor:
        """Sum of a detached tensor over the processes."""
        if self.count > 1:
            value = value.clone()
            dist.all_reduce(value)
        return value

    def from_main(self, value: float, device: torch.device) -> float:
        """The main process's number, in every process."""
        if self.count == 1:
            return value
        number = torch.tensor([value], dtype=torch.float64, device=device)
        dist.broadcast(number, src=0)
        return float(number)

    def require_same(self, fingerprint: str, device: torch.device) -> None:
        """Raise :class:`InputError` in every process unless all hold the same fingerprint."""
        if self.count == 1:
            return
        own = torch.tensor([int(fingerprint[:12], 16)], dtype=torch.int64, device=device)
        ends = torch.cat([own, -own])
        dist.all_reduce(ends, op=dist.ReduceOp.MAX)
        if int(ends[0]) != -int(ends[1]):
            raise InputError(
                "unlearn: the processes hold different models, records or settings: load the same "
                "weights and records in each, and pass the same seed"
            )

    def average_buffers(self, model: torch.nn.Module) -> None:
        """Give floating-point buffers (batch-norm statistics) their mean over the processes."""
        if self.count == 1:
            return
        for buffer in model.buffers():
            if buffer.dtype.is_floating_point:
                dist.all_reduce(buffer)
                buffer.div_(self.count)


def find_processes(device: torch.device | None) -> Processes:
    """The processes of this run: those of the process group, or this one alone.

    Raises:
        InputError: started by a launcher but neither a process group nor accelerate is there.
    """
    if not dist.is_available():
        return Processes()
    if not dist.is_initialized() and int(os.environ.get("WORLD_SIZE", "1")) > 1:
        try:
            from accelerate import PartialState
        except ImportError as error:
            raise InputError(
                "unlearn: started by a launcher of several processes without a process group: "
                "install infounlearn[distributed], or call torch.distributed.init_process_group"
            ) from error
        PartialState(cpu=device is not None and device.type == "cpu")
    if not dist.is_initialized():
        return Processes()
    return Processes(dist.get_rank(), dist.get_world_size())
