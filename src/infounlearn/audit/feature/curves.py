"""What the report draws: what a probe believes of each group, scores by group, planted leaks."""

from __future__ import annotations

import numpy as np

from infounlearn.audit.feature.case import Case
from infounlearn.audit.feature.probes import TREES, Reading
from infounlearn.audit.feature.visibility import Probed
from infounlearn.interface import Curve

BINS = 40
SHOWN = 5
"""Groups drawn, the largest first: more would be mud."""


def curves(case: Case, probed: list[Probed]) -> tuple[Curve, ...]:
    """Panels ``beliefs/*``, ``group_scores/*`` and ``planted``."""
    found = [*_beliefs(case, probed), *_scores(case)]
    for one in probed:
        points = sorted(one.power.tried)
        if len(points) > 1:
            x, y = zip(*points, strict=True)
            found.append(Curve("planted", one.title, x, y))
    return tuple(found)


def believed(case: Case) -> int:
    """The group whose probability is drawn: the second of two, else the largest."""
    return 1 if len(case.groups) == 2 else int(case.groups.counts.argmax())


def _beliefs(case: Case, probed: list[Probed]) -> list[Curve]:
    """The out-of-fold probability of one group, for the rows of each group."""
    if not probed:
        return []
    one = next((probe for probe in probed if probe.name == TREES), probed[-1])
    group = believed(case)
    edges = np.linspace(0, 1, BINS + 1)
    panels: list[tuple[str, Reading | None]] = [("after", one.after), ("before", one.before)]
    return [
        _histogram(f"beliefs/{when}", name, np.exp(reading.log_q[rows, group]), edges)
        for when, reading in panels
        if reading is not None
        for name, rows in _largest(case)
    ]


def _scores(case: Case) -> list[Curve]:
    """The scores of each group: of a lone score, or of the last of two classes."""
    shown = [("after", case.after.scores)]
    if case.before is not None:
        shown.append(("before", case.before.scores))
    kept = [(when, scores[:, -1]) for when, scores in shown if scores is not None]
    if not kept or (case.after.scores is not None and case.after.scores.shape[1] > 2):
        return []
    ends = np.array([np.quantile(scores, (0.001, 0.999)) for _, scores in kept])
    low, high = float(ends[:, 0].min()), float(ends[:, 1].max())
    edges = np.linspace(low, high if high > low else low + 1, BINS + 1)
    return [
        _histogram(f"group_scores/{when}", name, scores[rows], edges)
        for when, scores in kept
        for name, rows in _largest(case)
    ]


def _largest(case: Case) -> list[tuple[str, np.ndarray]]:
    order = np.argsort(-case.groups.counts, kind="stable")[:SHOWN]
    return [(case.groups.names[group], case.z == group) for group in np.sort(order)]


def _histogram(panel: str, label: str, values: np.ndarray, edges: np.ndarray) -> Curve:
    """Share of rows per bin; values beyond the edges count in the end bins."""
    counts = np.histogram(np.clip(values, edges[0], edges[-1]), edges)[0]
    heights = counts / max(len(values), 1)
    return Curve(panel, label, tuple(edges.tolist()), tuple(heights.tolist()), "histogram")
