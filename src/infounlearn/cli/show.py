"""``infounlearn show``, and how every command shows a job and its result on a terminal."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Column, Table

from infounlearn.cli.parsing import parse

if TYPE_CHECKING:
    from infounlearn.interface import Audit, Record
    from infounlearn.report import Comparison

FIGURES = {
    "step": "step {:.0f}",
    "loss": "loss {:.3f}",
    "forget_accuracy": "forget {:.3f}",
    "retain_accuracy": "retain {:.3f}",
    "validation_auc": "AUC {:.3f}",
    "information": "information {:.2e}",
}
_GOOD = ("forgotten", "kept", "removed", "no fingerprint")
_COLOURS = {**dict.fromkeys(_GOOD, "green"), "inconclusive": "yellow"}
_PLAIN_WIDTH = 120
_OVERALL_WIDTH, _CASE_WIDTH = 75, 13
"""What the columns of a comparison take: those over all cases, and each case."""


@dataclass(frozen=True)
class Show:
    """Show what an earlier command found: its table, verdicts and sentences.

    Reads the record.json that demo, points, feature, audit and compare write, and checks that it
    was not changed since. Always exits with 0 where it can be read.

    Try:

        infounlearn show runs/demo
        infounlearn show runs/compare/record.json

    Attributes:
        path: a record.json, or the folder that holds one.
        json: print machine-readable results on standard output, everything else on standard error.
    """

    path: Annotated[Path, tyro.conf.Positional]
    json: bool = False


def main(words: Sequence[str]) -> int:
    """Show a record or a comparison and return 0."""
    options = parse(Show, words, "show")
    from infounlearn.report import Comparison, read_any

    found = read_any(options.path)
    screen = console(stderr=options.json)
    if isinstance(found, Comparison):
        print_comparison(screen, found)
        plain = comparison_as_plain(found)
    else:
        screen.print(table_of(found))
        print_verdicts(screen, found.audit)
        plain = audit_as_plain(found.audit)
    if options.json:
        print_json({"command": "show", "exit_code": 0, **plain})
    return 0


def console(*, stderr: bool) -> Console:
    """A console; where nobody's terminal sets a width, one that leaves tables readable."""
    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() else _PLAIN_WIDTH
    return Console(file=stream, width=width, highlight=False)


class Watcher:
    """Shows a job: live bars on a terminal, one plain line per event anywhere else."""

    def __init__(self, screen: Console, epochs: float | None = None) -> None:
        self._screen, self._epochs = screen, epochs
        self._bars: Progress | None = None
        self._task: Any = None

    def stage(self, what: str) -> None:
        """A new part of the job begins."""
        if self._bars is None:
            self._screen.print(escape(what), soft_wrap=True)
            return
        self._end_stage()
        self._task = self._bars.add_task(escape(what), total=None, figures="")

    def networks(self, ready: int, total: int, what: str) -> None:
        """``ready`` of ``total`` networks are trained."""
        if self._bars is None:
            self._screen.print(f"  {ready}/{total} {escape(what)}", soft_wrap=True)
        else:
            self._bars.update(self._task, completed=ready, total=total, figures=escape(what))

    def evaluation(self, row: Mapping[str, float]) -> None:
        """A row of the history."""
        told = "  ".join(form.format(row[key]) for key, form in FIGURES.items() if key in row)
        if self._bars is None:
            self._screen.print("  " + told, soft_wrap=True)
        else:
            self._bars.update(
                self._task, completed=row["epoch"], total=self._epochs, figures=escape(told)
            )

    def note(self, sentence: str) -> None:
        """Something worth knowing before the result."""
        self._screen.print("[yellow]Note:[/yellow] " + escape(sentence), soft_wrap=True)

    def step(self, done: int, total: int, what: str) -> None:
        """Progress of a figure."""
        if self._bars is None:
            self._screen.print(f"  {done}/{total} {escape(what)}", soft_wrap=True)
        else:
            self._bars.update(self._task, completed=done, total=total, figures=escape(what))

    @contextmanager
    def live(self) -> Iterator[Watcher]:
        """Show bars within the block, if there is a terminal to show them on."""
        if not self._screen.is_terminal:
            yield self
            return
        columns = (
            SpinnerColumn(finished_text="✓"),
            TextColumn("{task.description}", table_column=Column(no_wrap=True)),
            BarColumn(table_column=Column(min_width=12, width=12)),
            TimeElapsedColumn(table_column=Column(min_width=7, no_wrap=True)),
            # Takes what is left of the line, and is cut rather than wrapped.
            TextColumn("{task.fields[figures]}", table_column=Column(ratio=1, no_wrap=True)),
        )
        with Progress(*columns, console=self._screen, expand=True) as self._bars:
            yield self
            self._end_stage()
        self._bars, self._task = None, None

    def _end_stage(self) -> None:
        if self._bars is not None and self._task is not None:
            total = self._bars.tasks[self._task].total or 1
            self._bars.update(self._task, total=total, completed=total)


def table_of(record: Record) -> Table:
    """The short table: what the verdicts rest on, before, after and retrained."""
    from infounlearn.report import summary_rows

    table = Table(title=escape(record.title), title_justify="left", box=SIMPLE_HEAD)
    table.add_column("", overflow="fold")
    for name in ("before", "after", "retrained", "noise floor"):
        table.add_column(name, justify="right", overflow="fold")
    for row in summary_rows(record):
        table.add_row(*map(escape, (row.title, row.before, row.after, row.retrained, row.floor)))
    return table


def print_verdicts(screen: Console, found: Audit) -> None:
    """Each question with its answer, and why where there is none."""
    for verdict in found.verdicts:
        colour = _COLOURS.get(verdict.answer, "red")
        answer = escape(verdict.answer)
        screen.print(f"{escape(verdict.question)} [bold {colour}]{answer}[/]", soft_wrap=True)
        if verdict.answer == "inconclusive" and verdict.reason:
            screen.print(Padding(escape(verdict.reason), (0, 0, 0, 2), expand=False))


def print_comparison(screen: Console, found: Comparison) -> None:
    """A table of ranks per budget, and what may be said of them."""
    from infounlearn.experiments.compare.table import OVERALL, rank_rows, sentences

    room = (screen.width - _OVERALL_WIDTH) // _CASE_WIDTH
    whole = len(found.cases) <= room
    for budget in sorted(found.budgets):
        rows = [row if whole else row[:OVERALL] for row in rank_rows(found, budget)]
        title = f"{100 * budget:g}% of the cost of retraining: worst distance in floors"
        table = Table(title=title, title_justify="left", box=SIMPLE_HEAD)
        for place, head in enumerate(rows[0]):
            table.add_column(escape(head), overflow="fold", no_wrap=place < OVERALL)
        for row in rows[1:]:
            table.add_row(*map(escape, row))
        screen.print(table)
    if not whole:
        told = f"Median over {len(found.cases)} cases; each of them is in report.html and table.md."
        screen.print(told, soft_wrap=True)
    for sentence in sentences(found):
        screen.print(escape(sentence), soft_wrap=True)


def comparison_as_plain(found: Comparison) -> dict[str, Any]:
    """Sentences and runs for ``--json``."""
    from infounlearn.experiments.compare.table import sentences

    return {
        "sentences": sentences(found),
        "runs": [
            {
                "case": run.case,
                "method": run.method,
                "budget": run.budget,
                "seed": run.seed,
                "status": run.status,
                "cost": run.cost,
                "worst": run.worst,
                "distances": run.distances,
            }
            for run in found.runs
        ],
    }


def print_files(screen: Console, names: Sequence[tuple[str, object]]) -> None:
    """Where things lie, one per line and never wrapped, so that paths can be copied."""
    for label, path in names:
        screen.print(f"{label:9}{escape(str(path))}", soft_wrap=True)


def print_json(document: Mapping[str, Any]) -> None:
    """One JSON object on standard output; numbers that JSON lacks become null."""
    print(json.dumps(_finite(document), indent=2, allow_nan=False))


def audit_as_plain(found: Audit) -> dict[str, Any]:
    """Verdicts and findings for ``--json``."""
    return {
        "verdicts": [
            {"question": v.question, "answer": v.answer, "reason": v.reason} for v in found.verdicts
        ],
        "findings": [
            {
                "name": f.name,
                "value": f.value,
                "unit": f.unit,
                "kind": f.kind,
                "interval": f.interval,
                "bound": f.bound,
                "floor": f.floor,
                "original": f.original,
                "retrained": f.retrained,
            }
            for f in found.findings
        ],
    }


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if value - value == 0 else None
    if isinstance(value, Mapping):
        return {str(key): _finite(one) for key, one in value.items()}
    if isinstance(value, tuple | list):
        return [_finite(one) for one in value]
    return value
