"""What fresh networks read, and what they do not."""

from __future__ import annotations

import numpy as np
import torch

from infounlearn.audit.feature.inference import null_of
from infounlearn.audit.images import probe_net
from infounlearn.audit.images.readings import (
    Read,
    accuracy_interval,
    balanced_hits,
    hits,
    read_networks,
    seen,
)
from tests.audit.images.worlds import inverted, mean_shifted

WORLD = inverted(600)


def test_what_a_mean_shift_leaves_is_found() -> None:
    """Equal means and covariances, unlike third moments: a Gaussian map that looks perfect."""
    shifted = mean_shifted(WORLD.shown, WORLD.z)
    groups = [shifted[WORLD.z == group].reshape(-1, 64) for group in (0, 1)]
    assert np.abs(groups[0].mean(0) - groups[1].mean(0)).max() < 1e-5
    reading = read([Read(shifted, WORLD.z, (0,), "shifted")])[0]
    right = hits(reading, WORLD.z)
    assert accuracy_interval(right, reading.folds, 0.95)[0] > 0.75


def test_a_mark_whose_side_tells_the_group_is_found() -> None:
    """Images are mirrored while probes learn: half of them mirrored would hide this."""
    marked = (WORLD.plain + WORLD.plain[..., ::-1]) / 2  # which way it faces cannot be told
    marked[:, :, 3:5, 0] = (WORLD.z == 0)[:, None, None]
    marked[:, :, 3:5, 7] = (WORLD.z == 1)[:, None, None]
    reading = read([Read(marked, WORLD.z, (0,), "side")])[0]
    assert reading.information > 0.1


def test_nothing_is_seen_where_nothing_is() -> None:
    """The level: each of eight shuffles beside three others as its null."""
    images = inverted(160).plain
    rng = np.random.default_rng(2)
    groups = [rng.permutation(np.arange(160) % 2) for _ in range(8)]
    readings = read([Read(images, z, (i,), "level") for i, z in enumerate(groups)])
    rates = [float(balanced_hits(*pair).mean()) for pair in zip(readings, groups, strict=True)]
    calls = 0
    for draw, (own, z) in enumerate(zip(readings, groups, strict=True)):
        others = [(draw + step) % 8 for step in (1, 2, 3)]
        null = null_of(own.information, [readings[other].information for other in others])
        rate = null_of(rates[draw], [rates[other] for other in others])
        assert own.information < 0.05
        calls += seen(own, z, null, rate, 0.95)
    assert calls <= 1


def test_weights_are_averaged_over_the_last_steps() -> None:
    old, new = [torch.tensor([1.0, 2.0])], [torch.tensor([3.0, 6.0])]
    probe_net._average(old, new, 0.75)
    assert old[0].tolist() == [1.5, 3.0]
    assert new[0].tolist() == [3.0, 6.0]


def read(reads: list[Read]):
    return read_networks(reads, folds=3, epochs=12, device="cpu", jobs=1, progress=None)
