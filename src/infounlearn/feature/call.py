"""One call of fit or transform, read and checked: which columns move, which stay, who is who."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from infounlearn.errors import InputError, Problems
from infounlearn.feature.frames import Frame, read_frame, resolve
from infounlearn.feature.sensitive_columns import columns_of

__all__ = ["Call", "read_call"]


@dataclass(frozen=True, eq=False)
class Call:
    """What one call brings.

    Attributes:
        frame: the table.
        features: positions of the columns that are moved.
        keep: positions of the columns of the result, in their order.
        sensitive: (n,) or (n, k) sensitive values; None where they are not known.
        given: the same of what is conditioned on; None without.
    """

    frame: Frame
    features: tuple[int, ...]
    keep: tuple[int, ...]
    sensitive: Any
    given: Any


def read_call(
    X: object,
    problems: Problems,
    *,
    settings: dict[str, Any],
    sensitive: object,
    given: object,
    needs_sensitive: bool,
    needs_given: bool,
    few: int,
) -> Call:
    """Columns by their roles.

    Args:
        X: as the caller passed it.
        problems: collects what is wrong.
        settings: parameters of the estimator.
        sensitive: values passed with this call, or None.
        given: the same of what is conditioned on.
        needs_sensitive: whether this call cannot do without sensitive values.
        needs_given: whether this call cannot do without values to condition on.
        few: least number of rows.

    Raises:
        InputError: X is no table, or has too few rows, with all problems found so far.
    """
    frame = read_frame(X, problems)
    if frame is None:
        problems.raise_if_any()
        raise InputError(f"{problems.where}: X is {type(X).__name__}: pass a table")
    width = len(frame.names)
    problems.require(
        width > 0,
        f"0 feature(s) (shape=({len(frame)}, 0)) while a minimum of 1 is required",
        fix="pass a table with columns",
    )
    problems.require(
        len(frame) >= few,
        f"Found array with {len(frame)} sample(s) while a minimum of {few} is required",
        fix="pass more rows",
    )
    if not width or len(frame) < few:
        problems.raise_if_any()
    columns = settings["sensitive"]
    unnamed = not needs_sensitive and _all_absent(frame, columns)
    hidden = _roles(
        frame, problems, None if unnamed else columns, sensitive, "sensitive", needs_sensitive
    )
    legitimate = _roles(frame, problems, settings["given"], given, "given", needs_given)
    features = tuple(at for at in range(width) if at not in (*hidden, *legitimate))
    dropped = hidden if settings["drop_sensitive"] else ()
    keep = tuple(at for at in range(width) if at not in dropped)
    problems.require(
        bool(features),
        f"no column of X is left to be changed (n_features = {width})",
        fix="pass columns beside the sensitive and the given ones",
    )
    overlap = sorted(frame.names[at] for at in set(hidden) & set(legitimate))
    problems.require(
        not overlap,
        f"columns {overlap} are both sensitive and given",
        why="nothing would be removed",
        fix="name each in one of them",
    )
    return Call(
        frame,
        features,
        keep,
        _values(frame, hidden, sensitive, "sensitive", problems),
        _values(frame, legitimate, given, "given", problems),
    )


def _roles(
    frame: Frame, problems: Problems, columns: object, values: object, what: str, needed: bool
) -> tuple[int, ...]:
    """Positions of the columns of one role; empty where values are passed beside the table."""
    if columns is not None and values is not None:
        problems.add(
            f"{what} is a column of X and is passed beside it", fix="leave one of the two out"
        )
        return ()
    if columns is None:
        problems.require(
            values is not None or not needed,
            f"{what} is absent",
            why="every row needs its group to be moved" if what == "sensitive" else "",
            fix=f"name columns of X in {what}=, or pass {what}= to this call (in a pipeline: "
            f"set_fit_request and set_transform_request({what}=True))"
            + ("; mode='blind' needs it in fit only" if what == "sensitive" else ""),
        )
        return ()
    return resolve(frame, columns, f"{what}=", problems)


def _all_absent(frame: Frame, columns: object) -> bool:
    """Whether columns given by name are all missing from a table that is released blindly."""
    listed = columns if isinstance(columns, list | tuple) else [columns]
    return all(isinstance(column, str) and column not in frame.names for column in listed)


def _values(
    frame: Frame, columns: tuple[int, ...], values: object, what: str, problems: Problems
) -> Any:
    if columns:
        if len(columns) == 1:
            return frame.column(columns[0])
        return np.stack([frame.column(at).astype(object) for at in columns], axis=1)
    if values is None:
        return None
    try:
        _, arrays = columns_of(values, what)
    except InputError as error:
        problems.found.append(str(error))
        return None
    rows = len(arrays[0])
    if not problems.require(
        rows == len(frame),
        f"{what} has {rows} rows, X has {len(frame)}",
        fix="pass one value per row of X",
    ):
        return None
    return values
