"""Arguments of a feature audit as arrays, and everything that is wrong with them at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy import special

from infounlearn.audit.feature.case import INTERFACES, Interface, Settings, Shown
from infounlearn.audit.feature.columns import Table, read_table
from infounlearn.audit.feature.groups import Groups
from infounlearn.audit.feature.probes import PROBES, Maker
from infounlearn.errors import Problems, is_number
from infounlearn.math.intervals import as_array

LEAST = 100
"""Rows below which cross-validated probes say nothing."""
LEAST_GROUP = 20
"""Rows of the smallest group below which a fold of it is too small to learn from."""


def find_interface(problems: Problems, data: Any, asked: str) -> Interface:
    """What the attacker sees, from the form of ``data`` unless it was said."""
    if asked != "auto":
        if not problems.require(
            asked in INTERFACES,
            f"interface is {asked!r}",
            fix=f"pass 'auto' or one of {INTERFACES}",
        ):
            return "table"
        return asked  # type: ignore[return-value]
    if isinstance(data, Mapping) or hasattr(data, "columns"):
        return "table"
    array = as_array(data)
    if array.ndim == 1:
        if array.dtype.kind == "f" and not np.isin(array, (0.0, 1.0)).all():
            return "scores"
        return "decisions"
    return "probabilities" if _is_distribution(array) and array.shape[1] > 1 else "table"


def read_shown(
    problems: Problems,
    name: str,
    data: Any,
    interface: Interface,
    categorical: Sequence[str | int] | None,
) -> Shown:
    """``data`` as the audit reads it under ``interface``."""
    if interface == "table":
        return Shown(read_table(problems, name, data, categorical))
    array = as_array(data)
    empty = Shown(Table(np.zeros((0, 0)), np.zeros((0, 0), dtype=np.int64)))
    wanted = 2 if interface in ("probabilities", "logits") else 1
    if not problems.require(
        array.ndim == wanted and len(array) > 0,
        f"{name} has shape {array.shape} under interface {interface!r}",
        fix="pass (n, K) rows" if wanted == 2 else "pass (n,) values",
    ):
        return empty
    if interface == "decisions":
        texts = array.astype(str) if array.dtype.kind == "O" else array
        labels, codes = np.unique(texts, return_inverse=True)
        table = Table(np.zeros((len(array), 0)), codes.reshape(-1, 1).astype(np.int64), (name,))
        names = tuple(str(label) for label in labels.tolist())
        return Shown(table, decisions=codes.reshape(-1), decision_names=names)
    fits = array.dtype.kind in "biuf" and bool(np.isfinite(array).all())
    if not problems.require(
        fits, f"{name} holds values that are no finite numbers", fix="repair or remove them"
    ):
        return empty
    values = array.astype(np.float64)
    if interface == "scores":
        return Shown(_table(values[:, None]), values[:, None], ("score",))
    if not problems.require(
        array.shape[1] > 1, f"{name} has one column", fix="pass one column per class"
    ):
        return empty
    if interface == "probabilities":
        if not problems.require(
            _is_distribution(values),
            f"{name} has rows that are no probabilities",
            fix="pass rows >= 0 that sum to 1, or interface='logits'",
        ):
            return empty
        kernels = values / values.sum(1, keepdims=True)
        scores = kernels
    else:
        kernels = special.softmax(values, axis=1)
        others = [special.logsumexp(np.delete(values, k, 1), axis=1) for k in range(array.shape[1])]
        scores = values - np.column_stack(others)
    names = tuple(f"class {index}" for index in range(array.shape[1]))
    if array.shape[1] == 2:  # the second class says it all
        scores, score_names = scores[:, 1:], names[1:]
    else:
        score_names = names
    decisions = values.argmax(1)
    return Shown(_table(scores), scores, score_names, decisions, names, kernels)


def read_probes(problems: Problems, probes: Sequence[str] | Mapping[str, Any]) -> dict[str, Maker]:
    """Makers by name: of ours, or of clones of the caller's own classifiers."""
    if isinstance(probes, Mapping):
        return {str(name): _cloner(estimator) for name, estimator in probes.items()}
    names = [probes] if isinstance(probes, str) else list(probes)
    strange = [name for name in names if name not in PROBES]
    problems.require(
        not strange and len(names) > 0,
        f"probes is {names}",
        fix=f"pass some of {tuple(PROBES)}, or a mapping of names to classifiers",
    )
    return {name: PROBES[name] for name in names if name in PROBES}


def _cloner(estimator: Any) -> Maker:
    def make(seed: int, columns: int) -> Any:
        from sklearn.base import clone

        made = clone(estimator)
        if "random_state" in made.get_params():
            made.set_params(random_state=seed)
        return made

    return make


def check_groups(problems: Problems, groups: Groups, rows: int, folds: int) -> None:
    """Enough rows, at least two groups, and enough rows of each."""
    if not problems.require(
        len(groups.codes) == rows,
        f"z has {len(groups.codes)} rows, outputs have {rows}",
        fix="pass one feature value per row",
    ):
        return
    problems.require(
        len(groups) >= 2,
        f"z has one value only, {groups.names[0] if groups.names else 'none'}",
        fix="audit rows of at least two groups",
    )
    problems.require(rows >= LEAST, f"there are {rows} rows", fix=f"pass at least {LEAST}")
    least = max(LEAST_GROUP, 2 * folds)
    pairs = zip(groups.names, groups.counts.tolist(), strict=True)
    small = [f"{name} ({count})" for name, count in pairs if count < least]
    problems.require(
        not small,
        f"groups of fewer than {least} rows: {', '.join(small[:9])}",
        fix="merge them with others, leave their rows out, or audit more rows",
    )


def check_settings(problems: Problems, settings: Settings) -> None:
    """Ranges of the numbers among the settings."""
    s = settings
    for name, value, fits, fix in (
        ("confidence", s.confidence, is_number(s.confidence) and 0 < s.confidence < 1, "0.95"),
        ("limit", s.limit, is_number(s.limit) and s.limit > 0, "nats above 0, such as 0.02"),
        ("permutations", s.permutations, _whole(s.permutations, 1), "999"),
        ("refits", s.refits, _whole(s.refits, 1), "19 or more"),
        ("folds", s.folds, _whole(s.folds, 2), "5"),
        ("bins", s.bins, _whole(s.bins, 2), "16"),
        ("seed", s.seed, _whole(s.seed, 0), "0 or more"),
        ("jobs", s.jobs, is_number(s.jobs, whole=True) and s.jobs != 0, "1, or -1 for all cores"),
    ):
        problems.require(fits, f"{name} is {value!r}", fix=f"pass {fix}")


def _whole(value: object, least: int) -> bool:
    return is_number(value, whole=True) and int(value) >= least  # type: ignore[call-overload]


def _table(values: np.ndarray) -> Table:
    return Table(values, np.zeros((len(values), 0), dtype=np.int64))


def _is_distribution(array: np.ndarray) -> bool:
    if array.ndim != 2 or array.dtype.kind not in "biuf" or array.size == 0:
        return False
    return bool((array >= 0).all()) and bool((np.abs(array.sum(1) - 1) <= 1e-4).all())
