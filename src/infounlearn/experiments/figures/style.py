"""One look for all figures: light, quiet, safe for the colour-blind, the same on every machine."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from matplotlib import style
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

if TYPE_CHECKING:
    from matplotlib.artist import Artist

# Okabe & Ito's palette, whose colours stay apart under every common colour-blindness.
FORGET = "#D55E00"
RETAIN = "#0072B2"
GREEN = "#009E73"
ORANGE = "#E69F00"
PURPLE = "#AA4499"
SKY = "#56B4E9"
INK = "#222222"
MUTED = "#767676"

DASHED: Any = (0, (5, 2.4))
DOTTED: Any = (0, (1.2, 1.8))

_STYLE: dict[str, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "infounlearn",
    "font.family": ["DejaVu Sans"],
    "font.size": 10,
    "text.usetex": False,
    "text.color": INK,
    "figure.facecolor": "white",
    "axes.facecolor": "white",
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.titlesize": 11,
    "axes.titlelocation": "left",
    "axes.titleweight": "bold",
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.8,
    "grid.color": "#E6E6E6",
    "grid.linewidth": 0.8,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "lines.linewidth": 1.9,
    "lines.solid_capstyle": "round",
    "legend.frameon": False,
    "legend.fontsize": 9.5,
    "axes.formatter.use_locale": False,
}


@contextmanager
def canvas(width: float, height: float) -> Iterator[Figure]:
    """A figure of ``width`` x ``height`` inches in our style, outside pyplot.

    Draw *and* save inside the block; whatever style the caller has set does not reach it.
    """
    with style.context(["default", _STYLE]):
        figure = Figure(figsize=(width, height), layout="constrained")
        FigureCanvasAgg(figure)
        yield figure


def heading(figure: Figure, title: str, subtitle: str) -> None:
    """Title and, below it in grey, what was done."""
    figure.suptitle(title, x=0.01, ha="left", fontsize=13.5, fontweight="bold")
    # An empty margin under the title, for the subtitle to stand in.
    figure.text(0.01, 1 - 0.40 / figure.get_figheight(), subtitle, color=MUTED, va="top")
    engine = figure.get_layout_engine()
    if engine is not None:
        engine.set(rect=(0, 0, 1, 1 - 0.28 / figure.get_figheight()))  # type: ignore[call-arg]


def legend_below(figure: Figure, handles: Sequence[Artist], columns: int) -> None:
    """One legend under all panels, where it can hide nothing."""
    figure.legend(handles=list(handles), loc="outside lower left", ncols=columns)
