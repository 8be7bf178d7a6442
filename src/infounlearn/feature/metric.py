"""A squared distance between the rows of a table of any kind, in which every variable counts alike.

    c(x, s) = (1/d) Σ_k d_k(x, s)² + λ |t(x) - t(s)|²

over the d variables that vary. A number or an ordered level is its mid-rank among the fitted rows,
so that heavy tails do not drown the rest; a category is a mismatch, 0 or 1. Each d_k² is scaled to
mean 1 between two fitted rows, and so is the term of t, the scores of a target, where there is one.

Costs are sums of one term after another, never a matrix product: a row's cost is the same to the
last bit whatever else is in its batch.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from infounlearn.feature.columns import MixedTable

__all__ = ["Metric", "choose_atoms", "fit_metric"]

MOST_ONE_HOT = 64
"""Levels of a category that the embedding tells apart."""
SAMPLE = 10_000
"""Rows among which atoms are looked for."""


@dataclass(frozen=True, eq=False)
class Metric:
    """The distance of :func:`fit_metric`.

    Attributes:
        lines: per number and ordered column of codes, its values and their scaled mid-ranks.
        places: column of each line: of the numbers, or of the codes from the first number on.
        weights: per category, (its column of codes, its number of levels, cost of a mismatch).
    """

    lines: tuple[tuple[np.ndarray, np.ndarray], ...]
    places: tuple[int, ...]
    weights: tuple[tuple[int, int, float], ...]

    def coordinates(self, table: MixedTable) -> np.ndarray:
        """(n, l) scaled mid-ranks; an unseen ordered level stands in the middle."""
        result = np.empty((len(table), len(self.lines)))
        numbers = table.numeric.shape[1]
        for k, (place, (values, ranks)) in enumerate(zip(self.places, self.lines, strict=True)):
            x = table.numeric[:, place] if place < numbers else table.codes[:, place - numbers]
            result[:, k] = np.interp(x, values, ranks)
            if place >= numbers:
                result[x < 0, k] = 0.5 * (ranks[0] + ranks[-1])
        return result

    def embedding(self, table: MixedTable) -> np.ndarray:
        """(n, e) points whose squared distances are the costs, rare levels counted as one."""
        parts = [self.coordinates(table)]
        for at, size, weight in self.weights:
            code = table.codes[:, at]
            most = np.argsort(-np.bincount(code[code >= 0], minlength=size), kind="stable")
            most = most[:MOST_ONE_HOT]
            parts.append(np.sqrt(weight / 2) * (code[:, None] == most))
        return np.concatenate(parts, axis=1)

    def costs(
        self, table: MixedTable, atoms: MixedTable, scores: np.ndarray, marks: np.ndarray
    ) -> np.ndarray:
        """(n, J) costs from rows to atoms.

        Args:
            table: n rows.
            atoms: J rows.
            scores: (n, k) scores of the rows, scaled by √λ already.
            marks: (J, k) scores of the atoms, scaled likewise.
        """
        result = np.zeros((len(table), len(atoms)))
        own = np.concatenate((self.coordinates(table), scores), axis=1)
        other = np.concatenate((self.coordinates(atoms), marks), axis=1)
        for k in range(own.shape[1]):
            step = own[:, k, None] - other[:, k]
            step *= step
            result += step
        for at, size, weight in self.weights:
            # The last line is that of an unseen level: unlike every atom.
            table_of = np.full((size + 1, len(atoms)), weight)
            table_of[atoms.codes[:, at], np.arange(len(atoms))] = 0.0
            result += table_of[table.codes[:, at]]
        return result


def fit_metric(table: MixedTable) -> Metric:
    """Ranks and scales from the fitted rows; a constant variable costs nothing."""
    lines: list[tuple[np.ndarray, np.ndarray]] = []
    places: list[int] = []
    weights: list[tuple[int, int, float]] = []
    numbers = table.numeric.shape[1]
    for place in range(numbers):
        _line(table.numeric[:, place], place, lines, places)
    for at, (size, kind) in enumerate(zip(table.layout.sizes, table.layout.kinds, strict=True)):
        code = table.codes[:, at]
        if kind == "ordinal":
            _line(code[code >= 0], numbers + at, lines, places)
            continue
        shares = np.bincount(code[code >= 0], minlength=size) / max((code >= 0).sum(), 1)
        differ = 1.0 - float(shares @ shares)
        if differ > 0 and np.count_nonzero(shares) > 1:
            weights.append((at, size, 1.0 / differ))
    count = max(len(lines) + len(weights), 1)
    return Metric(
        tuple((values, ranks / np.sqrt(count)) for values, ranks in lines),
        tuple(places),
        tuple((at, size, weight / count) for at, size, weight in weights),
    )


def _line(
    x: np.ndarray, place: int, lines: list[tuple[np.ndarray, np.ndarray]], places: list[int]
) -> None:
    values, counts = np.unique(x, return_counts=True)
    if len(values) < 2:
        return
    shares = counts / counts.sum()
    ranks = np.cumsum(shares) - shares / 2
    # Two independent rows differ by twice the variance in the mean square.
    spread = 2.0 * float(shares @ (ranks - shares @ ranks) ** 2)
    lines.append((values.astype(np.float64), ranks / np.sqrt(spread)))
    places.append(place)


def choose_atoms(
    metric: Metric, table: MixedTable, theta: np.ndarray, atoms: int, seed: int
) -> np.ndarray:
    """(J,) rows nearest to the centres of k-means, fewer where fewer rows are distinct.

    Args:
        metric: of the rows.
        table: the rows.
        theta: (n, k) their scaled scores.
        atoms: J.
        seed: of the start.
    """
    from sklearn.cluster import KMeans

    rng = np.random.default_rng(seed)
    rows = np.arange(len(table))
    if len(rows) > SAMPLE:
        rows = np.sort(rng.choice(rows, SAMPLE, replace=False))
    points = np.concatenate((metric.embedding(table)[rows], theta[rows]), axis=1)
    if not points.shape[1]:
        return rows[:1]
    distinct = len(np.unique(points, axis=0))
    means = KMeans(min(atoms, distinct), n_init=1, max_iter=30, random_state=seed % 2**32)
    labels = means.fit(points).labels_
    gaps = ((points - means.cluster_centers_[labels]) ** 2).sum(1)
    order = np.lexsort((gaps, labels))
    first = np.flatnonzero(np.diff(labels[order], prepend=-1))
    return rows[order[first]]
