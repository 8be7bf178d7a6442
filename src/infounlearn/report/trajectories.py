"""How the run went: the figures of every evaluation, grouped by their unit."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from infounlearn.interface import Curve, RunSummary
from infounlearn.report import drawing, plots
from infounlearn.report.drawing import LogTicks, Ticks, colour
from infounlearn.report.figures import Figure, Panel
from infounlearn.report.summary import finite, words

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_CLOCKS = ("step", "critic", "epoch")
_SKIPPED = ("seconds", "time")
_WIDE_RANGE = 300.0


@dataclass(frozen=True)
class _Group:
    title: str
    axis: str
    words: tuple[str, ...]
    percent: bool = False


_GROUPS = (
    _Group("Accuracy", "accuracy", ("accuracy", "acc"), percent=True),
    _Group("Information", "nats", ("information", "nats", "mi", "kl", "js", "divergence")),
    _Group("Attack on held-out data", "AUC", ("auc",)),
    _Group("Loss", "nats", ("loss", "transport", "penalty")),
)
_REST = _Group("Other figures", "", ())


def run_figure(run: RunSummary | None) -> Figure | None:
    """All trajectories of the run, one panel per unit; None without at least two evaluations."""
    if run is None or len(run.history) < 2:
        return None
    clock = next((name for name in _CLOCKS if all(name in row for row in run.history)), "")
    times = _column(run.history, clock) if clock else [float(i) for i in range(len(run.history))]
    panels = []
    for index, (group, names) in enumerate(_grouped(run.history).items()):
        curves = [
            Curve("run", words(name), tuple(times), tuple(_column(run.history, name)))
            for name in names
        ]
        legend = plots.legend([curve.label for curve in curves])
        with drawing.panel() as (figure, axes):
            _draw(axes, group, curves, legend)
            if group.axis == "AUC":
                _draw_tolerance(axes, tolerance(run))
            axes.set_xlabel(clock or "evaluation")
            axes.set_ylabel(group.axis)
            svg = drawing.to_svg(
                figure,
                key=f"run-{index}",
                title=f"{group.title} during the run",
                description=plots.describe(curves),
            )
        lines = plots.legend_lines(legend)
        told = len(lines) == 1 and lines[0].label == group.title
        panels.append(Panel(group.title, svg, () if told else lines))
    return Figure("trajectories", "", "", tuple(panels), ()) if panels else None


def tolerance(run: RunSummary) -> float | None:
    """The largest |AUC - 1/2| at which the run may stop, as its history or settings say."""
    found = [
        float(value)
        for source in (*reversed(run.history), run.settings)
        for name, value in _flat(source)
        if _is_tolerance(name) and _number(value)
    ]
    return found[0] if found else None


def _grouped(history: Sequence[Mapping[str, float]]) -> dict[_Group, list[str]]:
    groups: dict[_Group, list[str]] = {group: [] for group in (*_GROUPS, _REST)}
    for name in dict.fromkeys(name for row in history for name in row):
        drawable = any(_number(row.get(name)) for row in history)
        if drawable and name not in (*_CLOCKS, *_SKIPPED) and not _is_tolerance(name):
            parts = name.lower().replace("/", "_").split("_")
            groups[next((g for g in _GROUPS if set(parts) & set(g.words)), _REST)].append(name)
    return {group: names for group, names in groups.items() if names}


def _draw(axes: Axes, group: _Group, curves: Sequence[Curve], legend: plots.Legend) -> None:
    plots.draw_curves(axes, curves, legend)
    values = finite([value for curve in curves for value in curve.y])
    if group.axis != "AUC" and min(values) > 0 and max(values) > _WIDE_RANGE * min(values):
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter(LogTicks())
    else:
        axes.yaxis.set_major_formatter(Ticks(percent=group.percent))
    times = finite([value for curve in curves for value in curve.x])
    if max(times) > min(times):
        axes.set_xlim(min(times), max(times))


def _draw_tolerance(axes: Axes, width: float | None) -> None:
    axes.axhline(0.5, color=colour("muted"), linewidth=1)
    if width is not None and 0 < width < 0.5:
        axes.axhspan(0.5 - width, 0.5 + width, color=colour("band"), linewidth=0)


def _column(history: Sequence[Mapping[str, Any]], name: str) -> list[float]:
    values: list[Any] = [row.get(name) for row in history]
    return [float(value) if _number(value) else math.nan for value in values]


def _number(value: object) -> bool:
    return isinstance(value, (int, float)) and math.isfinite(value)


def _is_tolerance(name: str) -> bool:
    return name.lower().endswith("tolerance")


def _flat(mapping: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in mapping.items():
        if isinstance(value, Mapping):
            yield from _flat(value)
        else:
            yield name, value
