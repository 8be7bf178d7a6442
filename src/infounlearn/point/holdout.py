"""Cutting the held-out set in three, so that what steers a run never judges it."""

from __future__ import annotations

import torch

from infounlearn.errors import Problems
from infounlearn.point.batches import RecordSet, shuffled

FEWEST = 6
"""Held-out records below which the three parts would be empty."""
GOLDEN = 0.6180339887498949
"""Multiples of it modulo 1 fill the interval evenly from the first few on (Weyl 1916)."""


def cut_holdout(
    holdout: RecordSet, audit_share: float, seed: int, problems: Problems
) -> dict[str, RecordSet]:
    """Transport targets, validation and audit part, each with its share of every class."""
    if not problems.require(
        len(holdout) >= FEWEST,
        f"holdout holds {len(holdout)} record(s)",
        why="it is cut into transport targets, validation and an audit part",
        fix="pass more held-out records",
    ):
        return {}
    labels = holdout.targets
    order = shuffled(len(holdout), seed, "holdout")
    if not labels.dtype.is_floating_point:
        # Sorted by class, ties in random order: cutting every k-th row then cuts every class.
        order = order[torch.argsort(labels[order], stable=True)]
    place = (torch.arange(len(order), dtype=torch.float64) + 0.5) * GOLDEN % 1.0
    steer = (1.0 - audit_share) / 2
    parts = {
        "targets": order[place < steer],
        "validation": order[(place >= steer) & (place < 2 * steer)],
        "audit": order[place >= 2 * steer],
    }
    for name in ("targets", "validation"):
        problems.require(
            len(parts[name]) > 0,
            f"audit_share {audit_share} leaves no record of holdout for {name}",
            fix="pass more held-out records or a smaller audit_share",
        )
    return {
        name: holdout.part(index.sort().values, name)
        for name, index in parts.items()
        if len(index) > 0
    }
