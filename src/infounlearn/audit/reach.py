"""Where one more retrained model is expected, seen from the few that are there."""

from __future__ import annotations

from collections.abc import Sequence

from scipy import special


def reach(values: Sequence[float]) -> tuple[float, float]:
    """Where one more value like these is expected: their range, widened by itself."""
    low, high = min(values), max(values)
    return low - (high - low), high + (high - low)


def predicted(values: Sequence[float], confidence: float) -> float:
    """Distance from the mean of K ``values`` within which one more falls: Student's prediction.

    Wide for K = 2 (12.7 standard deviations at 95 %, times √1.5), because two values tell almost
    nothing of their spread; from K = 5 on :func:`reach` is about as wide.
    """
    count = len(values)
    mean = sum(values) / count
    spread = (sum((value - mean) ** 2 for value in values) / (count - 1)) ** 0.5
    factor = float(special.stdtrit(count - 1, (1 + confidence) / 2))
    return factor * spread * (1 + 1 / count) ** 0.5
