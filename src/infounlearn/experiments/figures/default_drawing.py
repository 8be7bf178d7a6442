"""Drawing of ``figure default-unlearning``: one column per case, one row per question."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from infounlearn.experiments.figures.style import (
    FORGET,
    GREEN,
    MUTED,
    ORANGE,
    PURPLE,
    RETAIN,
    SKY,
    canvas,
    heading,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = (RETAIN, SKY, FORGET, GREEN, PURPLE, ORANGE, MUTED)
MEASURES = (
    ("forget distance/floor", lambda row: row["forget_js"] / row["forget_floor"], (0.01, 1.25)),
    ("forget gap, points", lambda row: 100 * row["forget_gap"], (-2.0, 2.0)),
    ("retain gap, points", lambda row: 100 * row["retain_gap"], (-0.5, 0.5)),
    ("test gap, points", lambda row: 100 * row["test_gap"], (-0.5, 0.5)),
)
"""Label, value of a row, and the band that was asked for."""
GAP_TICKS = (-50, -20, -10, -5, -2, -1, -0.5, 0, 0.5, 1, 2, 5, 10, 20, 50)
RATIO_TICKS = (0.2, 0.5, 1, 2, 5, 10, 20, 50)


@contextmanager
def draw(rows: Sequence[Mapping[str, Any]]) -> Iterator[Figure]:
    """Every run as a dot, by method; green bands are the targets."""
    methods = list(dict.fromkeys(row["method"] for row in rows))
    cases = list(dict.fromkeys((row["data"], row["request"]) for row in rows))
    with canvas(2.6 + 2.5 * len(cases), 9.6) as figure:
        heading(
            figure,
            "How close to retraining",
            "one dot per run; green: target; gaps: accuracy minus that of the retrained networks",
        )
        axes = figure.subplots(len(MEASURES), len(cases), squeeze=False, sharex=True)
        for column, case in enumerate(cases):
            axes[0][column].set_title(f"{case[0]}\n{case[1]}")
            for line, (label, value, band) in enumerate(MEASURES):
                panel = axes[line][column]
                panel.axhspan(*band, color=GREEN, alpha=0.14, lw=0)
                panel.axhline(1.0 if line == 0 else 0.0, color=MUTED, lw=0.9)
                for place, method in enumerate(methods):
                    found = [
                        value(row)
                        for row in rows
                        if (row["data"], row["request"]) == case and row["method"] == method
                    ]
                    offsets = [place + 0.08 * (i - (len(found) - 1) / 2) for i in range(len(found))]
                    panel.plot(offsets, found, "o", ms=4.5, color=COLOURS[place], alpha=0.85)
                # Small gaps and very large ones share a panel: linear near the target, then log.
                if line:
                    panel.set_yscale("symlog", linthresh=2 * band[1])
                else:
                    panel.set_yscale("log")
                _ticks(panel, GAP_TICKS if line else RATIO_TICKS, band)
                panel.set_xticks(range(len(methods)), methods, rotation=30, ha="right")
                panel.set_xlim(-0.6, len(methods) - 0.4)
                if column == 0:
                    panel.set_ylabel(label)
        yield figure


def _ticks(panel: Axes, ticks: Sequence[float], band: tuple[float, float]) -> None:
    """Plain numbers at fixed places that lie inside the panel, with the band in view."""
    low, high = panel.dataLim.intervaly
    low, high = (min(low, band[0]), max(high, band[1])) if band[0] < 0 else (0.45, max(high, 2.2))
    # In proportion: a large gap is on the logarithmic part of its axis.
    panel.set_ylim(low * 1.4 if low < 0 else low, high * 1.4)
    shown = [tick for tick in ticks if low <= tick <= high and (tick == 0 or abs(tick) >= band[1])]
    shown = [tick for tick in ticks if low <= tick <= high] if band[0] > 0 else shown
    panel.set_yticks(shown, [f"{tick:g}" for tick in shown])
    panel.minorticks_off()
