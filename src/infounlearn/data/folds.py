"""Folds that hold the same share of every group and of every outcome."""

from __future__ import annotations

import numpy as np

from infounlearn.errors import Problems, is_number


def stratified_folds(
    y: np.ndarray, z: np.ndarray | None = None, folds: int = 5, seed: int = 0, *, bins: int = 10
) -> list[tuple[np.ndarray, np.ndarray]]:
    """(train, test) positions of each fold, stratified on (Y, Z).

    Rows of one (y, z) are shuffled and dealt out in turn, one deal going on where the last one
    ended. So the folds' sizes differ by at most one row, and so do their counts of each (y, z)
    and of each z, however few rows it has. Floating-point values with more than ``bins`` different
    ones are first cut at their quantiles into ``bins``.

    Args:
        y: (n,) targets: labels, or the values of a regression.
        z: (n,) sensitive attribute, groups or continuous; (n, k) for several at once; or None.
        folds: 2 or more.
        seed: of the shuffle.
        bins: for continuous values.

    Returns:
        ``folds`` pairs of ascending int64 positions; the test parts are a partition of 0..n-1.

    Raises:
        InputError: y and z differ in length, fewer rows than folds, or a missing number.
    """
    problems = Problems("stratified_folds")
    y = np.asarray(y)
    parts = [("y", y)]
    if z is not None:
        z = np.asarray(z)
        wide = z if z.ndim == 2 else z.reshape(len(z), -1)
        parts += [("z", wide[:, column]) for column in range(wide.shape[1])]
    for name, values in parts:
        problems.require(
            values.shape == (len(y),),
            f"{name} has shape {values.shape} beside y of shape {y.shape}",
            fix="pass one value per row",
        )
        problems.require(
            values.dtype.kind != "f" or not np.isnan(values).any(),
            f"{name} holds NaN",
            fix="fill or drop missing values first",
        )
    whole = all(is_number(value, whole=True) for value in (folds, bins))
    problems.require(
        whole and 2 <= folds <= len(y) and bins >= 2,
        f"folds is {folds} and bins is {bins} for {len(y)} rows",
        fix="pass whole numbers from 2 on, and no more folds than rows",
    )
    problems.raise_if_any()
    stratum = np.zeros(len(y), np.int64)
    for _, values in (*parts[1:], parts[0]):  # z first: its rows then follow each other in the deal
        codes = _codes(values, bins)
        _, stratum = np.unique(stratum * (codes.max() + 1) + codes, return_inverse=True)
    noise = np.random.default_rng(seed).random(len(y))
    order = np.lexsort((noise, stratum))
    fold = np.empty(len(y), np.int64)
    fold[order] = np.arange(len(y)) % folds
    return [(np.flatnonzero(fold != one), np.flatnonzero(fold == one)) for one in range(folds)]


def _codes(values: np.ndarray, bins: int) -> np.ndarray:
    """(n,) int64 codes of equal values, or of quantile bins of many real numbers."""
    if values.dtype == object:
        # Sorting strings of mixed type fails; their words sort, and differ where they differ.
        values = np.array([f"{type(value).__name__} {value}" for value in values])
    distinct, codes = np.unique(values, return_inverse=True)
    if values.dtype.kind != "f" or len(distinct) <= bins:
        return codes.astype(np.int64)
    edges = np.quantile(values, np.linspace(0, 1, bins + 1)[1:-1])
    return np.searchsorted(edges, values, side="right").astype(np.int64)
