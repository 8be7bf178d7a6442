"""What the estimators read: inputs without Z, groups, targets; every problem in one message."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.utils.validation import check_array, validate_data

from infounlearn.errors import InputError, Problems
from infounlearn.feature.frames import Frame, read_frame, resolve
from infounlearn.feature.sensitive import SensitiveGroups, encode_sensitive


@dataclass(frozen=True)
class Scale:
    """Affine standardisation of columns; a constant column becomes 0."""

    mean: np.ndarray
    sd: np.ndarray

    @staticmethod
    def of(values: np.ndarray) -> Scale:
        """Mean and standard deviation of (n, d) values; 1 in place of no deviation."""
        mean = values.mean(0)
        sd = values.std(0)
        # Constant up to the rounding of its mean.
        still = sd <= 1e-12 * np.abs(mean)
        return Scale(mean, np.where(still, 1.0, sd))

    def __call__(self, values: np.ndarray) -> np.ndarray:
        """Standardised (n, d) values."""
        return (values - self.mean) / self.sd


def seed_of(random_state: Any) -> int:
    """A seed from an integer, None (fresh entropy) or a generator, which is then advanced."""
    if random_state is None:
        return int(np.random.SeedSequence().generate_state(1, np.uint64)[0] >> np.uint64(1))
    if isinstance(random_state, np.random.RandomState):
        return int(random_state.randint(2**31 - 1))
    if isinstance(random_state, np.random.Generator):
        return int(random_state.integers(2**31 - 1))
    return int(random_state)


def training_inputs(
    estimator: Any, X: Any, sensitive: Any, problems: Problems
) -> tuple[np.ndarray | None, SensitiveGroups | None]:
    """Inputs without the sensitive columns, and the groups of the rows.

    Sets ``n_features_in_``, ``feature_names_in_`` and ``sensitive_columns_`` of the estimator.
    Problems are collected; what could not be read is None.
    """
    column, values = estimator.sensitive, sensitive
    dropped: tuple[int, ...] = ()
    if column is not None:
        problems.require(
            sensitive is None,
            "sensitive is given twice, as columns of X and as values",
            fix="pass one of them",
        )
        frame = read_frame(X, problems)
        if frame is None:
            return None, None
        dropped = resolve(frame, column, "sensitive", problems)
        if dropped:
            values = np.stack([_column(frame, at) for at in dropped], 1)
    inputs = _matrix(estimator, X, dropped, problems, reset=True)
    estimator.sensitive_columns_ = dropped
    if inputs is not None:
        problems.require(
            len(inputs) >= 2, f"X has n_samples = {len(inputs)}", fix="pass two or more rows"
        )
    if values is None or (column is not None and not dropped):
        return inputs, None
    try:
        groups = encode_sensitive(
            values, where="sensitive", missing=estimator.missing, bins=estimator.sensitive_bins
        )
    except InputError as error:
        problems.add(str(error), fix="see sensitive, missing and sensitive_bins")
        return inputs, None
    if inputs is not None:
        problems.require(
            len(groups.codes) == len(inputs),
            f"sensitive has {len(groups.codes)} rows, X has {len(inputs)}",
            fix="pass one value per row",
        )
    return inputs, groups


def prediction_inputs(estimator: Any, X: Any) -> np.ndarray:
    """(n, d) inputs of new rows, with the sensitive columns (which are dropped) or without them.

    Raises:
        InputError: X cannot be read or has other columns.
    """
    problems = Problems(type(estimator).__name__)
    dropped = estimator.sensitive_columns_
    frame = read_frame(X, Problems("")) if dropped else None
    if frame is None or len(frame.names) != estimator.n_features_in_ - len(dropped):
        matrix = _matrix(estimator, X, dropped, problems, reset=False)
    else:
        matrix = _array(estimator, X, (), problems)
        known = getattr(estimator, "feature_names_in_", None)
        if known is not None and frame.matrix is None:
            kept = [str(name) for name in np.delete(known, dropped)]
            problems.require(
                list(frame.names) == kept,
                f"columns are {list(frame.names)[:9]}",
                fix=f"pass those of fit, in their order: {kept[:9]}",
            )
    problems.raise_if_any()
    assert matrix is not None  # or there was a problem
    return matrix


def validation_rows(
    cells: np.ndarray, fraction: float, generator: np.random.Generator
) -> np.ndarray:
    """(n,) boolean: about ``fraction`` of the rows, evenly over the cells (strata by group)."""
    order = np.lexsort((generator.random(len(cells)), cells))
    # Every 1/fraction-th row in that order, from a random start.
    marks = np.floor(np.arange(len(cells) + 1) * fraction + generator.random())
    found = np.zeros(len(cells), dtype=bool)
    found[order] = np.diff(marks) > 0
    return found


def _matrix(
    estimator: Any, X: Any, dropped: tuple[int, ...], problems: Problems, *, reset: bool
) -> np.ndarray | None:
    """Checked float64 inputs, columns dropped; None where there was a problem."""
    matrix = _array(estimator, X, dropped, problems)
    if matrix is None:
        return None
    try:
        # Names and number of columns are those of X as it came.
        validate_data(estimator, X, skip_check_array=True, reset=reset)
    except ValueError as error:
        problems.add(f"X: {error}", fix="pass the columns of fit")
        return None
    return matrix


def _array(
    estimator: Any, X: Any, dropped: tuple[int, ...], problems: Problems
) -> np.ndarray | None:
    if dropped:
        frame = read_frame(X, problems)
        if frame is None:
            return None
        kept = [at for at in range(len(frame.names)) if at not in dropped]
        if not kept:
            problems.add(
                f"X has {len(frame.names)} feature(s), and all are sensitive",
                fix="pass at least one column to predict from",
            )
            return None
        X = frame.matrix[:, kept] if frame.matrix is not None else _frame_columns(frame, kept)
    try:
        matrix: np.ndarray = check_array(X, dtype=np.float64, estimator=estimator)
    except ValueError as error:
        problems.add(f"X: {error}", fix="pass finite numbers; one-hot encode texts and categories")
        return None
    return matrix


def _column(frame: Frame, at: int) -> np.ndarray:
    return np.asarray(
        frame.matrix[:, at] if frame.matrix is not None else frame.native[:, at].to_numpy(), object
    )


def _frame_columns(frame: Frame, kept: list[int]) -> Any:
    """By position: columns of a pandas frame may have numbers for names."""
    return frame.native[:, kept].to_native()
