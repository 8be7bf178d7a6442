"""From a table to the records of a network: distinct rows, split, then scaled by training rows."""

from __future__ import annotations

import numpy as np
import torch

from infounlearn.data.digits import Parts
from infounlearn.data.records import Records
from infounlearn.data.splits import stratified_parts
from infounlearn.data.tabular import TableData
from infounlearn.errors import Problems

_BINS = 10


def split_table(table: TableData, train: int, unseen: int, seed: int = 0) -> Parts:
    """Training, held-out and test records of a table, disjoint in ids and in content.

    Of rows with equal columns the first stays, whatever their targets. A person told apart from
    nobody can be neither forgotten (a copy is kept) nor held out (a copy was learned). The choice
    is made before the split, and the split is at random rather than the one that a source may
    publish: dropping only those held-out rows that occur in training would leave too few common
    ones, and an audit would see that difference instead of memory.

    Every column becomes numbers (:meth:`TableData.matrix`) and is shifted and scaled to mean 0 and
    standard deviation 1 on the *training* rows, and so are the targets of a regression. The scale
    is part of the recipe: retraining without the forget set does not fit it anew.

    Args:
        table: n rows; its ids stay those of the records.
        train: number of training rows.
        unseen: number of held-out rows, and of test rows. These parts do not depend on ``train``.
        seed: of the split, which is stratified by label, or by deciles of the regression's target.

    Returns:
        inputs (rows, d) float32; targets (rows,) int64, or (rows, 1) float32.

    Raises:
        InputError: fewer distinct rows than asked for, or a value is missing.
    """
    problems = Problems(f"split_table({table.name})")
    matrix, _ = table.matrix()
    first = _first_of_their_kind(matrix)
    rest = len(first) - train - 2 * unseen
    problems.require(
        min(train, unseen) >= 1 and rest >= 0,
        f"{train} training and twice {unseen} unseen rows of {len(first)} distinct ones",
        fix="ask for fewer rows, and for at least one of each",
    )
    problems.require(
        bool(np.isfinite(matrix).all() and np.isfinite(table.target).all()),
        "a value is missing",
        fix="fill or drop missing values first",
    )
    problems.raise_if_any()
    matrix, target, ids = matrix[first], table.target[first], table.ids[first]
    labels = table.task == "classification"
    parts = stratified_parts(
        torch.from_numpy(target if labels else _deciles(target)),
        (unseen, unseen, train, rest),
        seed,
    )
    holdout, test, learned = (part.numpy() for part in parts[:3])
    inputs = torch.from_numpy(_scaled(matrix, learned).astype(np.float32))
    targets = torch.from_numpy(
        target if labels else _scaled(target[:, None], learned).astype(np.float32)
    )
    return Parts(
        *(
            Records(inputs[rows], targets[rows], torch.from_numpy(ids[rows]), name)
            for name, rows in (("train", learned), ("holdout", holdout), ("test", test))
        )
    )


def _first_of_their_kind(matrix: np.ndarray) -> np.ndarray:
    """Ascending positions of the rows that no row before them equals."""
    seen: dict[bytes, int] = {}
    for position, row in enumerate(matrix + 0.0):  # -0.0 becomes 0.0, which it equals
        seen.setdefault(row.tobytes(), position)
    return np.fromiter(seen.values(), np.int64, len(seen))


def _scaled(values: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """(n, d) shifted and scaled by mean and standard deviation of ``rows``.

    A column that is constant there, such as a category of unseen rows only, is not scaled.
    """
    seen = values[rows]
    spread = seen.std(axis=0)
    # Exactly constant, not "spread is 0": the mean of equal numbers can be off by a rounding.
    constant = (seen == seen[:1]).all(axis=0)
    scaled: np.ndarray = (values - seen.mean(axis=0)) / np.where(constant, 1.0, spread)
    return scaled


def _deciles(values: np.ndarray) -> np.ndarray:
    """(n,) int64 in 0..9."""
    edges = np.quantile(values, np.linspace(0, 1, _BINS + 1)[1:-1])
    return np.searchsorted(edges, values, side="right").astype(np.int64)
