"""Table and verdicts of ``figure tabular-frontiers``: every method, losses included."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from infounlearn.experiments.figures.tabular_limit import LIMIT
from infounlearn.experiments.figures.tabular_methods import OURS, PLAIN
from infounlearn.feature.frontiers import Area, Frontier
from infounlearn.math.hypervolume import paired_difference

HEADER = (
    "data, attribute, base",
    "method",
    "accuracy",
    "minus",
    "s.e.",
    "AUROC",
    "minus",
    "s.e.",
    "failed",
)
UTILITIES = {"classification": ("accuracy", "auroc"), "regression": ("mse",)}


@dataclass(frozen=True)
class Panel:
    """One table, attribute and base model, with what ran."""

    case: str
    base: str
    frontier: Frontier
    limit: tuple[float, ...] = ()
    """Areas per fold that no thresholds on the plain model's score exceed; empty: not known."""

    @property
    def task(self) -> str:
        """ "classification" or "regression"."""
        return str(self.frontier.settings["task"])


@dataclass(frozen=True)
class Verdict:
    """Our best area against the others' best, on one panel in one utility.

    ``ahead`` counts a lead of any size, ``within`` a lag of at most one paired standard error.
    """

    case: str
    base: str
    utility: str
    ours: str
    theirs: str
    difference: float
    standard_error: float

    @property
    def answer(self) -> str:
        """ahead, within one standard error, or behind."""
        if self.difference >= 0:
            return "ahead"
        return "within" if self.difference >= -self.standard_error else "behind"


def best(areas: Sequence[Area], ours: bool) -> Area | None:
    """The largest area of one side; the plain model is on neither."""
    for area in areas:
        if area.mean is not None and area.method != PLAIN and (area.method in OURS) == ours:
            return area
    return None


def verdicts(
    panels: Sequence[Panel],
    utilities: Sequence[str] = ("accuracy", "auroc", "mse"),
    gap: str | None = None,
    *,
    mixtures: bool = False,
) -> list[Verdict]:
    """One per panel and utility; ``gap`` and ``mixtures`` as in :meth:`Frontier.hypervolumes`."""
    found = []
    for panel in panels:
        for utility in (one for one in UTILITIES[panel.task] if one in utilities):
            areas = panel.frontier.hypervolumes(utility, gap, mixtures=mixtures)
            own, other = best(areas, True), best(areas, False)
            if own is None or other is None:
                continue
            against = panel.frontier.hypervolumes(
                utility, gap, against=other.method, mixtures=mixtures
            )
            compared = next(area.difference for area in against if area.method == own.method)
            if compared is not None:
                words = (panel.case, panel.base, utility, own.method, other.method)
                found.append(Verdict(*words, compared.mean, compared.standard_error))
    return found


def table(panels: Sequence[Panel]) -> list[tuple[str, ...]]:
    """Every method of every panel, by the first area; the error area of a regression is negative.

    A method is compared with the best of the other side, by paired differences.
    """
    rows: list[tuple[str, ...]] = [HEADER]
    for panel in panels:
        utilities = UTILITIES[panel.task]
        columns = [_cells(panel.frontier, utility) for utility in utilities]
        failed = dict.fromkeys(panel.frontier.methods, 0)
        for cell in panel.frontier.failures:
            failed[cell.method] += 1
        for method in columns[0]:
            told = [column[method] for column in columns]
            told += [("", "", "")] * (2 - len(told))
            mark = "* " if method in OURS else "  "
            numbers = [cell for triple in told for cell in triple]
            count = str(failed[method]) if failed[method] else ""
            rows.append((f"{panel.case}, {panel.base}", mark + method, *numbers, count))
        if panel.limit:
            rows.append((f"{panel.case}, {panel.base}", f"  {LIMIT}", *_of_limit(panel)))
    return rows


def points(panels: Sequence[Panel]) -> list[dict[str, Any]]:
    """Every setting of every method, for the CSV: all with the same keys."""
    names = [
        name + end
        for name in ("accuracy", "auroc", "mse", "parity", "odds", "ks", "wasserstein", "nats")
        for end in ("", "_sd")
    ]
    rows: list[dict[str, Any]] = []
    for panel in panels:
        for row in panel.frontier.rows():
            known: Mapping[str, Any] = {name: row.get(name) for name in names}
            kept = {key: row[key] for key in ("method", "parameter", "value")}
            counts = {key: row[key] for key in ("seconds", "finished", "failed", "error")}
            rows.append({"case": panel.case, "base": panel.base, **kept, **known, **counts})
    return rows


def sentences(found: Sequence[Verdict]) -> list[str]:
    """The verdicts in words, each loss by name."""
    head = f"Our best area against the best of the others, {_counted(found)}."
    return [head, *map(_told, found)]


def other_views(panels: Sequence[Panel]) -> list[str]:
    """What the verdicts become in two other measures of the same runs; losses by name.

    A method whose settings happen to fall on both sides of parity has one near it on every fold,
    and the staircase rewards that; mixtures do so less. And a decision that is always the same has
    no gap, however much its ranking tells of the attribute: Kolmogorov distance sees the ranking.
    """
    lines = []
    for text, found in (
        (
            "With coins between settings of a method, and between one and the constant predictor, "
            "allowed to all",
            verdicts(panels, ("accuracy", "mse"), mixtures=True),
        ),
        (
            "AUROC over the Kolmogorov distance of score laws in place of the gap at one half",
            verdicts(panels, ("auroc",), "ks"),
        ),
    ):
        lost = "".join(" " + _told(one) for one in found if one.answer == "behind")
        if found:
            lines.append(f"{text}, {_counted(found)}.{lost}")
    return lines


def _counted(found: Sequence[Verdict]) -> str:
    count = dict.fromkeys(("ahead", "within", "behind"), 0)
    for verdict in found:
        count[verdict.answer] += 1
    return (
        f"{len(found)} comparisons: ahead in {count['ahead']}, behind by at most one paired "
        f"standard error in {count['within']}, behind by more in {count['behind']}"
    )


def _told(verdict: Verdict) -> str:
    return (
        f"{verdict.answer}: {verdict.case}, {verdict.base}, {verdict.utility}: {verdict.ours} "
        f"minus {verdict.theirs} {verdict.difference:+.5f}, standard error "
        f"{verdict.standard_error:.5f}."
    )


def _of_limit(panel: Panel) -> tuple[str, ...]:
    """The limit, and what it is above our best area, by paired differences."""
    own = best(panel.frontier.hypervolumes("accuracy"), True)
    told = (f"{sum(panel.limit) / len(panel.limit):.5f}", "", "")
    if own is not None:
        found = paired_difference(
            panel.limit, own.folds, test_to_train=panel.frontier.test_to_train
        )
        told = (told[0], f"{found.mean:+.5f}", f"{found.standard_error:.5f}")
    return (*told, "", "", "", "")


def _cells(frontier: Frontier, utility: str) -> dict[str, tuple[str, str, str]]:
    areas = frontier.hypervolumes(utility)
    # What each side is compared with, and the paired differences to it.
    other = {side: best(areas, not side) for side in (True, False)}
    compared = {
        side: {area.method: area.difference for area in frontier.hypervolumes(utility, against=one)}
        for side, one in ((side, found.method) for side, found in other.items() if found)
    }
    told = {}
    for area in areas:
        mean = "failed" if area.mean is None else f"{area.mean:.5f}"
        found = compared.get(area.method in OURS, {}).get(area.method)
        if found is None or area.method == PLAIN:
            told[area.method] = (mean, "", "")
        else:
            told[area.method] = (mean, f"{found.mean:+.5f}", f"{found.standard_error:.5f}")
    return told
