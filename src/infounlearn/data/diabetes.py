"""Diabetes (Efron, Hastie, Johnstone & Tibshirani 2004): 442 rows, from scikit-learn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from infounlearn.data.assemble import assemble, words
from infounlearn.data.tabular import TableData
from infounlearn.errors import Problems


def load_diabetes(
    *,
    target: Literal["progression", "above_median"] = "progression",
    sensitive: str | Sequence[str] = ("sex",),
) -> TableData:
    """442 rows, ten columns in their own units; progression of the disease one year on.

    Args:
        target: "progression", a regression; or "above_median", a classification whose label 1 is
            a progression above the median of all 442 rows (221 rows).
        sensitive: "sex", recorded as 1 (235 rows) or 2 (207 rows): the source does not say which
            is which. Or any column; what is not named stays a column.

    Raises:
        InputError: ``target`` or ``sensitive`` is unknown.
    """
    problems = Problems("load_diabetes")
    problems.require(
        target in ("progression", "above_median"),
        f"target is {target!r}",
        fix="choose 'progression' or 'above_median'",
    )
    problems.raise_if_any()
    from sklearn.datasets import load_diabetes as load  # half a second: only where it is used

    bunch = load(scaled=False)
    fields = dict(zip(bunch.feature_names, bunch.data.astype(np.float64).T.copy(), strict=True))
    fields["sex"] = words(str(int(code)) for code in fields["sex"])
    progression = bunch.target.astype(np.float64)
    binary = target == "above_median"
    return assemble(
        "diabetes",
        fields,
        target=(progression > np.median(progression)).astype(np.int64) if binary else progression,
        target_name="progression above the median" if binary else "progression",
        task="classification" if binary else "regression",
        ids=np.arange(len(progression)),
        sensitive=sensitive,
    )
