"""The drawing of ``figure gaussian-toy``: answers at the record, and what is penalised."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.lines import Line2D

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
    shuffled: Mapping[str, Sequence[float]],
    ceilings: Mapping[str, float],
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
        _penalties(right, rows, shuffled, ceilings)
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
    names = [
        title.replace(" share", "\nshare").replace(" (", "\n(").replace("d form", "d\nform")
        for title in titles.values()
    ]
    panel.set_xticks(range(len(names)), names, fontsize=9)
    panel.set_ylim(-0.03, 1.03)
    panel.grid(axis="x", visible=False)
    panel.set_title("P(class 0) at the forgotten record")


def _penalties(
    panel: Axes,
    rows: list[dict[str, Any]],
    shuffled: Mapping[str, Sequence[float]],
    ceilings: Mapping[str, float],
) -> None:
    """Two lanes: Z is the forgotten record, and Z is the class, where there is much to know."""
    lanes = (("original", 1.0), ("control", 0.0))
    smallest = min(float(np.quantile(shuffled[name], 0.05)) for name, _ in lanes)
    left = min(1e-11, 0.1 * max(smallest, 1e-16))
    for name, lane in lanes:
        low, high = np.quantile(shuffled[name], (0.05, 0.95))
        panel.plot(
            [max(float(low), left), float(high)], [lane - 0.16] * 2, color=style.SKY,
            linewidth=9, solid_capstyle="round",
        )  # fmt: skip
        mine = [r for r in rows if r["network"] == name]
        for key, height, colour in (
            ("information", lane + 0.16, style.RETAIN),
            ("form", lane, style.FORGET),
        ):
            values = [r[key] for r in mine]
            panel.scatter(
                values, [height] * len(values), s=42, marker="D", color=colour, alpha=0.5,
                linewidth=0,
            )  # fmt: skip
        panel.plot(
            [ceilings[name]] * 2, [lane - 0.32, lane + 0.32], color=style.INK,
            linestyle=style.DASHED, linewidth=1.3,
        )  # fmt: skip
    panel.set_xscale("log")
    panel.set_xlim(left, 3)
    panel.set_ylim(-0.5, 1.5)
    panel.set_yticks([1, 0], ["Z = the\nforgotten\nrecord", "control:\nZ = class"])
    panel.grid(axis="y", visible=False)
    panel.set_xlabel("nats, of the original networks")
    panel.set_title("What each penalty measures, and with Z shuffled")


def _handles() -> list[Any]:
    thin: Any = {"linewidth": 1.3}
    return [
        Line2D([], [], color=style.MUTED, linestyle=style.DOTTED, label="truth, 0.5", **thin),
        Line2D(
            [], [], color=style.ORANGE, marker="o", linestyle="", markerfacecolor="white",
            markeredgewidth=1.5, label="published",
        ),
        Line2D([], [], color=style.RETAIN, marker="D", linestyle="", label="MI"),
        Line2D([], [], color=style.SKY, linewidth=7, label="MI, Z shuffled (5% to 95%)"),
        Line2D([], [], color=style.INK, linestyle=style.DASHED, label="ceiling of MI", **thin),
        Line2D(
            [], [], color=style.FORGET, marker="D", linestyle="",
            label="published form: the same, Z shuffled or not",
        ),
    ]  # fmt: skip
