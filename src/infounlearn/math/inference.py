"""Statistical inference used by audits: one door to intervals, ranking and permutation tests."""

from __future__ import annotations

from infounlearn.math.intervals import (
    bootstrap_interval,
    clopper_pearson,
    dkw_band,
    mean_interval,
)
from infounlearn.math.permutation import information_null, permutation_null
from infounlearn.math.ranking import (
    OperatingPoint,
    auc,
    auc_interval,
    roc_curve,
    tpr_at_fpr,
)

__all__ = [
    "OperatingPoint",
    "auc",
    "auc_interval",
    "bootstrap_interval",
    "clopper_pearson",
    "dkw_band",
    "information_null",
    "mean_interval",
    "permutation_null",
    "roc_curve",
    "tpr_at_fpr",
]
