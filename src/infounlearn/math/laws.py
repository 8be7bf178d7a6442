"""Group laws as plain arrays: from outcomes to P_z, and the information of P_z.

This is the numpy side, used by certificates and permutation tests; the differentiable side is
:mod:`infounlearn.math.information`. An outcome comes in one of two forms, told apart by shape:

- *labels*: (n,) integers, one drawn (or hard) label per record;
- *kernels*: (n, K) rows of probabilities, the law from which a record's label is drawn.
"""

from __future__ import annotations

import numpy as np
from scipy import special

from infounlearn.errors import Problems
from infounlearn.math.intervals import as_array

__all__: list[str] = []

ROW_SUM_TOLERANCE = 1e-4
"""Float16 softmax rows miss one by up to about this much; logits miss it by far more."""


def information_of_laws(laws: np.ndarray, prior: np.ndarray) -> np.ndarray:
    """I(Y; Z) in nats of known group laws, exact for probabilities of zero.

    Uses I = Σ_z π_z Σ_y P̄ ψ(P_z/P̄ - 1) with ψ(d) = (1+d) log1p(d) - d >= 0: every term is
    non-negative, so that nothing cancels when the laws nearly agree.

    Args:
        laws: (..., m, K) rows P_z.
        prior: (m,), or anything that broadcasts with (..., m).
    Returns:
        (...) float64.
    """
    weights = np.asarray(prior, dtype=np.float64)[..., None]
    pooled = (weights * laws).sum(-2, keepdims=True)
    safe = np.where(pooled > 0, pooled, 1.0)
    delta = np.where(pooled > 0, (laws - pooled) / safe, 0.0)
    # xlog1py is 0 at delta = -1, where (1 + delta) log1p(delta) would be 0 times infinity.
    terms = pooled * (special.xlog1py(1 + delta, delta) - delta)
    return (weights * terms).sum((-2, -1))


def entropy(prior: np.ndarray) -> float:
    """H(π) in nats."""
    return float(special.entr(prior).sum())


def read_outcomes(
    problems: Problems, outcomes: object, num_outcomes: int | None, kind: str = "auto"
) -> np.ndarray:
    """Labels (n,) int64 or kernels (n, K) float64 with rows summing to one."""
    array = as_array(outcomes)
    if array.ndim == 1 and array.dtype.kind in "iub" and kind != "kernels":
        labels = array.astype(np.int64)
        top = int(labels.max()) if len(labels) else 0
        problems.require(
            len(labels) == 0 or labels.min() >= 0,
            "outcomes has negative labels",
            fix="number the outcomes 0..K-1",
        )
        problems.require(
            num_outcomes is None or top < num_outcomes,
            f"outcomes has label {top} but num_outcomes is {num_outcomes}",
            fix="declare every outcome the interface can show",
        )
        return np.maximum(labels, 0)
    if array.ndim == 1 and array.dtype.kind == "f":
        problems.add(
            "outcomes is a vector of real-valued scores",
            why="a deterministic continuous output can carry all of Z while any finite sample "
            "looks clean, so no bound below the ceiling can hold",
            fix="put the scores into bins fixed before the audit, for example "
            "numpy.digitize(scores, edges), or release them through a known noise kernel",
        )
        return np.zeros(len(array), dtype=np.int64)
    if not problems.require(
        array.ndim == 2 and array.dtype.kind in "fiub" and kind != "labels",
        f"outcomes has shape {array.shape} and dtype {array.dtype}"
        + (f", read as {kind}" if kind != "auto" else ""),
        fix="pass (n,) integer labels, or (n, K) rows of probabilities",
    ):
        return np.zeros(len(array) if array.ndim else 0, dtype=np.int64)
    return _read_kernels(problems, array.astype(np.float64), num_outcomes)


def _read_kernels(problems: Problems, rows: np.ndarray, num_outcomes: int | None) -> np.ndarray:
    problems.require(
        num_outcomes is None or rows.shape[1] == num_outcomes,
        f"outcomes has {rows.shape[1]} columns but num_outcomes is {num_outcomes}",
        fix="leave num_outcomes out, or pass one column per outcome",
    )
    sums = rows.sum(1)
    proper = (
        rows.shape[1] > 0
        and bool(np.isfinite(rows).all())
        and bool((rows >= 0).all())
        and bool((np.abs(sums - 1) <= ROW_SUM_TOLERANCE).all())
    )
    if not problems.require(
        proper,
        "outcomes has rows that are not probabilities",
        fix="pass softmax(logits), or the exponential of log probabilities",
    ):
        return np.full((len(rows), 1), 1.0)
    # The certified release is the one that draws from the row after this rounding is removed.
    return rows / sums[:, None]


def read_groups(problems: Problems, name: str, z: object, length: int) -> np.ndarray:
    """(n,) int64 group of each record, as long as the outcomes."""
    groups = as_array(z)
    if not problems.require(
        groups.ndim == 1 and len(groups) == length and length > 0,
        f"{name} has shape {groups.shape} for {length} outcomes",
        fix="pass one integer group per outcome",
    ):
        return np.zeros(length, dtype=np.int64)
    if not problems.require(
        groups.dtype.kind in "iub" and int(groups.min()) >= 0,
        f"{name} holds values that are not non-negative integers",
        fix="number the groups 0..m-1",
    ):
        return np.zeros(length, dtype=np.int64)
    return groups.astype(np.int64)


def read_prior(problems: Problems, prior: object, sizes: np.ndarray) -> np.ndarray:
    """Declared prior (m,), or the group shares where none is declared."""
    if prior is None:
        return sizes / max(int(sizes.sum()), 1)
    declared = as_array(prior).astype(np.float64)
    if not problems.require(
        declared.shape == sizes.shape
        and bool((declared > 0).all())
        and abs(float(declared.sum()) - 1) < 1e-9,
        f"prior is {declared.tolist()} for {len(sizes)} groups",
        fix="pass one positive weight per group, summing to one",
    ):
        return np.full(len(sizes), 1 / max(len(sizes), 1))
    return declared


def group_laws(outcomes: np.ndarray, z: np.ndarray, groups: int, width: int) -> np.ndarray:
    """(m, K) empirical law of each group: label frequencies, or means of kernels.

    An absent group has the zero row, so that a prior weight of zero leaves it out.
    """
    sums = np.zeros((groups, width))
    if outcomes.ndim == 1:
        counts = np.bincount(z * width + outcomes, minlength=groups * width)
        sums[:] = counts.reshape(groups, width)
    else:
        for group in range(groups):
            sums[group] = outcomes[z == group].sum(0)
    return sums / np.maximum(np.bincount(z, minlength=groups), 1)[:, None]
