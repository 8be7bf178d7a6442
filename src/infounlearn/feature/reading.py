"""From what a caller passes to what engines need, with every problem of it collected first."""

from __future__ import annotations

import secrets
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from infounlearn.errors import InputError, Problems
from infounlearn.feature.call import Call, read_call
from infounlearn.feature.columns import MixedTable
from infounlearn.feature.declaring import columns_and_method, numbers_of, target_of
from infounlearn.feature.engine import Settings
from infounlearn.feature.history import History, collected, stream_of
from infounlearn.feature.policies import FeatureWarning, atoms_message, check_settings
from infounlearn.feature.recognise import encode_table
from infounlearn.feature.sensitive import SensitiveGroups, encode_sensitive
from infounlearn.feature.sensitive_columns import MANY

if TYPE_CHECKING:
    from infounlearn.feature.barycenter import WassersteinBarycenter

__all__ = ["Batch", "read_batch"]

LOOK = 2_000
"""Rows looked at to see whether a column is discrete."""


@dataclass(frozen=True, eq=False)
class Batch:
    """One batch of a stream, ready to be added to ``history``."""

    call: Call
    history: History
    table: MixedTable
    groups: SensitiveGroups
    strata: SensitiveGroups | None
    values: np.ndarray
    target: np.ndarray | None


def read_batch(
    estimator: WassersteinBarycenter,
    X: Any,
    y: Any,
    sensitive: Any,
    given: Any,
    history: History | None,
    problems: Problems,
    *,
    few: int,
) -> Batch:
    """One batch to learn from.

    Raises:
        InputError: everything that cannot be used.
    """
    from sklearn.utils.validation import validate_data

    settings = estimator.get_params(deep=False)
    check_settings(settings, problems)
    by_target = bool(settings["given_target"])
    wants_target = by_target or bool(settings["use_target"])
    problems.require(
        y is not None or not wants_target,
        "y is absent",
        fix="pass y, which use_target and given_target need in fit",
    )
    call = read_call(
        X,
        problems,
        settings=settings,
        sensitive=sensitive,
        given=y if by_target else given,
        needs_sensitive=True,
        needs_given=False,
        few=few,
    )
    validate_data(estimator, X, reset=history is None, skip_check_array=True)
    missing = settings["missing"]
    known = None if history is None else history.groups
    options = {"where": problems.where, "missing": missing, "min_count": 1}
    groups: SensitiveGroups | None = None
    strata: SensitiveGroups | None = None
    if call.sensitive is not None:
        groups = collected(
            problems, encode_sensitive, call.sensitive, bins=settings["bins"], like=known, **options
        )
    if call.given is not None:
        before = None if history is None else history.strata
        bins = "auto" if settings["bins"] is None else settings["bins"]
        strata = collected(
            problems, encode_sensitive, call.given, what="given", bins=bins, like=before, **options
        )
    layout, method = columns_and_method(call, settings, history, problems)
    table = encode_table(call.frame, call.features, layout, problems, grow=True)
    problems.raise_if_any()
    if groups is None:
        raise InputError(f"{problems.where}: sensitive is absent: pass it")
    continuous = (
        method == "gaussian"
        and settings["bins"] == "auto"
        and all(edges is not None for edges in groups.edges)
    )
    values = numbers_of(call.sensitive, problems) if continuous else np.empty((len(table), 0))
    classes = None if history is None else history.classes
    target, classes = target_of(y, settings, len(table), classes, history is None, problems)
    problems.raise_if_any()
    if history is None:
        seed = settings["random_state"]
        seed = secrets.randbits(62) if seed is None else int(seed) % 2**62
        bank = Settings(max_rows=settings["max_rows"])
        stream = None if continuous else stream_of(method, bank, seed)
        history = History(layout, method, seed, groups, strata, stream, classes=classes)
        if method == "gaussian":
            _warn_of_atoms(table)
    return Batch(call, history, table, groups, strata, values, target)


def _warn_of_atoms(table: MixedTable) -> None:
    head = table.numeric[:LOOK]
    discrete = []
    for variable in table.layout.numeric:
        few = len(np.unique(head[:, variable.at]))
        if 1 < few <= min(MANY, len(head) // 2):
            discrete.append(variable.name)
    if discrete:
        warnings.warn(atoms_message(discrete), FeatureWarning, stacklevel=5)
