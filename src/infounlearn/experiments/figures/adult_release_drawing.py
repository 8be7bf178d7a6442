"""Drawing of ``figure adult-release``: what a probe reads, and what is left of the income."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from infounlearn.experiments.figures.style import (
    FORGET,
    INK,
    MUTED,
    RETAIN,
    canvas,
    heading,
    legend_below,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@contextmanager
def draw(rows: Sequence[dict[str, Any]], quick: bool) -> Iterator[Figure]:
    """Dots per release, one per split: bits on the left, accuracy on the right."""
    from matplotlib.lines import Line2D

    sizes = list(dict.fromkeys(row["fitted"] for row in rows))
    names = list(dict.fromkeys(row["release"] for row in rows))
    with canvas(10.5, 1.7 + 0.42 * len(names) * len(sizes)) as figure:
        grid = figure.subplots(len(sizes), 2, squeeze=False, sharey=True)
        for (left, right), size in zip(grid, sizes, strict=True):
            mine = [row for row in rows if row["fitted"] == size]
            _bits(left, mine, names)
            _utility(right, mine, names)
            left.set_yticks(range(len(names)), names)
            left.set_title(f"{size:,} rows fitted: bits a probe reads")
            right.set_title("accuracy of the income")
        # All panels share one axis: turning it once turns it everywhere.
        grid[0, 0].invert_yaxis()
        note = "quick form, not the protocol" if quick else "Adult, 101 one-hot columns without sex"
        heading(figure, "The table without sex", f"{note}; held-out rows, probes trained afresh")
        legend_below(
            figure,
            [
                Line2D([], [], color=FORGET, marker="o", linestyle="", label="boosted-tree probe"),
                Line2D([], [], color=MUTED, marker="|", linestyle="", label="shuffled sexes"),
                Line2D([], [], color=INK, marker="<", linestyle="", label="certified bound, 95 %"),
                Line2D([], [], color=RETAIN, marker="o", linestyle="", label="boosted trees"),
            ],
            4,
        )
        yield figure


def _bits(axes: Any, rows: Sequence[dict[str, Any]], names: Sequence[str]) -> None:
    axes.axvline(0.0, color=MUTED, linewidth=0.8)
    for place, name in enumerate(names):
        mine = [row for row in rows if row["release"] == name]
        at = place + np.linspace(-0.12, 0.12, len(mine)) if len(mine) > 1 else [place]
        axes.plot([row["bits"] for row in mine], at, "o", color=FORGET, markersize=5)
        floors = [row["null_mean"] for row in mine]
        axes.plot(floors, at, "|", color=MUTED, markersize=9)
        known = [(row["certified_bits"], y) for row, y in zip(mine, at, strict=True)]
        known = [(bits, y) for bits, y in known if bits != ""]
        axes.plot([b for b, _ in known], [y for _, y in known], "<", color=INK, markersize=5)


def _utility(axes: Any, rows: Sequence[dict[str, Any]], names: Sequence[str]) -> None:
    for place, name in enumerate(names):
        mine = [row for row in rows if row["release"] == name]
        at = place + np.linspace(-0.12, 0.12, len(mine)) if len(mine) > 1 else [place]
        axes.plot([row["accuracy"] for row in mine], at, "o", color=RETAIN, markersize=5)
