"""Input checks and step quantile functions behind the barycenter on the line."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike

from infounlearn.errors import Problems, is_number

LARGEST = 1e150
"""Largest absolute value whose square, and sums of squares, stay finite."""


def law(ordered: np.ndarray, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distinct values of an ascending vector, and how many rows each has."""
    first = np.flatnonzero(np.concatenate(([True], ordered[1:] != ordered[:-1])))
    return _frozen(ordered[first]), _frozen(np.add.reduceat(counts, first))


def upper(counts: np.ndarray) -> np.ndarray:
    """F_z at each atom. Equal fractions of unlike groups are equal floats: division is exact."""
    total = np.cumsum(counts)
    return total / total[-1]


def barycenter(
    laws: list[tuple[np.ndarray, np.ndarray]], weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Levels and points of Q̄ = Σ w_z Q_z, and W2² of each group's law from it."""
    ends = [upper(counts) for _, counts in laws]
    # The parts are sorted already: a stable sort merges them in linear time.
    levels = np.sort(np.concatenate(ends), kind="stable")
    levels = levels[np.concatenate((levels[1:] != levels[:-1], [True]))]
    spans = []
    for (atoms, _), end in zip(laws, ends, strict=True):
        last = np.searchsorted(levels, end) + 1
        spans.append(np.repeat(atoms, np.diff(last, prepend=0)))
    points = np.zeros(len(levels))
    for weight, span in zip(weights, spans, strict=True):
        points += weight * span
    length = np.diff(levels, prepend=0.0)
    distances = np.array([length @ (span - points) ** 2 for span in spans])
    return _frozen(levels), _frozen(points), _frozen(distances)


def shares(
    problems: Problems,
    labels: np.ndarray,
    sizes: np.ndarray,
    weights: Mapping[object, float] | None,
) -> np.ndarray:
    """Weights in the order of the labels; the shares of the rows where none are declared."""
    if weights is None:
        return _frozen(sizes / sizes.sum())
    names = labels.tolist()
    problems.require(
        isinstance(weights, Mapping)
        and len(weights) == len(names)
        and all(k in weights for k in names),
        f"weights do not name exactly the groups {names[:9]}",
        fix="pass a mapping from each label to its probability",
    )
    if problems.found:
        return np.empty(0)
    given = [weights[name] for name in names]
    usable = problems.require(
        all(is_number(w) and w >= 0 for w in given) and abs(sum(given) - 1.0) <= 1e-9,
        f"weights are {given[:9]}",
        fix="pass probabilities that sum to 1",
    )
    return _frozen(np.array(given, dtype=np.float64)) if usable else np.empty(0)


def checked(
    problems: Problems, values: ArrayLike, groups: ArrayLike
) -> tuple[np.ndarray, np.ndarray]:
    """Values as float64 and labels as an array of one sortable type; empty where they are not."""
    x, z = np.asarray(values), np.asarray(groups)
    real = x.ndim == 1 and x.dtype.kind in "iuf"
    problems.require(
        real,
        f"values have shape {x.shape} and type {x.dtype}",
        fix="pass a vector of numbers",
    )
    x = x.astype(np.float64) if real else np.empty(0)
    problems.require(
        bool((np.abs(x) <= LARGEST).all()),
        "values hold NaN, infinity or more than 1e150",
        fix="drop or impute those rows, or rescale",
        why=f"{int((~(np.abs(x) <= LARGEST)).sum())} rows",
    )
    problems.require(
        z.ndim == 1 and (not real or len(z) == len(x)),
        f"groups have shape {z.shape} for {len(x)} values",
        fix="pass one label per value",
    )
    if z.dtype.kind == "O" and z.ndim == 1:
        kinds = {type(label) for label in z.tolist()}
        if len(kinds) == 1 and kinds <= {str, int, float, bool}:
            z = np.array(z.tolist())
    sortable = z.dtype.kind in "biuUS" or (z.dtype.kind == "f" and bool(np.isfinite(z).all()))
    problems.require(
        sortable,
        f"groups of type {z.dtype} hold missing labels or labels of mixed types",
        fix="give every row a label of one type: truth values, integers, numbers or texts",
    )
    return x, z


def check_amount(problems: Problems, amount: object) -> bool:
    """Whether the dial is a number in [0, 1]; adds a problem if not."""
    return problems.require(
        isinstance(amount, int | float) and is_number(amount) and 0.0 <= amount <= 1.0,
        f"amount is {amount!r}",
        fix="pass a number in [0, 1]: 0 leaves the values, 1 removes the group",
    )


def family(labels: np.ndarray) -> str:
    """Kind of labels that may be compared with each other."""
    return "i" if labels.dtype.kind == "u" else labels.dtype.kind


def _frozen(array: np.ndarray) -> np.ndarray:
    array.setflags(write=False)
    return array
