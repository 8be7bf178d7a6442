"""A comparison of unlearning methods, as plain values: what a runner fills and a report shows.

How to fill it, in short:

- A distance is in units of the floor throughout: what the retrained networks of the case show
  among themselves on the same records, each against the mean of the others, is 1 on average.
- Every case x method x budget has one :class:`Entry`, whether or not anything came of it: a method
  that diverged, lacks what it needs or is too dear is written down as that, never left out.
- An entry with status "ok" has one :class:`ComparedRun` per seed of its case; a single seed that
  diverged is a run with that status.
- A measure is named in the case, as a :class:`Yardstick` with the retrained networks' own values;
  runs give it by name, entries those that need all seeds at once (KLoM, U-LiRA, ...).
  ``accuracy/forget``, ``accuracy/retain`` and ``accuracy/test`` are measures with unit "accuracy".

:func:`infounlearn.report.write_comparison` checks all this and names everything that is amiss.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

DISTANCES = ("forget", "retain", "test")
"""The record sets whose distance counts; the worst of the three is what methods are ranked by."""

Status = Literal["ok", "diverged", "over budget", "needs", "not run"]
STATUSES = ("ok", "diverged", "over budget", "needs", "not run")
Source = Literal["published", "tuned", "none"]
SOURCES = ("published", "tuned", "none")
Better = Literal["retrained", "lower", "higher"]
BETTERS = ("retrained", "lower", "higher")


@dataclass(frozen=True)
class Yardstick:
    """One measure of a case, with what it shows of networks that never saw the forget records.

    Attributes:
        name: key of the measure in runs and entries, such as ``accuracy/forget`` or ``tow``.
        title: what a person reads.
        unit: "nats", "accuracy", "AUC", "rate", "ratio", "rows", "steps" or "".
        retrained: the value of each retrained network; empty where it makes no sense.
        floor: what is noise: the spread, or the bias, that retrained networks show themselves.
        original: the value of the model before unlearning.
        better: the value that is best: as the retrained networks' ("retrained"), "lower", "higher".
        note: one sentence of reading help.
    """

    name: str
    title: str
    unit: str = ""
    retrained: tuple[float, ...] = ()
    floor: float | None = None
    original: float | None = None
    better: Better = "retrained"
    note: str = ""


@dataclass(frozen=True)
class ComparedCase:
    """Data set, network and forget request, with the retrained networks that are the truth.

    Attributes:
        name: key, such as ``digits/random``.
        title: short, for column heads.
        description: data, network, recipe and request in a sentence or two.
        sizes: records by set: forget, retain, validation, test, ...
        seeds: seeds of the test, each of them run by every method.
        retrained: by set of ``DISTANCES``, the distance of each retrained network to the mean of
            the others, in floors; all sets have the same number of networks.
        original: by set, the distance of the model before unlearning, in floors.
        floors: by set, the floor itself, in nats (squared units of the target in regression).
        tuning_references: retrained networks, other than these, that tuning was judged by.
        retraining: what one retraining costs: ``rows`` (forward rows, a backward counting as two
            more) and ``seconds``.
        yardsticks: the measures, in the order in which they are shown.
        followed: what the histories of runs hold: "accuracy", or the name of another measure, such
            as "rmse"; retrained networks' own values are those of ``accuracy/forget`` and so on.
        limits: what a reader must know of this case, such as a lossy subset.
    """

    name: str
    title: str
    description: str
    sizes: Mapping[str, int]
    seeds: tuple[int, ...]
    retrained: Mapping[str, tuple[float, ...]]
    original: Mapping[str, float]
    floors: Mapping[str, float] = field(default_factory=dict)
    tuning_references: int = 0
    retraining: Mapping[str, float] = field(default_factory=dict)
    yardsticks: tuple[Yardstick, ...] = ()
    followed: str = "accuracy"
    limits: tuple[str, ...] = ()

    @property
    def references(self) -> int:
        """How many retrained networks the distances refer to."""
        return max((len(values) for values in self.retrained.values()), default=0)

    @property
    def retrained_worst(self) -> tuple[float, ...]:
        """Of each retrained network the worst of its distances, in floors: at best 1 or so."""
        return tuple(max(values) for values in zip(*self.retrained.values(), strict=True))

    @property
    def original_worst(self) -> float:
        """The worst distance of the model before unlearning, in floors."""
        return max(self.original.values())


@dataclass(frozen=True)
class ComparedMethod:
    """A method: its key, the name a person reads, where it was published, and whose it is."""

    name: str
    title: str
    paper: str = ""
    ours: bool = False
    note: str = ""


@dataclass(frozen=True)
class Entry:
    """What became of one method on one case within one budget.

    Attributes:
        case, method, budget: keys.
        status: "ok", or why there is no result.
        reason: in words, such as "the loss was not finite at step 12" or "held-out records".
        settings: what was run, as chosen by tuning.
        source: whether the chosen settings are the published ones or were found by tuning.
        trials: settings tried; diverged_trials: those of them that left the finite numbers.
        tuning_seconds: wall time of tuning.
        validation: the worst distance of the chosen settings as the tuner saw it, in floors.
        pooled: measures that take all seeds together, by name.
    """

    case: str
    method: str
    budget: float
    status: Status = "ok"
    reason: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)
    source: Source = "tuned"
    trials: int = 0
    diverged_trials: int = 0
    tuning_seconds: float | None = None
    validation: float | None = None
    pooled: Mapping[str, float | None] = field(default_factory=dict)


@dataclass(frozen=True)
class ComparedRun:
    """One run with the chosen settings and a seed that tuning has not seen.

    Attributes:
        case, method, budget, seed: keys.
        cost: forward rows (a backward counting as two more), as a share of those of retraining.
        seconds: wall time as a share of that of retraining; None where it was not measured.
        distances: by set of ``DISTANCES``, to the retrained networks, in floors; empty where the
            run diverged.
        measures: other figures by the name of their yardstick.
        history: evaluations in order: ``cost`` (as above) and the accuracy (or what the
            case says is ``followed``) on ``forget``, ``retain`` and ``holdout``, as far as known.
        status: "ok" or "diverged".
        reason: why it is not "ok".
    """

    case: str
    method: str
    budget: float
    seed: int
    cost: float
    seconds: float | None = None
    distances: Mapping[str, float] = field(default_factory=dict)
    measures: Mapping[str, float | None] = field(default_factory=dict)
    history: Sequence[Mapping[str, float]] = ()
    status: Status = "ok"
    reason: str = ""

    @property
    def worst(self) -> float:
        """The largest of the distances in floors; infinite where the run did not end well."""
        finite = all(math.isfinite(value) for value in self.distances.values())
        if self.status != "ok" or not self.distances or not finite:
            return math.inf
        return max(self.distances.values())


@dataclass(frozen=True)
class Comparison:
    """Everything that is written down of a comparison.

    Attributes:
        title: heading of the report.
        cases, methods, budgets: what was compared; budgets are shares of the cost of retraining.
        entries: one per case x method x budget.
        runs: one per seed of every entry that ran.
        distance: what the floors measure, in words.
        confidence: level of all intervals.
        tuning: how settings were chosen: sampler, trials, wall time, seed, ...
        limits: sentences beside those that the report derives itself.
        provenance: command, versions, platform, data hashes, time of creation.
    """

    title: str
    cases: tuple[ComparedCase, ...]
    methods: tuple[ComparedMethod, ...]
    budgets: tuple[float, ...]
    entries: tuple[Entry, ...]
    runs: tuple[ComparedRun, ...]
    distance: str = "mean Jensen-Shannon divergence to the mean of the retrained networks"
    confidence: float = 0.95
    tuning: Mapping[str, Any] = field(default_factory=dict)
    limits: tuple[str, ...] = ()
    provenance: Mapping[str, Any] = field(default_factory=dict)
