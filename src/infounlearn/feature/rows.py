"""Rows to be released: read, coded, and written back as they came."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from infounlearn.errors import Problems
from infounlearn.feature.call import Call, read_call
from infounlearn.feature.columns import Layout, MixedTable
from infounlearn.feature.conditional import Strata
from infounlearn.feature.declaring import numbers_of
from infounlearn.feature.frames import check_fitted_columns
from infounlearn.feature.history import History, collected
from infounlearn.feature.policies import check_settings
from infounlearn.feature.recognise import encode_table
from infounlearn.feature.sensitive import SensitiveGroups

if TYPE_CHECKING:
    from infounlearn.feature.barycenter import WassersteinBarycenter

__all__ = ["Rows", "cells_of", "kept_names", "read_rows"]


@dataclass(frozen=True, eq=False)
class Rows:
    """Rows to be released.

    Attributes:
        call: what the caller passed.
        table: the same as numbers and codes.
        codes: (n,) groups, (n, k) numbers of a continuous Z, or None where Z is not known.
        strata: (n,) stratum of each row.
        stays: (n,) whether a row stays as it is because its group was not fitted.
    """

    call: Call
    table: MixedTable
    codes: np.ndarray | None
    strata: np.ndarray
    stays: np.ndarray

    def unchanged(self) -> Any:
        """The table itself, bit for bit."""
        return self.call.frame.write(self.call.keep, {}, np.zeros(len(self.table), dtype=bool))

    def with_numbers(self, moved: np.ndarray, rows: np.ndarray, amount: float) -> Any:
        """The table with the numeric block moved the share ``amount`` of the way to ``moved``."""
        own = self.table.numeric
        numbers = moved if amount == 1.0 else own + amount * (moved - own)
        call, matrix = self.call, self.call.frame.matrix
        if matrix is not None and call.keep == call.features and rows.all():
            # Nothing stands between the numbers and the result: no column is copied.
            return numbers.astype(matrix.dtype if matrix.dtype.kind in "fO" else float, copy=False)
        cells = {
            call.features[variable.columns[0]]: numbers[:, variable.at]
            for variable in self.table.layout.numeric
        }
        return call.frame.write(call.keep, cells, rows)

    def with_table(self, written: MixedTable, moved: np.ndarray) -> Any:
        """The table with the cells of ``written``, row by row, where ``moved``.

        Only rows that differ are written: a category that was not fitted has no cell to write.
        """
        own = self.table
        differs = (written.numeric != own.numeric).any(1) | (written.codes != own.codes).any(1)
        moved = moved & differs
        rows = np.flatnonzero(moved)
        place = np.zeros(len(moved), dtype=np.int64)
        place[rows] = np.arange(len(rows))
        return (
            self.with_cells(cells_of(written.take(rows)), place, moved)
            if len(rows)
            else (self.unchanged())
        )

    def with_cells(
        self, bank: Mapping[int, np.ndarray], rows: np.ndarray, moved: np.ndarray
    ) -> Any:
        """The table with the cells of bank rows ``rows`` where ``moved``."""
        call, chosen = self.call, np.where(moved, rows, 0)
        cells = {call.features[at]: column[chosen] for at, column in bank.items()}
        return call.frame.write(call.keep, cells, moved)


def cells_of(table: MixedTable) -> dict[int, np.ndarray]:
    """Cells of a table by feature column."""
    cells: dict[int, np.ndarray] = {}
    for variable in table.layout.variables:
        cells.update(zip(variable.columns, table.cells(variable), strict=True))
    return cells


def read_rows(
    estimator: WassersteinBarycenter,
    X: Any,
    sensitive: Any,
    given: Any,
    groups: SensitiveGroups,
    engines: Strata,
    problems: Problems,
) -> Rows:
    """Rows to release.

    Raises:
        InputError: everything that cannot be used.
    """
    settings = estimator.get_params(deep=False)
    check_settings(settings, problems)
    history: History = estimator._history
    blind = settings["mode"] == "blind"
    call = read_call(
        X,
        problems,
        settings=settings,
        sensitive=sensitive,
        given=given,
        needs_sensitive=not blind,
        needs_given=history.strata is not None,
        few=1,
    )
    _check_columns(estimator, X, call, history.layout, blind, problems)
    problems.raise_if_any()
    table = encode_table(
        call.frame,
        call.features,
        history.layout,
        problems,
        unseen=settings["unseen_categories"],
    )
    unseen = "mark" if settings["unseen"] == "keep" else "error"
    options = {"where": problems.where, "unseen": unseen}
    codes = None
    if not blind and history.continuous:
        codes = numbers_of(call.sensitive, problems)
    elif not blind:
        codes = collected(problems, groups.encode, call.sensitive, **options)
    strata = np.zeros(len(table), dtype=np.int64)
    if history.strata is not None:
        strata = collected(problems, history.strata.encode, call.given, **options)
    problems.raise_if_any()
    stays = np.zeros(len(table), dtype=bool)
    if codes is not None:
        stays = engines.unseen(codes, strata)
        problems.require(
            not stays.any() or unseen == "mark",
            f"{int(stays.sum())} rows are in groups that were not fitted in their stratum",
            fix="fit on rows of every group in every stratum, condition on less, or set "
            "unseen='keep'",
        )
    problems.raise_if_any()
    return Rows(call, table, codes, strata, stays)


def kept_names(estimator: WassersteinBarycenter, input_features: Any) -> np.ndarray:
    """Names of the columns of the result."""
    from sklearn.utils.validation import _check_feature_names_in

    names = np.asarray(_check_feature_names_in(estimator, input_features), dtype=object)
    if estimator.sensitive is None or not estimator.drop_sensitive:
        return names
    listed = estimator.sensitive
    listed = listed if isinstance(listed, list | tuple) else [listed]
    fitted = list(getattr(estimator, "feature_names_in_", names))
    dropped = {fitted.index(one) if isinstance(one, str) else one % len(names) for one in listed}
    return np.array([name for at, name in enumerate(names) if at not in dropped], dtype=object)


def _check_columns(
    estimator: WassersteinBarycenter,
    X: Any,
    call: Call,
    layout: Layout,
    blind: bool,
    problems: Problems,
) -> None:
    absent = estimator.n_features_in_ - len(call.frame.names)
    listed = estimator.sensitive
    hidden = 0 if listed is None else len(listed) if isinstance(listed, list | tuple) else 1
    if not (blind and hidden and absent == hidden):
        check_fitted_columns(estimator, X, problems.where)
    named = tuple(call.frame.names[at] for at in call.features)
    problems.require(
        named == layout.names or call.frame.matrix is not None,
        f"columns are {list(named[:5])}, fitted were {list(layout.names[:5])}",
        fix="pass the columns of fit, in their order",
    )
