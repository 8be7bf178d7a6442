"""The drawing of ``figure gaussian-toy``: answers at the record, and what is penalised."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from infounlearn.experiments.figures import style
from infounlearn.experiments.figures.mnist_protocol import mean_sd

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_COLOURS = {
    "original": style.MUTED,
    "retrained": style.INK,
    "fine-tuned": style.SKY,
    "natural": style.RETAIN,
    "half": style.GREEN,
    "form": style.FORGET,
}


@contextmanager
def draw(
    rows: list[dict[str, Any]],
    shuffled: Sequence[float],
    ceiling: float,
    how: Any,
    titles: Mapping[str, str],
    published: Mapping[str, tuple[float, float]],
) -> Iterator[Figure]:
    """The figure, to be saved inside the block."""
    with style.canvas(11.5, 5.2) as figure:
        style.heading(
            figure,
            "Forgetting one record among 5,000, with a penalty that knows which",
            f"Two Gaussian classes in {how.dimension} dimensions, γ = {how.gamma:g}; "
            f"{how.repeats} repeats with data and networks of their own; mean and one sd",
        )
        left, right = figure.subplots(1, 2, width_ratios=(1.15, 1))
        _answers(left, rows, titles, published)
        _penalties(right, rows, shuffled, ceiling)
        style.legend_below(figure, _handles(), 4)
        yield figure


def _answers(
    panel: Axes,
    rows: list[dict[str, Any]],
    titles: Mapping[str, str],
    published: Mapping[str, tuple[float, float]],
) -> None:
    for place, name in enumerate(titles):
        values = [r["p0"] for r in rows if r["network"] == name]
        # Spread by rank, so that dots of equal height lie beside each other, always alike.
        offsets = np.linspace(-0.17, 0.17, len(values)) if len(values) > 1 else [0.0]
        panel.scatter(
            place + np.asarray(offsets), values, s=16, color=_COLOURS[name], alpha=0.55, linewidth=0
        )
        mean, sd = mean_sd(values)
        panel.errorbar(
            place, mean, yerr=sd, fmt="_", color=_COLOURS[name], markersize=17,
            markeredgewidth=2.2, elinewidth=1.5, capsize=3,
        )  # fmt: skip
        if name in published:
            mean, sd = published[name]
            panel.errorbar(
                place + 0.33, mean, yerr=sd, fmt="o", color=style.ORANGE, markersize=6,
                markerfacecolor="white", markeredgewidth=1.5, elinewidth=1.1, capsize=2.5,
            )  # fmt: skip
    panel.axhline(0.5, color=style.MUTED, linestyle=style.DOTTED, linewidth=1.4)
    names = [title.replace(", ", ",\n").replace(" (", "\n(") for title in titles.values()]
    panel.set_xticks(range(len(names)), names, fontsize=8.5)
    panel.set_ylim(-0.03, 1.03)
    panel.grid(axis="x", visible=False)
    panel.set_title("P(class 0) at the forgotten record")


def _penalties(
    panel: Axes, rows: list[dict[str, Any]], shuffled: Sequence[float], ceiling: float
) -> None:
    edges = np.logspace(-16, 0, 65)
    clipped = np.clip(shuffled, edges[0], None)
    counts, _ = np.histogram(clipped, edges)
    heights = counts / len(shuffled)
    panel.stairs(heights, edges, fill=True, color=style.SKY, alpha=0.35, linewidth=0)
    panel.stairs(heights, edges, color=style.SKY, linewidth=1.2)
    top = 1.12 * float(heights.max())
    for row in rows:
        if row["network"] == "original":
            for key, colour in (("information", style.RETAIN), ("form", style.FORGET)):
                panel.plot([row[key]] * 2, [0, 0.45 * top], color=colour, linewidth=1, alpha=0.7)
    panel.axvline(ceiling, color=style.INK, linestyle=style.DASHED, linewidth=1.3)
    panel.set_xscale("log")
    panel.set_xlim(edges[0], 1)
    panel.set_ylim(0, top)
    panel.set_xlabel("nats, of the original networks")
    panel.set_ylabel("share of shuffles")
    panel.set_title("What each penalty measures")


def _handles() -> list[Any]:
    thin: Any = {"linewidth": 1.3}
    return [
        Line2D([], [], color=style.MUTED, linestyle=style.DOTTED, label="truth, 0.5", **thin),
        Line2D(
            [], [], color=style.ORANGE, marker="o", linestyle="", markerfacecolor="white",
            markeredgewidth=1.5, label="published",
        ),
        Line2D([], [], color=style.RETAIN, label="MI of the forgotten record"),
        Patch(facecolor=style.SKY, alpha=0.5, label="the same with Z shuffled"),
        Line2D([], [], color=style.INK, linestyle=style.DASHED, label="ceiling of MI", **thin),
        Line2D([], [], color=style.FORGET, label="published form (the same for every Z)"),
    ]  # fmt: skip
