"""Drawing of ``figure tabular-frontiers``: one row per table and attribute, one panel per base."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from infounlearn.experiments.figures.style import (
    FORGET,
    GREEN,
    INK,
    MUTED,
    ORANGE,
    PURPLE,
    RETAIN,
    SKY,
    canvas,
    heading,
    legend_below,
)
from infounlearn.experiments.figures.tabular_methods import OURS, PLAIN
from infounlearn.experiments.figures.tabular_table import Panel

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Ours are warm and drawn thick, the others cool or grey and thin; markers tell all apart.
LOOKS: dict[str, tuple[str, str]] = {
    PLAIN: (INK, "*"),
    "ParityHead": (FORGET, "o"),
    "ParityHead, order kept": (FORGET, "s"),
    "ScoreBarycenter": (ORANGE, "o"),
    "ScoreBarycenter, tolerance": (ORANGE, "s"),
    "WassersteinBarycenter": (PURPLE, "o"),
    "InformationRegularized, label": (PURPLE, "^"),
    "InformationRegularized, score": (PURPLE, "v"),
    "ThresholdOptimizer": (RETAIN, "x"),
    "ExponentiatedGradient": (RETAIN, "+"),
    "ExponentiatedGradient, 5 iterations": (RETAIN, "1"),
    "CorrelationRemover": (SKY, "x"),
    "LEACE": (GREEN, "x"),
    "QuadraticEraser": (GREEN, "+"),
    "EquiPy": (MUTED, "x"),
    "LinearPost": (MUTED, "+"),
    "adversarial": (SKY, "+"),
    "HSIC": (GREEN, "1"),
    "mean gap": (RETAIN, "2"),
}


@contextmanager
def draw(panels: Sequence[Panel], quick: bool) -> Iterator[Figure]:
    """Mean utility over mean gap of every setting, bars of one sd over folds."""
    from matplotlib.lines import Line2D

    cases = list(dict.fromkeys(panel.case for panel in panels))
    bases = list(dict.fromkeys(panel.base for panel in panels))
    with canvas(1.5 + 4.2 * len(bases), 1.6 + 3.1 * len(cases)) as figure:
        grid = figure.subplots(len(cases), len(bases), squeeze=False)
        for axes in grid.flat:
            axes.set_visible(False)
        used: dict[str, None] = {}
        for panel in panels:
            axes = grid[cases.index(panel.case)][bases.index(panel.base)]
            axes.set_visible(True)
            _panel(axes, panel)
            used |= dict.fromkeys(panel.frontier.methods)
        subtitle = "mean and one sd over folds; up and left is better"
        heading(
            figure,
            "Utility against gap, six settings of each method's dial",
            subtitle + ("; quick form, not the protocol" if quick else ""),
        )
        handles = [
            Line2D(
                [], [], color=LOOKS[name][0], marker=LOOKS[name][1], linewidth=_width(name),
                label=name,
            )
            for name in LOOKS
            if name in used
        ]  # fmt: skip
        legend_below(figure, handles, min(4, 1 + len(bases)))
        yield figure


def _panel(axes: Any, panel: Panel) -> None:
    utility, gap = ("accuracy", "parity") if panel.task == "classification" else ("mse", "ks")
    rows = panel.frontier.rows()
    for method in panel.frontier.methods:
        own = [row for row in rows if row["method"] == method and row.get(utility) is not None]
        own.sort(key=lambda row: row[gap])
        colour, marker = LOOKS[method]
        axes.errorbar(
            [row[gap] for row in own],
            [row[utility] for row in own],
            xerr=[row[f"{gap}_sd"] or 0.0 for row in own],
            yerr=[row[f"{utility}_sd"] or 0.0 for row in own],
            color=colour,
            marker=marker,
            markersize=7 if method == PLAIN else 4,
            linewidth=_width(method),
            elinewidth=0.35,
            zorder=3 if method in OURS else 2,
        )
    axes.set_title(f"{panel.case}, {panel.base}")
    axes.set_xlim(left=0)
    words = {"parity": "demographic parity difference", "ks": "Kolmogorov distance"}
    axes.set_xlabel(words[gap])
    axes.set_ylabel({"mse": "squared error"}.get(utility, utility))
    if utility == "mse":
        axes.invert_yaxis()


def _width(method: str) -> float:
    return 1.8 if method in OURS else 0.9
