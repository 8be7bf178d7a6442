"""A line for each number of the short table: where before, after and retrained models lie."""

from __future__ import annotations

import math

from markupsafe import Markup

from infounlearn.interface import Finding
from infounlearn.report.summary import finite

_WIDTH, _HEIGHT, _MARGIN = 148, 22, 9
_LOG_RANGE = 100.0


def strip(finding: Finding) -> Markup:
    """Before (ring), after (disc) and the retrained models' range (bar) on one common scale.

    The scale runs over the numbers shown, logarithmic where they are positive and span more than
    a hundredfold; it says which is nearer, not how large anything is. Empty where there is
    nothing to compare.
    """
    before, after, retrained = (
        finite([finding.original]),
        finite([finding.value]),
        finite(finding.retrained),
    )
    values = [*before, *after, *retrained]
    if not after or len(values) < 2 or min(values) == max(values):
        return Markup("")
    logarithmic = min(values) > 0 and max(values) > _LOG_RANGE * min(values)
    low, high = (math.log(v) if logarithmic else v for v in (min(values), max(values)))

    def place(value: float) -> str:
        share = ((math.log(value) if logarithmic else value) - low) / (high - low)
        return f"{_MARGIN + share * (_WIDTH - 2 * _MARGIN):.1f}"

    middle = _HEIGHT / 2
    parts = [f'<line class="axis" x1="2" x2="{_WIDTH - 2}" y1="{middle}" y2="{middle}"/>']
    if retrained:
        left, right = float(place(min(retrained))), float(place(max(retrained)))
        width = max(right - left, 3.0)
        parts.append(
            f'<rect class="range" x="{(left + right - width) / 2:.1f}" y="{middle - 7}" '
            f'width="{width:.1f}" height="14" rx="1.5"/>'
        )
    if before:
        parts.append(f'<circle class="before" cx="{place(before[0])}" cy="{middle}" r="4.6"/>')
    parts.append(f'<circle class="after" cx="{place(after[0])}" cy="{middle}" r="4.6"/>')
    # Only numbers made here enter the drawing; the table's own cells say the same in words.
    return Markup(
        f'<svg class="strip" viewBox="0 0 {_WIDTH} {_HEIGHT}" aria-hidden="true">'
        + "".join(parts)
        + "</svg>"
    )
