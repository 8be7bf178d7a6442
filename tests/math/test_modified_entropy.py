"""Modified entropy: the definition to full precision, and trap 11."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from mpmath import mp, mpf

from infounlearn.errors import InputError
from infounlearn.math import modified_entropy


def oracle(row, label):
    with mp.workdps(400):
        e = [mp.exp(mpf(v)) for v in row]
        p = [v / sum(e) for v in e]
        rest = [sum(p) - v for v in p]
        value = -rest[label] * mp.log(p[label])
        return float(value - sum(p[k] * mp.log(rest[k]) for k in range(len(p)) if k != label))


@given(st.integers(0, 9999), st.sampled_from([0.1, 1.0, 10.0, 100.0]), st.integers(2, 6))
def test_equals_a_high_precision_oracle(seed, scale, classes):
    rng = torch.Generator().manual_seed(seed)
    logits = scale * torch.randn(3, classes, generator=rng, dtype=torch.float64)
    labels = torch.randint(classes, (3,), generator=rng)
    found = modified_entropy(logits, labels)
    for value, row, label in zip(found.tolist(), logits.tolist(), labels.tolist(), strict=True):
        # A logit of 100 is itself only known to 1e-14.
        assert value == pytest.approx(oracle(row, label), rel=1e-13 * max(1.0, scale), abs=1e-300)


def test_closed_forms():
    # Two classes: both terms are (1 - p_y) ln p_y.
    p = torch.tensor([0.9, 0.5, 1e-3], dtype=torch.float64)
    two = modified_entropy(torch.stack([p, 1 - p], 1).log(), torch.zeros(3, dtype=torch.long))
    torch.testing.assert_close(two, -2 * (1 - p) * p.log(), rtol=1e-12, atol=0)
    uniform = modified_entropy(torch.zeros(1, 10), torch.tensor([3]))
    assert uniform.item() == pytest.approx(0.9 * math.log(10) - 0.9 * math.log(0.9), rel=1e-14)
    # Certain: right costs nothing, wrong is infinite, where plain entropy is 0 for both.
    certain = torch.tensor([[0.0, -math.inf, -math.inf]])
    assert modified_entropy(certain, torch.tensor([0])).item() == 0.0
    assert modified_entropy(certain, torch.tensor([1])).item() == math.inf


def test_confident_records_keep_their_digits():
    """1 - p_y = 1e-26 is 0 in probability space, and so is ln p_y."""
    logits = torch.tensor([[60.0, 0.0, -5.0], [0.0, 60.0, -5.0]], dtype=torch.float64)
    right, wrong = modified_entropy(logits, torch.tensor([0, 0])).tolist()
    assert 0 < right == pytest.approx(oracle([60.0, 0.0, -5.0], 0), rel=1e-12)
    assert wrong == pytest.approx(oracle([0.0, 60.0, -5.0], 0), rel=1e-13)
    # Odds just beyond 20, where a softplus that turns linear is wrong by 1e-10.
    nearly = modified_entropy(torch.tensor([[0.0, 20.5]], dtype=torch.float64), torch.tensor([0]))
    assert nearly.item() == pytest.approx(oracle([0.0, 20.5], 0), rel=1e-14)


def test_trap_11_a_record_does_not_see_the_labels_of_the_others():
    rng = torch.Generator().manual_seed(0)
    logits, labels = torch.randn(8, 5, generator=rng), torch.arange(8) % 5
    together = modified_entropy(logits, labels)
    alone = torch.cat([modified_entropy(logits[i : i + 1], labels[i : i + 1]) for i in range(8)])
    torch.testing.assert_close(together, alone, rtol=1e-14, atol=0)
    # The known bug: the columns of every row are exchanged for the labels of the whole batch.
    p = torch.softmax(logits.double(), 1)
    weight, loss = p.clone(), -torch.log(1 - p)
    weight[:, labels], loss[:, labels] = (1 - p)[:, labels], -torch.log(p)[:, labels]
    assert ((weight * loss).sum(1) > 1.5 * together).all()


def test_falls_in_the_true_label_and_rises_in_the_others():
    logits = torch.randn(50, 4, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    labels = torch.zeros(50, dtype=torch.long)
    start = modified_entropy(logits, labels)
    more = logits.clone()
    more[:, 0] += 0.1
    assert (modified_entropy(more, labels) < start).all()
    assert torch.allclose(modified_entropy(logits + 1e3, labels), start, rtol=1e-10)


@pytest.mark.parametrize(
    ("logits", "labels", "message"),
    [
        (torch.zeros(3), torch.zeros(3).long(), "rows, classes"),
        (torch.zeros(2, 1), torch.zeros(2).long(), "one class"),
        (torch.zeros(2, 3), torch.tensor([0, 3]), "labels holds 3"),
        (torch.zeros(2, 3), torch.zeros(2), "one integer"),
        (torch.full((2, 3), math.nan), torch.zeros(2).long(), "diverged"),
        (torch.full((2, 3), -math.inf), torch.zeros(2).long(), "diverged"),
    ],
)
def test_bad_input(logits, labels, message):
    with pytest.raises(InputError, match=message):
        modified_entropy(logits, labels)
