"""Gaps between groups: demographic parity, equalized odds, and score laws."""

from __future__ import annotations

from typing import Any

import numpy as np

from infounlearn.audit.feature.case import Case, Shown
from infounlearn.interface import Finding
from infounlearn.math import demographic_parity_bound
from infounlearn.math.parity import (
    demographic_parity_difference,
    equalized_odds_difference,
    ks_distance,
)
from infounlearn.math.parity_intervals import (
    GapInterval,
    demographic_parity_interval,
    equalized_odds_interval,
    ks_interval,
)

CELLS = (
    "rows are independent draws given their group (and class), and nothing was fitted or chosen "
    "on them",
)


def parity_findings(case: Case, information: list[Finding]) -> list[Finding]:
    """Gaps with certified intervals, and what the certified information says of them.

    Args:
        case: what is audited.
        information: findings of :mod:`infounlearn.audit.feature.information`.
    """
    shown, level = case.after, case.settings.confidence
    known = {finding.name: finding for finding in information}
    found = []
    for key, what, form in (
        ("", "decisions", shown.decisions),
        ("sampled_", "drawn decisions", shown.kernels),
    ):
        if form is None:
            continue
        before = _form(case.before, key)
        found.append(
            _gap(
                f"parity/{key}demographic_parity",
                f"Largest difference of the rate of {what} between groups (demographic parity)",
                demographic_parity_interval(form, case.z, confidence=level),
                None if before is None else demographic_parity_difference(before, case.z),
            )
        )
        found += _implied(case, key, found[-1], known.get(f"information/{key}decision"))
        if case.target is not None:
            found.append(
                _gap(
                    f"parity/{key}equalized_odds",
                    f"Largest difference of the rate of {what} between groups of one class "
                    "(equalized odds)",
                    equalized_odds_interval(form, case.z, case.target, confidence=level),
                    None
                    if before is None
                    else equalized_odds_difference(before, case.z, case.target),
                )
            )
    return found + _score_gaps(case, shown)


def _form(shown: Shown | None, key: str) -> np.ndarray | None:
    if shown is None:
        return None
    return shown.kernels if key else shown.decisions


def _gap(name: str, title: str, gap: GapInterval, before: float | None, note: str = "") -> Finding:
    return Finding(
        name=name,
        title=title,
        value=gap.value,
        unit="rate",
        interval=(gap.low, gap.high),
        confidence=gap.confidence,
        n={"smallest cell": gap.smallest},
        original=before,
        ceiling=1.0,
        assumptions=CELLS if gap.certified else (),
        note=(note + " The interval is exact: it holds at every sample size.").strip(),
    )


def _implied(case: Case, key: str, measured: Finding, information: Finding | None) -> list[Finding]:
    """The gap that the certified information allows, whatever the outcome laws."""
    # Information within strata says nothing of the gap between whole groups.
    if information is None or information.bound is None or case.given is not None:
        return []
    return [
        Finding(
            name=f"parity/{key}bound_from_information",
            title="The same gap, as far as the certified information alone bounds it",
            value=measured.value,
            unit="rate",
            kind="certified",
            bound=demographic_parity_bound(information.bound, case.prior),
            confidence=information.confidence,
            n=information.n,
            original=measured.original,
            ceiling=1.0,
            assumptions=information.assumptions,
            note=f"From {information.bound:.3g} nats at most; the interval above is of this gap "
            "alone and is narrower.",
        )
    ]


def _score_gaps(case: Case, shown: Shown) -> list[Finding]:
    if shown.scores is None:
        return []
    found: list[Finding] = []
    count = shown.scores.shape[1]
    # Bounds of several scores from one sample hold together.
    level = 1 - (1 - case.settings.confidence) / count
    for index, column in enumerate(shown.scores.T):
        before = None if case.before is None else case.before.scores
        old = None if before is None else ks_distance(before[:, index], case.z)
        suffix = f"_{shown.score_names[index]}" if count > 1 else ""
        of = f" of {shown.score_names[index]}" if count > 1 else ""
        note = "Bounds the demographic parity gap of every threshold on the score itself."
        gap = ks_interval(column, case.z, confidence=level)
        title = f"Largest distance of the score's laws{of} between groups (Kolmogorov-Smirnov)"
        found.append(_gap(f"parity/ks{suffix}", title, gap, old, note))
        if case.target is not None:
            found.append(_ks_given(case, column, suffix, title, level, before, index))
    return found


def _ks_given(
    case: Case,
    column: np.ndarray,
    suffix: str,
    title: str,
    level: float,
    before: np.ndarray | None,
    index: int,
) -> Finding:
    """The largest distance within one class; the level is shared among the classes."""
    gaps: list[GapInterval] = []
    old: list[float] = []
    classes = [np.flatnonzero(case.target == c) for c in range(len(case.target_names))]
    shared = 1 - (1 - level) / len(classes)
    for rows in classes:
        gaps.append(ks_interval(column[rows], case.z[rows], confidence=shared))
        if before is not None:
            old.append(ks_distance(before[rows, index], case.z[rows]))
    widest: dict[str, Any] = {
        "value": max(gap.value for gap in gaps),
        "low": max(gap.low for gap in gaps),
        "high": max(gap.high for gap in gaps),
    }
    gap = GapInterval(
        confidence=level, certified=True, smallest=min(g.smallest for g in gaps), **widest
    )
    note = "Bounds the equalized odds gap of every threshold on the score itself."
    return _gap(
        f"parity/ks_given_y{suffix}",
        f"{title}, within a class",
        gap,
        max(old) if old else None,
        note,
    )
