"""What a comparison does not show: sentences that follow from how it was made."""

from __future__ import annotations

from statistics import fmean, stdev

from infounlearn.report import numbers
from infounlearn.report.comparison import DISTANCES
from infounlearn.report.comparison_ranking import Results
from infounlearn.report.comparison_statements import names, percent


def limits(results: Results) -> tuple[str, ...]:
    """Limits derived from the comparison, then its cases' own, then those the runner wrote."""
    comparison = results.comparison
    said = [_references(results), _seeds(results), _selection(results)]
    said.append(_tuning(results))
    unequal = [case.title for case in comparison.cases if not case.tuning_references]
    if unequal:
        said.append(
            f"In {names(unequal)} no retrained networks were kept apart for tuning: either nothing "
            "was tuned there, or the settings have seen the networks they are judged by."
        )
    said.append(
        "A distance of 1 floor does not prove that a model is one of the retrained ones: it is an "
        "average over records, and single records may still be told."
    )
    said += [*_small_floors(results), *_alike(results), *_slow(results)]
    missing = sum(
        results.entry(case.name, method.name, budget).status != "ok"
        for case in comparison.cases
        for method in comparison.methods
        for budget in comparison.budgets
    )
    if missing:
        said.append(
            f"{missing} of {len(comparison.entries)} combinations of case, method and budget have "
            "no result; in the median over cases each counts as farther than any."
        )
    for case in comparison.cases:
        said += [f"{case.title}: {limit}" for limit in case.limits]
    return (*said, *comparison.limits)


_TINY = 1e-4
"""Nats: a divergence that no accuracy shows."""


def _small_floors(results: Results) -> list[str]:
    """Where networks agree so closely that many floors are still next to nothing."""
    found: dict[str, list[float]] = {}
    for case in results.comparison.cases:
        for name in DISTANCES:
            if case.followed == "accuracy" and 0 < case.floors.get(name, 1.0) < _TINY:
                found.setdefault(name, []).append(case.floors[name])
    return [
        f"On {name} records the floor is below {numbers.significant(_TINY, 1)} nats in "
        f"{len(floors)} of {len(results.comparison.cases)} cases (down to "
        f"{numbers.significant(min(floors), 2)}): networks agree there almost exactly, and even a "
        "hundred floors are a loss of confidence that accuracy may not show."
        for name, floors in found.items()
    ]


_TOLD_BY = ("accuracy/forget", "attack/auc")
"""Measures by which a network near in distance may still be told from retrained ones."""
_SPREADS = 3.0


def _alike(results: Results) -> list[str]:
    """Where the nearest method is far from retrained networks in another measure."""
    budget = max(results.comparison.budgets)
    found = []
    for case in results.comparison.cases:
        first = results.standings(case, budget)[0]
        for one in case.yardsticks:
            if one.name not in _TOLD_BY or len(one.retrained) < 2 or first.rank is None:
                continue
            runs = results.runs(case.name, first.method.name, budget)
            values = [v for run in runs if (v := run.measures.get(one.name)) is not None]
            if not values:
                continue
            low, high = min(one.retrained), max(one.retrained)
            room = _SPREADS * stdev(one.retrained)
            mean = fmean(values)
            if not low - room <= mean <= high + room:
                own, least, most = (numbers.quantity(v, one.unit) for v in (mean, low, high))
                found.append(
                    f"{case.title} at {percent(budget)} ({one.title}: {first.method.title} {own}, "
                    f"retrained {least} to {most})"
                )
    if not found:
        return []
    return [
        "A method can be the nearest and still be told from retrained networks by another measure: "
        f"{'; '.join(found)}."
    ]


def _slow(results: Results) -> list[str]:
    """Who takes longer than retraining, whatever rows it counts."""
    longest: dict[str, float] = {}
    for run in results.comparison.runs:
        if run.seconds is not None and run.seconds > 1:
            longest[run.method] = max(longest.get(run.method, 0.0), run.seconds)
    if not longest:
        return []
    told = [
        f"{method.title} (up to {numbers.significant(longest[method.name], 2)} times)"
        for method in results.comparison.methods
        if method.name in longest
    ]
    return [
        "Cost counts rows, and rows are not seconds: some run took longer than retraining itself "
        f"of {'; '.join(told)}."
    ]


def _references(results: Results) -> str:
    cases = results.comparison.cases
    counts = sorted({case.references for case in cases})
    number = _span(counts)
    return (
        f"All distances of a case refer to the same {number} retrained networks: the intervals are "
        "over the seeds of the methods and leave out what other retrained networks would change."
    )


def _seeds(results: Results) -> str:
    counts = sorted({len(case.seeds) for case in results.comparison.cases})
    level = percent(results.comparison.confidence)
    if counts[-1] == 1:
        return "One seed per case: nothing can be told from noise, and no interval is given."
    return (
        f"{_span(counts)} seeds per case; the {level} intervals are Student's, paired by seed, for "
        "one pair of methods at a time: among many pairs some exclude 0 by chance."
    )


def _selection(results: Results) -> str:
    return (
        "The nearest method is chosen by the same runs that give its distance, which is therefore "
        "a little too good; a difference within noise does not prove that two methods are equal."
    )


def _tuning(results: Results) -> str:
    found = {method.title: 0 for method in results.comparison.methods}
    titles = {method.name: method.title for method in results.comparison.methods}
    trials = sorted({e.trials for e in results.comparison.entries if e.status == "ok" and e.trials})
    for entry in results.comparison.entries:
        found[titles[entry.method]] += entry.trials
    untuned = [title for title, count in found.items() if not count]
    exempt = f" {names(untuned)} had no trial at all." if untuned else ""
    if not trials:
        return "Nothing was tuned: every method ran with the settings named below."
    return (
        f"Settings were tuned with {_span(trials)} trials per method, case and budget, on "
        "the forget and retain records, by other held-out records, another original network and "
        "other retrained networks than those that judge here. In practice there is no retrained "
        "network to tune by: the tables show what a method can do, not what it does "
        f"untuned.{exempt}"
    )


def _span(counts: list[int]) -> str:
    return str(counts[0]) if counts[0] == counts[-1] else f"{counts[0]} to {counts[-1]}"
