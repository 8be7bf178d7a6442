"""scikit-learn's handwritten digits: 1,797 images of 8 x 8 that ship inside a dependency."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch

from infounlearn.data.records import Records
from infounlearn.data.splits import split_records

SIZES = (1197, 300, 300)
"""Rows of train, holdout and test: two thirds to learn from, the rest in two equal halves."""


class Parts(NamedTuple):
    """Records to train on, records for audits that no model is trained on, and a test set."""

    train: Records
    holdout: Records
    test: Records


def load_digits() -> Records:
    """All 1,797 rows: inputs (1797, 64) float32 in [0, 1], labels 0..9, ids 0..1796."""
    from sklearn.datasets import load_digits as load  # half a second: only where it is used

    images, labels = load(return_X_y=True)
    inputs = torch.from_numpy((images / 16).astype(np.float32))  # 17 grey levels, exact
    targets = torch.from_numpy(labels.astype(np.int64))
    return Records(inputs, targets, torch.arange(len(targets)), "digits")


def split_digits(seed: int = 0) -> Parts:
    """The digits in stratified train (1,197), holdout (300) and test (300) parts.

    The split has a seed of its own, so that repeats with other seeds share their data.
    """
    return Parts(*split_records(load_digits(), SIZES, seed, ("train", "holdout", "test")))
