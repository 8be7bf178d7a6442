"""What the report draws: what a fresh network believes of each group, and planted leaks."""

from __future__ import annotations

import numpy as np

from infounlearn.audit.feature.curves import BINS, SHOWN
from infounlearn.audit.images.case import Case
from infounlearn.audit.images.probing import Probing
from infounlearn.interface import Curve


def believed(case: Case) -> int:
    """The group whose probability is drawn: the second of two, else the largest."""
    return 1 if len(case.groups) == 2 else int(case.groups.counts.argmax())


def curves(case: Case, probing: Probing) -> tuple[Curve, ...]:
    """Panels ``beliefs/*`` of the network that knows more, for the largest groups; ``planted``."""
    largest = np.argsort(-case.groups.counts, kind="stable")[:SHOWN]
    edges = np.linspace(0, 1, BINS + 1)
    found = []
    network = max(probing.network, probing.wider, key=lambda one: one.after.information)
    for when, reading in (("after", network.after), ("before", network.before)):
        if reading is None:
            continue
        for group in np.sort(largest):
            rows = case.z == group
            beliefs = np.exp(reading.log_q[rows, believed(case)])
            heights = np.histogram(np.clip(beliefs, 0, 1), edges)[0] / rows.sum()
            ends = tuple(edges.tolist()), tuple(heights.tolist())
            found.append(Curve(f"beliefs/{when}", case.groups.names[group], *ends, "histogram"))
    if len(probing.planted) > 1:
        x, y = zip(*probing.planted, strict=True)
        found.append(Curve("planted", probing.network.title, x, y))
    return tuple(found)
