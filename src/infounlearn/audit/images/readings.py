"""Cross-fitted networks: every image is judged by one that never saw it, fold by fold."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import special

from infounlearn.audit.feature.columns import Table
from infounlearn.audit.feature.inference import gain_interval
from infounlearn.audit.feature.probes import Job, Reading, deal
from infounlearn.audit.images.case import Progress
from infounlearn.audit.images.designs import FIRST, Design
from infounlearn.audit.images.probe_net import Fold, held_out
from infounlearn.interface import Null
from infounlearn.math import clopper_pearson

Interval = tuple[float, float]
KINDS = 6
"""Kinds of probes that look at the same images, each of which may err."""


@dataclass(frozen=True, eq=False)
class Read:
    """One cross-fitted network to be trained.

    Attributes:
        images: (n, c, h, w) float32.
        z: (n,) codes, as they are or shuffled.
        seed: of folds and networks.
        what: for messages.
        mark: (n,) brightness of a planted mark, or None.
        design: of the network.
    """

    images: np.ndarray
    z: np.ndarray
    seed: tuple[int, ...]
    what: str
    mark: np.ndarray | None = None
    design: Design = FIRST


def read_networks(
    reads: list[Read],
    *,
    folds: int,
    epochs: int,
    device: str,
    jobs: int,
    progress: Progress | None,
) -> list[Reading]:
    """Every reading, in order; the folds of all of them share ``jobs`` processes.

    Folds are dealt by group, anew for shuffled groups, so that the null is exact.
    """
    from joblib import Parallel, delayed

    plans = [deal_folds(read.z, folds, read.seed) for read in reads]
    tasks = [
        Fold(
            images=read.images,
            z=read.z,
            folds=plan,
            fold=fold,
            seed=read.seed,
            epochs=epochs,
            device=device,
            what=read.what,
            mark=read.mark,
            design=read.design,
        )
        for read, plan in zip(reads, plans, strict=True)
        for fold in range(folds)
    ]
    done: list[np.ndarray] = []
    workers = Parallel(n_jobs=jobs, return_as="generator")
    for beliefs, task in zip(workers(map(delayed(held_out), tasks)), tasks, strict=True):
        done.append(beliefs)
        if progress is not None:
            progress(len(done), len(tasks), task.what)
    parts = iter(done)
    return [
        _reading(read.z, plan, [next(parts) for _ in range(folds)])
        for read, plan in zip(reads, plans, strict=True)
    ]


def deal_folds(z: np.ndarray, folds: int, seed: tuple[int, ...]) -> np.ndarray:
    """(n,) fold of each image, as a table's probes are dealt theirs."""
    nothing = Table(np.zeros((len(z), 0)), np.zeros((len(z), 0), dtype=np.int64))
    return deal(Job("", nothing, z, None, folds, seed))


def _reading(z: np.ndarray, folds: np.ndarray, parts: list[np.ndarray]) -> Reading:
    log_q = np.empty((len(z), int(z.max()) + 1))
    for fold, beliefs in enumerate(parts):
        log_q[folds == fold] = beliefs
    shares = np.bincount(z) / len(z)
    return Reading(log_q[np.arange(len(z)), z] - np.log(shares[z]), log_q, folds, 0)


def hits(reading: Reading, z: np.ndarray) -> np.ndarray:
    """(n,) 1.0 where the most likely group is the true one."""
    return np.asarray(reading.log_q.argmax(1) == z, dtype=np.float64)


def balanced_hits(reading: Reading, z: np.ndarray) -> np.ndarray:
    """(n,) values whose mean is the balanced accuracy: the mean over groups of their recall.

    The group most raised above its share is named, so that a rare one is named too.
    """
    counts = np.bincount(z)
    named = (reading.log_q - np.log(counts / len(z))).argmax(1)
    return np.asarray((named == z) * (len(z) / (len(counts) * counts[z])), dtype=np.float64)


def seen(
    reading: Reading, z: np.ndarray, null: Null, balanced_null: Null, confidence: float
) -> bool:
    """Whether information or balanced accuracy lies above its null, with an interval above nothing.

    Weak leaks are learned with a bad sense of how sure to be: such a network names the right group
    too often by far, while its information is still about nothing.
    """
    return _above(reading.gains, 0.0, reading.folds, null, confidence) or _above(
        balanced_hits(reading, z), 1 / (int(z.max()) + 1), reading.folds, balanced_null, confidence
    )


def _above(
    values: np.ndarray, nothing: float, folds: np.ndarray, null: Null, confidence: float
) -> bool:
    """Above the null, the interval above nothing, also by rows at the level of one of the probes.

    Bonferroni over the probes is asked of the rows alone: of a few folds, Student's would be blind.
    """
    level = 1 - (1 - confidence) / (2 * KINDS)
    width = float(special.ndtri(level)) * float(values.std(ddof=1)) / np.sqrt(len(values))
    low = min(gain_interval(values, folds, confidence)[0], float(values.mean()) - width)
    return float(values.mean()) > null.quantile95 and low > nothing


def accuracy_interval(right: np.ndarray, folds: np.ndarray, confidence: float) -> Interval:
    """The wider ends of the interval over rows and folds and of Clopper and Pearson's."""
    low, high = gain_interval(right, folds, confidence)
    exact = clopper_pearson(int(right.sum()), len(right), confidence)
    return max(0.0, min(low, float(exact[0]))), min(1.0, max(high, float(exact[1])))
