"""The drawing of ``figure mnist-trajectories``: four panels, published points as open circles."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator, PercentFormatter

from infounlearn.experiments.figures import style
from infounlearn.experiments.figures.mnist_protocol import TRAJECTORIES, Protocol, mean_sd

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_COLOURS = (style.MUTED, style.GREEN, style.RETAIN, style.FORGET, style.ORANGE, style.SKY)
_PANELS = (
    ("forget", "Forget set (train)"),
    ("remain", "Remain set (train)"),
    ("test", "Test set"),
)


@contextmanager
def draw(rows: list[dict[str, Any]], how: Protocol, description: str) -> Iterator[Figure]:
    """The figure, to be saved inside the block."""
    colours = {gamma: _COLOURS[i % len(_COLOURS)] for i, gamma in enumerate(how.gammas)}
    with style.canvas(10.4, 7.6) as figure:
        quick = "QUICK FORM, NOT THE PUBLISHED PROTOCOL.  " if how.quick else ""
        style.heading(
            figure,
            "Unlearning 75% of the 3s with marginal information",
            f"{quick}{description}; {how.repeats} repeats, mean and one standard deviation",
        )
        axes = figure.subplots(2, 2).flatten()
        for panel, (key, title) in zip(axes, _PANELS, strict=False):
            _accuracy(panel, rows, key, colours)
            panel.set_title(title)
            panel.set_ylabel("accuracy")
        _information(axes[3], rows, colours)
        for panel in axes:
            panel.set_xlabel("epochs of unlearning (passes over the forget set)")
            panel.xaxis.set_major_locator(MaxNLocator(8, integer=True, steps=[1, 2, 5, 10]))
            panel.set_xlim(0, how.epochs)
        style.legend_below(figure, _handles(colours, how.quick), 4)
        yield figure


def _series(
    rows: list[dict[str, Any]], gamma: float, key: str, scale: float
) -> tuple[list[int], list[float], list[float]]:
    """Epochs, means and standard deviations of one gamma."""
    mine = [r for r in rows if r["gamma"] == gamma and r[key] != ""]
    epochs = sorted({r["epoch"] for r in mine})
    points = [mean_sd([scale * r[key] for r in mine if r["epoch"] == epoch]) for epoch in epochs]
    return epochs, [mean for mean, _ in points], [sd for _, sd in points]


def _band(panel: Axes, rows: list[dict[str, Any]], key: str, scale: float, colours: Any) -> None:
    for gamma, colour in colours.items():
        epochs, means, sds = _series(rows, gamma, key, scale)
        low = [m - s for m, s in zip(means, sds, strict=True)]
        high = [m + s for m, s in zip(means, sds, strict=True)]
        panel.fill_between(epochs, low, high, color=colour, alpha=0.16, linewidth=0)
        panel.plot(epochs, means, color=colour)
    for name, dash in (("original", style.DOTTED), ("retrained", style.DASHED)):
        mean, sd = mean_sd([scale * r[key] for r in rows if r["model"] == name])
        panel.axhspan(mean - sd, mean + sd, color=style.INK, alpha=0.08, linewidth=0)
        panel.axhline(mean, color=style.INK, linestyle=dash, linewidth=1.3)


def _accuracy(panel: Axes, rows: list[dict[str, Any]], key: str, colours: Any) -> None:
    _band(panel, rows, key, 100.0, colours)
    for (gamma, epoch), published in TRAJECTORIES.items():
        if gamma in colours:
            sd = {"forget": published.forget_sd, "test": published.test_sd}.get(key)
            _point(panel, epoch, getattr(published, key), sd, colours[gamma])
    panel.yaxis.set_major_formatter(PercentFormatter(decimals=None))


def _information(panel: Axes, rows: list[dict[str, Any]], colours: Any) -> None:
    _band(panel, rows, "information", 1.0, colours)
    for gamma, colour in colours.items():
        epochs, means, _ = _series(rows, gamma, "batch", 1.0)
        panel.plot(epochs, means, color=colour, linestyle=style.DOTTED, linewidth=1.3)
    for (gamma, epoch), published in TRAJECTORIES.items():
        if gamma in colours and published.information is not None:
            _point(panel, epoch, published.information, None, colours[gamma])
    panel.set_title("Information: are forget records in the pool?")
    panel.set_ylabel("nats")
    panel.set_ylim(bottom=0)


def _point(panel: Axes, epoch: int, value: float, sd: float | None, colour: str) -> None:
    """A published number, with one standard deviation where it is known."""
    panel.errorbar(
        epoch, value, yerr=sd, fmt="o", color=colour, markerfacecolor="white", markersize=6,
        markeredgewidth=1.5, elinewidth=1.1, capsize=2.5, zorder=4, clip_on=False,
    )  # fmt: skip


def _handles(colours: dict[float, str], quick: bool) -> list[Line2D]:
    lines = [
        Line2D([], [], color=colour, label=f"γ = {gamma:g}" if gamma else "γ = 0 (fine-tuning)")
        for gamma, colour in colours.items()
    ]
    return [
        *lines,
        Line2D([], [], color=style.INK, linestyle=style.DOTTED, linewidth=1.3, label="original"),
        Line2D([], [], color=style.INK, linestyle=style.DASHED, linewidth=1.3, label="retrained"),
        Line2D(
            [], [], color=style.MUTED, marker="o", linestyle="", markerfacecolor="white",
            markeredgewidth=1.5, label="published" + " (60,000 records)" * quick,
        ),
        Line2D(
            [], [], color=style.MUTED, linestyle=style.DOTTED, linewidth=1.3,
            label="mean of batches (as published)",
        ),
    ]  # fmt: skip
