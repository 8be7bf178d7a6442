"""What an audit looks at: the audited model, its comparisons, and the settings of every test."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from infounlearn.interface import Outputs, Task


@dataclass(frozen=True)
class Settings:
    """How numbers are computed.

    Attributes:
        confidence: level of intervals, bounds and tests.
        seed: of the permutations.
        permutations: per test.
        prior: declared weights of (pool, retain alone) in the marginal design of Z.
        bins: soft bins of a score.
    """

    confidence: float = 0.95
    seed: int = 0
    permutations: int = 999
    prior: tuple[float, float] = (0.5, 0.5)
    bins: int = 16

    def generator(self, stream: int) -> np.random.Generator:
        """Independent generator per test and the same for every model, so that nulls compare."""
        return np.random.default_rng([self.seed, stream])


@dataclass(frozen=True)
class Case:
    """The audited model beside the original and the retrained references, all aligned.

    ``copies`` counts references that were left out because they repeat another one.
    """

    audited: Outputs
    original: Outputs | None
    references: tuple[Outputs, ...]
    settings: Settings
    copies: int = 0

    @property
    def task(self) -> Task:
        return self.audited.task

    def sizes(self, *names: str) -> dict[str, int]:
        """Records per set, for the sets that exist."""
        return {name: len(self.audited[name]) for name in names if name in self.audited.sets}

    def each(self) -> Iterator[Outputs]:
        """Audited model, then original, then references."""
        yield self.audited
        if self.original is not None:
            yield self.original
        yield from self.references

    def compare(self, statistic: Callable[[Outputs], float | None]) -> dict[str, Any]:
        """``statistic`` of every model as the fields of a finding."""
        return self.spread([statistic(model) for model in self.each()])

    def spread(self, values: Sequence[float | None]) -> dict[str, Any]:
        """Values in the order of :meth:`each` as the fields value, original and retrained."""
        first = 1 if self.original is None else 2
        return {
            "value": values[0],
            "original": values[1] if self.original is not None else None,
            "retrained": tuple(value for value in values[first:] if value is not None),
        }
