"""What a feature audit looks at: rows as shown, the feature of each row, and the settings."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from infounlearn.audit.feature.columns import Table
from infounlearn.audit.feature.groups import Groups
from infounlearn.audit.feature.probes import Maker
from infounlearn.math.laws import entropy

Interface = Literal["table", "scores", "probabilities", "logits", "decisions"]
"""What the attacker sees of a row: its columns, one real number, a row of class probabilities, of
unnormalised logits, or a hard decision."""

INTERFACES = ("table", "scores", "probabilities", "logits", "decisions")


@dataclass(frozen=True)
class Settings:
    """How numbers are computed.

    Attributes:
        confidence: level of intervals, bounds and tests.
        limit: nats up to which a certified bound, or a leak too small to be seen, still counts as
            removed.
        permutations: of each test whose null needs no refit.
        refits: permutations of each probe, every one of which is trained anew.
        folds: of the cross-validation within the audited rows.
        bins: soft bins of a score.
        seed: of folds, permutations and planted leaks.
        jobs: processes; the numbers do not depend on it.
    """

    confidence: float = 0.95
    limit: float = 0.02
    permutations: int = 999
    refits: int = 19
    folds: int = 5
    bins: int = 16
    seed: int = 0
    jobs: int = 1

    def generator(self, *stream: int) -> np.random.Generator:
        """Independent generator per purpose; the same before and after, so that they compare."""
        return np.random.default_rng([self.seed, *stream])


@dataclass(frozen=True)
class Shown:
    """What one version of the rows (before or after) shows.

    Attributes:
        table: what probes read.
        scores: (n, k) real scores: one column, or one per class; None for tables and decisions.
        score_names: of those columns.
        decisions: (n,) codes of hard decisions; None for tables and plain scores.
        decision_names: of those codes.
        kernels: (n, K) probabilities of a randomised decision, where the model gives them.
    """

    table: Table
    scores: np.ndarray | None = None
    score_names: tuple[str, ...] = ()
    decisions: np.ndarray | None = None
    decision_names: tuple[str, ...] = ()
    kernels: np.ndarray | None = None


@dataclass(frozen=True)
class Case:
    """Everything a feature audit reads; rows are aligned.

    Attributes:
        name: of what is audited.
        interface: what the attacker sees.
        after: what is audited.
        before: the same rows before the feature was removed.
        groups: the feature.
        target: (n,) codes of y for equalized odds, with their names; None where absent.
        given: (n,) codes of the strata on which every claim is conditional; None where absent.
        release: (n,) codes or (n, J) kernels of a finite release, for the certificate.
        centers: (bins,) centres fixed elsewhere; None: a part of the rows is set aside for them.
        probes: name and maker of each probe.
        settings: how numbers are computed.
    """

    name: str
    interface: Interface
    after: Shown
    before: Shown | None
    groups: Groups
    target: np.ndarray | None
    target_names: tuple[str, ...]
    given: np.ndarray | None
    release: Any
    centers: np.ndarray | None
    probes: dict[str, Maker]
    settings: Settings = field(default_factory=Settings)

    @property
    def z(self) -> np.ndarray:
        return self.groups.codes

    @property
    def prior(self) -> np.ndarray:
        """(m,) share of each group among the audited rows."""
        return self.groups.counts / self.groups.counts.sum()

    @property
    def ceiling(self) -> float:
        """H(Z), or H(Z | given), in nats: the largest information there can be."""
        if self.given is None:
            return entropy(self.prior)
        total = 0.0
        for cell in np.unique(self.given):
            counts = np.bincount(self.z[self.given == cell])
            total += counts.sum() / len(self.z) * entropy(counts / counts.sum())
        return total

    @property
    def sizes(self) -> dict[str, int]:
        """Rows of each group, by its name."""
        pairs = zip(self.groups.names, self.groups.counts, strict=True)
        return {name: int(count) for name, count in pairs}

    def shuffled(self, rng: np.random.Generator) -> np.ndarray:
        """(n,) groups in random order, within strata where claims are conditional."""
        if self.given is None:
            return rng.permutation(self.z)
        drawn = self.z.copy()
        for cell in np.unique(self.given):
            rows = np.flatnonzero(self.given == cell)
            drawn[rows] = rng.permutation(self.z[rows])
        return drawn
