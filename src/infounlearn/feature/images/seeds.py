"""Random numbers that are a function of a seed and a purpose; global generators are put back."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

import torch


def stream_seed(seed: int, *purpose: object) -> int:
    """A seed for one purpose, so that no two purposes of a run share random numbers."""
    text = "/".join(map(str, (seed, *purpose)))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:7], "big")


@contextmanager
def own_randomness(device: torch.device, seed: int) -> Iterator[None]:
    """Lend torch's global generators, seeded, to layers that start at random; put them back."""
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.default_generator.manual_seed(seed)
        if device.type == "cuda":
            with torch.cuda.device(device):
                torch.cuda.manual_seed(seed)
        yield
