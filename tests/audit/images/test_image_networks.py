"""What fresh networks read, and what they do not."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from infounlearn.audit.feature.inference import null_of
from infounlearn.audit.images import probe_net
from infounlearn.audit.images.designs import DESIGNS, FIRST, WIDER, Design
from infounlearn.audit.images.readings import (
    Read,
    accuracy_interval,
    balanced_hits,
    hits,
    read_networks,
    seen,
)
from tests.audit.images.marks import cut_off, textures
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


def test_the_wider_network_sees_values_that_are_cut_off_and_the_first_does_not() -> None:
    """The brightest tenth of all values made equal in one group, as by a map that clips."""
    z = np.random.default_rng(1).permutation(np.arange(400) % 2)
    cut = cut_off(textures(400, 16, 0), z, np.random.default_rng(2))
    first, wider = read([Read(cut, z, (0,), "cut", design=design) for design in DESIGNS])
    assert first.information < 0.05
    assert wider.information > 0.2
    assert np.array_equal(first.folds, wider.folds)


@pytest.mark.parametrize("design", DESIGNS, ids=lambda design: design.name)
@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 9, 13), (3, 33, 48)])
def test_a_design_takes_images_of_any_size(design: Design, shape: tuple[int, int, int]) -> None:
    logits = design.build(*shape, 3)(torch.zeros(2, *shape))
    assert logits.shape == (2, 3)


def test_only_the_first_network_stops_early(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of noise nothing is learned, which the first network notices."""
    looks: list[int] = []
    logits = probe_net._logits
    monkeypatch.setattr(
        probe_net, "_logits", lambda *given: looks.append(len(given[2])) or logits(*given)
    )
    z = np.random.default_rng(1).permutation(np.arange(120) % 2)
    noise = np.random.default_rng(2).random((120, 1, 8, 8)).astype(np.float32)
    taken = []
    for design in (FIRST, WIDER):
        looks.clear()
        read_networks(
            [Read(noise, z, (0,), "noise", design=design)],
            folds=3,
            epochs=100,
            device="cpu",
            jobs=1,
            progress=None,
        )
        taken.append(len(looks))
    assert taken[1] > taken[0]


def test_weights_are_averaged_over_the_last_steps() -> None:
    old, new = [torch.tensor([1.0, 2.0])], [torch.tensor([3.0, 6.0])]
    probe_net._average(old, new, 0.75)
    assert old[0].tolist() == [1.5, 3.0]
    assert new[0].tolist() == [3.0, 6.0]


def read(reads: list[Read]):
    return read_networks(reads, folds=3, epochs=12, device="cpu", jobs=1, progress=None)
