"""What the report draws: score histograms, membership ROC, per-record distance to retraining."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from infounlearn.audit.case import Case
from infounlearn.audit.membership import Membership
from infounlearn.audit.readings import member_score
from infounlearn.audit.retrain_gap import Gap
from infounlearn.interface import Curve, Outputs

HISTOGRAM_BINS = 40
ROC_POINTS = 60


def curves(case: Case, members: Sequence[Membership], gap: Gap | None) -> tuple[Curve, ...]:
    """Every curve of the audit; panels ``scores/*``, ``roc`` and ``per_record_js``.

    Args:
        case: the models.
        members: readings of each model of ``case.each()``.
        gap: distances on the forget set, with at least two references.
    """
    found = _score_histograms(case)
    if members[0].classes:
        found += _roc(case, members)
    if gap is not None:
        found += _distances(case, gap)
    return tuple(found)


def _score_histograms(case: Case) -> list[Curve]:
    """Forget, held-out and retain scores of each kind of model, on one set of bin edges."""
    panels: list[tuple[str, tuple[Outputs, ...]]] = [("scores/after", (case.audited,))]
    if case.original is not None:
        panels.append(("scores/before", (case.original,)))
    if case.references:
        panels.append(("scores/retrained", case.references))
    names = ("forget", "holdout", "retain")
    scores = {
        (panel, name): np.concatenate([member_score(m[name], case.task) for m in models])
        for panel, models in panels
        for name in names
    }
    # The outermost thousandth would stretch the axis; those records count in the end bins.
    ends = [np.quantile(values, (0.001, 0.999)) for values in scores.values()]
    low, high = min(end[0] for end in ends), max(end[1] for end in ends)
    edges = np.linspace(low, high if high > low else low + 1, HISTOGRAM_BINS + 1)
    labels = {"forget": "forget", "holdout": "held-out", "retain": "retain"}
    return [
        _histogram(panel, labels[name], values, edges) for (panel, name), values in scores.items()
    ]


def _roc(case: Case, members: Sequence[Membership]) -> list[Curve]:
    """True against false-positive rate of the attack; references are averaged at equal rates."""
    held_out = len(case.audited["holdout"])
    rates = np.geomspace(min(0.5, 1 / held_out), 1.0, ROC_POINTS)
    every = [_rates(member, rates) for member in members]
    found = [("unlearned", every[0])]
    if case.original is not None:
        found.insert(0, ("original", every[1]))
    references = every[1 if case.original is None else 2 :]
    if references:
        found.append(("retrained", np.mean(references, axis=0)))
    drawn = []
    for label, heights in found:
        seen = heights > 0  # the axes are logarithmic
        x, y = tuple(rates[seen].tolist()), tuple(heights[seen].tolist())
        drawn.append(Curve("roc", label, x, y))
    return drawn


def _rates(member: Membership, rates: np.ndarray) -> np.ndarray:
    """True-positive rate at each false-positive rate, held-out weighted to the forget classes."""
    weights, scores = member.weights(), member.scores[1]
    order = np.argsort(-scores, kind="stable")
    order = order[weights[order] > 0]
    above = np.cumsum(weights[order]) - weights[order]
    index = np.searchsorted(above, rates * (1 + 1e-12), side="right") - 1
    forget = np.sort(member.matched_forget())
    found = 1 - np.searchsorted(forget, scores[order][index], side="right") / len(forget)
    # At rate 1 every record is called a member, also those at or below the lowest held-out score.
    return np.where(rates >= 1, 1.0, found)


def _distances(case: Case, gap: Gap) -> list[Curve]:
    """Per-record distances on forget beside those of the references among themselves."""
    top = max(float(values.max()) for values in (*gap.models, gap.references))
    edges = np.linspace(0, top if top > 0 else 1.0, HISTOGRAM_BINS + 1)
    found = [_histogram("per_record_js", "unlearned", gap.models[0], edges)]
    if case.original is not None:
        found.append(_histogram("per_record_js", "original", gap.models[1], edges))
    found.append(_histogram("per_record_js", "retrained (floor)", gap.references.ravel(), edges))
    return found


def _histogram(panel: str, label: str, values: np.ndarray, edges: np.ndarray) -> Curve:
    """Share of records per bin; values beyond the edges count in the end bins."""
    counts = np.histogram(np.clip(values, edges[0], edges[-1]), edges)[0]
    return Curve(
        panel, label, tuple(edges.tolist()), tuple((counts / len(values)).tolist()), "histogram"
    )
