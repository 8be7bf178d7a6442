"""Which columns are numbers, which are ordered, which are categories: seen or declared.

Seen: a column of texts, truth values or a category type is categorical, one of an ordered category
type is ordinal, a column of only 0 and 1 is a category of two, and columns of 0 and 1 of which
exactly one is 1 in every row are one categorical variable. All other numbers are numbers. What is
declared is never overruled.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from infounlearn.errors import Problems
from infounlearn.feature.columns import UNSEEN, Layout, MixedTable, Variable
from infounlearn.feature.frames import Frame
from infounlearn.feature.one_hot import one_hot_blocks
from infounlearn.feature.sensitive_columns import distinct, sort_key

__all__ = ["Declared", "encode_table", "recognise"]

IDENTIFIER_ROWS, IDENTIFIER_SHARE = 50, 0.5
"""A text column of at least so many rows with so many distinct values per row names rows."""


@dataclass(frozen=True)
class Declared:
    """What the caller said of the feature columns, by position.

    Attributes:
        numeric: positions of columns that are numbers, even if all are 0 and 1.
        categorical: positions of columns that are categories, even if they hold numbers.
        ordinal: ordered levels by position; None where their own order is to be used.
        only_numbers: every column is a number: nothing is looked for.
        missing: "error", or "level": a missing value is a level, or a mark beside a number.
    """

    numeric: frozenset[int] = frozenset()
    categorical: frozenset[int] = frozenset()
    ordinal: Mapping[int, tuple[Any, ...] | None] = field(default_factory=dict)
    only_numbers: bool = False
    missing: str = "error"


def recognise(
    frame: Frame, features: tuple[int, ...], declared: Declared, problems: Problems
) -> Layout:
    """The variables in the feature columns; what cannot be used goes to ``problems``."""
    names = tuple(frame.names[at] for at in features)
    marked = declared.categorical | set(declared.ordinal)
    numbers = [at for at in features if at not in marked and frame.is_number(at)]
    values = frame.numbers(numbers)
    open_to_blocks = (
        []
        if declared.only_numbers
        else [place for place, at in enumerate(numbers) if at not in declared.numeric]
    )
    blocks = one_hot_blocks(
        values[:, open_to_blocks], [frame.names[numbers[place]] for place in open_to_blocks]
    )
    homes = {numbers[open_to_blocks[member]]: block for block in blocks for member in block.members}
    variables: list[Variable] = []
    done: set[int] = set()
    for at in features:
        if at in done:
            continue
        name, place = frame.names[at], features.index(at)
        if at in homes:
            block = homes[at]
            members = [numbers[open_to_blocks[member]] for member in block.members]
            done.update(members)
            whole = all(frame.column(member).dtype.kind in "iu" for member in members)
            single = len(members) == 1
            variables.append(
                Variable(
                    name=block.name,
                    kind="categorical",
                    columns=tuple(features.index(member) for member in members),
                    at=0,
                    levels=(0, 1) if single else block.levels,
                    one_hot=not single,
                    dtype="int64" if whole else "float64",
                )
            )
        elif at in numbers:
            column = values[:, numbers.index(at)]
            variables.append(_number(frame, at, place, column, declared, problems))
        elif declared.only_numbers:
            problems.add(
                f"column {name} holds no numbers",
                fix="encode it, drop it, or use method='common-support', which takes categories",
            )
        else:
            variables.append(_category(frame, at, place, declared, problems))
    return Layout(names, tuple(_placed([v for v in variables if v.name])))


def encode_table(
    frame: Frame,
    features: tuple[int, ...],
    layout: Layout,
    problems: Problems,
    *,
    unseen: str = "error",
    grow: bool = False,
) -> MixedTable:
    """Rows of a frame as numbers and codes of a layout.

    Args:
        frame: with the columns of the fitted one.
        features: positions of its feature columns.
        layout: fitted.
        problems: collects what cannot be encoded.
        unseen: "error", or "other": code −1 for categories that were not fitted.
        grow: give new categories new codes behind the old ones; the layout returned knows them.
    """
    try:
        numeric = frame.numbers([features[v.columns[0]] for v in layout.numeric])
    except ValueError as error:
        problems.add(f"a column of numbers holds something else ({error})", fix="pass numbers")
        problems.raise_if_any()
        raise
    codes = np.zeros((len(frame), len(layout.sizes)), dtype=np.int64)
    if any(v.absent is not None for v in layout.numeric):
        numeric = numeric.copy()
    grown = []
    for variable in layout.variables:
        places = [features[column] for column in variable.columns]
        if variable.kind == "numeric":
            column = numeric[:, variable.at]
            if variable.absent is not None:
                missing = np.isnan(column)
                codes[:, variable.absent] = missing
                column[missing] = variable.fill
        elif variable.one_hot:
            codes[:, variable.at] = _block_codes(frame, places, variable, problems, unseen)
        else:
            variable = _category_codes(
                frame.column(places[0]), variable, codes, problems, unseen=unseen, grow=grow
            )
        grown.append(variable)
    # One sum is the quickest way to see that nothing is missing or infinite.
    if not np.isfinite(numeric.sum()) and not np.isfinite(numeric).all():
        bad = [v.name for v in layout.numeric if not np.isfinite(numeric[:, v.at]).all()]
        rows = int((~np.isfinite(numeric).all(axis=1)).sum())
        problems.add(
            f"{rows} rows hold NaN or infinity in columns {bad[:5]}",
            fix="impute or drop them, or keep missing values as a level "
            "(missing_features='level' with method='common-support')",
        )
    return MixedTable(numeric, codes, replace(layout, variables=tuple(grown)))


def _number(
    frame: Frame, at: int, place: int, column: np.ndarray, declared: Declared, problems: Problems
) -> Variable:
    whole = frame.column(at).dtype.kind in "iu"
    variable = Variable(
        frame.names[at], "numeric", (place,), 0, dtype="int64" if whole else "float64"
    )
    missing = np.isnan(column) if declared.missing == "level" else np.zeros(0, dtype=bool)
    if not missing.any():
        return variable
    if missing.all():
        problems.add(f"column {frame.names[at]} has no value at all", fix="drop it")
        return variable
    # The place is filled in when all variables are known; −1 only says that marks are needed.
    return replace(variable, absent=-1, fill=float(np.median(column[~missing])))


def _category(
    frame: Frame, at: int, place: int, declared: Declared, problems: Problems
) -> Variable:
    name, column = frame.names[at], frame.column(at)
    values, inverse = distinct(column)
    strange = sorted(
        {type(v).__name__ for v in values if not isinstance(v, bool | int | float | str | None)}
    )
    rows = int(np.isin(inverse, [i for i, value in enumerate(values) if value is None]).sum())
    present = sorted((value for value in values if value is not None), key=sort_key)
    said = at in declared.categorical or at in declared.ordinal
    problems.require(
        not strange,
        f"column {name} holds values of type {', '.join(strange)}, which are neither numbers nor "
        "categories",
        fix="encode it as a number, drop it, or declare it after turning it into texts",
    )
    problems.require(
        rows == 0 or declared.missing == "level",
        f"column {name} has {rows} missing values (None or NaN)",
        fix="impute or drop them, or make them a level (missing_features='level')",
    )
    texts = all(isinstance(value, str) for value in present)
    names_rows = len(column) >= IDENTIFIER_ROWS and len(present) > IDENTIFIER_SHARE * len(column)
    problems.require(
        said or not (texts and names_rows),
        f"column {name} is no number and has {len(present)} distinct values in {len(column)} rows",
        why="it looks like an identifier",
        fix="drop it, or declare it in categorical=",
    )
    own = frame.levels(at)
    order = declared.ordinal.get(at) or (tuple(own) if own else None)
    if order is not None:
        lost = [value for value in present if value not in order]
        problems.require(
            not lost, f"column {name} holds {lost[:5]}, not among its levels", fix="declare them"
        )
    ordered = at in declared.ordinal or (own is not None and at not in declared.categorical)
    levels = tuple(order if order is not None else present) + ((None,) if rows else ())
    kind = {"b": "bool", "i": "int64", "u": "int64", "f": "float64"}.get(
        column.dtype.kind, "object"
    )
    return Variable(
        name if not strange else "",
        "ordinal" if ordered else "categorical",
        (place,),
        0,
        levels,
        dtype="object" if rows else kind,
    )


def _placed(variables: list[Variable]) -> list[Variable]:
    """Variables with their columns in the blocks given out, in order."""
    numbers = codes = 0
    placed = []
    for variable in variables:
        if variable.kind == "numeric":
            variable, numbers = replace(variable, at=numbers), numbers + 1
            if variable.absent is not None:
                variable, codes = replace(variable, absent=codes), codes + 1
        else:
            variable, codes = replace(variable, at=codes), codes + 1
        placed.append(variable)
    return placed


def _block_codes(
    frame: Frame, places: list[int], variable: Variable, problems: Problems, unseen: str
) -> np.ndarray:
    values = frame.numbers(places)
    sums = values.sum(axis=1)
    fitted = len(variable.levels) > len(variable.columns)
    # A category whose column was constant in fit is not part of the block: its rows have no 1.
    zero = fitted or unseen == "other"
    fine = ((values == 0) | (values == 1)).all(axis=1) & ((sums == 1) | (zero & (sums == 0)))
    problems.require(
        bool(fine.all()),
        f"{int((~fine).sum())} rows are not one-hot in the columns of {variable.name}",
        why="they were so in fit",
        fix="repair those rows, fit on rows of every category, declare the columns in numeric= or "
        "categorical=, or set unseen_categories='other'",
    )
    none = len(variable.columns) if fitted else UNSEEN
    return np.where(sums > 0, values.argmax(axis=1), none)


def _category_codes(
    column: np.ndarray,
    variable: Variable,
    codes: np.ndarray,
    problems: Problems,
    *,
    unseen: str,
    grow: bool,
) -> Variable:
    values, inverse = distinct(column)
    index = {level: code for code, level in enumerate(variable.levels)}
    strange = sorted((value for value in values if value not in index), key=sort_key)
    if strange and grow and variable.kind == "categorical":
        variable = replace(variable, levels=(*variable.levels, *strange))
        index = {level: code for code, level in enumerate(variable.levels)}
    elif strange and unseen == "error":
        problems.add(
            f"column {variable.name} holds {strange[:5]}, unseen in fit",
            fix="fit on rows of every category, or set unseen_categories='other'",
        )
    found = np.array([index.get(value, UNSEEN) for value in values], dtype=np.int64)
    codes[:, variable.at] = found[inverse]
    return variable
