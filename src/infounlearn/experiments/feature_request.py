"""What is asked of a table file: whose information goes, which column plays which role, and how."""

from __future__ import annotations

import difflib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from infounlearn.data import TableScan
from infounlearn.errors import Problems, is_number
from infounlearn.report import check_folder

__all__ = ["FeatureRequest", "Roles", "check_target_file", "read_roles", "released_name"]

Method = Literal["auto", "line", "gaussian", "common-support"]


@dataclass(frozen=True)
class FeatureRequest:
    """A table and what is to be done with it.

    Attributes:
        table: CSV or Parquet file.
        sensitive: columns whose information goes; several are crossed.
        target: column that stays as it is, is never among the features, and measures utility.
        amount: the dial in [0, 1].
        method, mode: of :class:`infounlearn.feature.WassersteinBarycenter`.
        release: of "common-support": "rows", which keeps most and is measured; "atoms", of a
            finite number of rows with known probabilities, which is certified; "auto" takes atoms
            where the mode is blind or the target is used, and rows otherwise.
        use_target: let "common-support" keep the target predictable.
        given: legitimate columns that stay as they are and are conditioned on; may be the target.
        categorical, numeric, ordinal: columns whose kind is declared.
        drop: columns left out of the release.
        key: column that names rows for the noise and stays as it is; the row number where None.
        missing: of the sensitive columns: "error", or "group".
        holdout: share of the rows that is not fitted on and may be audited.
        fit_rows: most rows of a group that "common-support" learns from.
        audit_rows: most held-out rows that are audited.
        rows_per_batch: rows held in memory while streaming.
        refits: probes trained on shuffled groups, for each probe's null.
        permutations: of tests that need no refit.
        limit: nats that still count as removed.
        seed: of the split, of utility and audit; written down.
        noise_seed: of the draws of the release; None for a fresh secret one. Never written down.
    """

    table: Path
    sensitive: tuple[str, ...]
    target: str
    amount: float = 1.0
    method: Method = "auto"
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

    def quick(self) -> FeatureRequest:
        """The same with a small fit and a small audit, which sees large leaks only."""
        return replace(self, fit_rows=min(self.fit_rows, 2_000), audit_rows=2_000, refits=9)


@dataclass(frozen=True)
class Roles:
    """The columns of the table by their part in the job.

    Attributes:
        features: columns that are changed, in the order of the file.
        kept: columns released as they are.
        names: all columns of the release, in the order of the file.
        read: all columns that are read.
        method: "line", "gaussian" or "common-support".
    """

    features: tuple[str, ...]
    kept: tuple[str, ...]
    names: tuple[str, ...]
    read: tuple[str, ...]
    method: str


def read_roles(request: FeatureRequest, scan: TableScan) -> Roles:
    """Which column plays which role.

    Raises:
        InputError: absent columns with the nearest names, columns of two roles, settings out of
            range, and columns that the method cannot take, all at once.
    """
    problems = Problems(str(request.table))
    _check_columns(request, scan, problems)
    _check_settings(request, problems)
    still = {request.target, *request.given, request.key}
    gone = {*request.sensitive, *request.drop}
    features = tuple(name for name in scan.names if name not in still | gone)
    problems.require(
        bool(features),
        "no column is left to be changed",
        fix="keep columns beside the sensitive column, the target and what is dropped",
    )
    problems.raise_if_any()
    kinds = {column.name: column for column in scan.columns}
    method = request.method
    if method == "auto":
        # One column of numbers has an exact solution; everything else needs a common support.
        lone = kinds[features[0]]
        plain = lone.type in ("integer", "number") and lone.missing == 0
        plain &= lone.name not in (*request.categorical, *request.ordinal)
        exact = len(features) == 1 and plain and request.mode == "aware" and not request.use_target
        method = "line" if exact else "common-support"
    if method != "common-support":
        other = [name for name in features if kinds[name].type not in ("integer", "number")]
        other += [name for name in features if name in (*request.categorical, *request.ordinal)]
        gaps = [name for name in features if kinds[name].missing and name not in other]
        problems.require(
            not other,
            f"columns {other} hold no numbers and --method is {method}",
            fix="leave them out with --drop, or use --method common-support",
        )
        problems.require(
            not gaps,
            f"columns {gaps} have missing cells and --method is {method}",
            fix="impute or drop them, or use --method common-support, where missing is a level",
        )
        problems.require(
            request.mode == "aware" and not request.use_target,
            f"--mode blind and --use-target do not go with --method {method}",
            fix="use --method common-support",
        )
        problems.require(
            request.release == "auto",
            f"--release {request.release} does not go with --method {method}",
            fix="use --method common-support",
        )
    else:
        problems.require(
            request.release != "rows" or (request.mode == "aware" and not request.use_target),
            "--mode blind and --use-target do not go with --release rows",
            why="rows are written by maps of their own group, which know no target",
            fix="use --release atoms",
        )
    problems.raise_if_any()
    names = tuple(name for name in scan.names if name not in gone)
    kept = tuple(name for name in names if name not in features)
    read = tuple(name for name in scan.names if name in {*names, *request.sensitive})
    return Roles(features, kept, names, read, method)


def released_name(scan: TableScan) -> str:
    """Name of the released file: in the form of the one read."""
    if scan.format == "parquet":
        return "table.parquet"
    return "table.tsv" if scan.delimiter == "\t" else "table.csv"


def check_target_file(out: Path, name: str, table: Path) -> None:
    """Whether the release and its report may be written into ``out``; leaves no trace.

    Raises:
        InputError: the folder cannot be written, or a file there is not an earlier result.
    """
    problems, released = Problems("out"), out / name
    problems.require(
        not (released.exists() and table.exists() and released.samefile(table)),
        f"{str(released)!r} is the table that is read and would be replaced",
        fix="choose another folder",
    )
    problems.require(
        not released.exists() or (out / "record.json").exists(),
        f"{str(released)!r} exists and no record.json beside it says that it is an earlier result",
        fix="choose another folder, or move that file away",
    )
    problems.raise_if_any()
    check_folder(out)


def _check_columns(request: FeatureRequest, scan: TableScan, problems: Problems) -> None:
    """Every name is a column, and no column plays two roles that exclude each other."""
    asked = {
        "sensitive": request.sensitive,
        "target": (request.target,),
        "given": request.given,
        "categorical": request.categorical,
        "numeric": request.numeric,
        "ordinal": request.ordinal,
        "drop": request.drop,
        "key": () if request.key is None else (request.key,),
    }
    known = scan.names
    lower = {name.lower(): name for name in known}
    for option, names in asked.items():
        twice = sorted({name for name in names if names.count(name) > 1})
        problems.require(not twice, f"--{option} names {twice} twice", fix="name each column once")
        for name in dict.fromkeys(names):
            near = [lower[one] for one in difflib.get_close_matches(name.lower(), lower, n=3)]
            problems.require(
                name in known,
                f"--{option} names a column {name!r} that the table does not have",
                fix=f"did you mean {' or '.join(map(repr, near))}?"
                if near
                else f"it has {', '.join(known[:20])}{', ...' if len(known) > 20 else ''}",
            )
    problems.require(
        bool(request.sensitive), "--sensitive names no column", fix="name at least one"
    )
    for first, second, why in (
        ("sensitive", "target", "removing it would remove the target"),
        ("sensitive", "given", "nothing would be removed"),
        ("sensitive", "key", "the key is released as it is"),
        ("sensitive", "drop", "it is left out anyway"),
        ("target", "drop", "utility could not be measured"),
        ("target", "key", "the target does not name rows"),
        ("given", "drop", "it is what the release is conditioned on"),
        ("key", "drop", "rows are named by it"),
        ("categorical", "numeric", "a column is of one kind"),
        ("categorical", "ordinal", "a column is of one kind"),
        ("numeric", "ordinal", "a column is of one kind"),
    ):
        both = sorted(set(asked[first]) & set(asked[second]))
        problems.require(
            not both,
            f"--{first} and --{second} both name {both}",
            why=why,
            fix="name each column in one of them",
        )
    fixed = {*request.sensitive, request.target, *request.given, *request.drop, request.key}
    for option in ("categorical", "numeric", "ordinal"):
        idle = sorted(set(asked[option]) & fixed)
        problems.require(
            not idle, f"--{option} names {idle}, which are not changed", fix="leave them out"
        )
    words = {column.name for column in scan.columns if column.type in ("text", "boolean")}
    wrong = sorted(words & set(request.numeric))
    problems.require(
        not wrong, f"--numeric names {wrong}, which hold no numbers", fix="repair their cells"
    )


def _check_settings(request: FeatureRequest, problems: Problems) -> None:
    for name, low, high, said in (
        ("amount", 0.0, 1.0, "a number in [0, 1]: 0 leaves the table, 1 removes the feature"),
        ("holdout", 0.01, 0.9, "a share in [0.01, 0.9]"),
    ):
        value = getattr(request, name)
        problems.require(
            is_number(value) and low <= value <= high, f"--{name} is {value!r}", fix=f"pass {said}"
        )
    for name, least in (
        ("fit_rows", 10),
        ("audit_rows", 100),
        ("rows_per_batch", 100),
        ("refits", 1),
        ("permutations", 1),
        ("seed", 0),
    ):
        value = getattr(request, name)
        problems.require(
            is_number(value, whole=True) and value >= least,
            f"--{name.replace('_', '-')} is {value!r}",
            fix=f"pass a whole number of at least {least}",
        )
    problems.require(
        is_number(request.limit) and request.limit > 0,
        f"--limit is {request.limit!r}",
        fix="pass nats above 0",
    )
