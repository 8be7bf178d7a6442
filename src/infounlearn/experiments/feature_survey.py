"""A first reading of the columns that decide: how many rows of which group there are, and where.

The part of a row (fitted on, held out, audited) is a hash of the seed and its number in the file:
the same for any size of batch, and known without looking at any other row.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from infounlearn.data import TableScan
from infounlearn.errors import Problems
from infounlearn.experiments.feature_request import FeatureRequest
from infounlearn.feature.sensitive import SensitiveGroups, encode_sensitive
from infounlearn.math import row_noise

__all__ = ["Survey", "Target", "joined", "missing", "survey_table"]

MANY = 20
"""A numeric target of more distinct values is regressed on, any other is classified."""
FEWEST = 20
"""Least number of rows of a group in the fitted and in the audited part."""
Z_BINS = 8
"""Quantile bins in which a real-valued sensitive column is audited."""


@dataclass(frozen=True)
class Target:
    """What the target is: "classification" or "regression", and its missing cells."""

    task: str
    missing: int


@dataclass(frozen=True, eq=False)
class Survey:
    """What the first reading found.

    Attributes:
        request: what was asked for.
        rows: of the table.
        groups: sensitive groups of all rows.
        strata: of what is conditioned on; None without.
        target: of the target.
        fitted: (m,) rows of each group that may be fitted on.
        audited: rows that are audited.
    """

    request: FeatureRequest
    rows: int
    groups: SensitiveGroups
    strata: SensitiveGroups | None
    target: Target
    fitted: np.ndarray
    audited: int

    @property
    def continuous(self) -> bool:
        """Whether a sensitive column was binned."""
        return any(edges is not None for edges in self.groups.edges)

    def places(self, start: int, count: int) -> np.ndarray:
        """(count,) uniform place of the rows from number ``start`` on: below ``holdout``, held
        out; below :attr:`audit_share`, audited."""
        return row_noise(self.request.seed, np.arange(start, start + count))

    @property
    def audit_share(self) -> float:
        """Share of the rows that is audited."""
        return audit_share(self.request, self.rows)

    def chosen(self, places: np.ndarray, codes: np.ndarray) -> np.ndarray:
        """(n,) whether a row belongs to the bounded sample of each group that is fitted on."""
        share = np.minimum(1.0, self.request.fit_rows / np.maximum(self.fitted, 1))
        holdout = self.request.holdout
        found: np.ndarray = (places >= holdout) & (places - holdout < share[codes] * (1 - holdout))
        return found


def audit_share(request: FeatureRequest, rows: int) -> float:
    """Share of the rows that is audited."""
    return min(request.holdout, request.audit_rows / rows)


def survey_table(request: FeatureRequest, scan: TableScan) -> Survey:
    """Read the sensitive columns, the target and what is conditioned on, once.

    Raises:
        InputError: one group only, groups too small to fit or to audit, missing sensitive values
            or strata, or a constant target.
    """
    problems = Problems(str(request.table))
    share = audit_share(request, scan.rows)
    groups: SensitiveGroups | None = None
    strata: SensitiveGroups | None = None
    seen: set[Any] = set()
    real, gaps, audited, start = False, 0, 0, 0
    parts: dict[Any, np.ndarray] = {}
    options: dict[str, Any] = {"where": str(request.table), "min_count": 1, "bins": "auto"}
    wanted = list(dict.fromkeys((*request.sensitive, request.target, *request.given)))
    for batch in scan.batches(request.rows_per_batch, wanted):
        z = joined(batch, request.sensitive)
        fresh = encode_sensitive(z, like=groups, missing=request.missing, **options)
        places = row_noise(request.seed, np.arange(start, start + len(fresh.codes)))
        start += len(places)
        for code, label in enumerate(fresh.labels):
            own = places[fresh.codes == code]
            count = np.array([(own >= request.holdout).sum(), (own < share).sum()])
            parts[label] = parts.get(label, 0) + count
        audited += int((places < share).sum())
        kept = fresh.without_rows()
        groups = kept if groups is None else groups.merge(kept)
        if request.given:
            given = joined(batch, request.given)
            level = encode_sensitive(given, like=strata, what="given", missing="group", **options)
            kept = level.without_rows()
            strata = kept if strata is None else strata.merge(kept)
        y = batch[request.target]
        absent = missing(y)
        gaps += int(absent.sum())
        real |= y.dtype.kind == "f" and bool((y[~absent] % 1 != 0).any())
        if len(seen) <= MANY:
            seen |= set(np.unique(y[~absent]).tolist())
    assert groups is not None
    counts = np.array([parts[label] for label in groups.labels])
    problems.require(
        len(groups) > 1,
        f"{_said(request.sensitive)} has one value only, {groups.labels[0]!r}",
        why="there is nothing to remove",
        fix="name a column of at least two values",
    )
    small = [
        f"{label!r} ({fit} to fit, {audit} to audit)"
        for label, (fit, audit) in zip(groups.labels, counts.tolist(), strict=True)
        if audit < FEWEST or fit < FEWEST
    ]
    problems.require(
        not small,
        f"groups of {_said(request.sensitive)} with fewer than {FEWEST} rows: "
        f"{', '.join(small[:9])}",
        why="what is said of them could not be checked",
        fix="merge them in the table, leave their rows out, or raise --holdout or --audit-rows",
    )
    problems.require(
        len(seen) > 1,
        f"the target {request.target!r} has {len(seen)} values",
        why="nothing could be predicted",
        fix="name a column that varies",
    )
    problems.raise_if_any()
    number = y.dtype.kind in "iuf"
    task = "regression" if number and (real or len(seen) > MANY) else "classification"
    target = Target(task, gaps)
    return Survey(request, start, groups, strata, target, counts[:, 0], audited)


def joined(batch: dict[str, np.ndarray], names: tuple[str, ...]) -> np.ndarray:
    """(n,) cells of one column, or (n, k) of several."""
    if len(names) == 1:
        return batch[names[0]]
    return np.stack([batch[name].astype(object) for name in names], axis=1)


def missing(values: np.ndarray) -> np.ndarray:
    """(n,) whether a cell is missing: NaN among numbers, None among texts."""
    if values.dtype.kind == "f":
        return np.isnan(values)
    if values.dtype.kind == "O":
        return np.array([value is None for value in values.tolist()], dtype=bool)
    return np.zeros(len(values), dtype=bool)


def _said(names: tuple[str, ...]) -> str:
    return " × ".join(names)
