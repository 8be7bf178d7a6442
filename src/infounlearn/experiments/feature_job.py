"""The whole way from a table file to a table without a feature: fit, release, audit, report.

    release_table(FeatureRequest(Path("people.csv"), ("sex",), "income"), out="runs/feature")

Nothing appears in the folder before everything is done; then the table, its record and its report
appear together.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter
from typing import Any, Protocol

import numpy as np

from infounlearn.audit import audit_feature
from infounlearn.data import scan_table
from infounlearn.experiments.feature_release import Audited, fit_transform_of, release_rows
from infounlearn.experiments.feature_request import (
    FeatureRequest,
    Roles,
    check_target_file,
    read_roles,
    released_name,
)
from infounlearn.experiments.feature_survey import Z_BINS, Survey, missing, survey_table
from infounlearn.experiments.feature_utility import (
    USEFUL,
    target_finding,
    utility_findings,
    utility_verdict,
)
from infounlearn.experiments.places import sha256_file, workplace
from infounlearn.interface import Audit, Record, RunSummary
from infounlearn.provenance import provenance
from infounlearn.report import write_report

__all__ = ["FeatureResult", "exit_code", "release_table"]

FAILED = frozenset({"still visible", "fingerprint", "lost"})


class Watch(Protocol):
    """Told what happens."""

    def stage(self, what: str) -> None:
        """A new part of the job begins."""

    def step(self, done: int, total: int, what: str) -> None:
        """Progress of the part."""

    def note(self, sentence: str) -> None:
        """Something worth knowing before the result."""


@dataclass(frozen=True, eq=False)
class FeatureResult:
    """What was written.

    Attributes:
        record: of the audit.
        table: path of the released table.
        report: path of ``report.html``.
    """

    record: Record
    table: Path
    report: Path


def release_table(
    request: FeatureRequest,
    *,
    out: str | Path,
    command: Sequence[str] = (),
    options: Mapping[str, Any] | None = None,
    watch: Watch,
) -> FeatureResult:
    """Release ``request.table`` without what it tells of its sensitive columns.

    Writes ``table.csv`` or ``table.parquet``, ``record.json``, ``report.html`` and ``card.md`` into
    ``out``, together and at the end. Sensitive and dropped columns are left out; target, key and
    given columns stay as they are. Held-out rows are released like all others, and the audit reads
    a bounded sample of them.

    Args:
        request: what is asked for.
        out: folder; made where it does not exist.
        command, options: for the record; the noise seed must not be among them.
        watch: told what happens.

    Raises:
        InputError: something cannot be used; nothing is written then.
    """
    began, folder = perf_counter(), Path(out)
    watch.stage(f"reading {request.table}")
    scan = scan_table(request.table)
    roles = read_roles(request, scan)
    name = released_name(scan)
    check_target_file(folder, name, request.table)
    survey = survey_table(request, scan)
    warned: list[str] = []

    def note(sentence: str) -> None:
        if sentence not in warned:
            warned.append(sentence)
            watch.note(sentence)

    _note_policies(request, survey, note)
    with workplace(folder) as work:
        watch.stage(f"fitting {roles.method}")
        estimator, fitted = fit_transform_of(scan, roles, survey, note=note, step=watch.step)
        watch.stage("releasing")
        audited = release_rows(
            estimator, scan, roles, survey, work / name, note=note, step=watch.step
        )
        watch.stage(f"auditing {len(audited.y):,} held-out rows")
        found = _audit(request, roles, survey, audited, watch)
        found = replace(
            found, not_proved=(*found.not_proved, *_not_proved(request, roles, estimator.limits_))
        )
        summary = RunSummary(
            method=f"WassersteinBarycenter({roles.method}, amount {request.amount:g}, "
            f"{request.mode})",
            settings={
                "changed": list(roles.features),
                "unchanged": list(roles.kept),
                "left out": [*request.sensitive, *request.drop],
                "rows fitted": fitted,
                "rows audited": len(audited.y),
                "facts": {key: float(value) for key, value in estimator.facts_.items()},
            },
            history=(),
            stopped=f"All {survey.rows:,} rows were released.",
            warnings=tuple(warned),
            cost={"seconds": perf_counter() - began, "rows_released": survey.rows},
        )
        hashes = {"table": sha256_file(request.table), "released": sha256_file(work / name)}
        record = Record(
            title=f"{request.table.name} without {' × '.join(request.sensitive)}",
            audit=replace(found, hashes=hashes),
            run=summary,
            provenance=provenance(
                command=command,
                seed=request.seed,
                options=options,
                data={
                    "table": {"rows": survey.rows, "sha256": hashes["table"]},
                    "released": {"file": name, "sha256": hashes["released"]},
                },
            ),
        )
        watch.stage("writing the report")
        report = write_report(record, folder)
        os.replace(work / name, folder / name)
    return FeatureResult(record, folder / name, report)


def exit_code(found: Audit) -> int:
    """0: removed and no fingerprint; 1: still visible, a fingerprint, or lost; 3: undecided."""
    if {verdict.answer for verdict in found.verdicts} & FAILED:
        return 1
    answers = {verdict.answer for verdict in found.verdicts if verdict.question != USEFUL}
    return 0 if "removed" in answers and "inconclusive" not in answers else 3


def _note_policies(request: FeatureRequest, survey: Survey, note: Any) -> None:
    """What was decided for the caller, said before the work."""
    if request.noise_seed is not None:
        note(
            "the draws of the release follow from --noise-seed: who knows it can undo them. It is "
            "written into no file; keep it secret"
        )
    if survey.target.missing:
        used = ", are not fitted on" if request.use_target else ""
        note(
            f"{survey.target.missing:,} rows lack the target: they are released like all others"
            f"{used}, and do not count in utility"
        )


def _audit(
    request: FeatureRequest, roles: Roles, survey: Survey, audited: Audited, watch: Watch
) -> Audit:
    """What the audited rows tell, and what they are still good for."""
    declared = [name for name in (*request.categorical, *request.ordinal) if name in roles.features]
    found = audit_feature(
        audited.after,
        audited.z,
        interface="table",
        before=audited.before,
        given=audited.given,
        release=audited.kernels,
        categorical=declared,
        z_bins=Z_BINS if survey.continuous else None,
        missing=request.missing,
        feature=" × ".join(request.sensitive),
        name=f"{request.table.name} as released",
        limit=request.limit,
        permutations=request.permutations,
        refits=request.refits,
        seed=request.seed,
    )
    watch.stage(f"measuring what is left of {request.target}")
    known = np.flatnonzero(~missing(audited.y))
    y = audited.y[known]
    more = utility_findings(
        audited.before.take(known),
        audited.after.take(known),
        y.astype(str) if y.dtype.kind == "O" else y,
        task=survey.target.task,
        categorical=declared,
        seed=request.seed,
    )
    useful = utility_verdict(more)
    if request.target not in request.given:
        codes = survey.groups.encode(audited.z)[known]
        more.append(
            target_finding(
                y.astype(str) if y.dtype.kind == "O" else y,
                codes,
                task=survey.target.task,
                name=request.target,
                permutations=request.permutations,
                seed=request.seed,
            )
        )
    return replace(found, verdicts=(*found.verdicts, useful), findings=(*found.findings, *more))


def _not_proved(request: FeatureRequest, roles: Roles, limits: Sequence[str]) -> list[str]:
    told = [
        f"The columns {', '.join(roles.kept)} are released as they were and were not audited: what "
        "they tell of the feature, alone or beside the others, is still there.",
        "The rows that were fitted on are released too; the audit speaks of the rows held out.",
        "Who learns the seed of the draws can undo them: it is in none of these files.",
    ]
    if request.amount < 1:
        told.append(f"The dial stands at {request.amount:g}: part of the feature was to stay.")
    return [*told, *limits]
