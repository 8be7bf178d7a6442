"""Drawing of ``figure default-parts``: one row per data set, one column per case."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from infounlearn.experiments.compare.gold import PARTS
from infounlearn.experiments.figures.default_parts_table import select, values
from infounlearn.experiments.figures.default_parts_variants import DEFAULT
from infounlearn.experiments.figures.style import (
    FORGET,
    GREEN,
    INK,
    MUTED,
    RETAIN,
    canvas,
    heading,
    legend_below,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = dict(zip(PARTS, (FORGET, RETAIN, GREEN), strict=True))
TICKS = tuple(digit * 10**power for power in range(7) for digit in (1, 2, 5))


@contextmanager
def draw(rows: Sequence[Mapping[str, Any]]) -> Iterator[Figure]:
    """Mean and range of the worst distance by variant; its colour says where the worst is."""
    from matplotlib.lines import Line2D

    sets = [data for (data,) in values(rows, "data")]
    cases = [name for (name,) in values(rows, "case")]
    variants = [variant for (variant,) in values(rows, "variant")]
    budgets = [budget for (budget,) in values(rows, "budget")]
    with canvas(2.6 + 2.7 * len(cases), 1.5 + 0.34 * len(variants) * len(sets)) as figure:
        heading(
            figure,
            "What each part of the default is worth",
            "worst distance to retrained networks, in floors: less is better; mean and range",
        )
        axes = figure.subplots(len(sets), len(cases), squeeze=False, sharey=True)
        for line, data in enumerate(sets):
            for column, name in enumerate(cases):
                panel = axes[line][column]
                panel.set_title(f"{data}\n{name}")
                for place, variant in enumerate(variants):
                    for number, budget in enumerate(budgets):
                        own = select(rows, data=data, case=name, variant=variant, budget=budget)
                        height = place + 0.26 * (number - (len(budgets) - 1) / 2)
                        _mark(panel, own, height, filled=number == len(budgets) - 1)
                for number, budget in enumerate(budgets):
                    own = select(rows, data=data, case=name, variant=DEFAULT, budget=budget)
                    last = number == len(budgets) - 1
                    panel.axvline(
                        _mean(own, "worst"), color=MUTED, lw=0.9, zorder=1, ls="-" if last else ":"
                    )
                panel.set_xscale("log")
                _ticks(panel, own=select(rows, data=data, case=name))
                panel.set_yticks(range(len(variants)), variants)
                panel.set_ylim(len(variants) - 0.5, -0.5)
        marks = [
            Line2D([], [], color=colour, marker="o", ls="", label=f"worst on {part}")
            for part, colour in COLOURS.items()
        ]
        for number, budget in enumerate(budgets):
            last = number == len(budgets) - 1
            marks.append(
                Line2D(
                    [], [], color=MUTED, marker="o", ls="-" if last else ":", lw=0.9,
                    markerfacecolor=MUTED if last else "white", markeredgecolor=INK,
                    label=f"{budget:.0%} of retraining; line: the default",
                )
            )  # fmt: skip
        legend_below(figure, marks, len(marks))
        yield figure


def _mark(panel: Axes, own: Sequence[Mapping[str, Any]], height: float, *, filled: bool) -> None:
    found = [float(row["worst"]) for row in own]
    colour = COLOURS[max(PARTS, key=lambda part: _mean(own, part))]
    panel.plot([min(found), max(found)], [height, height], color=colour, lw=1.6, zorder=2)
    panel.plot(
        [_mean(own, "worst")], [height], "o", ms=5.5, color=colour, zorder=3,
        markerfacecolor=colour if filled else "white",
    )  # fmt: skip


def _mean(own: Sequence[Mapping[str, Any]], key: str) -> float:
    return math.fsum(float(row[key]) for row in own) / len(own)


def _ticks(panel: Axes, own: Sequence[Mapping[str, Any]]) -> None:
    """Plain numbers, at most six, that span the panel."""
    found = [float(row["worst"]) for row in own]
    low, high = min(0.9, *found) * 0.93, max(found) * 1.12
    panel.set_xlim(low, high)
    shown = [tick for tick in TICKS if low <= tick <= high]
    if len(shown) > 6:
        shown = [tick for tick in shown if math.log10(tick).is_integer()]
    panel.set_xticks(shown, [f"{tick:g}" for tick in shown])
    panel.minorticks_off()
