"""Interclass confusion against scikit-learn's matrix and a direct count."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest
from sklearn.metrics import confusion_matrix

from infounlearn.errors import InputError
from infounlearn.math import interclass_confusion


@given(st.integers(0, 9999))
def test_equals_the_confusion_matrix(seed):
    rng = torch.Generator().manual_seed(seed)
    labels = torch.cat([torch.arange(4), torch.randint(4, (40,), generator=rng)])
    predictions = torch.randint(4, (44,), generator=rng)
    found = interclass_confusion(predictions, labels, 1, 3)
    matrix = confusion_matrix(labels, predictions, labels=range(4))
    assert found.confused == matrix[1, 3] + matrix[3, 1]
    assert found.records == matrix[[1, 3]].sum()
    assert found.errors == found.records - matrix[1, 1] - matrix[3, 3]
    exact = binomtest(found.confused, found.records).proportion_ci(0.95, "exact")
    assert found.confused_interval == pytest.approx((exact.low, exact.high), rel=1e-9)
    exact = binomtest(found.errors, found.records).proportion_ci(0.95, "exact")
    assert found.error_interval == pytest.approx((exact.low, exact.high), rel=1e-9)
    assert interclass_confusion(predictions, labels, 3, 1) == found


def test_by_hand():
    labels = torch.tensor([0, 0, 0, 1, 1, 2, 2])
    predictions = torch.tensor([0, 1, 2, 0, 1, 0, 1])
    found = interclass_confusion(predictions, labels, 0, 1)
    # Records of class 2 taken for 0 or 1 do not count; one of 0 taken for 2 is an error only.
    assert (found.confused, found.errors, found.records) == (2, 3, 5)
    assert (found.confused_share, found.error_share) == (0.4, 0.6)
    perfect = interclass_confusion(labels, labels, 0, 1, confidence=0.9)
    assert (perfect.confused, perfect.errors) == (0, 0)
    assert perfect.error_interval == pytest.approx((0.0, 1 - 0.05 ** (1 / 5)))
    swapped = torch.tensor([1, 1, 1, 0, 0, 2, 2])
    assert interclass_confusion(swapped, labels, 0, 1).confused_share == 1.0


LABELS = torch.tensor([0, 1, 1])


@pytest.mark.parametrize(
    ("predictions", "labels", "pair", "how", "message"),
    [
        (torch.zeros(2).long(), LABELS, (0, 1), {}, "predictions have shape"),
        (torch.zeros(3), LABELS, (0, 1), {}, "predictions are torch.float32"),
        (LABELS, LABELS, (0, 0), {}, "two different classes"),
        (LABELS, LABELS, (0, 2), {}, "no record has the label 2"),
        (LABELS, LABELS, (0, 1), {"confidence": 1.0}, "confidence is 1.0"),
    ],
)
def test_bad_input(predictions, labels, pair, how, message):
    with pytest.raises(InputError, match=message):
        interclass_confusion(predictions, labels, *pair, **how)
