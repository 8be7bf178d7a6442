"""What every engine of the table barycenter is: fitted on one table and its groups, then applied.

An engine knows nothing of frames, of sensitive columns, of strata or of the dial: it sees a
:class:`~infounlearn.feature.columns.MixedTable`, group codes, and a source of noise per row, and it
releases rows at full strength. The estimator turns the dial: numbers move along McCann's line
x + t (x̄ − x), and a released bank row replaces the own row with probability t, by a hidden coin.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    import numpy as np

    from infounlearn.feature.columns import MixedTable

__all__ = ["KEEP", "Engine", "Fitted", "Noise", "Release", "Settings"]

KEEP = -1
"""Bank row that means: this row stays as it is."""

Noise = Callable[[int], "np.ndarray"]
"""``noise(k)`` is (n,) uniforms in [0, 1), independent between streams k = 0, 1, ... and between
rows of unlike content or key, the same for a row whatever else is in its batch. Stream −1 is the
dial's."""


@dataclass(frozen=True)
class Settings:
    """What the estimator passes on to its engine.

    Attributes:
        mode: "aware": groups are known when rows are released; "blind": they are not.
        max_rows: most rows an engine may keep in its bank.
        jitter: variance of Gaussian noise an affine engine may add where a group lacks variance.
        options: further settings of the engine chosen, by name.
    """

    mode: Literal["aware", "blind"] = "aware"
    max_rows: int = 20_000
    jitter: float = 0.0
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Release:
    """What an engine makes of the rows of a table: exactly one of the three.

    Attributes:
        numbers: (n, dn) new values of the numeric block.
        rows: (n,) int64 row of the bank whose cells are released, or KEEP.
        table: (n, ...) the rows themselves, with new cells.
    """

    numbers: np.ndarray | None = None
    rows: np.ndarray | None = None
    table: MixedTable | None = None


class Fitted(Protocol):
    """A fitted engine: immutable, picklable, without the caller's frames.

    Attributes:
        bank: fitted rows that may be released; None for an engine that moves numbers.
        facts: figures of the fit by name, such as ``value`` (least mean squared change) or
            ``leak`` (nats, in sample).
        limits: plain sentences on what this engine does not do.
    """

    @property
    def bank(self) -> MixedTable | None: ...

    @property
    def facts(self) -> Mapping[str, float]: ...

    @property
    def limits(self) -> tuple[str, ...]: ...

    def transform(self, table: MixedTable, codes: np.ndarray | None, noise: Noise) -> Release:
        """Rows at full strength; ``codes`` (n,) is None where the mode is "blind"."""

    def kernels(self, table: MixedTable, codes: np.ndarray | None) -> np.ndarray | None:
        """(n, J) probabilities of each bank row; None where the engine has no known kernel."""


class Engine(Protocol):
    """Fits one :class:`Fitted`; module-level functions do."""

    def __call__(
        self,
        table: MixedTable,
        codes: np.ndarray,
        weights: np.ndarray,
        *,
        target: np.ndarray | None = None,
        settings: Settings,
        seed: int,
    ) -> Fitted:
        """Fit on (n,) codes of m groups with declared shares ``weights`` (m,).

        Args:
            table: rows to learn from.
            codes: (n,) int64 group of each row.
            weights: (m,) P(Z = z), summing to one.
            target: (n,) values to keep predictable: class codes (int64) or numbers (float64).
            settings: of the estimator.
            seed: for anything drawn while fitting.
        """
