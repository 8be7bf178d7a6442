"""The tail is what lies farthest from its own class, by brute force."""

from __future__ import annotations

import pytest
import torch

from infounlearn.data import Records
from infounlearn.data.tails import choose_tail, neighbour_distances
from infounlearn.errors import InputError


def records(rows: int = 60, classes: int = 3, regression: bool = False, seed: int = 0) -> Records:
    generator = torch.Generator().manual_seed(seed)
    inputs = torch.randn(rows, 1, 2, 3, generator=generator)
    targets = torch.arange(rows) % classes
    return Records(inputs, targets[:, None] / 2 if regression else targets, torch.arange(rows))


@pytest.mark.parametrize("neighbours", [1, 4, 500])
@pytest.mark.parametrize("regression", [False, True])
def test_distances_by_brute_force(neighbours: int, regression: bool) -> None:
    given = records(regression=regression)
    found = neighbour_distances(given, neighbours)
    for row in range(len(given)):
        others = [
            float((given.inputs[row].double() - given.inputs[other].double()).norm())
            for other in range(len(given))
            if other != row and (regression or given.targets[other] == given.targets[row])
        ]
        nearest = sorted(others)[:neighbours]
        assert float(found[row]) == pytest.approx(sum(nearest) / len(nearest), rel=1e-9)


def test_chunks_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = neighbour_distances(records())
    monkeypatch.setattr("infounlearn.data.tails._CHUNK", 7)
    assert torch.allclose(neighbour_distances(records()), whole, rtol=1e-12)


def test_equal_records_lie_at_distance_zero() -> None:
    twice = torch.rand(1, 784).expand(12, -1) * 1e3
    given = Records(twice, torch.zeros(12, dtype=torch.int64), torch.arange(12))
    assert neighbour_distances(given).tolist() == [0.0] * 12


def test_the_tail_of_every_class_is_its_share_and_finds_strangers() -> None:
    given = records(90)
    strangers = torch.tensor([4, 5, 6])  # one of each class; class 2 is shrunk, all its rows close
    given.inputs[given.targets == 2] *= 0.01
    given.inputs[strangers] += 4.0
    tail = choose_tail(given, 1 / 30, neighbours=5)
    assert tail.tolist() == sorted(strangers.tolist())
    tail = choose_tail(given, 0.2)
    assert torch.bincount(given.targets[tail]).tolist() == [6, 6, 6]
    assert tail.tolist() == sorted(set(tail.tolist()))


def test_the_tail_is_far_in_all_directions_not_just_from_the_mean() -> None:
    """A ring has no record near its mean: the one put there is the stranger."""
    angle = torch.arange(60) / 60 * 2 * torch.pi
    ring = torch.stack([angle.cos(), angle.sin()], dim=1)
    inputs = torch.cat([ring, torch.zeros(1, 2)])
    given = Records(inputs, torch.zeros(61, dtype=torch.int64), torch.arange(61))
    assert choose_tail(given, 1 / 61).tolist() == [60]


def test_a_regression_is_one_class() -> None:
    given = records(regression=True)
    given.inputs[17] += 50
    assert choose_tail(given, 1 / 60).tolist() == [17]


@pytest.mark.parametrize(
    ("given", "share", "message"),
    [
        (records(), 0.0, "share is 0.0"),
        (records(), 1.0, "share is 1.0"),
        (records(), 0.01, "0 of 60 records"),
        (records(), 0.99, "60 of 60 records"),
        (records(7, 4), 0.3, r"classes \[3\] have a single record"),
        (Records(torch.zeros(4, 2).long(), torch.zeros(4).long(), torch.arange(4)), 0.5, "codes"),
    ],
)
def test_refusals(given: Records, share: float, message: str) -> None:
    with pytest.raises(InputError, match=message):
        choose_tail(given, share)
    with pytest.raises(InputError, match="neighbours is 0"):
        neighbour_distances(given, 0)
