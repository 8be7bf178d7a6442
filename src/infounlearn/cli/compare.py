"""``infounlearn compare``: every method on equal terms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from infounlearn.cli.parsing import parse


@dataclass(frozen=True)
class Compare:
    """Compare unlearning methods: same budgets, same tuning, same retrained networks.

    Each method is tuned by Optuna on the forget and retain records, with other held-out records,
    another original network and other retrained references than those that judge it; "ours" is the
    default of this package and is never tuned.
    The distance of a result is the worst of forget, retain and test, in floors: 1 is what
    retrained networks show among themselves.

    Everything finished is kept in the folder: a command that was stopped goes on where it was.
    A full comparison takes hours; --quick about two minutes on digits.

    Try:

        infounlearn compare points --quick
        infounlearn compare points --data digits mnist --budgets .01 .05 .2
        infounlearn compare points --cases "one record" --methods ours scrub warm-restart

    Attributes:
        what: data points.
        data: built-in data sets: digits, mnist, cifar10, adult, diabetes, communities.
        cases: names of some of their cases, such as "one record"; all of them by default.
        methods: names of some methods; all by default.
        budgets: shares of the cost of retraining; default .01 .05 .2, with --quick .05.
        seeds: original networks that each method unlearns; default 5, with --quick 2.
        references: retrained networks that judge; default 8, with --quick 3.
        tuning_references: retrained networks that the tuner sees; default 3, with --quick 2.
        trials: settings tried per method, case and budget; default 12, with --quick 3.
        seconds: no trial starts later than this; default 60, with --quick 5.
        relearn: measure relearn time, too.
        quick: a small comparison of two cases of each data set.
        out: folder of the report, the networks and all finished pieces.
        workers: processes; one per core by default.
        json: print machine-readable results on standard output, everything else on standard error.
    """

    what: Annotated[Literal["points"], tyro.conf.Positional]
    data: tuple[str, ...] = ("digits",)
    cases: tuple[str, ...] | None = None
    methods: tuple[str, ...] | None = None
    budgets: tuple[float, ...] | None = None
    seeds: int | None = None
    references: int | None = None
    tuning_references: int | None = None
    trials: int | None = None
    seconds: float | None = None
    relearn: bool = False
    quick: bool = False
    out: Path = Path("runs/compare")
    workers: int | None = None
    json: bool = False


def main(words: Sequence[str]) -> int:
    """Compare, write the report and return 0."""
    options = parse(Compare, words, "compare")
    from infounlearn.cli.show import (
        Watcher,
        comparison_as_plain,
        console,
        print_comparison,
        print_files,
        print_json,
    )
    from infounlearn.experiments.compare.table import write_tables
    from infounlearn.experiments.compare.verb import compare_points
    from infounlearn.report import check_comparison_folder, write_comparison

    check_comparison_folder(options.out)
    with Watcher(console(stderr=True)).live() as watch:
        found = compare_points(
            options.data,
            cases=options.cases,
            methods=options.methods,
            budgets=options.budgets,
            seeds=options.seeds,
            references=options.references,
            tuning_references=options.tuning_references,
            trials=options.trials,
            seconds=options.seconds,
            relearn=options.relearn,
            quick=options.quick,
            out=options.out,
            workers=options.workers,
            progress=watch.step,
            stage=watch.stage,
            command=["compare", *words],
        )
    report = write_comparison(found, options.out)
    files = [report, report.with_name("record.json"), report.with_name("card.md")]
    files += write_tables(found, options.out)
    screen = console(stderr=options.json)
    print_comparison(screen, found)
    print_files(screen, [("written", path) for path in files])
    if options.json:
        print_json(
            {
                "command": "compare",
                "exit_code": 0,
                **comparison_as_plain(found),
                "files": [str(path) for path in files],
            }
        )
    return 0
