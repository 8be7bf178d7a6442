"""What the penalty remembers of one attribute: running laws, bins of scores, weight."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from infounlearn.errors import InputError
from infounlearn.feature.dual import Multiplier
from infounlearn.feature.penalty_laws import RunningLaws
from infounlearn.feature.penalty_rows import Pool, Rows, label_rows, score_rows

BINS = 16
_MOST_GROUPS = 4096
"""A larger group index is a raw value, not a group; its table would fill the memory."""


@dataclass(frozen=True)
class Mode:
    """What is compared: scores or labels, learning or only looking, over which processes."""

    scores: bool
    learn: bool
    pool: Pool | None


class Term:
    """One attribute's part of the penalty."""

    def __init__(self, multiplier: Multiplier, laws: RunningLaws) -> None:
        """Start without memory."""
        self.multiplier, self.laws = multiplier, laws
        self.centers: np.ndarray | None = None
        self._strata = self._groups = 1

    def reserve(self, groups: int | None, strata: int | None) -> None:
        """Make room for declared numbers of groups and strata."""
        self._groups = max(self._groups, groups or 1)
        self._strata = max(self._strata, strata or 1)

    def compare(
        self, outputs: Tensor, z: np.ndarray, given: np.ndarray | None, *, mode: Mode
    ) -> tuple[float, Tensor]:
        """Linearised information of a batch, in nats, and its gradient by ``outputs``.

        Args:
            outputs: (n, k) detached; logits of a label, or columns of scores.
            z: (n,) groups from 0.
            given: (n,) strata from 0, or None.
            mode: what is compared and how.
        """
        self.reserve(int(z.max()) + 1, None if given is None else int(given.max()) + 1)
        cells = z if given is None else given * self._groups + z
        rows = Rows(cells, (self._strata, self._groups), self.laws, mode.learn, mode.pool)
        if not mode.scores:
            value, gradient = label_rows(outputs, rows)
        else:
            batch = batch_centers(outputs, mode.pool)
            centers = batch if self.centers is None else self.centers
            widths = np.array([_width(row) for row in centers])
            value, gradient = score_rows(outputs, rows, centers=centers, widths=widths)
            if mode.learn:
                # Bins follow the scores at the pace of the laws.
                self.centers = centers + (1.0 - self.laws.decay) * (batch - centers)
        if mode.learn:
            self.multiplier.update(self.laws.information)
        return value, gradient

    def state(self) -> dict[str, Any]:
        """Everything that a resumed run needs, as plain lists and numbers."""
        return {
            "laws": self.laws.state(),
            "gamma": self.multiplier.gamma,
            "weight": self.multiplier.weight,
            "centers": None if self.centers is None else self.centers.tolist(),
            "size": [self._strata, self._groups],
        }

    def load(self, state: dict[str, Any]) -> None:
        """Take over :meth:`state`."""
        self.laws.load(state["laws"])
        self.multiplier.gamma, self.multiplier.weight = state["gamma"], state["weight"]
        self.centers = None if state["centers"] is None else np.array(state["centers"])
        self._strata, self._groups = state["size"]


def batch_centers(scores: Tensor, pool: Pool | None) -> np.ndarray:
    """Equal-mass centres of each column of scores, (k, bins); their mean over processes."""
    values = np.sort(scores.double().cpu().numpy(), axis=0)
    low, high, share = _quantile_places(len(values))
    centers = (values[low] * (1.0 - share) + values[high] * share).T
    if pool is None:
        return centers
    flat = pool(np.append(centers.reshape(-1) * len(values), float(len(values))))
    return (flat[:-1] / flat[-1]).reshape(centers.shape)


@lru_cache(maxsize=256)
def _quantile_places(rows: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Neighbours of the quantiles (b - ½)/bins among sorted rows, and the share of the upper."""
    place = np.clip((np.arange(BINS) + 0.5) / BINS * rows - 0.5, 0, rows - 1)
    low = place.astype(np.int64)
    return low, np.minimum(low + 1, rows - 1), (place - low)[:, None]


def codes_of(name: str, values: object, rows: int, size: int | None) -> np.ndarray:
    """Groups or strata of a batch as int64.

    Raises:
        InputError: not one whole number from 0 (below ``size``) per row.
    """
    codes = values.detach().cpu().numpy() if isinstance(values, Tensor) else np.asarray(values)
    if codes.shape != (rows,) or codes.dtype.kind not in "iub":
        raise InputError(
            f"InformationPenalty: {name} has shape {codes.shape} and type {codes.dtype} for "
            f"{rows} rows: pass one integer (or boolean) per row; encode_sensitive makes them of "
            "texts, numbers and missing values"
        )
    codes = codes.astype(np.int64, copy=False)
    # Negative numbers are the largest of all when read without a sign.
    high = int(codes.view(np.uint64).max())
    most = _MOST_GROUPS if size is None else size
    if high >= most:
        raise InputError(
            f"InformationPenalty: {name} runs from {codes.min()} to {codes.max()}: pass numbers "
            f"from 0, below {most}; encode_sensitive makes them of any values"
        )
    return codes


def scores_of(outputs: Tensor) -> Tensor:
    """Scores of classes: (n, 2) logits have one margin, (n, c) one margin for each class."""
    if outputs.shape[1] == 1:
        return outputs
    if outputs.shape[1] == 2:
        return outputs.diff(dim=1)
    # φ_k = z_k - LSE_{c≠k} z_c, all classes at once.
    classes = outputs.shape[1]
    own = torch.eye(classes, dtype=torch.bool, device=outputs.device)
    others = outputs[:, None, :].masked_fill(own, -torch.inf).logsumexp(2)
    return outputs - others


def _width(centers: np.ndarray) -> float:
    """Kernel width: the median positive gap, as :func:`infounlearn.math.bin_width`."""
    gaps = np.sort(centers[1:] - centers[:-1])
    positive = int(gaps.searchsorted(0.0, side="right"))
    return float(gaps[(positive + len(gaps) - 1) // 2]) if positive < len(gaps) else 1.0
