"""What the page draws: panels grouped into figures, each with one legend set in HTML."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from markupsafe import Markup

from infounlearn.interface import Curve, Record
from infounlearn.report import drawing, plots
from infounlearn.report.plots import Entry
from infounlearn.report.summary import words

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# CSS pixels: wide enough that text in a lone panel, which is drawn larger, keeps its size.
_SINGLE = (440, 290)
_ORDER = ("before", "after", "retrained")


@dataclass(frozen=True)
class Panel:
    """One drawing with its heading and, where it differs from the figure's, its legend."""

    title: str
    svg: Markup
    legend: tuple[Entry, ...] = ()


@dataclass(frozen=True)
class Figure:
    """Drawings that belong together, with one legend and one caption."""

    key: str
    title: str
    caption: str
    panels: tuple[Panel, ...]
    legend: tuple[Entry, ...]


@dataclass(frozen=True)
class _Family:
    """How the panels whose name starts alike are drawn."""

    title: str
    caption: str = ""
    draw: Callable[[Axes, Sequence[Curve], plots.Legend], None] = plots.draw_curves
    x: str = ""
    y: str = ""


_FAMILIES = {
    "scores": _Family(
        "Does the model single out the forgotten records?",
        "How sure the model is of the recorded answer, for records it was asked to forget, for "
        "records it never saw, and for records it keeps. Forgotten means: the forget curve lies "
        "on the held-out one, as it does for retrained models. All panels share their axes.",
        x="score",
    ),
    "roc": _Family(
        "Can an attacker tell who was in the training data?",
        "Membership attack on both axes logarithmic, since a few records identified with "
        "certainty matter more than an average. On the chance line the attacker only guesses. "
        "Vertical marks: one false alarm in a hundred, and in a thousand.",
        draw=plots.draw_roc,
        x="false-positive rate",
        y="true-positive rate",
    ),
    "beliefs": _Family(
        "What does the strongest probe believe?",
        "How likely the probe holds one of the groups to be, for the rows of each group, none of "
        "which it was trained on. Removed means: the curves lie on each other.",
        x="probability of that group",
    ),
    "group_scores": _Family(
        "Do the groups get the same scores?",
        "The scores of each group. Removed means: the curves lie on each other, so that no "
        "threshold treats the groups unlike.",
        x="score",
    ),
    "planted": _Family(
        "How small a leak would have been seen?",
        "Into rows with shuffled groups a known leak was planted, and the probe trained as above. "
        "Close to the diagonal it recovers all that is there; open marks at the lower edge "
        "recovered nothing, or too little to be drawn.",
        draw=plots.draw_planted,
        x="planted (nats)",
        y="recovered (nats)",
    ),
    "per_record_js": _Family(
        "How far is each answer from a retrained model's?",
        "Jensen-Shannon divergence per forget record, at most ln 2 = 0.693 nats, against the "
        "noise floor: what independent retrained models show among themselves.",
        x="divergence (nats)",
    ),
}


def audit_figures(record: Record) -> tuple[Figure, ...]:
    """Every curve of the audit, one figure per part of the panel's name before the slash."""
    families: dict[str, dict[str, list[Curve]]] = {}
    for curve in record.audit.curves:
        panels = families.setdefault(curve.panel.split("/", 1)[0], {})
        panels.setdefault(curve.panel, []).append(curve)
    names = [name for name in _FAMILIES if name in families]
    names += [name for name in families if name not in _FAMILIES]
    return tuple(
        _figure(f"audit{index}", name, families[name], record) for index, name in enumerate(names)
    )


def _figure(key: str, name: str, panels: dict[str, list[Curve]], record: Record) -> Figure:
    family = _FAMILIES.get(name) or _Family(words(name))
    every = [curve for curves in panels.values() for curve in curves]
    legend = plots.legend([curve.label for curve in every], audited=record.audit.model)
    drawn = []
    for index, panel_name in enumerate(sorted(panels, key=_panel_order)):
        title = words(panel_name.split("/", 1)[1]) if "/" in panel_name else family.title
        with drawing.panel(*(_SINGLE if len(panels) == 1 else ())) as (figure, axes):
            family.draw(axes, panels[panel_name], legend)
            if family.draw is plots.draw_curves:
                plots.share_limits(axes, every)
            axes.set_xlabel(family.x)
            axes.set_ylabel(family.y or plots.height_name(every))
            svg = drawing.to_svg(
                figure,
                key=f"{key}-{index}",
                title=f"{family.title} {title}" if title != family.title else title,
                description=plots.describe(panels[panel_name]),
            )
        drawn.append(Panel(title if len(panels) > 1 else "", svg))
    caption = family.caption
    score = record.audit.settings.get("score")
    if name == "scores" and isinstance(score, str):
        caption += f" Score: {score}."
    believed = record.audit.settings.get("believed")
    if name == "beliefs" and isinstance(believed, str):
        caption += f" That group: {believed}."
    return Figure(key, family.title, caption, tuple(drawn), plots.legend_lines(legend))


def _panel_order(name: str) -> tuple[int, str]:
    last = name.rsplit("/", 1)[-1]
    return (_ORDER.index(last) if last in _ORDER else len(_ORDER), name)
