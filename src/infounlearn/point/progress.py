"""A progress bar with the figures that matter."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

SHOWN = {
    "forget_accuracy": "forget {:.3f}",
    "retain_accuracy": "retain {:.3f}",
    "holdout_accuracy": "held-out {:.3f}",
    "validation_auc": "AUC {:.3f}",
    "gamma": "gamma {:.3g}",
}


class Shows(Protocol):
    """A run that tells its evaluations."""

    on_evaluation: Any
    step: int


@contextmanager
def showing(progress: bool | None, steps: int, job: Shows, is_main: bool = True) -> Iterator[None]:
    """Show the evaluations of ``job`` on standard error while the block runs."""
    wanted = sys.stderr.isatty() if progress is None else progress
    if not wanted or not is_main:
        yield
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("unlearning"),
        BarColumn(),
        TextColumn("{task.completed}/{task.total} steps"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[figures]}"),
    )
    told = job.on_evaluation
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("unlearning", total=steps, figures="")

        def show(row: dict[str, float]) -> None:
            text = "  ".join(form.format(row[k]) for k, form in SHOWN.items() if k in row)
            bar.update(task, completed=row["step"], figures=text)
            if told is not None:
                told(row)

        job.on_evaluation = show
        yield
        bar.update(task, completed=job.step)
