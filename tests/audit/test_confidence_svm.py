"""The membership share of the unlearning literature."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.svm import SVC

from infounlearn.audit.confidence_svm import nonmember_share
from infounlearn.errors import InputError

rng = np.random.default_rng(0)
MEMBERS, OTHERS = rng.uniform(0.8, 1.0, 400), rng.uniform(0.0, 0.7, 200)


def test_it_tells_members_from_others():
    assert nonmember_share(MEMBERS[:100], MEMBERS, OTHERS) == 0.0
    assert nonmember_share(OTHERS[:100], MEMBERS, OTHERS) == 1.0
    half = np.concatenate([MEMBERS[:50], OTHERS[:50]])
    assert nonmember_share(torch.from_numpy(half), MEMBERS, OTHERS) == 0.5


def test_equals_the_published_machine_where_nothing_is_left_out():
    retain, test, forget = rng.beta(5, 1, 200), rng.beta(3, 1, 200), rng.beta(4, 1, 100)
    machine = SVC(C=3, kernel="rbf", gamma=1.0)
    machine.fit(np.r_[retain, test][:, None], np.r_[np.ones(200), np.zeros(200)])
    expected = 1 - machine.predict(forget[:, None]).mean()
    assert 0 < expected < 1
    assert nonmember_share(forget, retain, test, seed=5) == pytest.approx(expected)


def test_same_seed_same_share_and_as_many_members_as_others():
    retain, test, forget = rng.beta(5, 1, 900), rng.beta(3, 1, 200), rng.beta(4, 1, 300)
    first = nonmember_share(forget, retain, test, rows=100, seed=1)
    assert first == nonmember_share(forget, retain, test, rows=100, seed=1)
    others = {nonmember_share(forget, retain, test, rows=100, seed=seed) for seed in range(5)}
    assert len(others) > 1
    # 900 members against 200 others would call everyone a member, and the other way round.
    assert nonmember_share(forget, retain, test) > 0.1
    assert nonmember_share(forget, retain[:100], test) < 0.9


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"forget": np.array([])}, "forget has shape"),
        ({"retain": np.ones((3, 2))}, "retain has shape"),
        ({"test": np.array([2.0])}, "no probability"),
        ({"test": np.array([np.nan])}, "diverged"),
        ({"rows": 0}, "rows is 0"),
        ({"seed": -1}, "seed is -1"),
    ],
)
def test_bad_input(change, message):
    with pytest.raises(InputError, match=message):
        nonmember_share(**{"forget": MEMBERS, "retain": MEMBERS, "test": OTHERS, **change})
