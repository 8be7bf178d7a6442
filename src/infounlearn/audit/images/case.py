"""What an image audit looks at: images, the feature of each, and the settings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from infounlearn.audit.feature.groups import Groups
from infounlearn.math.laws import entropy

Progress = Callable[[int, int, str], None]
"""Told (fits done, fits of this stage, what is being trained)."""


@dataclass(frozen=True)
class Settings:
    """How numbers are computed.

    Attributes:
        confidence: level of intervals.
        limit: nats of the planted leak that must be found before anything counts as removed.
        margin: accuracy above the majority rate, and lost by other attributes, that is tolerated.
        refits: cross-fitted probes trained on shuffled groups, for the null.
        folds: of the cross-validation within the audited images.
        epochs: longest training of a probe network.
        splits: random splits for the floor of a distance.
        dimensions: principal components in which the Gaussian bound is computed.
        seed: of folds, networks, shuffles and planted leaks.
        jobs: processes that train probes; the numbers do not depend on it.
        device: where networks are trained.
    """

    confidence: float = 0.95
    limit: float = 0.02
    margin: float = 0.05
    refits: int = 5
    folds: int = 5
    epochs: int = 12
    splits: int = 19
    dimensions: int = 64
    seed: int = 0
    jobs: int = 1
    device: str = "cpu"

    def generator(self, *stream: int) -> np.random.Generator:
        """Independent generator per purpose; the same before and after, so that they compare."""
        return np.random.default_rng([self.seed, *stream])


@dataclass(frozen=True, eq=False)
class Extractor:
    """A map from images to (n, d) features, and how a report calls it.

    Attributes:
        name: for titles: a distance is called after it.
        detail: what it is made of: number of weights and their hash, or filters and seed.
        apply: from (n, c, h, w) float32 images to (n, d) float64 features.
        given: whether the caller supplied it.
    """

    name: str
    detail: str
    apply: Callable[[np.ndarray], np.ndarray]
    given: bool


@dataclass(frozen=True, eq=False)
class Case:
    """Everything an image audit reads; images are aligned.

    Attributes:
        name: of what is audited.
        feature: what the report calls z.
        after: (n, c, h, w) float32 images as audited.
        before: the same images before the feature was removed; None where absent.
        reference: (r, c, h, w) images the audited ones are to resemble; None where absent.
        paired: whether row i of ``reference`` is row i of ``before``.
        groups: the feature.
        others: other attributes by name.
        extractor: of features for the linear probe and the distances.
        settings: how numbers are computed.
        progress: told how far the training of probes is; None for nobody.
        rounded: whether the images were given in more digits than are audited.
    """

    name: str
    feature: str
    after: np.ndarray
    before: np.ndarray | None
    reference: np.ndarray | None
    paired: bool
    groups: Groups
    others: dict[str, Groups]
    extractor: Extractor
    settings: Settings
    progress: Progress | None = None
    rounded: bool = False

    @property
    def z(self) -> np.ndarray:
        return self.groups.codes

    @property
    def prior(self) -> np.ndarray:
        """(m,) share of each group among the audited images."""
        return self.groups.counts / self.groups.counts.sum()

    @property
    def majority(self) -> float:
        """Accuracy of always naming the largest group."""
        return float(self.prior.max())

    @property
    def ceiling(self) -> float:
        """H(Z) in nats: the largest information there can be."""
        return entropy(self.prior)

    @property
    def sizes(self) -> dict[str, int]:
        """Images of each group, by its name."""
        pairs = zip(self.groups.names, self.groups.counts, strict=True)
        return {name: int(count) for name, count in pairs}
