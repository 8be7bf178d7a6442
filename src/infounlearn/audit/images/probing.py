"""Everything that is trained for an image audit: networks and lines, on all that they must read."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np

from infounlearn.audit.feature.columns import Table
from infounlearn.audit.feature.inference import null_of
from infounlearn.audit.feature.power import channel, plant
from infounlearn.audit.feature.probes import (
    EXACT,
    LOGISTIC,
    PROBES,
    TREES,
    Job,
    Reading,
    read_all,
)
from infounlearn.audit.images.case import Case
from infounlearn.audit.images.designs import DESIGNS
from infounlearn.audit.images.places import read_places
from infounlearn.audit.images.readings import KINDS, Read, balanced_hits, hits, read_networks, seen
from infounlearn.audit.images.traces import traces
from infounlearn.audit.reach import predicted
from infounlearn.interface import Null

ENOUGH = 19
"""Refits whose largest value is a 95 % point."""
CHEAP = 19
"""Refits of probes that cost little."""
NARROW = 256
"""Features up to which a line is refitted that often at least: it costs little."""

STEP = 4.0
"""Factor between planted leaks, from the limit up to the first that is found."""


@dataclass(frozen=True, eq=False)
class Probed:
    """One kind of probe on the audited images, on those before, and on shuffled groups.

    Attributes:
        name: "cnn", "wide", "linear", "places", "boosted-trees" or "exact-values".
        title: what a person reads.
        after: what it says of the audited images.
        before: of the images before; None where absent.
        null: of the information, from refits on shuffled groups.
        accuracy_null: of the accuracy, from the same refits.
        balanced_null: of the balanced accuracy, from the same refits.
        reach: up to where one more probe on shuffled groups is expected, at 95 %.
    """

    name: str
    title: str
    after: Reading
    before: Reading | None
    null: Null
    accuracy_null: Null
    balanced_null: Null
    reach: float


@dataclass(frozen=True, eq=False)
class Other:
    """One other attribute, read by fresh networks after and before."""

    name: str
    z: np.ndarray
    group_names: tuple[str, ...]
    after: Reading
    before: Reading


@dataclass(frozen=True, eq=False)
class Probing:
    """All that was trained.

    Attributes:
        network: the fresh network.
        wider: the fresh network of another design.
        line: logistic regression on features.
        marks: probes of what networks do not look at: places, and statistics of each image.
        others: other attributes, where images before were given.
        planted: (nats planted, nats recovered) by the network.
        smallest: the smallest planted leak that it found; None where none was.
        features: (n, d) of the audited images, and of those before.
    """

    network: Probed
    wider: Probed
    line: Probed
    marks: tuple[Probed, ...]
    others: tuple[Other, ...]
    planted: tuple[tuple[float, float], ...]
    smallest: float | None
    features: tuple[np.ndarray, np.ndarray | None]

    @property
    def probes(self) -> tuple[Probed, ...]:
        """All that look for the feature."""
        return (self.network, self.wider, self.line, *self.marks)


def probe_all(case: Case) -> Probing:
    """Train all; the same folds and seeds after and before, so that they compare pair by pair."""
    s = case.settings
    train = partial(
        read_networks,
        folds=s.folds,
        epochs=s.epochs,
        device=s.device,
        jobs=s.jobs,
        progress=case.progress,
    )
    shuffles = _shuffles(case, s.refits)
    versions = [("after", case.after)]
    if case.before is not None:
        versions.append(("before", case.before))
    # First of all: an extractor that does not fit is to be told before hours of training.
    features = tuple(case.extractor.apply(images) for _, images in versions)
    reads = []
    for design in DESIGNS:
        by = f", {design.title}"
        reads += [
            Read(images, case.z, (s.seed, 1), f"{case.feature}, {when}{by}", design=design)
            for when, images in versions
        ]
        reads += [
            Read(case.after, z, (s.seed, 3, draw), f"shuffled groups {draw + 1}{by}", design=design)
            for draw, z in enumerate(shuffles)
        ]
    known = case.others if case.before is not None else {}
    reads += [
        Read(images, groups.codes, (s.seed, 4, index), f"{name}, {when}")
        for index, (name, groups) in enumerate(known.items())
        for when, images in versions
    ]
    found = train(reads)
    networks = []
    for design in DESIGNS:
        own, found = found[: len(versions)], found[len(versions) :]
        drawn, found = list(zip(found[: s.refits], shuffles, strict=True)), found[s.refits :]
        networks.append(_probed(design.name, design.title, case, own, drawn))
    network, wider = networks
    others = tuple(
        Other(name, groups.codes, groups.names, found[2 * index], found[2 * index + 1])
        for index, (name, groups) in enumerate(known.items())
    )
    planted, smallest = _plant(case, network, train)
    cheap = features[0].shape[1] <= NARROW
    line = _line(case, features, _shuffles(case, max(s.refits, CHEAP * cheap)))
    second = features[1] if len(features) > 1 else None
    marks = _marks(case, [images for _, images in versions])
    return Probing(network, wider, line, marks, others, planted, smallest, (features[0], second))


def _shuffles(case: Case, count: int) -> list[np.ndarray]:
    """(n,) groups in random order, ``count`` times."""
    return [case.settings.generator(2, draw).permutation(case.z) for draw in range(count)]


def _probed(
    name: str,
    title: str,
    case: Case,
    own: list[Reading],
    drawn: list[tuple[Reading, np.ndarray]],
) -> Probed:
    right = float(hits(own[0], case.z).mean())
    told = [reading.information for reading, _ in drawn]
    null = null_of(own[0].information, told)
    reach = null.quantile95
    if 1 < len(told) < ENOUGH:
        # Of few refits the largest is no 95 % point; Student's prediction of one more is.
        reach = null.mean + predicted(told, 0.9)
    elif len(told) >= ENOUGH:
        # Several probes look: with the largest of nineteen each, one in five audits would not end.
        reach = max(reach, null.mean + predicted(told, 1 - 0.1 / KINDS))
    return Probed(
        name,
        title,
        own[0],
        own[1] if len(own) > 1 else None,
        null,
        null_of(right, [float(hits(reading, z).mean()) for reading, z in drawn]),
        null_of(
            float(balanced_hits(own[0], case.z).mean()),
            [float(balanced_hits(reading, z).mean()) for reading, z in drawn],
        ),
        reach,
    )


def _line(case: Case, features: tuple[np.ndarray, ...], shuffles: list[np.ndarray]) -> Probed:
    """Logistic regression on features; on the folds of the network, so that rows compare."""
    s = case.settings
    tables = [Table(rows, np.zeros((len(rows), 0), dtype=np.int64)) for rows in features]
    found = read_all(_jobs(case, LOGISTIC, tables, shuffles), PROBES, s.jobs)
    own, drawn = found[: len(tables)], found[len(tables) :]
    title = f"a line on features of {case.extractor.name}"
    return _probed("linear", title, case, own, list(zip(drawn, shuffles, strict=True)))


def _marks(case: Case, versions: list[np.ndarray]) -> tuple[Probed, ...]:
    """Places one by one, and statistics of each image; on the same folds, with nulls of their own.

    A map may write the group where no convolution looks, on purpose or not.
    """
    s = case.settings
    shuffles = _shuffles(case, max(s.refits, CHEAP))
    statistics = [traces(images) for images in versions]
    found = []
    for name, title in (
        ("places", "a probe of single places"),
        (TREES, "boosted trees on statistics of each image"),
        (EXACT, "exact values of statistics of each image"),
    ):
        tables = [exact if name == EXACT else sizes for sizes, exact in statistics]
        jobs = _jobs(case, name, tables, shuffles)
        if name == "places":
            first = read_places(versions[0], [jobs[0], *jobs[len(tables) :]])
            second = [read_places(images, jobs[1:2]) for images in versions[1:]]
            read = [first[0], *(one[0] for one in second), *first[1:]]
        else:
            read = read_all(jobs, PROBES, s.jobs)
        drawn = list(zip(read[len(tables) :], shuffles, strict=True))
        found.append(_probed(name, title, case, read[: len(tables)], drawn))
    return tuple(found)


def _jobs(case: Case, name: str, tables: list[Table], shuffles: list[np.ndarray]) -> list[Job]:
    """The groups on every table, then each shuffle on the first."""
    s = case.settings
    jobs = [Job(name, table, case.z, None, s.folds, (s.seed, 1)) for table in tables]
    jobs += [
        Job(name, tables[0], z, None, s.folds, (s.seed, 3, draw)) for draw, z in enumerate(shuffles)
    ]
    return jobs


def _plant(
    case: Case, network: Probed, train: partial[list[Reading]]
) -> tuple[tuple[tuple[float, float], ...], float | None]:
    """Leaks of the limit, four times that, ... in shuffled groups, up to the first one found."""
    s = case.settings
    z = s.generator(20).permutation(case.z)
    counts = case.groups.counts[None].astype(np.float64)
    dark, bright = float(case.after.min()), float(case.after.max())
    tried: list[tuple[float, float]] = []
    size = min(s.limit, case.ceiling)
    while True:
        rung = len(tried)
        shown = plant(z, channel(size, counts), s.generator(21, rung))
        mark = (dark + (bright - dark) * shown / (len(case.groups) - 1)).astype(np.float32)
        what = f"a planted leak of {size:.3g} nats"
        reading = train([Read(case.after, z, (s.seed, 22, rung), what, mark)])[0]
        tried.append((size, reading.information))
        if seen(reading, z, network.null, network.balanced_null, s.confidence):
            return tuple(tried), size
        if size >= case.ceiling:
            return tuple(tried), None
        size = min(size * STEP, case.ceiling)
