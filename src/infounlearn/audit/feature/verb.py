"""The verb: what a table or a model's outputs still tell about a feature."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np

from infounlearn.audit.feature.case import Case, Interface, Settings
from infounlearn.audit.feature.checks import (
    check_groups,
    check_settings,
    find_interface,
    read_probes,
    read_shown,
)
from infounlearn.audit.feature.curves import believed, curves
from infounlearn.audit.feature.groups import read_groups
from infounlearn.audit.feature.information import information_findings
from infounlearn.audit.feature.not_proved import not_proved
from infounlearn.audit.feature.parity import parity_findings
from infounlearn.audit.feature.probes import EXACT, LOGISTIC, TREES
from infounlearn.audit.feature.verdicts import verdicts
from infounlearn.audit.feature.visibility import probe_all, probe_findings
from infounlearn.errors import Problems
from infounlearn.interface import Audit, Finding
from infounlearn.math.intervals import as_array


def audit_feature(
    shown: Any,
    z: Any,
    y: Any = None,
    *,
    interface: Interface | Literal["auto"] = "auto",
    before: Any = None,
    release: Any = None,
    given: Any = None,
    centers: Any = None,
    categorical: Sequence[str | int] | None = None,
    z_bins: int | None = None,
    missing: Literal["error", "group"] = "error",
    feature: str = "the feature",
    name: str = "transformed",
    probes: Sequence[str] | Mapping[str, Any] = (LOGISTIC, TREES, EXACT),
    limit: float = 0.02,
    confidence: float = 0.95,
    permutations: int = 999,
    refits: int = 19,
    folds: int = 5,
    bins: int = 16,
    seed: int = 0,
    jobs: int = 1,
) -> Audit:
    """Audit what ``shown`` tells about ``z``: probes, information, certificates, gaps, verdicts.

    The rows must be fresh: used neither to fit nor to choose the transform or the model. Probes
    are trained anew inside them by cross-validation. Nothing given is changed, nor any global
    random state; the same seed gives the same audit.

    Args:
        shown: a table (array, mapping of columns, or pandas, polars or pyarrow frame), or what a
            model puts out: (n,) scores or decisions, (n, K) probabilities or logits.
        z: (n,) feature of each row, or (n, k) features, crossed: numbers, texts, truth values.
        y: (n,) target of each row, for equalized odds; needs decisions or scores.
        interface: what ``shown`` is: "table", "scores", "probabilities", "logits" or "decisions".
            "auto" takes rows that sum to one for probabilities, real vectors for scores, other
            vectors for decisions, and everything else for a table.
        before: the same rows before the feature was removed: the fingerprint test.
        release: (n,) codes, or (n, J) known probabilities from which each row's value is drawn:
            a finite release of the fresh rows, which a certificate can bound.
        given: (n,) strata on which every claim is conditional, such as y for equalized odds.
        centers: (bins,) bin centres of a score, fixed elsewhere; else a tenth of the rows is set
            aside to fix them.
        categorical: names or indices of numeric columns that are categories.
        z_bins: cut a real-valued z at its quantiles into that many groups.
        missing: "error", or "group": missing values of z are a group of their own.
        feature: what the report calls z.
        name: what the report calls the audited table or model.
        probes: some of "logistic", "boosted-trees" and "exact-values" (how numbers are written:
            values, decimals, last bits, repetitions), or a mapping of names to classifiers.
        limit: nats that still count as removed: certified bounds must be below it, and a planted
            leak of that size must be found.
        confidence: level of intervals, bounds and tests.
        permutations: of tests that need no refit.
        refits: probes trained on shuffled groups, for each probe's null.
        folds: of the cross-validation.
        bins: soft bins of a score.
        seed: of folds, permutations and planted leaks.
        jobs: processes that train probes; -1 for all cores. The numbers do not depend on it.

    Returns:
        Audit with findings (information in nats), verdicts, curves and what was not proved.

    Raises:
        InputError: lengths that differ, one group only, groups too small, missing or infinite
            values, rows that are no probabilities, a real-valued z without bins, settings out of
            range; all problems at once.

    References:
        Barber & Agakov (2003) for the information of a probe; the certificates: docs/proofs.md.
    """
    settings = Settings(confidence, limit, permutations, refits, folds, bins, seed, jobs)
    problems = Problems("audit_feature")
    check_settings(problems, settings)
    problems.require(
        missing in ("error", "group"), f"missing is {missing!r}", fix="pass 'error' or 'group'"
    )
    problems.raise_if_any()
    kind = find_interface(problems, shown, interface)
    after = read_shown(problems, "shown", shown, kind, categorical)
    old = None if before is None else read_shown(problems, "before", before, kind, categorical)
    groups = read_groups(problems, "z", z, bins=z_bins, missing=missing)
    target = None if y is None else read_groups(problems, "y", y, missing="error")
    strata = None if given is None else read_groups(problems, "given", given, missing="group")
    makers = read_probes(problems, probes)
    problems.raise_if_any()
    rows = len(after.table)
    check_groups(problems, groups, rows, folds)
    for what, length in (
        ("before", None if old is None else len(old.table)),
        ("y", None if target is None else len(target.codes)),
        ("given", None if strata is None else len(strata.codes)),
        ("release", None if release is None else as_array(release).shape[0]),
    ):
        problems.require(
            length in (None, rows),
            f"{what} has {length} rows, shown has {rows}",
            fix="pass the same rows in the same order",
        )
    problems.require(
        target is None or kind != "table",
        "y was passed with a table, which makes no decisions",
        fix="pass given=y to audit what is left within each class, or drop it",
    )
    problems.raise_if_any()
    return audit_feature_case(
        Case(
            name=name,
            interface=kind,
            after=after,
            before=old,
            groups=groups,
            target=None if target is None else target.codes,
            target_names=() if target is None else target.names,
            given=None if strata is None else strata.codes,
            release=None if release is None else as_array(release),
            centers=None if centers is None else np.sort(as_array(centers).astype(np.float64)),
            probes=makers,
            settings=settings,
        ),
        feature,
    )


def audit_feature_case(case: Case, feature: str) -> Audit:
    """The audit of arguments that are known to be valid."""
    probed = probe_all(case)
    information = information_findings(case)
    findings = [
        *probe_findings(case, probed),
        *information,
        *parity_findings(case, information),
        *_rows(case),
    ]
    settings = case.settings
    return Audit(
        model=case.name,
        verdicts=verdicts(case, findings, probed),
        findings=tuple(findings),
        curves=curves(case, probed),
        not_proved=not_proved(case, findings),
        settings={
            "subject": "feature",
            "feature": feature,
            "groups": list(case.groups.names),
            "believed": case.groups.names[believed(case)],
            "interface": case.interface,
            "columns": case.after.table.width,
            "probes": list(case.probes),
            "limit": settings.limit,
            "confidence": settings.confidence,
            "permutations": settings.permutations,
            "refits": settings.refits,
            "folds": settings.folds,
            "bins": settings.bins,
            "seed": settings.seed,
            "conditional": case.given is not None,
        },
    )


def _rows(case: Case) -> list[Finding]:
    return [
        Finding(
            name="rows/smallest_group",
            title="Rows of the smallest group",
            value=float(case.groups.counts.min()),
            unit="rows",
            kind="exact",
            n=case.sizes,
            note=f"H(Z) is {case.ceiling:.4f} nats: nothing can tell more.",
        )
    ]
