"""Information between what a model puts out and the feature: measured, tested and certified."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from infounlearn.audit.feature.case import Case, Shown
from infounlearn.interface import Finding
from infounlearn.math import (
    InformationCertificate,
    bin_width,
    certify_information,
    information_null,
    soft_bin_centers,
    soft_bins,
)
from infounlearn.math.laws import entropy, group_laws, information_of_laws

ASIDE = (64, 4096)
"""Least and most rows set aside to fix the bins of a score; between them, a tenth."""


STRATA = "strata, and groups within them, count by their shares of these rows"
SHARES = "groups count by their shares of these rows"


@dataclass(frozen=True)
class Level:
    """One finite outcome: a decision, a sampled decision, a softly binned score, a release.

    Attributes:
        key: of its finding.
        title: what a person reads.
        outcomes: (n,) codes or (n, K) kernels of the rows in ``rows``.
        rows: which audited rows they belong to.
        width: number of outcomes declared beforehand; None for kernels.
        note: reading help.
        given: whether it is conditional on the target.
    """

    key: str
    title: str
    outcomes: np.ndarray
    rows: np.ndarray
    width: int | None = None
    note: str = ""
    given: bool = False


def information_findings(case: Case) -> list[Finding]:
    """A finding per outcome; decisions and scores of models, and a finite release of a table."""
    levels = _levels(case, case.after)
    before = {} if case.before is None else {one.key: one for one in _levels(case, case.before)}
    certified = sum(not one.given for one in levels)
    return [_finding(case, one, before.get(one.key), max(certified, 1)) for one in levels]


def certificate(case: Case, level: Level, together: int) -> InformationCertificate:
    """Bound on I(outcome; Z); ``together`` of them hold at once at the confidence asked for."""
    return certify_information(
        level.outcomes,
        case.z[level.rows],
        confidence=case.settings.confidence,
        num_outcomes=level.width,
        candidates=together,
        seed=case.settings.seed,
    )


def within_strata(
    case: Case, level: Level, given: np.ndarray, together: int
) -> tuple[float, tuple[str, ...]]:
    """Bound on I(outcome; Z | stratum), and under what; strata and groups count as they are.

    A stratum's rows are a sample of their own: its bound holds at the stratum's part of the error,
    and all of them together give a bound on their mean. A stratum of one group tells nothing of it.
    """
    z = case.z[level.rows]
    cells = [given == cell for cell in np.unique(given)]
    mixed = [rows for rows in cells if len(np.unique(z[rows])) > 1]
    total = 0.0
    assumptions: tuple[str, ...] = (STRATA,)
    for rows in mixed:
        proof = certify_information(
            level.outcomes[rows],
            np.unique(z[rows], return_inverse=True)[1],
            confidence=case.settings.confidence,
            num_outcomes=level.width,
            candidates=together * len(mixed),
            seed=case.settings.seed,
        )
        assumptions = (STRATA, *proof.assumptions)
        total += rows.mean() * (proof.ceiling if proof.upper is None else proof.upper)
    return total, assumptions


def _finding(case: Case, level: Level, before: Level | None, together: int) -> Finding:
    settings = case.settings
    strata = case.target if level.given else case.given
    given = None if strata is None else strata[level.rows]
    z = case.z[level.rows]
    null = information_null(
        level.outcomes,
        z,
        given=given,
        num_outcomes=level.width,
        permutations=settings.permutations,
        seed=settings.generator(10),
    )
    common: dict[str, Any] = {
        "name": f"information/{level.key}",
        "title": level.title,
        "value": plug_in(level.outcomes, z, given, level.width),
        "unit": "nats",
        "n": case.sizes | ({"audited": len(z)} if len(z) < len(case.z) else {}),
        "null": null,
        "floor": null.mean,
        "original": None if before is None else plug_in(before.outcomes, z, given, before.width),
        "ceiling": case.ceiling if strata is None else _ceiling(z, given),
    }
    if level.given:
        note = "Conditional on the target: no certificate is given. " + level.note
        return Finding(**common, note=note.strip())
    if given is not None:
        bound, assumptions = within_strata(case, level, given, together)
        note = f"{level.note} Conditional on strata, at their shares of these rows. Plug-in value: "
        return Finding(
            kind="certified",
            bound=bound,
            confidence=settings.confidence,
            assumptions=assumptions,
            note=(note + "read it against its null, never against 0.").strip(),
            **common,
        )
    proof = certificate(case, level, together)
    note = f"{level.note} Plug-in value: read it against its null, never against 0."
    if proof.lower:
        note += f" Certified, by itself, to be at least {proof.lower:.3g} nats."
    return Finding(
        kind="certified" if proof.valid else "measured",
        bound=proof.upper,
        confidence=settings.confidence,
        assumptions=(SHARES, *proof.assumptions),
        note=note.strip(),
        **common,
    )


def plug_in(
    outcomes: np.ndarray, z: np.ndarray, given: np.ndarray | None, width: int | None
) -> float:
    """Plug-in I(outcome; Z), or its mean over strata, at the observed shares; nats."""
    columns = outcomes.shape[1] if outcomes.ndim == 2 else (width or int(outcomes.max()) + 1)
    total = 0.0
    cells = np.zeros(len(z), dtype=np.int64) if given is None else given
    for cell in np.unique(cells):
        rows = cells == cell
        sizes = np.bincount(z[rows])
        laws = group_laws(outcomes[rows], z[rows], len(sizes), columns)
        total += rows.mean() * float(information_of_laws(laws, sizes / sizes.sum()))
    return total


def _ceiling(z: np.ndarray, given: np.ndarray | None) -> float:
    """H(Z | given) of these rows, in nats."""
    cells = np.zeros(len(z), dtype=np.int64) if given is None else given
    counts = [np.bincount(z[cells == cell]) for cell in np.unique(cells)]
    return float(sum(c.sum() / len(z) * entropy(c / c.sum()) for c in counts))


def _levels(case: Case, shown: Shown) -> list[Level]:
    everything = np.arange(len(case.z))
    found = []
    if shown.decisions is not None:
        # Labels that were merely observed are no alphabet declared beforehand.
        width = None if case.interface == "decisions" else len(shown.decision_names)
        title = "Information between the decision and the feature"
        if shown.kernels is not None:
            title = "Information between the most likely class and the feature"
        found.append(Level("decision", title, shown.decisions, everything, width))
        if case.target is not None:
            title += ", given the target"
            found.append(
                Level("decision_given_y", title, shown.decisions, everything, width, given=True)
            )
    if shown.kernels is not None:
        title = "Information between a class drawn from the probabilities and the feature"
        found.append(Level("sampled_decision", title, shown.kernels, everything))
    if shown.scores is not None:
        found += _score_levels(case, shown)
    if case.release is not None and shown is case.after:
        title = "Information between the finite release and the feature"
        found.append(Level("release", title, case.release, everything))
    return found


def set_aside(case: Case) -> np.ndarray:
    """Rows on which bins are fixed and which no bound counts; none where centres were given."""
    if case.centers is not None:
        return np.zeros(0, dtype=np.int64)
    n = len(case.z)
    size = int(np.clip(n // 10, *ASIDE))
    return np.sort(case.settings.generator(11).permutation(n)[: min(size, n // 2)])


def _score_levels(case: Case, shown: Shown) -> Sequence[Level]:
    """Every score through soft bins, a known kernel on a finite alphabet."""
    scores = shown.scores
    if scores is None:
        return []
    aside = set_aside(case)
    rows = np.setdiff1d(np.arange(len(case.z)), aside)
    note = "Bins given beforehand."
    if case.centers is None:
        note = f"Bins fixed on {len(aside)} rows set aside at random, which are not counted."
    found = []
    for index, column in enumerate(scores.T):
        if case.centers is None:
            centers = soft_bin_centers(torch.from_numpy(column[aside]), case.settings.bins)
        else:
            centers = torch.from_numpy(case.centers)
        kernels = soft_bins(torch.from_numpy(column[rows]), centers, bin_width(centers)).exp()
        several = scores.shape[1] > 1
        found.append(
            Level(
                "score" + (f"_{shown.score_names[index]}" if several else ""),
                "Information between the softly binned score"
                + (f" of {shown.score_names[index]}" if several else "")
                + " and the feature",
                kernels.numpy(),
                rows,
                note=note,
            )
        )
    return found
