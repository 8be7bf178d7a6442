"""Forget against held-out records within each class: the tables all leakage tests read.

A forget set need not have the class mix of the held-out set. Every comparison is therefore made
inside a class, and classes are averaged with the forget set's own shares: a model that merely shows
a different class mix leaks nothing here.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import special, stats

from infounlearn.audit.case import Settings
from infounlearn.audit.permute import end_scores, subset_sums, summarise
from infounlearn.audit.readings import (
    bin_source,
    member_score,
    probabilities,
    record_loss,
    release,
    strata,
)
from infounlearn.interface import Null, Outputs
from infounlearn.math.laws import information_of_laws

BALANCED = np.array([0.5, 0.5])
"""Prior of Z = forget or held-out: a fair game, where accuracy of guessing is one half."""


@dataclass(frozen=True)
class Membership:
    """One model's readings of forget and held-out records of the classes that both hold.

    Attributes:
        classes: pairs of (forget rows, held-out rows) per shared class, as indices.
        shares: the forget set's share of each of these classes; sums to one.
        covered: share of all forget records that lie in them.
        scores: member scores of all (forget, held-out) records.
        tables: per level ("label", "score", "loss") the rows of released probabilities of both.
    """

    classes: tuple[tuple[np.ndarray, np.ndarray], ...]
    shares: np.ndarray
    covered: float
    scores: tuple[np.ndarray, np.ndarray]
    tables: dict[str, tuple[np.ndarray, np.ndarray]]

    @property
    def sizes(self) -> tuple[np.ndarray, np.ndarray]:
        """Records per shared class of forget and of held-out."""
        pairs = [(len(f), len(h)) for f, h in self.classes]
        both = np.array(pairs, dtype=np.int64).reshape(-1, 2)
        return both[:, 0], both[:, 1]

    def information(self, level: str) -> float:
        """Plug-in I(release; forget or held-out | class) in nats at prior one half."""
        forget, holdout = self.tables[level]
        laws = [np.stack([forget[f].mean(0), holdout[h].mean(0)]) for f, h in self.classes]
        return float(self.shares @ information_of_laws(np.array(laws), BALANCED))

    def area(self) -> float:
        """AUC of the member score within classes: mean place of forget among held-out records."""
        return float(sum(w * above.mean() for w, (above, _) in self._placed()))

    def excess(self) -> tuple[float, float]:
        """Excess of forget records at the top and at the bottom of the ranking, within classes.

        By Savage scores; a few memorised records would be at the top.
        """
        found = np.zeros(2)
        for share, (f, h) in zip(self.shares, self.classes, strict=True):
            both = np.concatenate([self.scores[0][f], self.scores[1][h]])
            found += share * end_scores(both)[: len(f)].mean(axis=0)
        return float(found[0]), float(found[1])

    def ends(self) -> float:
        """The larger excess: positive at the top, negative at the bottom."""
        top, bottom = self.excess()
        return top if top >= bottom else -bottom

    def area_interval(self, confidence: float) -> tuple[float, float]:
        """DeLong's variance, summed over classes and read as a Wilson interval.

        The form for one class is :func:`infounlearn.math.auc_interval`, whose limits on the
        variance are kept: with classes, variances add with squared shares.
        """
        area, variance = self.area(), 0.0
        for share, (above, below) in self._placed():
            variance += share**2 * (_spread(above) / len(above) + _spread(below) / len(below))
        n1, n0 = self.sizes
        cautious = 1 / float((self.shares**2 / np.minimum(n1, n0)).sum())
        widest = max(cautious, 0.25 / self.null_variance())
        size = cautious
        if variance > 0 and 0 < area < 1:
            size = min(max(area * (1 - area) / variance, cautious), widest)
        z2 = float(special.ndtri((1 + confidence) / 2)) ** 2
        centre = (area + z2 / (2 * size)) / (1 + z2 / size)
        root = np.sqrt(z2 * area * (1 - area) / size + z2**2 / (4 * size**2))
        half = float(root / (1 + z2 / size))
        return max(0.0, centre - half), min(1.0, centre + half)

    def null_variance(self) -> float:
        """Variance of :meth:`area` where forget and held-out scores have one law (no ties)."""
        n1, n0 = self.sizes
        return float((self.shares**2 * (n1 + n0 + 1) / (12 * n1 * n0)).sum())

    def detectable_area(self, level: float, power: float = 0.8) -> float:
        """Smallest AUC that a two-sided test at ``level`` finds with probability ``power``."""
        reach = special.ndtri(1 - level / 2) + special.ndtri(power)
        return min(1.0, 0.5 + float(reach) * self.null_variance() ** 0.5)

    def weights(self) -> np.ndarray:
        """(holdout,) weights that give held-out records the forget set's class mix."""
        found = np.zeros(len(self.scores[1]))
        for share, (_, holdout) in zip(self.shares, self.classes, strict=True):
            found[holdout] = share / len(holdout)
        return found

    def matched_forget(self) -> np.ndarray:
        """Scores of the forget records that have held-out records of their class."""
        return self.scores[0][np.concatenate([forget for forget, _ in self.classes])]

    def nulls(self, settings: Settings) -> dict[str, Null]:
        """Permutation nulls of every level, of "area" and of "ends", shuffled within classes.

        All read the same shuffles. The area's p-value is two-sided about one half; the null of the
        ends is that of the size of the excess, at whichever end.
        """
        rng = settings.generator(stream=2)
        draws = settings.permutations
        shuffled = {level: np.zeros(draws) for level in self.tables}
        areas, excess = np.zeros(draws), np.zeros((draws, 2))
        for share, (f, h) in zip(self.shares, self.classes, strict=True):
            both = np.concatenate([self.scores[0][f], self.scores[1][h]])
            ranks = stats.rankdata(both)
            blocks = [np.concatenate([a[f], b[h]]) for a, b in self.tables.values()]
            rows = np.concatenate([*blocks, end_scores(both), ranks[:, None]], axis=1)
            sums = subset_sums(rows, len(f), draws, rng)
            rest = rows.sum(axis=0) - sums
            start = 0
            for level, block in zip(self.tables, blocks, strict=True):
                part = slice(start, start + block.shape[1])
                start = part.stop
                laws = np.stack([sums[:, part] / len(f), rest[:, part] / len(h)], axis=1)
                # Sums may round to just below zero where an outcome never occurs.
                shuffled[level] += share * information_of_laws(np.maximum(laws, 0), BALANCED)
            excess += share * sums[:, -3:-1] / len(f)
            wins = sums[:, -1] - len(f) * (len(f) + 1) / 2
            areas += share * wins / (len(f) * len(h))
        found = {level: summarise(self.information(level), v) for level, v in shuffled.items()}
        found["area"] = summarise(self.area(), areas, two_sided_about=0.5, rounding=1e-12)
        found["ends"] = summarise(abs(self.ends()), excess.max(axis=1), rounding=1e-12)
        return found

    def _placed(self) -> list[tuple[float, tuple[np.ndarray, np.ndarray]]]:
        """Per class: its share, places of forget among held-out, and of held-out below forget."""
        found = []
        for share, (f, h) in zip(self.shares, self.classes, strict=True):
            found.append((float(share), _placements(self.scores[0][f], self.scores[1][h])))
        return found


def membership(model: Outputs, settings: Settings) -> Membership:
    """Readings of ``model``; score bins are fixed on its records that are not compared."""
    task, forget, holdout = model.task, model["forget"], model["holdout"]
    groups = strata(forget, task), strata(holdout, task)
    shared = np.intersect1d(groups[0], groups[1])
    pairs = [(np.flatnonzero(groups[0] == c), np.flatnonzero(groups[1] == c)) for c in shared]
    counts = np.array([len(f) for f, _ in pairs], dtype=np.float64)
    fixed = model[bin_source(model)]
    scores = member_score(forget, task), member_score(holdout, task)
    losses = record_loss(forget, task), record_loss(holdout, task)
    fixed_scores, fixed_losses = member_score(fixed, task), record_loss(fixed, task)
    tables = {}
    if task == "classification":
        tables["label"] = (probabilities(forget), probabilities(holdout))
    tables["score"] = _released(scores, fixed_scores, settings.bins)
    tables["loss"] = _released(losses, fixed_losses, settings.bins)
    covered = counts.sum() / len(forget)
    return Membership(tuple(pairs), counts / max(counts.sum(), 1.0), covered, scores, tables)


def _released(
    both: tuple[np.ndarray, np.ndarray], fixed_on: np.ndarray, bins: int
) -> tuple[np.ndarray, np.ndarray]:
    return release(both[0], fixed_on, bins), release(both[1], fixed_on, bins)


def _placements(members: np.ndarray, others: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Share of ``others`` below each member and of members above each of the others."""
    up, down = np.sort(members), np.sort(others)
    above = np.searchsorted(down, members, "left") + np.searchsorted(down, members, "right")
    under = np.searchsorted(up, others, "left") + np.searchsorted(up, others, "right")
    return above / (2 * len(others)), 1 - under / (2 * len(members))


def _spread(places: np.ndarray) -> float:
    """Variance of places in [0, 1]; of a single one, the largest possible."""
    return float(places.var(ddof=1)) if len(places) > 1 else 0.25
