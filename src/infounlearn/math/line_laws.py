"""Input checks and groups of rows behind the barycenter on the line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import ArrayLike

from infounlearn.errors import Problems, is_number

LARGEST = 1e150
"""Largest absolute value whose square, and sums of squares, stay finite."""
_FEW = 64
"""Whole-number labels up to this range are told apart by comparison, others by sorting."""


def members(z: np.ndarray) -> tuple[np.ndarray, Iterator[np.ndarray]]:
    """Distinct labels, ascending, and the rows of each, one group after another."""
    if z.dtype.kind in "biu" and len(z):
        low, high = int(z.min()), int(z.max())
        if high - low < _FEW:
            # The first comparison of whole numbers is cheap, many are cheaper on small ones.
            small = z if high - low < 4 else (z - low).astype(np.int8)
            base = 0 if high - low < 4 else low
            found = [code for code in range(low, high + 1) if (small == code - base).any()]
            rows = (np.flatnonzero(small == code - base) for code in found)
            return np.array(found, dtype=z.dtype), rows
    labels, codes = np.unique(z, return_inverse=True)
    order = np.argsort(codes, kind="stable")
    return labels, iter(np.split(order, np.cumsum(np.bincount(codes))[:-1]))


def codes_of(z: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Number of each row's label among ascending ``labels``; of a neighbour where it is none."""
    if len(labels) > 16:
        return np.minimum(np.searchsorted(labels, z), len(labels) - 1)
    codes = np.zeros(len(z), dtype=np.int8)
    for label in labels[1:]:
        codes += z >= label
    return codes


def shares(
    problems: Problems,
    labels: np.ndarray,
    sizes: np.ndarray,
    weights: Mapping[object, float] | None,
) -> np.ndarray:
    """Weights in the order of the labels; the shares of the rows where none are declared."""
    if weights is None:
        return sizes / sizes.sum()
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
    return np.array(given, dtype=np.float64) if usable else np.empty(0)


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
    x = x.astype(np.float64, copy=False) if real else np.empty(0)
    # A NaN makes either comparison false.
    usable = bool(x.max(initial=0.0) <= LARGEST and x.min(initial=0.0) >= -LARGEST)
    if not usable:
        problems.add(
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
