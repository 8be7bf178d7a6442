"""The loaders give the published rows, and splits that no row leaves or enters."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits as sklearn_digits

from infounlearn.data import load_digits, load_mnist, split_digits, split_mnist


def test_digits_are_scikit_learns_to_the_bit() -> None:
    images, labels = sklearn_digits(return_X_y=True)
    records = load_digits()
    assert records.inputs.shape == (1797, 64)
    assert records.inputs.dtype == torch.float32
    assert (records.inputs.numpy() * 16 == images).all()
    assert (records.targets.numpy() == labels).all()


def test_digit_parts_are_disjoint_complete_and_stratified() -> None:
    parts = split_digits()
    assert [len(part) for part in parts] == [1197, 300, 300]
    assert torch.cat([part.ids for part in parts]).sort().values.tolist() == list(range(1797))
    hashes = [set(part.record_hashes()) for part in parts]
    assert sum(map(len, hashes)) == len(set().union(*hashes)) == 1797  # no row occurs twice
    whole = load_digits()
    for part in parts:
        counts = torch.bincount(part.targets)
        assert counts.min() >= len(part) / 10 - 4
        assert torch.equal(part.inputs, whole.inputs[part.ids])
    assert torch.equal(split_digits().train.ids, parts.train.ids)
    assert not torch.equal(split_digits(1).train.ids, parts.train.ids)


@pytest.mark.data("mnist")
def test_mnist_is_the_published_one() -> None:
    train, test = load_mnist()
    assert train.inputs.shape == (60_000, 1, 28, 28)
    assert test.inputs.shape == (10_000, 1, 28, 28)
    assert (int((train.targets == 3).sum()), int((test.targets == 3).sum())) == (6131, 1010)
    assert train.targets[:5].tolist() == [5, 0, 4, 1, 9]  # the first images of the original file
    # Mean and sd of the training pixels as commonly published.
    assert np.allclose([train.inputs.mean(), train.inputs.std()], [0.1307, 0.3081], atol=1e-4)
    assert torch.equal(torch.unique(train.inputs[:1000]), torch.arange(256) / 255)
    assert not set(train.record_hashes()) & set(test.record_hashes())


@pytest.mark.data("mnist")
def test_mnist_holdout_and_test_are_halves_of_the_unseen() -> None:
    _, unseen = load_mnist()
    parts = split_mnist()
    assert [len(part) for part in parts] == [60_000, 5_000, 5_000]
    both = torch.cat([parts.holdout.ids, parts.test.ids]).sort().values
    assert torch.equal(both, unseen.ids)
    difference = torch.bincount(parts.holdout.targets) - torch.bincount(parts.test.targets)
    assert difference.abs().max() <= 2
