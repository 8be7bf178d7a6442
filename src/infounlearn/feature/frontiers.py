"""Utility against gap for several methods, each over its dial, on the same folds."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from infounlearn import files
from infounlearn.data.folds import stratified_folds
from infounlearn.errors import Problems, is_number
from infounlearn.feature.frontier_cells import (
    Cell,
    Rows,
    cell_key,
    digest,
    load_cell,
    plain,
    run_cell,
    store_cell,
)
from infounlearn.feature.frontier_measures import constant_utilities
from infounlearn.feature.frontier_methods import Dial, dials_of
from infounlearn.feature.frontier_result import Area, Frontier, ranking
from infounlearn.feature.sensitive import SensitiveGroups, encode_sensitive

__all__ = ["Area", "Dial", "Frontier", "frontier", "ranking"]

Told = Callable[[int, int, str], None]
Split = tuple[np.ndarray, np.ndarray]
Task = Literal["auto", "classification", "regression"]


def frontier(
    methods: Any,
    X: Any,
    y: Any,
    sensitive: Any,
    *,
    folds: int = 5,
    repeats: int = 1,
    task: Task = "auto",
    plain_method: str | None = None,
    random_state: int = 0,
    jobs: int | None = None,
    folder: str | os.PathLike[str] | None = None,
    progress: bool | Told | None = None,
) -> Frontier:
    """Run every method at every setting of its dial on the same folds, and compare.

    Folds are stratified on target and attribute, and everything is fitted on training rows alone.
    All utilities and gaps are measured in one go; which to look at is asked of the result. Runs go
    through joblib: ``with joblib.parallel_config("dask"):`` (or "ray") spreads them over machines.
    A run that fails becomes a row with the text of its error.

    Nothing is tuned: what the dial does not vary is as you passed it. Give all methods equally many
    settings, or the area favours those with more.

    Args:
        methods: mapping of names to an estimator, to (estimator, parameter, values) or to a
            :class:`Dial`; or a list of these. ``sensitive`` is passed to each of their methods
            that takes it (see :mod:`infounlearn.feature.frontier_methods`).
        X: (n, d) array or frame.
        y: (n,) classes or real targets.
        sensitive: (n,) or (n, k) attribute; several columns are crossed, continuous ones cut into
            about n^⅓ bins to measure gaps.
        folds: J, 2 or more.
        repeats: of the whole split, with other folds.
        task: "auto" takes real targets that are not whole for a regression.
        plain_method: name of the model as it was, whose gap limits the areas; default the first.
        random_state: of the folds. Estimators keep their own.
        jobs: processes; default what joblib is configured to.
        folder: finished runs are kept here and found again by a later call with the same data,
            parameters and folds, so a killed job resumes; failed runs are tried again. Empty it
            after changing an estimator's code.
        progress: True shows a bar with the latest figures, a function is told (done, total, text);
            default a bar on a terminal.

    Raises:
        InputError: lengths that differ, one group only, a group with fewer rows than folds, missing
            values in y or sensitive, methods that cannot run, or settings out of range.

    References:
        Nadeau & Bengio (2003), Machine Learning 52, for the paired differences.
    """
    problems = Problems("frontier")
    dials = dials_of(methods, problems)
    for label, number, least in (("folds", folds, 2), ("repeats", repeats, 1)):
        problems.require(
            is_number(number, whole=True) and number >= least,
            f"{label} is {number!r}",
            fix=f"pass a whole number from {least} on",
        )
    problems.require(
        task in ("auto", "classification", "regression"),
        f"task is {task!r}",
        fix="pass 'auto', 'classification' or 'regression'",
    )
    problems.require(
        is_number(random_state, whole=True) and random_state >= 0,
        f"random_state is {random_state!r}",
        fix="pass a whole number, 0 or more, so that folds can be had again",
    )
    first = next(iter(dials), "") if plain_method is None else plain_method
    problems.require(first in dials, f"plain_method is {first!r}", fix=f"one of {list(dials)}")
    targets = np.asarray(y)
    rows = X.shape[0] if hasattr(X, "shape") else len(X)
    problems.require(
        targets.ndim == 1 and len(targets) == rows,
        f"X has {rows} rows, y has shape {targets.shape}",
        fix="pass one target per row",
    )
    shape = getattr(sensitive, "shape", None)
    problems.require(
        not shape or shape[0] == rows,
        f"X has {rows} rows, sensitive {shape[0] if shape else 0}",
        fix="pass one value per row",
    )
    problems.raise_if_any()
    groups = encode_sensitive(sensitive, where="frontier", min_count=folds, bins="auto")
    problems.require(len(groups) > 1, "there is one group only", fix="pass rows of two or more")
    problems.require(
        len(groups.codes) == rows,
        f"X has {rows} rows, sensitive {len(groups.codes)}",
        fix="pass one value per row",
    )
    problems.raise_if_any()
    kind = _task(targets) if task == "auto" else task
    shared = Rows(X, targets, sensitive, groups.codes, kind)
    splits = [
        split
        for repeat in range(repeats)
        for split in stratified_folds(targets, groups.codes, folds, random_state + repeat)
    ]
    kept = None if folder is None else files.writable_folder(folder, "frontier", "folder")
    cells = _run(dials, splits, shared, kept, jobs, progress)
    constants = tuple(constant_utilities(targets[a], targets[b], kind) for a, b in splits)
    settings = _settings(groups, rows, kind, folds, repeats, random_state)
    return Frontier(tuple(cells), constants, first, 1 / (folds - 1), settings)


def _run(
    dials: dict[str, Dial],
    splits: list[Split],
    rows: Rows,
    folder: Path | None,
    jobs: int | None,
    progress: bool | Told | None,
) -> list[Cell]:
    from joblib import Parallel, delayed
    from joblib.parallel import get_active_backend

    data = digest(rows.X, rows.y, rows.sensitive, rows.task) if folder is not None else ""
    order = [
        (name, value, fold)
        for name, dial in dials.items()
        for value in dial.settings()
        for fold in range(len(splits))
    ]
    found: dict[int, Cell] = {}
    keys = [""] * len(order)
    if folder is not None:
        for number, (name, value, fold) in enumerate(order):
            keys[number] = cell_key(data, dials[name], value, splits[fold])
            stored = load_cell(folder, keys[number], name)
            if stored is not None:
                found[number] = replace(stored, value=plain(value), fold=fold)
    # Fold by fold, so that what methods share (a base model) is still at hand.
    missing = sorted(set(range(len(order))) - set(found), key=lambda number: order[number][2])
    work = Parallel(n_jobs=jobs, return_as="list")
    if get_active_backend()[0].supports_return_generator:
        work = Parallel(n_jobs=jobs, return_as="generator")
    with _telling(progress, len(order)) as tell:
        if found:
            tell(len(found), len(order), f"{len(found)} runs found in {folder}")
        finished = work(
            delayed(run_cell)(name, dials[name], value, fold, splits[fold], rows)
            for name, value, fold in (order[number] for number in missing)
        )
        for number, cell in zip(missing, finished, strict=True):
            found[number] = replace(cell, key=keys[number])
            if folder is not None:
                store_cell(folder, found[number])
            tell(len(found), len(order), _words(cell))
    return [found[number] for number in range(len(order))]


def _words(cell: Cell) -> str:
    dial = "" if cell.parameter is None else f" {cell.parameter}={cell.value}"
    shown = [n for n in ("accuracy", "auroc", "mse", "parity", "ks") if n in cell.figures]
    told = "  ".join(f"{name} {cell.figures[name]:.4f}" for name in shown[:3])
    return f"{cell.method}{dial}, fold {cell.fold}: {cell.error or told}"


@contextmanager
def _telling(progress: bool | Told | None, total: int) -> Iterator[Told]:
    if callable(progress):
        yield progress
        return
    if not (sys.stderr.isatty() if progress is None else progress):
        yield lambda done, total, text: None
        return
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("frontier"),
        BarColumn(),
        TextColumn("{task.completed}/{task.total} runs"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[figures]}"),
    )
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("frontier", total=total, figures="")
        yield lambda done, total, text: bar.update(task, completed=done, figures=escape(text))


def _task(targets: np.ndarray) -> Literal["classification", "regression"]:
    real = targets.dtype.kind == "f" and bool((targets != np.floor(targets)).any())
    return "regression" if real else "classification"


def _settings(
    groups: SensitiveGroups, rows: int, task: str, folds: int, repeats: int, seed: int
) -> dict[str, Any]:
    return {
        "task": task,
        "rows": rows,
        "folds": folds,
        "repeats": repeats,
        "random_state": seed,
        "groups": {
            str(label): int(count)
            for label, count in zip(groups.labels, groups.counts, strict=True)
        },
    }
