"""Outcome laws of groups that move slowly while a model trains, and what a batch adds to them.

A batch compares its own laws badly: at 256 rows the noise of two group means is as large as the gap
that a regulariser should close, and a plug-in charges that noise to the model. So each batch is
compared with the laws of the batches *before* it:

    L = (1/n) Σ_j Σ_y p_j(y) ln(P_z(y) / P̄(y)),   z the group of row j, P and P̄ from the past.

The weights do not depend on the batch, so L has no plug-in bias, does not change when rows are
repeated, needs no group to be present and adds up over micro-batches and processes. Its gradient is
that of the information wherever the past laws are the present ones. The past laws have an error of
their own, which lowers L by what it would lift a plug-in of them all (for sampled labels without
information some (m-1)(K-1)/2n nats of the n rows remembered, at most): a constant, as far as the
gradient goes, and taken out of :attr:`RunningLaws.information`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from infounlearn.errors import InputError
from infounlearn.math.tables import Groups


class RunningLaws:
    """Decayed sums of outcome laws by stratum and group; the table grows as new ones turn up."""

    def __init__(self, decay: float, prior: tuple[float, ...] | None = None) -> None:
        """Start with no memory.

        Args:
            decay: β in [0, 1): the laws remember about 1/(1-β) batches.
            prior: probabilities of the groups; default their running shares.
        """
        self.decay, self.prior = decay, prior
        self.sums = np.zeros((0, 0, 0))
        self.counts = np.zeros((0, 0))
        self._linear = self._rows = 0.0

    def grow(self, strata: int, groups: int, outcomes: int) -> None:
        """Make room for more strata and groups.

        Raises:
            InputError: outcomes are not as many as they were.
        """
        old = self.sums.shape
        if outcomes != old[2] and self.counts.any():
            raise InputError(
                f"InformationPenalty: outputs have {outcomes} outcomes, earlier batches had "
                f"{old[2]}: use one penalty for each model"
            )
        shape = (max(strata, old[0]), max(groups, old[1]), outcomes)
        if shape == old:
            return
        sums, counts = np.zeros(shape), np.zeros(shape[:2])
        sums[: old[0], : old[1], : old[2]] = self.sums
        counts[: old[0], : old[1]] = self.counts
        self.sums, self.counts = sums, counts

    def weights(self, sums: np.ndarray, counts: np.ndarray) -> np.ndarray:
        """ln(P_z/P̄) of each cell, (cells, outcomes), times π_z / running share under a prior.

        A cell without a past, as in the first batch, is given the batch's own law: that one time
        the comparison is the plug-in's.

        Args:
            sums: (strata, groups, outcomes) Σ p_j of the batch.
            counts: (strata, groups) rows of the batch.
        """
        new = (self.counts == 0) & (counts > 0)
        if new.any():
            laws = self.sums + np.where(new[:, :, None], sums, 0.0)
            rows = self.counts + np.where(new, counts, 0.0)
        else:
            laws, rows = self.sums, self.counts
        strata, groups, outcomes = laws.shape
        if strata > 1 or self.prior is not None:
            _, slopes = self._design(rows)(laws, rows)
            return slopes.reshape(strata * groups, outcomes) * rows.sum()
        # The common case in few calls: ln (P_z/P̄), as in Groups; 0 where a law or a group is empty.
        ratio = laws[0] * rows.sum()
        expected = np.multiply.outer(rows[0], laws[0].sum(0))
        np.divide(ratio, expected, out=ratio, where=expected > 0.0)
        if not ratio.all():
            ratio[ratio == 0.0] = 1.0
        return np.log(ratio, out=ratio)

    def take(self, sums: np.ndarray, counts: np.ndarray, linear: float) -> None:
        """Take in a batch and its value L."""
        self.sums *= self.decay
        self.sums += sums
        self.counts *= self.decay
        self.counts += counts
        rows = float(counts.sum())
        self._linear = self.decay * self._linear + rows * linear
        self._rows = self.decay * self._rows + rows

    @property
    def information(self) -> float:
        """De-biased running information in nats; may be negative, and is 0 before any batch.

        ½(plug-in of the running laws + mean L): the error of the laws lifts the first by
        b = Σ π_z E KL(P̂_z‖P_z) - E KL(P̄̂‖P̄), and lowers the second by b, to second order.
        """
        if not self._rows:
            return 0.0
        plug_in, _ = self._design(self.counts)(self.sums, self.counts)
        return 0.5 * (plug_in + self._linear / self._rows)

    def state(self) -> dict[str, Any]:
        """Everything, as plain lists and numbers."""
        return {
            "sums": self.sums.tolist(),
            "counts": self.counts.tolist(),
            "shape": list(self.sums.shape),
            "linear": self._linear,
            "rows": self._rows,
        }

    def load(self, state: dict[str, Any]) -> None:
        """Take over :meth:`state`."""
        shape = tuple(state["shape"])
        self.sums = np.array(state["sums"], dtype=np.float64).reshape(shape)
        self.counts = np.array(state["counts"], dtype=np.float64).reshape(shape[:2])
        self._linear, self._rows = state["linear"], state["rows"]

    def _design(self, rows: np.ndarray) -> Groups:
        """The design of the groups met so far: the prior is spread over them."""
        strata, groups = rows.shape
        if self.prior is None:
            return Groups(groups, None, strata)
        seen = np.where(rows.sum(0) > 0, self.prior, 0.0)
        return Groups(groups, tuple(seen / seen.sum()) if seen.sum() > 0 else None, strata)
