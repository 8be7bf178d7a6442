"""The drawing of ``figure output-densities``: densities over epochs, and what they cost."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from scipy.stats import ks_2samp

from infounlearn.experiments.figures import style
from infounlearn.experiments.figures.mnist_protocol import mean_sd

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_EDGES = np.linspace(-2, 2, 41)
_COLOURS = {"information": style.GREEN, "graddiff": style.ORANGE, "kl-ga": style.PURPLE}


@contextmanager
def draw(
    rows: list[dict[str, Any]],
    best: Mapping[str, float],
    kept: Mapping[Any, tuple[np.ndarray, np.ndarray]],
    how: Any,
    titles: Mapping[str, str],
) -> Iterator[Figure]:
    """The figure, to be saved inside the block."""
    with style.canvas(11.5, 9.2) as figure:
        style.heading(
            figure,
            "Where three objectives push the outputs of forgotten records",
            "Scalar regression; original targets: uniform on (−1, 1) to retain, a peak at 0 to "
            f"forget. Densities: repeat 1 of {how.repeats}; below: mean and one sd",
        )
        shown = [epoch for epoch in how.shown if epoch <= how.epochs]
        parts: Any = figure.subfigures(2, 1, height_ratios=(2.1, 1))
        above, below = parts
        panels = above.subplots(len(best), len(shown) + 1, sharex=True, sharey=True, squeeze=False)
        for line, (name, gamma) in zip(panels, best.items(), strict=True):
            for panel, epoch in zip(line, shown, strict=False):
                _density(panel, *kept[name, gamma, epoch])
            _density(line[-1], *kept["retrained", 0.0, 0])
            line[0].set_ylabel(f"{titles[name]}\nγ = {gamma:g}", fontweight="bold")
        for panel, epoch in zip(panels[0], shown, strict=False):
            panel.set_title("original" if epoch == 0 else f"epoch {epoch}", fontweight="normal")
        panels[0][-1].set_title("retrained (same in all rows)", fontweight="normal")
        for panel in panels[-1]:
            panel.set_xlabel("output")
        _curves(below.subplots(1, 2), rows, best, how)
        style.legend_below(below, _handles(best, titles), 4)
        yield figure


def _density(panel: Axes, forget: np.ndarray, retain: np.ndarray) -> None:
    for outputs, colour, opacity in ((retain, style.RETAIN, 0.22), (forget, style.FORGET, 0.30)):
        counts, _ = np.histogram(outputs, _EDGES)
        heights = counts / len(outputs) / np.diff(_EDGES)
        panel.stairs(heights, _EDGES, fill=True, color=colour, alpha=opacity, linewidth=0)
        panel.stairs(heights, _EDGES, color=colour, linewidth=1.3)
    panel.set_ylim(0, 2.6)
    panel.set_yticks([0, 1, 2])
    said = f"KS {ks_2samp(forget, retain).statistic:.2f}"
    outside = float(np.mean(np.abs(forget) > _EDGES[-1]))
    middle = float(np.median(forget))
    if outside > 0:
        said += f"\n{outside:.0%} of forget\nout of view\n(median {middle:,.3g})"
    # On the side that the forget outputs have not gone to; retain outputs stay below the text.
    x, align = (0.02, "left") if middle > 0.15 else (0.98, "right")
    panel.text(x, 0.97, said, transform=panel.transAxes, ha=align, va="top", fontsize=8.5)


def _curves(panels: Any, rows: list[dict[str, Any]], best: Mapping[str, float], how: Any) -> None:
    for panel, key, name in zip(
        panels, ("ks", "retain_mse"), ("KS(forget, retain)", "retain MSE"), strict=True
    ):
        for objective, gamma in best.items():
            mine = [r for r in rows if (r["objective"], r["gamma"]) == (objective, gamma)]
            epochs = sorted({r["epoch"] for r in mine})
            values = [[r[key] for r in mine if r["epoch"] == epoch] for epoch in epochs]
            if key == "ks":
                pairs = [mean_sd(some) for some in values]
                low, middle, high = ([m + k * s for m, s in pairs] for k in (-1, 0, 1))
            else:
                # On a logarithmic axis: median and range.
                low, middle, high = (
                    [float(f(some)) for some in values] for f in (np.min, np.median, np.max)
                )
            colour = _COLOURS[objective]
            panel.fill_between(epochs, low, high, color=colour, alpha=0.16, linewidth=0)
            panel.plot(epochs, middle, color=colour)
        reference, sd = mean_sd([r[key] for r in rows if r["objective"] == "retrained"])
        panel.axhline(reference, color=style.INK, linestyle=style.DASHED, linewidth=1.3)
        if key == "ks":
            panel.axhspan(reference - sd, reference + sd, color=style.INK, alpha=0.08, linewidth=0)
            panel.set_ylim(0, 1.03)
        panel.set_title(name)
        panel.set_xlabel("epochs of unlearning")
        panel.set_xlim(0, how.epochs)
    panels[1].set_yscale("log")
    panels[1].axhline(how.budget, color=style.MUTED, linestyle=style.DOTTED, linewidth=1.5)
    panels[1].set_title("retain MSE (median and range)")


def _handles(best: Mapping[str, float], titles: Mapping[str, str]) -> list[Any]:
    return [
        Patch(facecolor=style.FORGET, alpha=0.5, label="forget records"),
        Patch(facecolor=style.RETAIN, alpha=0.5, label="retain records"),
        *(Line2D([], [], color=_COLOURS[name], label=titles[name]) for name in best),
        Line2D([], [], color=style.INK, linestyle=style.DASHED, linewidth=1.3, label="retrained"),
        Line2D(
            [], [], color=style.MUTED, linestyle=style.DOTTED, linewidth=1.5,
            label="budget of the comparison",
        ),
    ]  # fmt: skip
