"""What the columns, the continuous sensitive values and the target of a batch are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from infounlearn.errors import Problems
from infounlearn.feature.call import Call
from infounlearn.feature.columns import Layout
from infounlearn.feature.frames import resolve
from infounlearn.feature.history import History
from infounlearn.feature.recognise import Declared, recognise
from infounlearn.feature.sensitive_columns import MANY, columns_of, distinct, number

__all__ = ["columns_and_method", "numbers_of", "target_of"]


def columns_and_method(
    call: Call, settings: Mapping[str, Any], history: History | None, problems: Problems
) -> tuple[Layout, str]:
    """Variables of the feature columns, and the method for them."""
    if history is not None:
        named = tuple(call.frame.names[at] for at in call.features)
        problems.require(
            named == history.layout.names,
            f"columns are {list(named[:5])}, not {list(history.layout.names[:5])}",
            fix="pass the same columns in every batch",
        )
        return history.layout, history.method
    roles = {
        name: resolve(call.frame, list(settings[name]), f"{name}=", problems)
        for name in ("numeric", "categorical", "ordinal")
        if not isinstance(settings[name], str | int)
    }
    for name in {"numeric", "categorical", "ordinal"} - set(roles):
        roles[name] = resolve(call.frame, settings[name], f"{name}=", problems)
    everything = [at for found in roles.values() for at in found]
    if len(set(everything)) < len(everything):
        problems.add("a column is declared to be of two kinds", fix="declare one kind for each")
    order = settings["ordinal"]
    levels = list(order.values()) if isinstance(order, Mapping) else [None] * len(roles["ordinal"])
    method = settings["method"]
    declared = Declared(
        numeric=frozenset(roles["numeric"]),
        categorical=frozenset(roles["categorical"]),
        ordinal={
            at: None if own is None else tuple(own)
            for at, own in zip(roles["ordinal"], levels, strict=False)
        },
        only_numbers=method in ("line", "gaussian"),
        missing=settings["missing_features"],
    )
    layout = recognise(call.frame, call.features, declared, problems)
    if method == "auto":
        lone = len(layout.variables) == 1 and len(layout.numeric) == 1
        plain = lone and layout.numeric[0].absent is None and settings["mode"] == "aware"
        method = "line" if plain and not settings["use_target"] else "common-support"
    return layout, method


def numbers_of(values: Any, problems: Problems) -> np.ndarray:
    """(n, k) float64 of a continuous Z."""
    _, arrays = columns_of(values, problems.where)
    found = []
    for array in arrays:
        cells, inverse = distinct(array)
        wrong = [cell for cell in cells if not number(cell) or not np.isfinite(cell)]
        problems.require(
            not wrong,
            f"sensitive holds {wrong[:3]}, which are no finite numbers",
            fix="pass numbers, or set bins to a number so that missing values can be a group",
        )
        usable = cells if not wrong else [0.0] * len(cells)
        found.append(np.array(usable, dtype=np.float64)[inverse])
    return np.stack(found, axis=1)


def target_of(
    y: Any,
    settings: Mapping[str, Any],
    rows: int,
    classes: np.ndarray | None,
    first: bool,
    problems: Problems,
) -> tuple[np.ndarray | None, np.ndarray | None]:
    """Class codes or numbers of y, and the classes."""
    if not settings["use_target"] or y is None:
        return None, None
    _, arrays = columns_of(y, problems.where, "y")
    array = arrays[0]
    if not problems.require(
        len(arrays) == 1 and len(array) == rows,
        f"y has {len(array)} rows and {len(arrays)} columns, X has {rows} rows",
        fix="pass one target value per row",
    ):
        return None, classes
    values, inverse = distinct(array)
    problems.require(
        None not in values, "y has missing values", fix="drop those rows, or leave y out"
    )
    numeric = all(number(value) and not float(value).is_integer() for value in values)
    if first and not (numeric or (len(values) > MANY and all(map(number, values)))):
        found = sorted(value for value in values if value is not None)
        classes = np.array(found, dtype=object)
    if classes is None:
        return array.astype(np.float64), None
    index = {value: code for code, value in enumerate(classes.tolist())}
    strange = [value for value in values if value not in index]
    problems.require(
        not strange, f"y holds {strange[:3]}, not in the first batch", fix="start with all classes"
    )
    codes = np.array([index.get(value, -1) for value in values], dtype=np.int64)
    return codes[inverse], classes
