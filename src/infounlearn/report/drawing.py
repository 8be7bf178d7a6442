"""One matplotlib panel as inline SVG that takes its colours and its font from the page.

Colours are drawn as stand-ins and then replaced by CSS variables, so that one drawing serves a
light and a dark page. Only text of ours (axis names, tick labels) enters the drawing; names from
the record are set in HTML, where they are escaped and can wrap.
"""

from __future__ import annotations

import io
import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from markupsafe import Markup
from matplotlib import style
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.ticker import Formatter

from infounlearn.report import numbers

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WIDTH, HEIGHT = 372, 252
_UNITS_PER_INCH = 72
_ROLES = (
    "ink", "muted", "grid", "band",
    "forget", "holdout", "retain", "test", "before", "after", "retrained",
    "extra-0", "extra-1", "extra-2", "extra-3", "extra-4",
)  # fmt: skip
_STAND_IN = {role: f"#0a{number:02x}b7" for number, role in enumerate(_ROLES)}
_URL = re.compile(r"url\(#([^)]+)\)")
_STYLE: dict[str, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "infounlearn",
    "font.family": ["DejaVu Sans"],
    "font.size": 12,
    "axes.edgecolor": _STAND_IN["muted"],
    "axes.labelcolor": _STAND_IN["muted"],
    "axes.labelsize": 12,
    "xtick.labelsize": 12,
    "ytick.labelsize": 12,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "axes.linewidth": 0.8,
    "axes.unicode_minus": True,
    "axes.xmargin": 0.02,
    "grid.color": _STAND_IN["grid"],
    "grid.linewidth": 0.8,
    "xtick.color": _STAND_IN["muted"],
    "ytick.color": _STAND_IN["muted"],
    "xtick.major.size": 3,
    "ytick.major.size": 0,
    "xtick.minor.size": 0,
    "ytick.minor.size": 0,
    "text.color": _STAND_IN["ink"],
    "text.usetex": False,
    "lines.linewidth": 1.8,
    "lines.solid_capstyle": "round",
    "path.simplify": True,
    "axes.formatter.use_locale": False,
}


def colour(role: str) -> str:
    """The stand-in of a colour role; becomes ``var(--role)`` in the page."""
    return _STAND_IN[role]


@contextmanager
def panel(width: int = WIDTH, height: int = HEIGHT) -> Iterator[tuple[Figure, Axes]]:
    """A figure of ``width`` x ``height`` pixels with one axes, outside pyplot."""
    # Whatever style the caller has set must not change the report.
    with style.context(["default", _STYLE]):
        figure = Figure(
            figsize=(width / _UNITS_PER_INCH, height / _UNITS_PER_INCH), layout="constrained"
        )
        FigureCanvasSVG(figure)
        yield figure, figure.subplots()


def to_svg(figure: Figure, *, key: str, title: str, description: str = "") -> Markup:
    """``figure`` as inline SVG: ids made unique by ``key``, text alternatives, no fixed size."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    root = ElementTree.fromstring(buffer.getvalue())
    _strip(root)
    _unique_ids(root, key)
    root.attrib.pop("width", None)
    root.attrib.pop("height", None)
    root.attrib.pop("version", None)
    root.set("role", "img")
    root.set("aria-labelledby", f"{key}-title {key}-desc" if description else f"{key}-title")
    if description:
        root.insert(0, _text_element("desc", f"{key}-desc", description))
    root.insert(0, _text_element("title", f"{key}-title", title))
    # The text was escaped by ElementTree, the rest was made here.
    return Markup(ElementTree.tostring(root, encoding="unicode", short_empty_elements=True))


def _text_element(tag: str, key: str, text: str) -> ElementTree.Element:
    element = ElementTree.Element(tag, {"id": key})
    # Control characters have no place in XML 1.0.
    element.text = re.sub(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]", " ", text)
    return element


def _strip(root: ElementTree.Element) -> None:
    """Drop namespaces, metadata, the style sheet for ``*`` and superfluous digits."""
    for parent in root.iter():
        for child in list(parent):
            if child.tag.endswith(("}metadata", "}style")):
                parent.remove(child)
    for element in root.iter():
        element.tag = element.tag.rsplit("}", 1)[-1]
        for name in list(element.attrib):
            value = element.attrib.pop(name)
            element.set(name.rsplit("}", 1)[-1], _page_style(name, value))


def _page_style(name: str, value: str) -> str:
    if name in ("d", "x", "y", "transform", "points"):
        return re.sub(r"-?\d+\.\d{3,}", lambda match: f"{float(match[0]):.2f}", value)
    if name in ("style", "fill", "stroke"):
        for role, stand_in in _STAND_IN.items():
            value = value.replace(stand_in, f"var(--{role})")
        # The page's own font; only the size is the drawing's.
        value = re.sub(r"font: ([\d.]+px)[^;]*", r"font-size: \1", value)
        value = re.sub(r"font-family: [^;]*;?", "", value)
    return value


def _unique_ids(root: ElementTree.Element, key: str) -> None:
    """Keep the ids that something refers to, named after the figure; drop all others."""
    used: dict[str, None] = {}
    for element in root.iter():
        for name, value in element.attrib.items():
            used.update(dict.fromkeys(_URL.findall(value)))
            if name == "href":
                used[value[1:]] = None
    # Numbered as they occur, so that the result does not depend on matplotlib's hashes.
    renamed = {old: f"{key}-{number}" for number, old in enumerate(used)}
    for element in root.iter():
        old = element.attrib.pop("id", None)
        if old in renamed:
            element.set("id", renamed[old])
        for name, value in element.attrib.items():
            if name == "href":
                element.set(name, "#" + renamed[value[1:]])
            elif "url(#" in value:
                element.set(name, _URL.sub(lambda found: f"url(#{renamed[found[1]]})", value))


class Ticks(Formatter):
    """Tick labels with just the digits that tell neighbours apart; powers of ten when tiny.

    ``percent`` prints shares as per cent.
    """

    def __init__(self, *, percent: bool = False) -> None:
        self.scale, self.unit = (100.0, "%") if percent else (1.0, "")

    def __call__(self, x: float, pos: int | None = None) -> str:
        return self.format_ticks([x])[0]

    def format_ticks(self, values: Sequence[float]) -> list[str]:
        """The labels of all ticks of an axis together."""
        scaled = [self.scale * float(value) for value in values]
        largest = max((abs(value) for value in scaled), default=0.0)
        if largest and (largest < 1e-3 or largest >= 1e5):
            return [_power(value) + self.unit for value in scaled]
        decimals = _decimals(scaled)
        texts = (f"{value:,.{decimals}f}{self.unit}" for value in scaled)
        return [
            text.replace(",", numbers.NARROW_SPACE).replace("-", numbers.MINUS) for text in texts
        ]


def _power(value: float) -> str:
    text = re.sub(r"\.?0+×", "×", numbers.significant(float(f"{value:.2e}")))
    return text[2:] if text.startswith("1×") else text


class LogTicks(Formatter):
    """Tick labels of a logarithmic axis: ``1%`` for shares, ``10⁻³`` else; decades only."""

    def __init__(self, *, percent: bool = False) -> None:
        self.percent = percent

    def __call__(self, x: float, pos: int | None = None) -> str:
        mantissa, exponent = f"{x:.2e}".split("e")
        if float(mantissa) != 1:
            return ""
        return f"{100 * x:g}%" if self.percent else numbers.power_of_ten(int(exponent))


def _decimals(locations: Sequence[float]) -> int:
    """The fewest decimals (up to 6) at which the tick positions print exactly enough."""
    ordered = sorted(locations)
    gap = min((b - a for a, b in pairwise(ordered) if b > a), default=1.0)
    for decimals in range(6):
        if all(abs(round(x, decimals) - x) < 0.01 * gap for x in ordered):
            return decimals
    return 6
