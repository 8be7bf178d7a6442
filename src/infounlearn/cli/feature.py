"""``infounlearn feature``: a table file in, the table without a feature and its report out.

Images are handed on to :mod:`infounlearn.cli.feature_images`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from infounlearn.cli.parsing import as_plain, parse

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from infounlearn.experiments.feature_job import FeatureResult
    from infounlearn.interface import Record


@dataclass(frozen=True)
class Feature:
    """Release a table without what it tells of a sensitive column, and audit the release.

    Rows are split into a part that is fitted on and a part held out. Every row is released;
    held-out rows are audited by fresh probes, and by a boosted-tree model of the target.
    The sensitive column is left out; the target, the key and given columns stay as they are, so
    what they tell of the feature stays too, and the report says how much that is.

    The file is read in batches, so its size does not matter to memory. CSV is UTF-8 with a first
    line of column names. Rows without a target are released but count in no utility.

    Images: infounlearn feature images/ --help

    Exit codes: 0 removed, 1 still visible, a fingerprint, or the target lost (the table is written
    all the same), 2 bad input (nothing is written), 3 nothing could be decided, 130 interrupted
    (nothing is written).

    Try:

        infounlearn feature people.csv --sensitive sex --target income
        infounlearn feature people.parquet --sensitive sex race --target income --drop id
        infounlearn feature people.csv --sensitive sex --target income --use-target --json

    Attributes:
        table: CSV or Parquet file.
        sensitive: column whose information goes; of several the combinations.
        target: column to keep predictable; it is never changed.
        out: folder of the released table, record.json, report.html and card.md.
        amount: how much goes, from 0 (nothing) to 1 (all).
        method: auto takes line for one column of numbers and common-support for anything else;
            gaussian moves means and covariances of numbers only, and is the fastest.
        mode: blind releases rows without knowing their sensitive value (common-support only).
        release: of common-support: rows keeps most of the table and is measured; atoms releases
            one of finitely many rows with known probabilities, so that the audit can certify it.
            auto takes atoms with --mode blind or --use-target, and rows otherwise.
        use_target: let the fit know the target, which keeps more of it (common-support only).
        given: legitimate columns: the feature is removed within each of their values only, and
            they stay. The target here means equalized odds.
        categorical: columns that are categories although they hold numbers.
        numeric: columns that are numbers although they hold only 0 and 1.
        ordinal: columns whose values have an order.
        drop: columns to leave out of the release, such as names.
        key: column that names rows, which stays: a row of the same key and cells is released alike
            by the same noise seed. By default rows are named by their number.
        missing: of the sensitive column: error, or a group of its own.
        holdout: share of the rows that is held out.
        fit_rows: common-support learns from at most this many rows of each group.
        audit_rows: at most this many held-out rows are audited.
        rows_per_batch: rows in memory at a time.
        refits: probes trained on shuffled groups, for the null.
        permutations: of tests that need no refit.
        limit: nats that still count as removed.
        seed: of the split and the audit; it is written into the record.
        noise_seed: of the draws of the release, a fresh secret one by default. Who knows it can
            undo the draws: it is written nowhere.
        quick: a small fit and a small audit, which see large leaks only.
        json: print machine-readable results on standard output, everything else on standard error.
    """

    table: Annotated[Path, tyro.conf.Positional]
    sensitive: tuple[str, ...]
    target: str
    out: Path = Path("runs/feature")
    amount: float = 1.0
    method: Literal["auto", "line", "gaussian", "common-support"] = "auto"
    mode: Literal["aware", "blind"] = "aware"
    release: Literal["auto", "rows", "atoms"] = "auto"
    use_target: bool = False
    given: tuple[str, ...] = ()
    categorical: tuple[str, ...] = ()
    numeric: tuple[str, ...] = ()
    ordinal: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()
    key: str | None = None
    missing: Literal["error", "group"] = "error"
    holdout: float = 0.3
    fit_rows: int = 20_000
    audit_rows: int = 20_000
    rows_per_batch: int = 65_536
    refits: int = 19
    permutations: int = 999
    limit: float = 0.02
    seed: int = 0
    noise_seed: int | None = None
    quick: bool = False
    json: bool = False


def main(words: Sequence[str]) -> int:
    """Release one table, or images, and return the exit code of the verdicts."""
    from infounlearn.cli import feature_images

    if feature_images.is_for_images(words):
        return feature_images.main(words)
    options = parse(Feature, words, "feature")
    from infounlearn.cli.show import Watcher, console
    from infounlearn.experiments.feature_job import exit_code, release_table
    from infounlearn.experiments.feature_request import FeatureRequest

    names = {field.name for field in fields(FeatureRequest)}
    given = {field.name: getattr(options, field.name) for field in fields(options)}
    request = FeatureRequest(**{name: value for name, value in given.items() if name in names})
    plain = as_plain(options)
    # The record travels with the table, and the seed of the draws must not.
    for secret in ("noise_seed", "json"):
        del plain[secret]
    with Watcher(console(stderr=True)).live() as watch:
        done = release_table(
            request.quick() if options.quick else request,
            out=options.out,
            command=["feature", *without_secret(words)],
            options=plain,
            watch=watch,
        )
    code = exit_code(done.record.audit)
    tell(done, as_json=options.json, code=code)
    return code


def without_secret(words: Sequence[str]) -> list[str]:
    """The words without the noise seed, in any spelling that the parser takes."""
    kept: list[str] = []
    rest = iter(words)
    for word in rest:
        if word.split("=")[0].replace("_", "-") != "--noise-seed":
            kept.append(word)
        elif "=" not in word:
            next(rest, None)
    return kept


def tell(done: FeatureResult, *, as_json: bool, code: int) -> None:
    """Print the result: a short table, verdicts, and where things lie."""
    from infounlearn.cli.show import console, print_json

    show_release(console(stderr=as_json), done)
    if as_json:
        print_json({"command": "feature", "exit_code": code, **release_as_plain(done)})


def show_release(screen: Console, done: FeatureResult) -> None:
    """The short table, each question with its answer, and the files."""
    from infounlearn.cli.show import print_files, print_verdicts

    screen.print(feature_table(done.record))
    print_verdicts(screen, done.record.audit)
    print_files(screen, [("table", done.table), ("report", done.report)])


def release_as_plain(done: FeatureResult) -> dict[str, Any]:
    """The result for ``--json``."""
    from infounlearn.cli.show import audit_as_plain

    run = done.record.run
    told = {} if run is None else {"method": run.method, "settings": dict(run.settings)}
    if run is not None:
        told |= {"warnings": list(run.warnings), "cost": dict(run.cost)}
    files = {
        "table": str(done.table),
        "report": str(done.report),
        "record": str(done.report.with_name("record.json")),
    }
    return {**told, **audit_as_plain(done.record.audit), "files": files}


def feature_table(record: Record) -> Table:
    """What is told of the feature and of the target, before and after, beside what chance shows."""
    from rich.box import SIMPLE_HEAD
    from rich.markup import escape
    from rich.table import Table

    from infounlearn.report import numbers

    table = Table(title=escape(record.title), title_justify="left", box=SIMPLE_HEAD)
    table.add_column("", overflow="fold")
    for name in ("before", "after", "interval", "null 95 %", "certified"):
        table.add_column(name, justify="right", overflow="fold")
    feature = str(record.audit.settings["feature"])
    for one in record.audit.findings:
        label = _label(one.name, feature)
        if label is None:
            continue
        null = None if one.null is None else one.null.quantile95
        table.add_row(
            escape(label),
            numbers.quantity(one.original, one.unit),
            numbers.quantity(one.value, one.unit),
            numbers.interval(one.interval, one.unit),
            numbers.quantity(null, one.unit),
            "—" if one.bound is None else f"≤ {numbers.quantity(one.bound, one.unit)}",
        )
    return table


def _label(name: str, feature: str) -> str | None:
    """Short name of a finding in the short table; None for one that only the report shows."""
    room, _, what = name.partition("/")
    if room == "probes" and not what.endswith(("_auc", "_power")):
        return f"{feature}, read by {what.replace('-', ' ')}"
    if room == "information":
        return f"{feature}, in the {what.replace('_', ' ')}"
    if room == "kept":
        return f"{feature}, in the target itself"
    names = {"accuracy": "accuracy", "auroc": "AUROC", "r2": "R²", "mse": "squared error"}
    return f"target, {names[what]} of boosted trees" if room == "utility" else None
