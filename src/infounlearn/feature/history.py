"""All that was seen of a table so far, in sums that merge, and the fit that follows from them."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

import numpy as np

from infounlearn.errors import InputError, Problems
from infounlearn.feature.columns import Layout, MixedTable
from infounlearn.feature.conditional import Strata
from infounlearn.feature.engine import Fitted, Settings
from infounlearn.feature.gaussian_engine import MomentStream, ResidualStream
from infounlearn.feature.line_engine import LineStream
from infounlearn.feature.reservoir import Reservoir
from infounlearn.feature.sensitive import FEW_REMEDY, SensitiveGroups

__all__ = ["History", "collected", "stream_of"]

Stream = Any
"""MomentStream, LineStream or Reservoir: add, count, pool, fit."""


@dataclass
class History:
    """State of one stream of rows.

    Attributes:
        layout: variables of the feature columns.
        method: engine chosen.
        seed: of every draw, at fit and at release.
        groups: sensitive groups seen so far; their rows are not kept.
        strata: what is conditioned on, the same way; None without.
        stream: sums by (stratum, group); None for a continuous sensitive variable.
        residuals: joint moments by stratum, for a continuous one.
        classes: target classes seen in the first batch; None for a number.
        rows: seen so far.
    """

    layout: Layout
    method: str
    seed: int
    groups: SensitiveGroups
    strata: SensitiveGroups | None
    stream: Stream
    residuals: dict[Hashable, ResidualStream] = field(default_factory=dict)
    classes: np.ndarray | None = None
    rows: int = 0

    @property
    def continuous(self) -> bool:
        """Whether the sensitive variable is removed as a number."""
        return self.stream is None

    def add(
        self,
        table: MixedTable,
        groups: SensitiveGroups,
        strata: SensitiveGroups | None,
        values: np.ndarray,
        target: np.ndarray | None,
    ) -> None:
        """Take in one batch; ``values`` (n, k) are the numbers of a continuous Z."""
        places = np.zeros(len(table), dtype=np.int64) if strata is None else strata.codes
        names = (None,) if strata is None else strata.labels
        if self.continuous:
            for place, name in enumerate(names):
                rows = places == place
                if not rows.any():
                    continue
                part = table if strata is None else table.take(np.flatnonzero(rows))
                self.residuals.setdefault(name, ResidualStream()).add(part, values[rows])
        else:
            keys = [(name, label) for name in names for label in groups.labels]
            self.stream.add(table, places * len(groups) + groups.codes, keys, target)
        self.layout = table.layout
        self.rows += len(table)
        # Rows are not kept; merging with the first batch makes both of one order.
        first = self.rows == len(table)
        self.groups = groups.without_rows() if first else self.groups.merge(groups)
        if strata is not None:
            merged = None if first or self.strata is None else self.strata.merge(strata)
            self.strata = merged or strata.without_rows()

    def fit(
        self, settings: Settings, min_group: int, *, pool: bool, where: str
    ) -> tuple[SensitiveGroups, Strata]:
        """Engines of all strata, and the groups they know.

        Raises:
            InputError: one group only, groups too small, or what the engines refuse.
        """
        names = (None,) if self.strata is None else self.strata.labels
        shares = np.ones(1) if self.strata is None else self.strata.weights
        if self.continuous:
            fitted: list[Fitted | None] = [self.residuals[name].fit() for name in names]
            return self.groups, Strata(tuple(fitted), None, shares)
        groups = self.groups.pool(min_group) if pool else self.groups
        members: dict[Any, list[Any]] = {label: [label] for label in groups.labels}
        lost = [label for label in self.groups.labels if label not in members]
        if lost:
            members[groups.labels[-1]] = lost
        local = np.full((len(names), len(groups)), -1, dtype=np.int64)
        parts: list[Fitted | None] = []
        problems = Problems(where)
        problems.require(
            len(groups) > 1,
            f"sensitive has one group only, {groups.labels[:1]}",
            why="there is nothing to remove",
            fix="pass rows of at least two groups, or leave this step out",
        )
        plans = []
        for place, name in enumerate(names):
            present: list[list[Any]] = []
            for code, label in enumerate(groups.labels):
                keys = [(name, part) for part in members[label]]
                keys = [key for key in keys if self._count(key)]
                if not keys:
                    continue
                count = sum(map(self._count, keys))
                at = "" if self.strata is None else f" where given is {name!r}"
                problems.require(
                    count >= min_group,
                    f"sensitive group {label!r} has {count} rows{at}, fewer than {min_group}",
                    why="a law cannot be learnt from so few rows",
                    fix=FEW_REMEDY,
                )
                local[place, code] = len(present)
                present.append(keys)
            plans.append(present)
        several = any(len(present) > 1 for present in plans)
        problems.require(
            several or len(groups) < 2,
            "no stratum has rows of two groups",
            why="the sensitive variable is constant given the strata",
            fix="condition on less",
        )
        problems.raise_if_any()
        for present in plans:
            alone = len(present) < 2
            parts.append(None if alone else self.stream.fit(present, settings, self.seed))
        return groups, Strata(tuple(parts), local, shares)

    def _count(self, key: Hashable) -> int:
        return self.stream.count(key) if key in self.stream.cells else 0


def stream_of(method: str, settings: Settings, seed: int) -> Stream:
    """Empty sums for a method."""
    if method == "gaussian":
        return MomentStream()
    if method == "line":
        return LineStream()
    return Reservoir(_common_support(), settings.max_rows, seed)


def collected(problems: Problems, call: Callable[..., Any], *args: Any, **options: Any) -> Any:
    """Result of ``call``, or None with its complaint added to ``problems``."""
    try:
        return call(*args, **options)
    except InputError as error:
        problems.found.append(str(error).removeprefix(f"{problems.where}: "))
        return None


def _common_support() -> Callable[..., Fitted]:
    return import_module("infounlearn.feature.common_support").fit_common_support
