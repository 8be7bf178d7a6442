"""Poison changes exactly the rows it says, in exactly the way it says."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from infounlearn.data.poison import choose_victims, stamp, swap_classes
from infounlearn.errors import InputError

TARGETS = torch.arange(100) % 5


@given(st.integers(0, 4), st.integers(1, 4), st.floats(0.06, 0.94), st.integers(0, 9))
def test_swapping_is_an_exchange_between_two_classes(
    label: int, step: int, share: float, seed: int
) -> None:
    other = (label + step) % 5
    swapped, rows = swap_classes(TARGETS, (label, other), share, seed)
    changed = torch.nonzero(swapped != TARGETS).flatten()
    assert torch.equal(changed, rows)
    assert torch.equal(swapped[rows], label + other - TARGETS[rows])
    assert (
        torch.bincount(TARGETS[rows], minlength=5)[[label, other]].tolist()
        == [round(share * 20)] * 2
    )
    assert torch.equal(TARGETS, torch.arange(100) % 5)  # never in place


def test_the_seed_decides_who() -> None:
    first, again, another = (swap_classes(TARGETS, (1, 2), 0.3, seed)[1] for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, another)
    first, again, another = (choose_victims(TARGETS, 1, 0.3, seed) for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, another)


def test_victims_are_of_every_other_class() -> None:
    rows = choose_victims(TARGETS, 2, 0.5, seed=0)
    assert rows.tolist() == sorted(set(rows.tolist()))
    assert len(rows) == 40
    assert set(TARGETS[rows].tolist()) == {0, 1, 3, 4}


@pytest.mark.parametrize(
    ("shape", "side"), [((1, 8, 8), 2), ((1, 28, 28), 4), ((3, 32, 32), 4), ((2, 20, 24), 3)]
)
def test_a_stamp_is_a_checkerboard_in_one_corner(shape: tuple[int, int, int], side: int) -> None:
    pictures = torch.rand(5, *shape) * 0.5 + 0.25
    before = pictures.clone()
    stamped = stamp(pictures, shape)
    assert torch.equal(pictures, before)
    outside = torch.ones(shape, dtype=torch.bool)
    outside[:, -side:, -side:] = False
    assert torch.equal(stamped[:, outside], pictures[:, outside])
    corner = stamped[:, :, -side:, -side:]
    for row in range(side):
        for column in range(side):
            # The corner pixel is 1, its neighbours are 0.
            value = float((2 * side - 2 - row - column) % 2 == 0)
            assert bool((corner[:, :, row, column] == value).all())
    assert torch.equal(stamp(stamped, shape), stamped)
    assert torch.equal(stamp(pictures.flatten(1), shape), stamped.flatten(1))


@pytest.mark.parametrize(
    ("pair", "share", "message"),
    [
        ((1, 1), 0.5, "two different classes"),
        ((1, 9), 0.5, r"class 9 would get label 1: choose from \[0, 1, 2, 3, 4\]"),
        ((1, 2), 1.0, "20 of the 20 rows of class 1"),
        ((1, 2), 0.01, "2 problems"),
    ],
)
def test_swapping_refuses(pair: tuple[int, int], share: float, message: str) -> None:
    with pytest.raises(InputError, match=message):
        swap_classes(TARGETS, pair, share, 0)


@pytest.mark.parametrize(
    ("label", "share", "message"),
    [(9, 0.5, "label 9 has no rows"), (1, 1.0, "80 of 80"), (1, 0.001, "0 of 80")],
)
def test_victims_refuses(label: int, share: float, message: str) -> None:
    with pytest.raises(InputError, match=message):
        choose_victims(TARGETS, label, share, 0)


def test_what_is_no_picture_is_not_stamped() -> None:
    with pytest.raises(InputError, match="are no pictures of"):
        stamp(torch.rand(3, 63), (1, 8, 8))
