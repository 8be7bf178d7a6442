"""A barycenter per stratum: X̂ ⊥ Z | stratum, and with one stratum the plain one.

Conditioning on the target gives what equalized odds asks of the data; conditioning on legitimate
covariates leaves what they explain of the sensitive variable. Within a bin of a continuous
covariate the claim is that of the bin.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property, reduce

import numpy as np

from infounlearn.feature.columns import MixedTable
from infounlearn.feature.engine import KEEP, Fitted, Noise, Release

__all__ = ["Strata"]


@dataclass(frozen=True, eq=False)
class Strata:
    """One fitted engine per stratum.

    Attributes:
        parts: engine of each stratum; None where Z has one value there, so that nothing is to be
            removed and rows stay.
        local: (s, m) number of each group inside each stratum, −1 where it was not fitted; None
            for a continuous Z.
        shares: (s,) share of the rows in each stratum.
    """

    parts: tuple[Fitted | None, ...]
    local: np.ndarray | None
    shares: np.ndarray

    @cached_property
    def bank(self) -> MixedTable | None:
        """Bank rows of all strata, one after another."""
        banks = [part.bank for part in self.parts if part is not None and part.bank is not None]
        return reduce(MixedTable.merge, banks) if banks else None

    @property
    def facts(self) -> dict[str, float]:
        """Figures of the strata, weighed by their shares."""
        names = dict.fromkeys(name for part in self.parts if part for name in part.facts)
        return {
            name: float(
                sum(
                    share * part.facts.get(name, 0.0)
                    for share, part in zip(self.shares, self.parts, strict=True)
                    if part is not None
                )
            )
            for name in names
        }

    @property
    def limits(self) -> tuple[str, ...]:
        """What the engines do not do."""
        return tuple(dict.fromkeys(text for part in self.parts if part for text in part.limits))

    def unseen(self, codes: np.ndarray, strata: np.ndarray) -> np.ndarray:
        """(n,) whether the group of a row was not fitted in its stratum."""
        if self.local is None:
            return strata < 0
        # A code of −1 takes the last column: it is masked out by the comparison.
        return (codes < 0) | (strata < 0) | (self.local[strata, codes] < 0)

    def release(
        self, table: MixedTable, codes: np.ndarray | None, strata: np.ndarray, noise: Noise
    ) -> Release:
        """Rows at full strength; a row of an unseen group or of a lone group stays as it is."""
        if len(self.parts) == 1 and self.parts[0] is not None and self._direct(codes):
            return self.parts[0].transform(table, codes, noise)
        moves_rows = self.bank is not None
        numbers, marks, writes = table.numeric.copy(), table.codes.copy(), False
        rows = np.full(len(table), KEEP, dtype=np.int64)
        for stratum, chosen, own, offset in self._split(codes, strata):
            part = self.parts[stratum]
            if part is None or not len(chosen):
                continue
            released = part.transform(table.take(chosen), own, _of(noise, chosen))
            if released.rows is not None:
                rows[chosen] = np.where(released.rows == KEEP, KEEP, released.rows + offset)
            elif released.numbers is not None:
                numbers[chosen] = released.numbers
            elif released.table is not None:
                numbers[chosen], marks[chosen] = released.table.numeric, released.table.codes
                writes = True
        if writes:
            return Release(table=replace(table, numeric=numbers, codes=marks))
        return Release(rows=rows) if moves_rows else Release(numbers=numbers)

    def kernels(
        self, table: MixedTable, codes: np.ndarray | None, strata: np.ndarray
    ) -> np.ndarray | None:
        """(n, J) probabilities of each bank row; a row that stays has a row of zeros."""
        if self.bank is None:
            return None
        found = np.zeros((len(table), len(self.bank)))
        for stratum, chosen, own, offset in self._split(codes, strata):
            part = self.parts[stratum]
            kernel = None if part is None else part.kernels(table.take(chosen), own)
            if kernel is not None:
                found[chosen, offset : offset + kernel.shape[1]] = kernel
        return found

    def _direct(self, codes: np.ndarray | None) -> bool:
        if codes is None or self.local is None:
            return True
        in_order = np.array_equal(self.local[0], np.arange(self.local.shape[1]))
        return in_order and not bool((codes < 0).any())

    def _split(
        self, codes: np.ndarray | None, strata: np.ndarray
    ) -> list[tuple[int, np.ndarray, np.ndarray | None, int]]:
        """(stratum, its rows, their groups inside it, first bank row) of every stratum."""
        found, offset = [], 0
        for stratum, part in enumerate(self.parts):
            mine = strata == stratum
            own = None
            if codes is not None and self.local is not None:
                local = np.where(codes < 0, KEEP, self.local[stratum, codes])
                mine &= local >= 0
                own = local[mine]
            elif codes is not None:
                own = codes[mine]
            found.append((stratum, np.flatnonzero(mine), own, offset))
            if part is not None and part.bank is not None:
                offset += len(part.bank)
        return found


def _of(noise: Noise, rows: np.ndarray) -> Callable[[int], np.ndarray]:
    return lambda stream: noise(stream)[rows]
