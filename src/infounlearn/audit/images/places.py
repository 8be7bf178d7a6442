"""A probe of single places: fixed patterns, however faint, and marks at a few pixels.

Each image is seen in several ways, place by place: its values, what they differ by from their
neighbours and the square of that, the last bits of bytes and of floats, whether a place has the
value that is most common there, and the power of every frequency, whatever its phase. Of each way
two things are learned: the direction between the means of the groups, which adds up a faint
pattern over all places, and the few places that differ most. A line weighs them. A convolution
shares its weights over places, and shrinks what is faint beside the scene.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from scipy import special

from infounlearn.audit.feature.probes import (
    Job,
    Reading,
    deal,
    log_prior,
    logistic,
    tempered,
    to_learn,
)
from infounlearn.audit.images.traces import TINY, bit

INNER = 4
"""Parts of the rows to learn from; each is projected on a direction that the others show."""
FEW = 4
"""Places of each way that are read one by one."""
BYTE_BITS, FLOAT_BITS = 2, 12
"""Last bits that are read: those above are seen in the values."""


@dataclass(eq=False)
class _Fold:
    """One probe to be trained: its rows, and what each way tells of all images.

    ``score`` and ``best`` are of the way that is being read, per group: its direction, and the
    places that differ most, each with by how much.
    """

    z: np.ndarray
    check: np.ndarray
    learn: np.ndarray
    held: np.ndarray
    prior: np.ndarray
    told: list[np.ndarray] = field(default_factory=list)
    score: dict[int, np.ndarray] = field(default_factory=dict)
    best: dict[int, list[tuple[float, np.ndarray]]] = field(default_factory=dict)

    def weights(self) -> np.ndarray:
        """(n, m' · (1 + INNER)) whose product with images is a difference of means.

        Per group (one of two, each of several): of all rows to learn from, then without each part.
        """
        groups = self.prior.shape[1]
        part = np.arange(len(self.learn)) % INNER
        found = []
        for group in range(1 if groups == 2 else 0, groups):
            for left_out in range(-1, INNER):
                rows = self.learn[part != left_out]
                inside = self.z[rows] == group
                column = np.zeros(len(self.z), dtype=np.float32)
                column[rows[inside]] = 1 / max(1, int(inside.sum()))
                column[rows[~inside]] = -1 / max(1, int((~inside).sum()))
                found.append(column)
        return np.stack(found, axis=1)

    def add(self, rows: np.ndarray, directions: np.ndarray, scores: np.ndarray) -> None:
        """Add one plane of a way: its score, and the places that differ most."""
        part = np.arange(len(self.learn)) % INNER
        width = 1 + INNER
        for first in range(0, directions.shape[1], width):
            score = scores[:, first].copy()
            score[self.learn] = scores[self.learn, first + 1 + part]
            self.score[first] = self.score.get(first, 0) + score
            size = np.abs(directions[:, first])
            places = np.argsort(-size, kind="stable")[:FEW]
            found = [(float(size[place]), rows[:, place].copy()) for place in places]
            both = [*self.best.get(first, []), *found]
            self.best[first] = sorted(both, key=lambda one: -one[0])[:FEW]

    def close(self) -> None:
        """The way was read to its end."""
        for first, score in self.score.items():
            self.told += [score, *(column for _, column in self.best[first])]
        self.score, self.best = {}, {}

    def beliefs(self) -> tuple[np.ndarray, bool]:
        """(held, m) log beliefs about the held-out images, and whether the line was not done."""
        from sklearn.exceptions import ConvergenceWarning

        columns = np.column_stack(self.told).astype(np.float64)
        known = columns[self.learn]
        spread = np.where(known.max(0) > known.min(0), known.std(0), np.inf)
        columns = (columns - known.mean(0)) / spread
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always", ConvergenceWarning)
            model = logistic(0, columns.shape[1]).fit(columns[self.learn], self.z[self.learn])
        late = any(issubclass(one.category, ConvergenceWarning) for one in said)
        margins = model.decision_function(columns)
        if margins.ndim == 1:
            margins = np.column_stack([np.zeros(len(margins)), margins])
        ratio = special.log_softmax(margins, axis=1) - self.prior
        check, held = self.check, self.held
        told = tempered(ratio[check], ratio[held], self.prior, check, held, self.z)
        return told, late


def read_places(images: np.ndarray, jobs: list[Job]) -> list[Reading]:
    """Every reading, in order: (n, c, h, w) float32 images, by cross-fitted probes of places.

    The groups, folds and seeds are those of ``jobs``, whose tables are not read.
    """
    plans = [deal(job) for job in jobs]
    folds = [
        _fold(job, plan, fold)
        for job, plan in zip(jobs, plans, strict=True)
        for fold in range(job.folds)
    ]
    weights = [one.weights() for one in folds]
    ends = np.cumsum([0, *(part.shape[1] for part in weights)])
    together = np.concatenate(weights, axis=1)
    for planes in ways(images):
        for plane in planes:
            rows = _scaled(plane)
            directions = rows.T @ together
            scores = rows @ directions
            for one, start, end in zip(folds, ends[:-1], ends[1:], strict=True):
                one.add(rows, directions[:, start:end], scores[:, start:end])
        for one in folds:
            one.close()
    done = iter(folds)
    found = []
    for job, plan in zip(jobs, plans, strict=True):
        log_q = np.empty((len(job.z), int(job.z.max()) + 1))
        unfinished = 0
        for fold in range(job.folds):
            log_q[plan == fold], late = next(done).beliefs()
            unfinished += late
        shares = np.log(np.bincount(job.z) / len(job.z))
        gains = log_q[np.arange(len(job.z)), job.z] - shares[job.z]
        found.append(Reading(gains, log_q, plan, unfinished))
    return found


def _fold(job: Job, plan: np.ndarray, fold: int) -> _Fold:
    train = plan != fold
    check, learn = to_learn(job.z, train, np.random.default_rng([*job.seed, fold]))
    return _Fold(job.z, check, learn, np.flatnonzero(~train), log_prior(job.z, None, train))


def ways(images: np.ndarray) -> Iterator[Iterator[np.ndarray]]:
    """The planes of each way, (n, ...) each; those of one way are read together."""
    padded = np.pad(images, ((0, 0), (0, 0), (1, 1), (1, 1)), mode="reflect")
    around = padded[:, :, :-2, 1:-1] + padded[:, :, 2:, 1:-1]
    around += padded[:, :, 1:-1, :-2] + padded[:, :, 1:-1, 2:]
    rest = images - around / 4
    del padded, around
    flat = images.reshape(len(images), -1)
    yield iter([images])
    yield iter([rest])
    yield iter([rest**2])
    yield (np.rint(255 * images).astype(np.int32) >> place & 1 for place in range(BYTE_BITS))
    yield (bit(images, place) for place in range(FLOAT_BITS))
    yield (flat == _most_common(flat) for _ in range(1))
    yield (np.log(np.abs(np.fft.rfft2(images)) ** 2 + TINY) for _ in range(1))


def _scaled(values: np.ndarray) -> np.ndarray:
    """(n, d) float32, every place of mean 0 and variance 1 over all images, or 0 throughout."""
    rows = values.reshape(len(values), -1).astype(np.float32)
    rows -= rows.mean(0, dtype=np.float64).astype(np.float32)
    # Of equal values the deviation may be a rounding error, which must not be blown up to 1.
    equal = rows.max(0) == rows.min(0)
    rows[:, equal] = 0.0
    rows /= np.where(equal, 1.0, rows.std(0, dtype=np.float64)).astype(np.float32)
    return rows


def _most_common(rows: np.ndarray) -> np.ndarray:
    """(d,) most common value of each column of (n, d) rows, the least of several."""
    ordered = np.sort(rows, axis=0)
    index = np.arange(len(rows))[:, None]
    new = np.ones(rows.shape, dtype=bool)
    new[1:] = ordered[1:] != ordered[:-1]
    run = index - np.maximum.accumulate(np.where(new, index, 0), axis=0)
    return np.asarray(ordered[run.argmax(0), np.arange(rows.shape[1])])
