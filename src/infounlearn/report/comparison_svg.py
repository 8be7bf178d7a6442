"""Small drawings written by hand, so that names in them are escaped and can be pointed at.

Unlike the drawings of an audit these carry the names of methods; each line has a title, which a
browser shows under the pointer, and takes colour and weight from the page's own style sheet.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

from infounlearn.report import numbers

_STEPS = (1, 2, 5)


@dataclass(frozen=True)
class Axis:
    """A scale from ``low`` to ``high`` drawn between the pixels ``start`` and ``end``."""

    low: float
    high: float
    start: float
    end: float
    log: bool = True

    def place(self, value: float) -> float:
        """Pixel of ``value``; beyond the ends, the end itself."""
        if self.log:
            value = max(value, self.low * 1e-9)  # a lower end of an interval may be negative
            share = math.log(value / self.low) / math.log(self.high / self.low)
        else:
            share = (value - self.low) / (self.high - self.low)
        return self.start + min(max(share, 0.0), 1.0) * (self.end - self.start)

    def ticks(self, most: int = 7) -> list[float]:
        """Round values on the axis, as few as keep 1, 2, 5 steps (log) or quarters (linear)."""
        if not self.log:
            return _linear_ticks(self.low, self.high, most)
        first = math.floor(math.log10(self.low))
        last = math.ceil(math.log10(self.high))
        for steps in (_STEPS, (1, 3), (1,)):
            found = [s * 10.0**p for p in range(first, last + 1) for s in steps]
            inside = [t for t in found if self.low * 0.999 <= t <= self.high * 1.001]
            if len(inside) <= most:
                return inside
        return inside[:: math.ceil(len(inside) / most)]


def _linear_ticks(low: float, high: float, most: int) -> list[float]:
    raw = (high - low) / most
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(s * power for s in (1, 2, 5, 10) if s * power >= raw)
    first = math.ceil(low / step - 1e-9)
    return [step * i for i in range(first, math.floor(high / step + 1e-9) + 1)]


def around(
    values: Sequence[float], *, least: float, most: float, widen: float = 1.12
) -> tuple[float, float]:
    """A logarithmic range that holds ``least``, ``most`` and all ``values``, a little wider."""
    held = [value for value in (*values, least, most) if value > 0 and math.isfinite(value)]
    return min(held) / widen, max(held) * widen


def text(x: float, y: float, words: str, *, role: str = "", anchor: str = "start") -> Markup:
    """``words`` at a place; ``anchor`` is start, middle or end."""
    return Markup('<text x="{}" y="{}" class="{}" text-anchor="{}">{}</text>').format(
        pixel(x), pixel(y), role, anchor, printable(words)
    )


def line(x1: float, y1: float, x2: float, y2: float, role: str) -> Markup:
    """A straight line."""
    return Markup('<line x1="{}" y1="{}" x2="{}" y2="{}" class="{}"/>').format(
        pixel(x1), pixel(y1), pixel(x2), pixel(y2), role
    )


def path(points: Sequence[tuple[float, float]], role: str) -> Markup:
    """A line through ``points``; it is lifted where one of them is None."""
    steps = " ".join(f"{'ML'[i > 0]}{pixel(x)} {pixel(y)}" for i, (x, y) in enumerate(points))
    return Markup('<path d="{}" class="{}"/>').format(steps, role)


def rect(x: float, y: float, width: float, height: float, role: str) -> Markup:
    """A rectangle."""
    return Markup('<rect x="{}" y="{}" width="{}" height="{}" class="{}"/>').format(
        pixel(x), pixel(y), pixel(max(width, 0.0)), pixel(max(height, 0.0)), role
    )


def marker(x: float, y: float, shape: str, size: float = 4.0) -> Markup:
    """A disc, square, triangle or diamond of the same area, so that colour is not needed."""
    if shape == "disc":
        return Markup('<circle cx="{}" cy="{}" r="{}" class="mark-of"/>').format(
            pixel(x), pixel(y), pixel(size)
        )
    corners = {
        "square": [(-0.9, -0.9), (0.9, -0.9), (0.9, 0.9), (-0.9, 0.9)],
        "triangle": [(0, -1.3), (1.2, 0.9), (-1.2, 0.9)],
        "diamond": [(0, -1.35), (1.35, 0), (0, 1.35), (-1.35, 0)],
    }[shape]
    d = " ".join(
        f"{'ML'[i > 0]}{pixel(x + size * a)} {pixel(y + size * b)}"
        for i, (a, b) in enumerate(corners)
    )
    return Markup('<path d="{} Z" class="mark-of"/>').format(d)


def group(parts: Sequence[Markup], role: str, title: str = "") -> Markup:
    """``parts`` together, with what a pointer shows over them."""
    told = Markup("<title>{}</title>").format(printable(title)) if title else Markup("")
    return Markup('<g class="{}">{}{}</g>').format(role, told, Markup("").join(parts))


def drawing(
    parts: Sequence[Markup], width: float, height: float, *, key: str, title: str, said: str = ""
) -> Markup:
    """The whole drawing, with its text alternatives."""
    head = Markup('<title id="{0}-t">{1}</title>').format(key, printable(title))
    names = f"{key}-t"
    if said:
        head += Markup('<desc id="{0}-d">{1}</desc>').format(key, printable(said))
        names += f" {key}-d"
    return Markup(
        '<svg class="plot" viewBox="0 0 {} {}" role="img" aria-labelledby="{}">{}{}</svg>'
    ).format(pixel(width), pixel(height), names, head, Markup("").join(parts))


def spread(wanted: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Places as near as can be to ``wanted`` (ascending), ``gap`` apart, from ``low`` to ``high``.

    Least squares under the order: neighbours that would overlap move as one block about their
    mean (pool adjacent violators). Where all do not fit, they share the room evenly.
    """
    if len(wanted) > 1 and gap * (len(wanted) - 1) > high - low:
        gap = (high - low) / (len(wanted) - 1)
    blocks: list[tuple[float, int]] = []
    for i, place in enumerate(wanted):
        blocks.append((place - i * gap, 1))
        while len(blocks) > 1 and blocks[-2][0] > blocks[-1][0]:
            (a, n), (b, m) = blocks[-2:]
            blocks[-2:] = [((a * n + b * m) / (n + m), n + m)]
    free = [mean for mean, count in blocks for _ in range(count)]
    top = high - gap * (len(wanted) - 1)
    return [min(max(place, low), top) + i * gap for i, place in enumerate(free)]


def pixel(value: float) -> str:
    """A coordinate with one decimal."""
    return f"{value + 0.0:.1f}".removesuffix(".0")


def shorten(words: str, most: int) -> str:
    """At most ``most`` characters, the last an ellipsis where some are left out."""
    return words if len(words) <= most else words[: most - 1].rstrip() + "…"


def printable(words: str) -> Markup:
    """Escaped, without control characters, which have no place in a drawing."""
    return escape("".join(c if c.isprintable() else " " for c in words))


def number(value: float) -> str:
    """A tick label: the shortest that is exact."""
    if 1e-3 <= abs(value) < 1e5 or value == 0:
        return f"{value:,.6g}".replace(",", numbers.NARROW_SPACE).replace("-", numbers.MINUS)
    return numbers.significant(value, 1)
