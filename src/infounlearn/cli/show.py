"""What a person watching sees: progress on standard error, a short table at the end."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Column, Table

if TYPE_CHECKING:
    from infounlearn.interface import Audit, Record

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
