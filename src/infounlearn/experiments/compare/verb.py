"""The verb: which method comes closest to retraining, at what cost."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from joblib import Parallel, cpu_count, delayed, effective_n_jobs

from infounlearn.errors import Problems
from infounlearn.experiments.cases import Case
from infounlearn.experiments.compare import ours
from infounlearn.experiments.compare.assemble import (
    compared_case,
    compared_method,
    entry,
    retrained_measures,
    run_measures,
)
from infounlearn.experiments.compare.cells import Cell
from infounlearn.experiments.compare.choice import choose, in_short
from infounlearn.experiments.compare.design import FULL, QUICK, Design
from infounlearn.experiments.compare.gold import build_gold
from infounlearn.experiments.compare.pack import Packed
from infounlearn.experiments.compare.runs import FEWEST_STEPS
from infounlearn.experiments.compare.work import run_cell, tuning_cell
from infounlearn.files import check_folder
from infounlearn.provenance import provenance
from infounlearn.report.comparison import ComparedCase, ComparedRun, Comparison, Entry

Progress = Callable[[int, int, str], None]
"""Called with (pieces done, pieces in all, what was done) within a stage."""
Place = tuple[str, float]
"""Method and budget."""


def compare_points(
    data: str | Sequence[str] = "digits",
    *,
    cases: Mapping[str, Case] | str | Sequence[str] | None = None,
    methods: str | Sequence[str] | None = None,
    budgets: Sequence[float] | None = None,
    seeds: int | None = None,
    references: int | None = None,
    tuning_references: int | None = None,
    trials: int | None = None,
    seconds: float | None = None,
    relearn: bool = False,
    quick: bool = False,
    out: str | Path = "runs/compare",
    workers: int | None = None,
    progress: Progress | None = None,
    stage: Callable[[str], None] | None = None,
    command: Sequence[str] = (),
) -> Comparison:
    """Compare unlearning methods on equal terms: one budget, one tuner, one yardstick.

    Every piece of work is kept in ``out`` when finished; a comparison that was stopped, started
    again with the same arguments, does only what is missing. Pieces run in processes of one thread
    each, or wherever ``joblib.parallel_config`` says (its workers must see ``out``).

    Args:
        data: names of data sets with built-in cases.
        cases: names of some of them, such as "one record" or "digits/one record"; or own cases by
            name, and then ``data`` has no part.
        methods: names of published methods, and "ours"; all by default.
        budgets: shares of the cost of retraining that a run may cost.
        seeds: original networks to unlearn.
        references, tuning_references: retrained networks for judging and for tuning.
        trials, seconds: of the tuning of one method on one case within one budget.
        relearn: measure relearn time, too, which trains every result anew.
        quick: a small design for the arguments that are left out.
        out: folder of networks and finished pieces.
        workers: processes; one per core by default.
        progress: told of every finished piece.
        stage: told of every new stage.
        command: words of the command line, for the record.

    Returns:
        Comparison, ready for :func:`infounlearn.report.write_comparison`.

    Raises:
        InputError: anything wrong with the arguments, all at once, before any work.
        DivergenceError: an original or retrained network diverged: there is no yardstick.
    """
    cases, data = _several(cases), _several(data)
    given = {
        "methods": None if methods is None else tuple(_several(methods)),
        "budgets": None if budgets is None else tuple(budgets),
        "seeds": seeds, "references": references, "tuning_references": tuning_references,
        "trials": trials, "seconds": seconds, "relearn": relearn,
    }  # fmt: skip
    told = {name: value for name, value in given.items() if value is not None}
    design = replace(QUICK if quick else FULL, **told)  # type: ignore[arg-type]
    problems = Problems("compare_points")
    design.check(problems)
    problems.require(workers is None or workers >= 1, f"workers is {workers}", fix="pass 1 or more")
    check_folder(out, "out", problems)
    problems.raise_if_any()
    chosen = choose(tuple(data), cases, quick)
    place = Path(out)
    job = _Job(design, place, workers, progress or _silent, stage or (lambda what: None))
    (place / "cells").mkdir(parents=True, exist_ok=True)
    where, titles = in_short(list(chosen))
    parts = [
        job.case(name, title, make())
        for (name, make), title in zip(chosen.items(), titles, strict=True)
    ]
    return Comparison(
        title=f"Unlearning methods compared on {where}",
        cases=tuple(case for case, _, _ in parts),
        methods=tuple(compared_method(name) for name in design.methods),
        budgets=design.budgets,
        entries=tuple(one for _, entries, _ in parts for one in entries),
        runs=tuple(one for _, _, runs in parts for one in runs),
        distance="mean Jensen-Shannon divergence (regression: squared distance) to the means of "
        "all retrained networks but one",
        tuning=_tuning(design),
        limits=(
            "Cost counts forward rows, a backward as two more; evaluations count where they steer "
            "a run. Tuning is not part of the cost of a run.",
            f"Batch sizes are the published ones, or smaller where a budget would leave fewer than "
            f"{FEWEST_STEPS} steps.",
            f"{ours.TITLE} is not tuned here; what it does by default was chosen while it was "
            "developed, on digits and MNIST.",
        ),
        provenance=provenance(command=command, seed=0, options=asdict(design)),
    )


def _tuning(design: Design) -> dict[str, Any]:
    """How settings were chosen; empty where nothing is tuned, which needs no Optuna."""
    if design.methods == (ours.NAME,):
        return {}
    return {
        "sampler": f"Optuna {version('optuna')}, TPE, seed 0; published settings first",
        "trials": design.trials,
        "wall time": f"no trial starts after {design.seconds:g} s",
        "judged by": "worst of forget, retain and held-out distance, by held-out records, networks "
        "and an original network of tuning alone",
    }


def _several(names: Any) -> Any:
    """A single name as a list of one; anything else as it is."""
    return (names,) if isinstance(names, str) else names


@dataclass(frozen=True)
class _Job:
    """One comparison at work."""

    design: Design
    out: Path
    workers: int | None
    progress: Progress
    stage: Callable[[str], None]

    @property
    def _processes(self) -> int:
        """As asked for, or as joblib.parallel_config says, or one per core."""
        configured = effective_n_jobs(None)
        return self.workers or (configured if configured > 1 else cpu_count())

    def case(
        self, name: str, title: str, case: Case
    ) -> tuple[ComparedCase, list[Entry], list[ComparedRun]]:
        """Everything about one case, stage by stage."""
        design, cells = self.design, self.out / "cells"
        self.stage(f"{name}: networks")
        gold = build_gold(
            case, name=name, seeds=design.seeds, references=design.references,
            tuning_references=design.tuning_references, cache_dir=self.out / "networks",
            workers=self._processes, progress=self.progress,
        )  # fmt: skip
        packed = Packed(gold)
        self.stage(f"{name}: tuning")
        places = [(one, budget) for one in design.methods for budget in design.budgets]
        to_tune = [place for place in places if place[0] != ours.NAME]
        tuned = dict(zip(to_tune, self._tuned(packed, to_tune), strict=True))
        self.stage(f"{name}: runs")
        ready = [
            (place, seed)
            for place in places
            if place not in tuned or tuned[place].status == "done"
            for seed in range(design.seeds)
        ]
        ran = self._ran(packed, ready, tuned)
        self.stage(f"{name}: measures")
        known = retrained_measures(gold, design.relearn)
        ended = [place for place in places if any(c.status == "done" for c in ran.get(place, ()))]
        runs = self._each(
            ((run_measures, packed, cells, cell, known) for place in ended for cell in ran[place]),
            sum(len(ran[place]) for place in ended),
            lambda run: f"{run.method}, {100 * run.budget:g}%, seed {run.seed}",
        )
        entries = [
            entry(gold, cells, *place, tuned.get(place), ran.get(place, ())) for place in places
        ]
        return compared_case(gold, known, design.seeds, title), entries, runs

    def _tuned(self, packed: Packed, places: Sequence[Place]) -> list[Cell]:
        cells, design = self.out / "cells", self.design
        return self._each(
            ((tuning_cell, packed, cells, *one, design.trials, design.seconds) for one in places),
            len(places),
            _in_words,
        )

    def _ran(
        self,
        packed: Packed,
        ready: Sequence[tuple[Place, int]],
        tuned: Mapping[Place, Cell],
    ) -> dict[Place, list[Cell]]:
        def settings(place: Place) -> Mapping[str, Any] | None:
            return tuned[place].facts["settings"] if place in tuned else None

        folder, again = self.out / "cells", self.design.relearn
        cells = self._each(
            (
                (run_cell, packed, folder, one, settings((one, budget)), budget, seed, again)
                for (one, budget), seed in ready
            ),
            len(ready),
            _in_words,
        )
        found: dict[Place, list[Cell]] = {}
        for (place, _), cell in zip(ready, cells, strict=True):
            found.setdefault(place, []).append(cell)
        return found

    def _each(
        self, calls: Iterable[tuple[Any, ...]], total: int, words: Callable[[Any], str]
    ) -> list[Any]:
        """Results in order, each told when it is there."""
        found: list[Any] = []
        for result in self._results(calls, total):
            found.append(result)
            self.progress(len(found), total, words(result))
        return found

    def _results(self, calls: Iterable[tuple[Any, ...]], total: int) -> Iterator[Any]:
        if self._processes == 1 or total <= 1:
            yield from (function(*arguments) for function, *arguments in calls)
            return
        # Arrays that workers map are copied when written to: torch takes no read-only ones.
        parallel = Parallel(n_jobs=self._processes, return_as="generator", mmap_mode="c")
        yield from parallel(delayed(function)(*arguments) for function, *arguments in calls)


def _in_words(cell: Cell) -> str:
    where = f"{cell.method}, {100 * cell.budget:g}%"
    if cell.status != "done":
        return f"{where}: {cell.status}"
    if cell.kind == "run":
        return f"{where}, seed {cell.seed}: {cell.facts['seconds']:.1f} s"
    count = len(cell.facts["trials"])
    return f"{where}: {cell.facts['value']:.2f} floors after {count} trials"


def _silent(done: int, total: int, what: str) -> None:
    """Say nothing."""
