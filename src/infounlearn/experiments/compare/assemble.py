"""From finished cells to the comparison that a report shows."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from infounlearn.experiments.compare import ours
from infounlearn.experiments.compare.cells import Cell, Status, load_arrays
from infounlearn.experiments.compare.gold import PARTS, Gold, View, requests_of, show
from infounlearn.experiments.compare.measures import (
    MEASURES,
    Measure,
    Shown,
    compare_accuracies,
    measure,
    performance,
)
from infounlearn.experiments.compare.pack import Packed
from infounlearn.experiments.compare.pooled import (
    POOLED,
    margins,
    pooled,
    pooled_yardsticks,
)
from infounlearn.experiments.compare.work import relearn_steps
from infounlearn.experiments.recipe import one_thread
from infounlearn.math.ensemble_distance import EnsembleDistance
from infounlearn.math.tug_of_war import average_gap, tow, tow_mia
from infounlearn.point.methods import METHODS
from infounlearn.report.comparison import (
    ComparedCase,
    ComparedMethod,
    ComparedRun,
    Entry,
    Yardstick,
)

RELEARN = "relearn/steps"
Known = dict[str, tuple[float, ...]]
"""By measure, the values of the retrained networks."""


def compared_method(name: str) -> ComparedMethod:
    """What a report says of a method."""
    if name == ours.NAME:
        note = "The default, cut to the budget; never tuned."
        return ComparedMethod(name, ours.TITLE, ours=True, note=note)
    kind = METHODS[name]
    return ComparedMethod(name, kind.title, kind.paper)


def retrained_measures(gold: Gold, again: bool) -> Known:
    """Measures of each retrained network, against the others where it is compared.

    With ``again`` relearn time is one of them; the aim is what the first original knows.
    """
    found: dict[str, list[float]] = {}
    ensemble = gold.final.ensemble
    count = len(ensemble["forget"])
    for k in range(count):
        own = {name: values[k] for name, values in ensemble.items()}
        others = {
            name: torch.cat([values[:k], values[k + 1 :]]) for name, values in ensemble.items()
        }
        # Two networks leave no ensemble of the others: then each is compared with both.
        rest = others if count > 2 else ensemble
        far = View(gold.final.records, rest).distances(own)
        for name, value in measure(gold, own, rest, far).items():
            if value is not None:
                found.setdefault(name, []).append(value)
    known = {name: tuple(values) for name, values in found.items() if len(values) == count}
    first = {name: values[0] for name, values in ensemble.items()}
    for part, one in gold.final.distances(first).items():
        # The floor of the ranking itself, so that both tables say the same.
        for name in (f"js/{part}", f"squared/{part}"):
            if name in known:
                known[name] = tuple(one.floor_per_network.tolist())
    if "accuracy/forget" in known:
        shares = performance(known)
        for score in (tow, tow_mia, average_gap):
            known[score.__name__] = tuple(score(shares, shares).floor_per_network.tolist())
    if again:
        with one_thread():
            known[RELEARN] = tuple(
                relearn_steps(gold, network, gold.originals[0]) for network in gold.networks
            )
    return known


def compared_case(gold: Gold, known: Known, seeds: int, title: str) -> ComparedCase:
    """The case with its yardsticks, under a short title."""
    shown = [
        {name: show(model, own) for name, own in gold.final.records.items()}
        for model in gold.originals
    ]
    far = [gold.final.distances(one) for one in shown]
    before = [measured(gold, known, *pair) for pair in zip(shown, far, strict=True)]
    yards = [
        _yardstick(one, known.get(one.name, ()), _mean([own.get(one.name) for own in before]))
        for one in MEASURES
        if any(own.get(one.name) is not None for own in before) or one.name in known
    ]
    records = gold.final.records["forget"]
    if records.is_classification:
        halves = pooled_yardsticks(
            margins(gold.final.ensemble["forget"], records),
            margins([one["forget"] for one in shown], records),
        )
        for one in POOLED:
            half, original = halves[one.name]
            # Without a yardstick of its own a pooled measure says nothing.
            if half is not None:
                yards.append(_yardstick(one, (half,), original))
    case = gold.case
    many = len(requests_of(case))
    limits = [*gold.notes, *getattr(case, "notes", ())]
    if many > 1:
        limits.append(f"{many} requests, one after another; a budget is for all of them.")
    return ComparedCase(
        name=gold.name,
        title=title,
        description=case.description,
        sizes={
            "forget": len(case.forget), "retain": len(case.retain), "holdout": len(case.holdout),
            **{f"{name}, tuning": len(own) for name, own in gold.tuning.records.items()},
            **{f"{name}, judging": len(own) for name, own in gold.final.records.items()},
        },
        seeds=tuple(range(seeds)),
        retrained={
            name: tuple((one.floor_per_network / one.floor).tolist())
            for name, one in far[0].items()
        },
        original={
            name: statistics.fmean(one[name].ratio for one in far) for name in PARTS
        },
        floors={name: one.floor for name, one in far[0].items()},
        tuning_references=len(gold.tuning.ensemble["forget"]),
        retraining={"rows": gold.rows(1.0), "seconds": gold.retrain_seconds},
        yardsticks=tuple(yards),
        followed="accuracy" if records.is_classification else "mse",
        limits=tuple(limits),
    )  # fmt: skip


def measured(
    gold: Gold, known: Known, shown: Shown, far: Mapping[str, EnsembleDistance]
) -> dict[str, float | None]:
    """Measures of one network, those that compare it with the retrained ones among them."""
    found = measure(gold, shown, gold.final.ensemble, far)
    return found | compare_accuracies(found, known)


def _yardstick(one: Measure, retrained: tuple[float, ...], original: float | None) -> Yardstick:
    """The floor is the mean where the best value is known, and the spread where it is not."""
    floor = None
    if retrained and one.better != "retrained":
        floor = statistics.fmean(retrained)
    elif len(retrained) > 1:
        floor = statistics.stdev(retrained)
    return Yardstick(
        one.name, one.title, one.unit, retrained, floor, original, one.better, one.note
    )


def run_measures(packed: Packed, folder: Path, cell: Cell, known: Known) -> ComparedRun:
    """A finished run with its distances and measures; for a worker."""
    keys: dict[str, Any] = {
        "case": cell.case, "method": cell.method, "budget": cell.budget, "seed": cell.seed,
        "cost": max(float(cell.facts["share"]), 1e-12),
    }  # fmt: skip
    if cell.status != "done":
        # A seed on its own can fail in one way only: others are decided before any run.
        return ComparedRun(**keys, status="diverged", reason=cell.reason or cell.status)
    with one_thread():
        gold = packed.gold()
        shown = shown_by(folder, cell)
        far = gold.final.distances(shown)
        whole = gold.rows(1.0)
        again = {RELEARN: cell.facts["relearn"]} if "relearn" in cell.facts else {}
        history = tuple(
            {"cost" if name == "rows" else name: value / whole if name == "rows" else value
             for name, value in row.items()}
            for row in cell.facts["history"]
        )  # fmt: skip
        return ComparedRun(
            **keys,
            seconds=cell.facts["seconds"] / gold.retrain_seconds,
            distances={name: one.ratio for name, one in far.items()},
            measures=measured(gold, known, shown, far) | again,
            history=history,
        )


def shown_by(folder: Path, cell: Cell) -> dict[str, Tensor]:
    """What the network of a finished run showed."""
    return {
        name: torch.from_numpy(values).double()
        for name, values in load_arrays(folder, cell.key).items()
    }


_STATUS: dict[Status, Any] = {
    "done": "ok", "diverged": "diverged", "over budget": "over budget",
    "not applicable": "needs", "failed": "not run",
}  # fmt: skip


def _failed(gold: Gold, name: str, cell: Cell) -> tuple[Any, str]:
    """Status and reason of an entry without a result."""
    status = _STATUS[cell.status]
    if status == "needs":
        needs = getattr(METHODS.get(name), "needs", ())
        if "labels" in needs and not gold.case.forget.is_classification:
            return status, "class labels"
        return "not run", cell.reason  # refused for a reason of its own
    return status, cell.reason or status


def entry(
    gold: Gold, folder: Path, name: str, budget: float, tuned: Cell | None, runs: Sequence[Cell]
) -> Entry:
    """What became of a method within a budget."""
    said: dict[str, Any] = {"source": "none"}
    if tuned is not None:
        trials = tuned.facts["trials"]
        said = {
            "settings": tuned.facts["settings"],
            "source": "published" if tuned.facts["source"] == "published" else "tuned",
            "trials": len(trials),
            "diverged_trials": sum(one["status"] == "diverged" for one in trials),
            "tuning_seconds": tuned.facts["seconds"],
            "validation": tuned.facts["value"],
        }
        if tuned.status != "done":
            return Entry(gold.name, name, budget, *_failed(gold, name, tuned), **said)
    ended = [cell for cell in runs if cell.status == "done"]
    if not ended:
        return Entry(gold.name, name, budget, *_failed(gold, name, runs[0]), **said)
    pool: Mapping[str, float | None] = {}
    records = gold.final.records["forget"]
    if records.is_classification:
        outputs = [shown_by(folder, cell)["forget"] for cell in ended]
        retrained = margins(gold.final.ensemble["forget"], records)
        known = pooled_yardsticks(retrained, retrained)
        pool = {
            name: value
            for name, value in pooled(margins(outputs, records), retrained).items()
            if known[name][0] is not None
        }
    return Entry(gold.name, name, budget, "ok", "", pooled=pool, **said)


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.fmean(known) if known else None
