"""How a job is watched and how its result is told; shared by ``demo`` and ``points``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from infounlearn.cli.show import (
    Watcher,
    audit_as_plain,
    console,
    print_files,
    print_json,
    print_verdicts,
    table_of,
)

if TYPE_CHECKING:
    from infounlearn.experiments.job import Finished

INTERRUPTED = 130


@contextmanager
def started(epochs: float | None = None) -> Iterator[Watcher]:
    """Progress on standard error within the block; ``epochs`` is the length of unlearning."""
    with Watcher(console(stderr=True), epochs).live() as watch:
        yield watch


def finish(done: Finished, *, as_json: bool, more: Mapping[str, Any] | None = None) -> int:
    """Tell the result and return the exit code that its verdicts ask for.

    Args:
        done: the job.
        as_json: print one JSON object, and everything else on standard error.
        more: what else the object holds.
    """
    from infounlearn.experiments.job import exit_code

    screen = console(stderr=as_json)
    files: dict[str, str] = {"weights": str(done.folder / "weights.safetensors")}
    document: dict[str, Any] = {
        "stopped": done.result.stopped,
        "warnings": list(done.result.warnings),
        "files": files,
    }
    if done.record is None:
        console(stderr=True).print(f"Stopped: {done.result.stopped}", soft_wrap=True)
        print_files(screen, list(files.items()))
        if as_json:
            print_json({"exit_code": INTERRUPTED, **document})
        return INTERRUPTED
    code = exit_code(done.record.audit)
    files["record"] = str(done.folder / "record.json")
    files["report"] = str(done.report)
    screen.print(table_of(done.record))
    print_verdicts(screen, done.record.audit)
    print_files(screen, list(files.items()))
    if as_json:
        cost = dict(done.record.run.cost) if done.record.run else {}
        print_json(
            {
                "exit_code": code,
                **document,
                "cost": cost,
                **audit_as_plain(done.record.audit),
                **(more or {}),
            }
        )
    return code
