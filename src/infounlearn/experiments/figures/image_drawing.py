"""Drawing of ``figure image-barycenter``: the panel, the numbers beside it, and the dial."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from infounlearn.experiments.figures.image_subject import Design, Subject
from infounlearn.experiments.figures.image_table import Told, in_words, majority, wider
from infounlearn.experiments.figures.style import (
    DASHED,
    DOTTED,
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

if TYPE_CHECKING:
    from matplotlib.figure import Figure

OURS = "networks, information"
COLOURS = {
    OURS: FORGET,
    "networks": PURPLE,
    "values and moments": SKY,
    "Gaussian, latent": RETAIN,
    "Gaussian, pixels": GREEN,
    "mean shift": ORANGE,
}
GAP = 0.15
"""Between images of the panel, in sides of one."""
POINTS = 5.0
"""Accuracy that was asked for: so near to the majority rate, and no more lost by others."""
ANSWERS = {"removed": GREEN, "kept": GREEN, "inconclusive": MUTED}


def panel(known: Subject, full: np.ndarray, shown: int) -> np.ndarray:
    """(3, 2 shown, h, w, 3) of X, Bary(X) and T(X), both groups in turn, as floats in [0, 1].

    Args:
        known: whose audited images are shown, the first ones of each group.
        full: (n, c, h, w) bytes of the audited images at full strength.
        shown: images of each group.
    """
    z = known.codes[known.audited]
    weights = np.bincount(known.codes[known.fitted], minlength=2) / len(known.fitted)
    columns = []
    for group in (0, 1):
        rows = np.flatnonzero(z == group)[:shown]
        x = known.pixels[known.audited[rows]].numpy() / 255.0
        bary = full[rows] / 255.0
        other = x + (bary - x) / (1.0 - weights[group])
        columns.append(np.stack([x, bary, other.clip(0, 1)]))
    images = np.concatenate(columns, axis=1).transpose(0, 1, 3, 4, 2)
    return np.repeat(images, 3, axis=-1) if images.shape[-1] == 1 else images


@contextmanager
def draw(
    rows: Sequence[Mapping[str, Any]],
    facts: Mapping[str, Mapping[str, float]],
    known: Subject,
    images: np.ndarray | None,
    audit: Told | None,
    design: Design,
    quick: bool,
) -> Iterator[Figure]:
    """Panel and numbers above, three curves over the dial below."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    with canvas(13.0, 8.6) as figure:
        note = "quick form" if quick else f"{len(known.fitted):,} images fitted"
        heading(
            figure,
            f"{'Faces' if design.data == 'celeba' else 'Digits'} without “{design.attribute}”",
            f"{note}; {len(known.audited):,} held-out images read by networks trained afresh",
        )
        whole = figure.add_gridspec(2, 1, height_ratios=(1.15, 1.0))
        above = whole[0].subgridspec(1, 2, width_ratios=(1.75, 1.0))
        _panel(figure.add_subplot(above[0]), images, known)
        _numbers(figure.add_subplot(above[1]), audit)
        below = whole[1].subgridspec(1, 3)
        axes = [figure.add_subplot(below[place]) for place in range(3)]
        _reading(axes[0], rows, design.attribute, majority(known.codes[known.audited]))
        _cost(axes[1], rows, design.attribute, facts)
        _others(axes[2], rows, design.attribute)
        for one in axes:
            one.set_xlabel("amount")
            one.set_xticks(design.amounts, [f"{amount:g}" for amount in design.amounts])
        names = [name for name in COLOURS if name in facts]
        legend_below(
            figure,
            [
                *(Line2D([], [], color=COLOURS[name], marker="o", label=name) for name in names),
                Line2D([], [], color=MUTED, linestyle=DOTTED, label="majority rate"),
                Line2D([], [], color=INK, linestyle=DASHED, label="Gaussian lower bound"),
                Patch(color=GREEN, alpha=0.14, label=f"within {POINTS:g} points"),
            ],
            7,
        )
        yield figure


def _panel(axes: Any, images: np.ndarray | None, known: Subject) -> None:
    axes.grid(False)
    axes.set_title("Held-out images")
    for side in axes.spines.values():
        side.set_visible(False)
    axes.tick_params(length=0)
    if images is None:
        axes.set_xticks([]), axes.set_yticks([])
        return
    _, count, height, width, _ = images.shape
    high, wide = 1 + GAP, 1 + GAP
    for line in range(3):
        for column in range(count):
            # Twice the gap between the groups.
            x = column * wide + (GAP * 2 if column >= count // 2 else 0.0)
            axes.imshow(
                images[line, column],
                extent=(x, x + 1, (line + 1) * high - GAP, line * high),
                interpolation="nearest",
                aspect="auto",
            )
    axes.set_xlim(-GAP, count * wide + 2 * GAP)
    axes.set_ylim(3 * high, -0.05)
    axes.set_aspect(height / width)
    axes.set_yticks([line * high + 0.5 for line in range(3)], ["X", "Bary(X)", "T(X)"])
    middle = count // 2 * wide / 2 - GAP / 2
    places = [middle, middle + count // 2 * wide + 2 * GAP]
    axes.set_xticks(places, [f"from {group}" for group in known.groups])
    axes.tick_params(labelcolor=INK)


def _numbers(axes: Any, audit: Told | None) -> None:
    axes.set_axis_off()
    axes.set_title("Audit of “networks, information” at amount 1")
    if audit is None:
        return
    lines = [["", "before", "after", "null 95 %"]]
    lines += [
        [label, *(in_words(one, unit) for one in rest)] for label, unit, *rest in audit["lines"]
    ]
    step = min(0.085, 0.8 / len(lines))
    for place, line in enumerate(lines):
        y = 0.97 - step * place
        weight = "bold" if place == 0 else "normal"
        for x, text, side in zip(
            (0.0, 0.62, 0.8, 1.0), line, ("left", *["right"] * 3), strict=True
        ):
            axes.text(
                x, y, text, ha=side, va="top", fontsize=8.8, color=INK, fontweight=weight,
                transform=axes.transAxes,
            )  # fmt: skip
    for place, (question, answer) in enumerate(audit["answers"].items()):
        y = 0.93 - step * (len(lines) + 1.05 * place)
        axes.text(0, y, f"{question} ", va="top", fontsize=8.8, transform=axes.transAxes)
        axes.text(
            1.0, y, answer, ha="right", va="top", fontsize=8.8, fontweight="bold",
            color=ANSWERS.get(answer, FORGET), transform=axes.transAxes,
        )  # fmt: skip


def _of(rows: Sequence[Mapping[str, Any]], name: str, attribute: str) -> list[Mapping[str, Any]]:
    """Rows of one curve: the originals are its amount 0."""
    return [
        row
        for row in rows
        if row["attribute"] == attribute and row["method"] in (name, "originals")
    ]


def _reading(
    axes: Any, rows: Sequence[Mapping[str, Any]], attribute: str, majority_rate: float
) -> None:
    axes.set_title(f"{attribute}: accuracy of a fresh network")
    axes.axhspan(100 * majority_rate, 100 * majority_rate + POINTS, color=GREEN, alpha=0.14, lw=0)
    axes.axhline(100 * majority_rate, color=MUTED, linestyle=DOTTED)
    # Beside each other, so that intervals do not hide one another.
    for shift, name in zip((-0.025, -0.015, -0.005, 0.005, 0.015, 0.025), COLOURS, strict=True):
        mine = _of(rows, name, attribute)
        if len(mine) > 1:
            _curve(axes, mine, COLOURS[name], shift)
    judged = sorted(_of(rows, OURS, wider(attribute)), key=lambda row: row["amount"])
    if judged:
        _curve(axes, judged, COLOURS[OURS], linestyle=DASHED, markerfacecolor="white")
        text = "dashed: a wider network reads ours"
        axes.text(0.02, 0.27, text, transform=axes.transAxes, color=COLOURS[OURS], fontsize=8)
    axes.set_ylabel("%")


def _curve(
    axes: Any, mine: Sequence[Mapping[str, Any]], colour: str, shift: float = 0.0, **style: Any
) -> None:
    y = np.array([100 * row["accuracy"] for row in mine])
    ends = [[v - 100 * row["low"] for v, row in zip(y, mine, strict=True)]]
    ends.append([100 * row["high"] - v for v, row in zip(y, mine, strict=True)])
    x = [row["amount"] + shift for row in mine]
    line = {"marker": "o", "markersize": 4, "capsize": 2, "elinewidth": 1, **style}
    axes.errorbar(x, y, yerr=np.maximum(ends, 0), color=colour, **line)


def _cost(
    axes: Any,
    rows: Sequence[Mapping[str, Any]],
    attribute: str,
    facts: Mapping[str, Mapping[str, float]],
) -> None:
    axes.set_title("mean squared change per pixel value")
    for name, colour in COLOURS.items():
        mine = _of(rows, name, attribute)
        if len(mine) > 1:
            axes.plot(
                [row["amount"] for row in mine],
                [row["cost"] for row in mine],
                color=colour, marker="o", markersize=4,
            )  # fmt: skip
    bounds = [one["bound"] for name, one in facts.items() if name == OURS]
    if bounds:
        axes.axhline(bounds[0], color=INK, linestyle=DASHED, linewidth=1)
    axes.set_ylim(bottom=0)


def _others(axes: Any, rows: Sequence[Mapping[str, Any]], attribute: str) -> None:
    own = (attribute, wider(attribute))
    names = [name for name in dict.fromkeys(r["attribute"] for r in rows) if name not in own]
    axes.set_title(f"{', '.join(names)}: accuracy" if names else "other attributes")
    for name, marker, colour in zip(names, "os^D", (PURPLE, RETAIN, GREEN, ORANGE), strict=False):
        mine = _of(rows, OURS, name)
        if mine:
            _curve(axes, mine, colour, marker=marker)
            last = mine[-1]
            kept = 100 * mine[0]["accuracy"]
            axes.axhspan(kept - POINTS, kept, color=colour, alpha=0.1, lw=0)
            if len(names) == 1:
                break
            axes.annotate(
                name, (last["amount"], 100 * last["accuracy"]), xytext=(-4, 6),
                textcoords="offset points", ha="right", color=colour, fontsize=9,
            )  # fmt: skip
    axes.set_ylabel("%, networks, information")
