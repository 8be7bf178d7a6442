"""Cost against distance: every method a line, labelled where it ends; and the strip of a table."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from infounlearn.report import comparison_svg as svg
from infounlearn.report import numbers
from infounlearn.report.comparison import ComparedCase
from infounlearn.report.comparison_ranking import Estimate, Results, Standing
from infounlearn.report.comparison_statements import names, percent

# Of one case; the median over cases is drawn across the page.
WIDTH, HEIGHT = 500, 360
WIDE, TALL = 1040, 430
_LEFT, _RIGHT, _TOP, _BOTTOM = 42, 168, 14, 40
_GAP = 13.5
_LABEL = 24
# A method that ends this much farther than the original is drawn at the upper edge.
_FARTHEST = 3.0
LOOKS = (("second", "square"), ("third", "triangle"), ("fourth", "diamond"))
STRIP_WIDTH, _STRIP_HEIGHT = 120, 20


@dataclass(frozen=True)
class Frontier:
    """One drawing, and in words which methods have no place in it."""

    title: str
    caption: str
    svg: Markup
    missing: str
    wide: bool = False


@dataclass(frozen=True)
class _Scene:
    """What one drawing shows, whether of a case or of all."""

    key: str
    title: str
    standings: Mapping[float, Sequence[Standing]]
    costs: Mapping[tuple[str, float], float]
    retrained: tuple[float, ...]
    original: float
    size: tuple[int, int] = (WIDTH, HEIGHT)


def looks(results: Results) -> dict[str, tuple[str, str]]:
    """Method to class and marker: ours, the nearest rivals (three at most), and all the rest.

    The nearest rival of each budget first, the dearest budget leading, then by rank there.
    """
    found = {m.name: ("rest", "disc") for m in results.comparison.methods}
    found |= {m.name: ("ours", "disc") for m in results.comparison.methods if m.ours}
    budgets = sorted(results.comparison.budgets, reverse=True)
    orders = [
        [s.method.name for s in results.overall(b) if s.rank is not None and not s.method.ours]
        for b in budgets
    ]
    rivals = dict.fromkeys([order[0] for order in orders if order] + [n for o in orders for n in o])
    found |= dict(zip(rivals, LOOKS, strict=False))
    return found


def frontiers(results: Results) -> tuple[Frontier, ...]:
    """The median over cases, where there are several, then every case."""
    comparison = results.comparison
    scenes = [_of_case(results, index, case) for index, case in enumerate(comparison.cases)]
    if len(scenes) > 1:
        scenes.insert(0, _of_all(results))
    styles = looks(results)
    captions = [*([""] if len(scenes) > 1 else []), *(c.description for c in comparison.cases)]
    return tuple(
        Frontier(
            scene.title,
            caption,
            _draw(scene, results, styles),
            _missing(scene, results),
            scene.size[0] > WIDTH,
        )
        for scene, caption in zip(scenes, captions, strict=True)
    )


def _of_case(results: Results, index: int, case: ComparedCase) -> _Scene:
    comparison = results.comparison
    costs = {
        (method.name, budget): results.cost(case.name, method.name, budget)
        for method in comparison.methods
        for budget in comparison.budgets
    }
    return _Scene(
        f"frontier-{index}",
        case.title,
        {budget: results.standings(case, budget) for budget in comparison.budgets},
        {key: cost for key, cost in costs.items() if cost is not None},
        case.retrained_worst,
        case.original_worst,
    )


def _of_all(results: Results) -> _Scene:
    comparison = results.comparison
    costs = {}
    for method in comparison.methods:
        for budget in comparison.budgets:
            found = [results.cost(case.name, method.name, budget) for case in comparison.cases]
            known = [cost for cost in found if cost is not None]
            if known:
                costs[method.name, budget] = statistics.median(known)
    # The band of the median: as if the k-th networks of all cases belonged together.
    networks = zip(*(sorted(case.retrained_worst) for case in comparison.cases), strict=False)
    return _Scene(
        "frontier-all",
        f"Median over {len(comparison.cases)} cases",
        {budget: results.overall(budget) for budget in comparison.budgets},
        costs,
        tuple(statistics.median(values) for values in networks),
        statistics.median(case.original_worst for case in comparison.cases),
        (WIDE, TALL),
    )


def _points(scene: _Scene, name: str) -> list[tuple[float, Estimate]]:
    """Cost and complete result of one method at every budget that has both."""
    found = []
    for budget, standings in sorted(scene.standings.items()):
        one = next(s for s in standings if s.method.name == name)
        if one.rank is not None and one.distance is not None and (name, budget) in scene.costs:
            found.append((scene.costs[name, budget], one.distance))
    return found


def _draw(scene: _Scene, results: Results, styles: Mapping[str, tuple[str, str]]) -> Markup:
    lines = {m.name: _points(scene, m.name) for m in results.comparison.methods}
    every = [point for points in lines.values() for point in points]
    budgets = results.comparison.budgets
    costs = svg.around([cost for cost, _ in every], least=min(budgets), most=max(budgets))
    cap = _FARTHEST * scene.original
    heights = [min(e.mean, cap) for _, e in every] + [min(e.high or 0, cap) for _, e in every]
    low, high = svg.around([*heights, *scene.retrained], least=1.0, most=scene.original)
    width, height = scene.size
    x = svg.Axis(*costs, _LEFT, width - _RIGHT)
    y = svg.Axis(low, high, height - _BOTTOM, _TOP)
    parts = [*_frame(x, y, budgets), *_references(scene, x, y)]
    # Ours is drawn last and so lies on top.
    order = sorted(
        lines, key=lambda name: ("rest", "fourth", "third", "second", "ours").index(styles[name][0])
    )
    labels = _labels(lines, x, y)
    titles = {method.name: method.title for method in results.comparison.methods}
    for name in order:
        if lines[name]:
            parts.append(_method(titles[name], lines[name], styles[name], x, y, labels[name]))
    # Last, so that no line crosses the words.
    parts.append(svg.text(x.start + 4, y.place(1.0) - 4, "floor", role="tick"))
    parts.append(svg.text(x.start + 4, y.place(scene.original) - 5, "original", role="tick"))
    return svg.drawing(
        parts,
        width,
        height,
        key=scene.key,
        title=f"Cost against distance: {scene.title}",
        said="; ".join(
            f"{titles[name]}: {svg.number(float(f'{points[-1][1].mean:.3g}'))} floors at "
            f"{percent(float(f'{points[-1][0]:.2g}'))} of the cost"
            for name, points in lines.items()
            if points
        ),
    )


def _frame(x: svg.Axis, y: svg.Axis, budgets: Sequence[float]) -> list[Markup]:
    parts = []
    for tick in y.ticks():
        parts.append(svg.line(x.start, y.place(tick), x.end, y.place(tick), "grid"))
        parts.append(
            svg.text(_LEFT - 7, y.place(tick) + 4, svg.number(tick), role="tick", anchor="end")
        )
    for budget in budgets:
        at = x.place(budget)
        parts.append(svg.line(at, y.start, at, y.end, "budget"))
        parts.append(svg.text(at, y.start + 17, percent(budget), role="tick", anchor="middle"))
    middle = (x.start + x.end) / 2
    parts.append(svg.line(x.start, y.start, x.end, y.start, "frame"))
    parts.append(
        svg.text(middle, y.start + 35, "cost, share of retraining", role="tick", anchor="middle")
    )
    return parts


def _references(scene: _Scene, x: svg.Axis, y: svg.Axis) -> list[Markup]:
    upper, lower = y.place(max(scene.retrained)), y.place(min(scene.retrained))
    floor, original = y.place(1.0), y.place(scene.original)
    return [
        svg.group(
            [svg.rect(x.start, upper, x.end - x.start, lower - upper, "floor-band")],
            "reference",
            f"the retrained networks themselves: {numbers.significant(min(scene.retrained))} to "
            f"{numbers.significant(max(scene.retrained))} floors",
        ),
        svg.line(x.start, floor, x.end, floor, "floor"),
        svg.line(x.start, original, x.end, original, "original"),
    ]


def _labels(
    lines: Mapping[str, Sequence[tuple[float, Estimate]]], x: svg.Axis, y: svg.Axis
) -> dict[str, float]:
    """Height of every label, near the end of its line, none over another."""
    ends = {name: y.place(points[-1][1].mean) for name, points in lines.items() if points}
    order = sorted(ends, key=lambda name: ends[name])
    places = svg.spread([ends[name] for name in order], _GAP, _TOP, y.start)
    return dict(zip(order, places, strict=True))


def _method(
    title: str,
    points: Sequence[tuple[float, Estimate]],
    style: tuple[str, str],
    x: svg.Axis,
    y: svg.Axis,
    label: float,
) -> Markup:
    role, shape = style
    at = [(x.place(cost), y.place(found.mean)) for cost, found in points]
    parts = [svg.path([at[-1], (x.end + 6, label), (x.end + 11, label)], "leader")]
    for (place, _), (_, found) in zip(at, points, strict=True):
        if found.low is not None and found.high is not None:
            parts.append(svg.line(place, y.place(found.low), place, y.place(found.high), "whisker"))
    if len(at) > 1:
        parts.append(svg.path(at, "trace"))
    parts += [
        svg.marker(*place, shape, 4.6 if role == "ours" else 3.6 if role != "rest" else 2.4)
        for place in at
    ]
    last = points[-1][1].mean
    beyond = f" ↑ {numbers.significant(last)}" if last > y.high else ""
    words = svg.shorten(title, _LABEL - len(beyond)) + beyond
    parts.append(svg.text(x.end + 14, label + 4, words, role="name"))
    told = [
        f"{numbers.significant(found.mean)} floors at {numbers.significant(100 * cost)} %"
        for cost, found in points
    ]
    return svg.group(parts, f"method {role}", f"{title}: {', '.join(told)}")


def _missing(scene: _Scene, results: Results) -> str:
    said = []
    for method in results.comparison.methods:
        standings = [
            next(s for s in found if s.method == method)
            for _, found in sorted(scene.standings.items())
        ]
        notes = dict.fromkeys(s.note for s in standings if s.rank is None)
        if len([s for s in standings if s.rank is None]) == len(standings):
            said.append(f"{method.title} ({names(list(notes))})")
    return f"Not drawn: {'; '.join(said)}." if said else ""


def strip_axis(
    standings: Sequence[Standing], retrained: Sequence[float], original: float
) -> svg.Axis:
    """The common scale of the strips of one table."""
    found = [s.distance for s in standings if s.rank is not None and s.distance is not None]
    cap = _FARTHEST * original
    values = [min(v, cap) for e in found for v in (e.mean, e.high or e.mean) if math.isfinite(v)]
    low, high = svg.around([*values, *retrained], least=1.0, most=original)
    return svg.Axis(low, high, 5, STRIP_WIDTH - 5)


def strip(
    standing: Standing, axis: svg.Axis, retrained: Sequence[float], original: float, role: str
) -> Markup:
    """One row of a table drawn: mean and interval, the retrained networks, the original."""
    middle, height = _STRIP_HEIGHT / 2, _STRIP_HEIGHT
    left, right = axis.place(min(retrained)), axis.place(max(retrained))
    parts = [
        svg.rect(left, 0, right - left, height, "floor-band"),
        svg.line(axis.place(1.0), 0, axis.place(1.0), height, "floor"),
        svg.line(axis.place(original), 0, axis.place(original), height, "original"),
    ]
    found = standing.distance
    if standing.rank is not None and found is not None:
        if found.low is not None and found.high is not None:
            parts.append(
                svg.line(axis.place(found.low), middle, axis.place(found.high), middle, "whisker")
            )
        parts.append(svg.marker(axis.place(found.mean), middle, "disc", 3.2))
    body = svg.group(parts, f"method {role}")
    return Markup('<svg class="row-strip" viewBox="0 0 {} {}" aria-hidden="true">{}</svg>').format(
        STRIP_WIDTH, height, body
    )
