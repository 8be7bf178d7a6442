"""What a comparison says, in words: no sentence claims more than its paired intervals carry."""

from __future__ import annotations

import re
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from infounlearn.report import numbers
from infounlearn.report.comparison import ComparedCase, ComparedMethod
from infounlearn.report.comparison_ranking import Estimate, Results, Standing, paired

MANY = 3


@dataclass(frozen=True)
class Statement:
    """The answer to one question, of one budget.

    Attributes:
        question: for example "At 5 % of the cost of retraining".
        answer: in a few words: who is nearest, or "nothing separates".
        text: by how much, in full sentences.
        tone: "good" where ours is nearest or shares the first place, "warn" where a rival shares
            or holds it narrowly, "bad" where a rival is nearer, "open" without any of ours.
    """

    question: str
    answer: str
    text: str
    tone: str


def statements(results: Results) -> tuple[Statement, ...]:
    """One verdict per budget, smallest first: who is nearest to the retrained networks."""
    return tuple(_verdict(results, budget) for budget in sorted(results.comparison.budgets))


def _verdict(results: Results, budget: float) -> Statement:
    question = f"At {percent(budget)} of the cost of retraining"
    ranked = [one for one in results.overall(budget) if one.rank is not None]
    if not ranked:
        return Statement(
            question,
            "no result",
            "No method gave a complete result in at least half of the cases.",
            "open",
        )
    best, tied = ranked[0], [one for one in ranked[1:] if one.tied and not one.scattered]
    scattered = [one for one in ranked if one.scattered]
    ours = [method for method in results.comparison.methods if method.ours]
    sentences = [
        _first(results, ranked, tied),
        _of_scattered(results, scattered),
        _of_original(results, ranked),
        *(_of_ours(results, budget, m) for m in ours),
    ]
    first_are_ours = [one.method.ours for one in (best, *tied)]
    if not ours:
        tone = "open"
    elif best.method.ours:
        tone = "warn" if not all(first_are_ours) else "good"
    else:
        tone = "warn" if any(first_are_ours) else "bad"
    answer = f"{best.method.title} is nearest" if not tied else "nothing separates the first"
    others = len(ranked) - 1
    if scattered and not tied:
        answer = f"{best.method.title} is nearer than {others - len(scattered)} of {others} others"
    if tied and len(tied) == others:
        answer = "nothing separates the methods"
    if not others:
        answer = f"only {best.method.title} has a result"
    return Statement(question, answer, " ".join(filter(None, sentences)), tone)


def _first(results: Results, ranked: Sequence[Standing], tied: Sequence[Standing]) -> str:
    best = ranked[0]
    over = _over(results)
    own = f"{floors(best)} ({over})"
    if len(ranked) == 1:
        return f"{best.method.title} is {own} away; no other method gave a complete result."
    runner = ranked[1]
    if not tied:
        return (
            f"{best.method.title} is {own} away; {runner.method.title} follows with "
            f"{floors(runner)}, {behind(runner, results)}."
        )
    others = names([one.method.title for one in tied])
    by = (
        f"{runner.method.title} is {behind(runner, results)}"
        if runner.behind is not None and runner.behind.low is not None
        else "with a single seed there is no interval, so that no difference can be told from noise"
    )
    return (
        f"{best.method.title} has the smallest distance, {own}, but within the noise of the seeds "
        f"{others} cannot be told from it: {by}."
    )


def _of_scattered(results: Results, scattered: Sequence[Standing]) -> str:
    """Who is behind methods that are surely farther, and yet not surely farther itself."""
    if not scattered:
        return ""
    first = scattered[0]
    one = len(scattered) == 1
    return (
        f"{names([each.method.title for each in scattered])}, on average farther still, "
        f"{'varies' if one else 'vary'} so much with the seed that {'it' if one else 'they'} "
        f"cannot be told from the nearest: {first.method.title} is {behind(first, results)}."
    )


def _of_original(results: Results, ranked: Sequence[Standing]) -> str:
    """How far the model is that nobody touched, and who is nearer."""
    original = statistics.median(case.original_worst for case in results.comparison.cases)
    nearer = sum(one.distance is not None and one.distance.mean < original for one in ranked)
    of = f"{nearer or 'none'} of {len(ranked)} methods {'is' if nearer <= 1 else 'are'} nearer"
    return f"Doing nothing is at {numbers.significant(original)} floors: {of}."


def _of_ours(results: Results, budget: float, method: ComparedMethod) -> str:
    """Where ``method``, which is ours, stands against the best rival: over all, then by case."""
    ranked = [one for one in results.overall(budget) if one.rank is not None]
    own = next((one for one in ranked if one.method == method), None)
    rivals = [one for one in ranked if not one.method.ours]
    if own is None:
        return f"{method.title} gave no complete result in at least half of the cases."
    if not rivals:
        return f"No rival of {method.title} gave a complete result."
    text = ""
    # The second is in the sentence before.
    if own not in ranked[:2]:
        text = (
            f"{method.title} is {ordinal(own.rank)} of {len(ranked)} with {floors(own)}"
            f"{'' if own.behind is None else ', ' + behind(own, results)}. "
        )
    return text + _by_case(results, budget, method)


def _by_case(results: Results, budget: float, method: ComparedMethod) -> str:
    farther, missing, compared = [], [], 0
    for case in results.comparison.cases:
        found = rival_gap(results, case, budget, method)
        if found is None:
            missing.append(case.title)
            continue
        compared += 1
        rival, gap = found
        if gap.error is None:
            return ""  # one seed: no standard error to go by
        if gap.mean > gap.error:
            by = f"{numbers.significant(gap.mean)} behind {rival.title}"
            farther.append(f"{case.title} ({by})")
    lost = f" It cannot be compared in {names(missing)}." if missing else ""
    if not compared:
        return lost.strip()
    beyond = "by more than one paired standard error"
    if compared == 1:
        said = f"farther than the best rival {beyond}"
        told = f"is {said}: {farther[0]}" if farther else f"is not {said}"
        return f"In the one case compared, {method.title} {told}.{lost}"
    if not farther:
        return f"In no case is {method.title} farther than the best rival there {beyond}.{lost}"
    return (
        f"In {len(farther)} of {compared} cases {method.title} is farther than the best rival "
        f"there {beyond}: {names(farther)}.{lost}"
    )


def rival_gap(
    results: Results, case: ComparedCase, budget: float, method: ComparedMethod
) -> tuple[ComparedMethod, Estimate] | None:
    """The nearest rival on ``case`` and the paired difference of ``method`` to it.

    None where the method or every rival lacks a complete result.
    """
    ranked = [one for one in results.standings(case, budget) if one.rank is not None]
    own = next((one for one in ranked if one.method == method), None)
    rival = next((one for one in ranked if not one.method.ours), None)
    if own is None or rival is None:
        return None
    values = [
        [results.worst(case.name, one.method.name, budget, seed) for seed in case.seeds]
        for one in (own, rival)
    ]
    return rival.method, paired(values[0], values[1], results.comparison.confidence)


def failures(results: Results) -> tuple[str, ...]:
    """One sentence per method that lacks a result somewhere: where, and why."""
    comparison = results.comparison
    said = []
    for method in comparison.methods:
        # By reason, numbers in it left out: the reasons themselves, and the cases of each budget.
        found: dict[str, tuple[list[str], dict[float, list[str]]]] = {}
        for budget in sorted(comparison.budgets):
            for case in comparison.cases:
                what = _failure(results, case, method, budget)
                if what:
                    reasons, places = found.setdefault(_NUMBER.sub("#", what), ([], {}))
                    reasons.append(what)
                    places.setdefault(budget, []).append(case.title)
        parts = [
            f"{_in_one(reasons)}: {_where(places, len(comparison.cases))}"
            for reasons, places in found.values()
        ]
        if parts:
            said.append(f"{method.title} {'; '.join(parts)}.")
    return tuple(said)


_NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?")


def _failure(results: Results, case: ComparedCase, method: ComparedMethod, budget: float) -> str:
    """Why the method lacks a complete result there; empty where it has one."""
    entry = results.entry(case.name, method.name, budget)
    if entry.status == "ok":
        return results.lost(case, method.name, budget)
    if entry.status == "needs":
        return f"needs {entry.reason}"
    return f"{entry.status} ({entry.reason})"


def _in_one(reasons: Sequence[str]) -> str:
    """Reasons that differ in numbers alone, as one: a single number as its range."""
    first = reasons[0]
    if all(one == first for one in reasons):
        return first
    values = [_NUMBER.findall(one) for one in reasons]
    if len(values[0]) != 1:
        return f"{first}, or alike"
    ordered = sorted((one for (one,) in values), key=lambda one: float(one.replace(",", "")))
    return _NUMBER.sub(f"{ordered[0]} to {ordered[-1]}", first)


def _where(places: Mapping[float, Sequence[str]], total: int) -> str:
    """``A and B at 1 % and 5 %, all 4 cases at 20 %``."""
    budgets: dict[tuple[str, ...], list[str]] = {}
    for budget, cases in places.items():
        budgets.setdefault(tuple(cases), []).append(percent(budget))
    return ", ".join(
        f"{f'all {total} cases' if len(cases) == total > 1 else names(cases)} at {names(at)}"
        for cases, at in budgets.items()
    )


def behind(standing: Standing, results: Results) -> str:
    """``0.31 farther (95 % paired interval over 5 seeds: 0.12 to 0.50)``."""
    gap = standing.behind
    if gap is None:
        return "the nearest"
    text = f"{numbers.significant(gap.mean)} farther"
    if gap.low is None or gap.high is None:
        return f"{text} (one seed, so no interval)"
    low, high = numbers.significant(gap.low), numbers.significant(gap.high)
    level = percent(results.comparison.confidence)
    return f"{text} ({level} paired interval over {gap.n} seeds: {low} to {high})"


def floors(standing: Standing) -> str:
    """``1.42 floors``."""
    if standing.distance is None:
        return numbers.MISSING
    return f"{numbers.significant(standing.distance.mean)} floors"


def percent(share: float) -> str:
    """``5 %`` for 0.05."""
    return f"{100 * share:g}{numbers.NARROW_SPACE}%"


def names(items: Sequence[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``; beyond four of them the rest is counted."""
    shown = list(items) if len(items) <= MANY + 1 else list(items[:MANY])
    if len(items) > len(shown):
        shown.append(f"{len(items) - len(shown)} more")
    return shown[0] if len(shown) == 1 else ", ".join(shown[:-1]) + " and " + shown[-1]


def _over(results: Results) -> str:
    cases = len(results.comparison.cases)
    return "one case" if cases == 1 else f"median over {cases} cases"


def ordinal(rank: int | None) -> str:
    """``2nd`` for 2."""
    number = rank or 0
    ending = (
        "th" if 10 <= number % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    )
    return f"{number}{ending}"
