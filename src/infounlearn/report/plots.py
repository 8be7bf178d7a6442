"""How curves become lines and areas; the one place that gives a label its colour and dash."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from infounlearn.interface import Curve
from infounlearn.report import numbers
from infounlearn.report.drawing import LogTicks, Ticks, colour
from infounlearn.report.summary import finite

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FPR_MARKS = (0.001, 0.01)
_LOWEST_RATE = 5e-4
_EXTRAS = 5
_DASHES: dict[str, Any] = {"solid": "-", "dashed": (0, (4.5, 2.2)), "dotted": (0, (1.2, 1.6))}
# Three overlapping areas would be mud: the reference (held-out, floor) is an outline alone.
_FILL = {"forget": 0.30, "retain": 0.13, "after": 0.28}
# First match wins: "retrained" must not be taken for "retain", nor "retrained floor" for a set.
_ROLES = (
    (("floor", "retrain"), "retrained", "dotted"),
    (("forget",), "forget", "solid"),
    (("heldout", "held out", "holdout", "unseen"), "holdout", "dashed"),
    (("retain",), "retain", "solid"),
    (("test",), "test", "solid"),
    (("before", "original"), "before", "dashed"),
    (("after", "unlearned"), "after", "solid"),
)


@dataclass(frozen=True)
class Entry:
    """One line of a legend: its text, colour role and dash."""

    label: str
    role: str
    dash: str = "solid"


Legend = dict[str, Entry]


def legend(labels: Iterable[str], *, audited: str = "") -> Legend:
    """The same colour and dash for the same word in every figure; other labels take turns."""
    entries: Legend = {}
    extra = 0
    for label in dict.fromkeys(labels):
        text = label.lower().replace("-", "").replace("_", " ")
        for some, role, dash in _ROLES:
            if any(word in text for word in some):
                entries[label] = Entry(label, role, dash)
                break
        else:
            if label == audited:
                entries[label] = Entry(label, "after")
            else:
                entries[label] = Entry(label, f"extra-{extra % _EXTRAS}")
                extra += 1
    return entries


def legend_lines(entries: Legend) -> tuple[Entry, ...]:
    """What the legend prints: several retrained models, which look alike, share one line."""
    alike = [entry for entry in entries.values() if entry.role == "retrained"]
    if len(alike) < 2:
        return tuple(entries.values())
    shared = Entry(f"retrained ({len(alike)} models)", "retrained", "dotted")
    return (*(entry for entry in entries.values() if entry.role != "retrained"), shared)


def draw_curves(axes: Axes, curves: Sequence[Curve], entries: Legend) -> None:
    """Histograms as outlines, those that matter filled; lines and steps as lines; linear axes."""
    # The forget records, which matter most, lie on top.
    for curve in sorted(curves, key=lambda curve: entries[curve.label].role == "forget"):
        entry = entries[curve.label]
        if curve.style == "histogram":
            _histogram(axes, curve, entry)
        else:
            _line(axes, curve, entry)
    axes.xaxis.set_major_formatter(Ticks())
    axes.yaxis.set_major_formatter(Ticks())
    axes.locator_params(nbins=5)


def _histogram(axes: Axes, curve: Curve, entry: Entry) -> None:
    opacity = _FILL.get(entry.role, 0.0)
    shade = colour(entry.role)
    if opacity:
        axes.stairs(curve.y, curve.x, fill=True, color=shade, alpha=opacity, linewidth=0)
    axes.stairs(curve.y, curve.x, color=shade, linestyle=_DASHES[entry.dash], linewidth=1.6)


def draw_roc(axes: Axes, curves: Sequence[Curve], entries: Legend) -> None:
    """ROC with both axes logarithmic, chance line and marks at 0.1% and 1% false positives."""
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.plot([_LOWEST_RATE, 1], [_LOWEST_RATE, 1], color=colour("muted"), linewidth=1)
    for mark in FPR_MARKS:
        axes.axvline(mark, color=colour("muted"), linewidth=0.9, linestyle=_DASHES["dotted"])
    for curve in sorted(curves, key=lambda curve: entries[curve.label].role != "retrained"):
        _line(axes, curve, entries[curve.label])
    axes.set_xlim(_LOWEST_RATE, 1)
    axes.set_ylim(_LOWEST_RATE, 1.15)
    axes.annotate(
        "chance",
        (0.0012, 0.0012),
        xytext=(5, -11),
        textcoords="offset points",
        color=colour("muted"),
        fontsize=10,
    )
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(LogTicks(percent=True))


def draw_planted(axes: Axes, curves: Sequence[Curve], entries: Legend) -> None:
    """Recovered against planted information, both logarithmic; the diagonal is all there is.

    Nothing has no logarithm: what recovered nothing, or less than a decade below the least that was
    planted, is an open mark at the lower edge.
    """
    axes.set_xscale("log")
    axes.set_yscale("log")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(LogTicks())
    planted = [x for curve in curves for x in curve.x if x > 0]
    if not planted:
        return
    # Whole decades: on a shorter axis no tick would have a label, and one point no scale.
    start = 10.0 ** math.floor(math.log10(min(planted)))
    end = 10.0 ** math.ceil(math.log10(max(planted) * 1.01))
    edge = start / 10
    axes.set_xlim(start, end)
    axes.set_ylim(edge, end)
    axes.plot([start, end], [start, end], color=colour("muted"), linewidth=1)
    axes.annotate(
        "all that was planted",
        (end, end),
        xytext=(-14, -6),
        textcoords="offset points",
        horizontalalignment="right",
        verticalalignment="top",
        color=colour("muted"),
        fontsize=10,
    )
    for curve in curves:
        entry = entries[curve.label]
        points = [(x, y) for x, y in zip(curve.x, curve.y, strict=True) if x > 0]
        found = [(x, y) for x, y in points if y > edge]
        missed = [x for x, y in points if y <= edge]
        style: dict[str, Any] = {"color": colour(entry.role), "clip_on": False}
        axes.plot(
            [x for x, _ in found],
            [y for _, y in found],
            linestyle=_DASHES[entry.dash],
            marker="o",
            markersize=6,
            **style,
        )
        axes.plot(
            missed,
            [edge] * len(missed),
            linestyle="none",
            marker="v",
            markersize=7,
            markerfacecolor="none",
            **style,
        )


def _line(axes: Axes, curve: Curve, entry: Entry) -> None:
    axes.plot(
        curve.x,
        curve.y,
        color=colour(entry.role),
        linestyle=_DASHES[entry.dash],
        linewidth=1.2 if entry.role == "retrained" else 1.9,
        drawstyle="steps-post" if curve.style == "step" else "default",
    )


def share_limits(axes: Axes, curves: Sequence[Curve]) -> None:
    """Give ``axes`` the range of all ``curves``, so that panels side by side compare."""
    x = finite([value for curve in curves for value in _drawn_x(curve)])
    y = finite([value for curve in curves for value in curve.y])
    if x and max(x) > min(x):
        axes.set_xlim(min(x), max(x))
    if y and all(curve.style == "histogram" for curve in curves):
        axes.set_ylim(0, 1.06 * max(y) or 1)
    elif y and max(y) > min(y):
        margin = 0.06 * (max(y) - min(y))
        axes.set_ylim(min(y) - margin, max(y) + margin)


def _drawn_x(curve: Curve) -> list[float]:
    """Where a curve has something to show: a histogram between its outermost records."""
    if curve.style != "histogram":
        return list(curve.x)
    filled = [i for i, height in enumerate(curve.y) if height > 0]
    return list(curve.x[filled[0] : filled[-1] + 2]) if filled else []


def height_name(curves: Sequence[Curve]) -> str:
    """What the heights of histograms are: a density, a share, or a number of records."""
    histograms = [curve for curve in curves if curve.style == "histogram" and finite(curve.y)]
    if not histograms:
        return ""
    if all(math.isclose(sum(curve.y), 1, rel_tol=1e-2) for curve in histograms):
        return "share of records"
    if all(math.isclose(_area(curve), 1, rel_tol=2e-2) for curve in histograms):
        return "density"
    return "records"


def _area(curve: Curve) -> float:
    edges = zip(curve.x, curve.x[1:], curve.y, strict=False)
    return sum((right - left) * height for left, right, height in edges)


def describe(curves: Sequence[Curve]) -> str:
    """One sentence for those who cannot see the drawing: each line with its range."""
    parts = []
    for curve in curves:
        x, y = finite(curve.x), finite(curve.y)
        if not x or not y:
            parts.append(f"{curve.label}: no points")
        elif curve.style == "histogram":
            peak = max(range(len(curve.y)), key=lambda i: curve.y[i])
            left, right = (numbers.significant(float(edge)) for edge in curve.x[peak : peak + 2])
            parts.append(f"{curve.label}: highest between {left} and {right}")
        else:
            start, end = (numbers.significant(float(value)) for value in (y[0], y[-1]))
            parts.append(f"{curve.label}: from {start} to {end}")
    return "; ".join(parts) + "."
