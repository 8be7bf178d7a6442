"""What an image audit answers where the answer is known."""

from __future__ import annotations

import numpy as np
import pytest

from infounlearn.audit import audit_images
from infounlearn.audit.feature.inference import null_of
from infounlearn.audit.feature.verdicts import VISIBLE
from infounlearn.audit.images.kept import KEPT
from infounlearn.audit.images.readings import Read, balanced_hits, read_networks, seen
from infounlearn.interface import Audit
from tests.audit.images.worlds import FAST, inverted, mean_shifted

WORLD = inverted(900)


@pytest.fixture(scope="module")
def undone() -> Audit:
    """The inversion undone: the group can no longer be told, the digit can."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("infounlearn.audit.images.probe_net.LEAST_STEPS", 150)
        return audit_images(
            WORLD.plain,
            WORLD.z,
            before=WORLD.shown,
            others={"even": WORLD.even},
            **FAST | {"limit": 0.1, "refits": 2},
        )


def test_an_inversion_that_was_undone_is_removed(undone: Audit) -> None:
    verdict = undone.verdict(VISIBLE)
    assert verdict.answer == "removed", verdict.reason
    accuracy = undone.finding("probes/cnn_accuracy")
    assert accuracy.original == 1.0
    assert accuracy.floor == 0.5
    assert accuracy.interval[0] <= 0.5 <= accuracy.interval[1]
    assert "50.0 %" in accuracy.title
    assert undone.finding("probes/cnn").value < 0.01
    assert undone.finding("probes/cnn").original > 0.6
    assert undone.finding("probes/cnn_change").interval[1] < -0.6
    assert undone.finding("probes/cnn_power").value == 0.1
    assert undone.finding("probes/cnn_auc").value == pytest.approx(0.5, abs=0.06)


def test_the_digit_is_kept(undone: Audit) -> None:
    assert undone.verdict(KEPT).answer in ("kept", "inconclusive")
    change = undone.finding("others/even_change")
    assert change.interval[0] < change.value < change.interval[1]
    assert change.value > -0.02  # an inversion that is undone makes reading easier
    assert undone.finding("others/even").value > 0.85
    assert undone.finding("others/even_information").value > 0.2


def test_distances_are_those_of_the_laws(undone: Audit) -> None:
    between = undone.finding("distance/between_groups")
    assert "random filters" in between.title
    assert between.value < 3 * between.floor < between.original
    reference = undone.finding("distance/to_reference")
    assert reference.value > 10 * reference.floor  # half of the originals are inverted
    cost = undone.finding("cost/transport")
    expected = np.mean((WORLD.plain.astype(np.float64) - WORLD.shown) ** 2)
    assert cost.value == pytest.approx(expected, rel=1e-12)
    assert undone.finding("cost/ratio").value > 1


def test_what_was_never_touched_is_read_by_all() -> None:
    audit = audit_images(WORLD.shown[:300], WORLD.z[:300], before=WORLD.shown[:300], **FAST)
    assert audit.verdict(VISIBLE).answer == "still visible"
    assert audit.finding("probes/cnn_accuracy").value > 0.98
    assert audit.finding("probes/cnn_accuracy").interval[0] < 1  # even where all are right
    assert audit.finding("probes/cnn_change").value == 0
    assert audit.finding("cost/transport").value == 0
    assert "less than" in audit.verdict(VISIBLE).reason  # no independent release is that cheap


def test_what_a_mean_shift_leaves_is_found() -> None:
    """Equal means and covariances, unlike third moments: a Gaussian map that looks perfect."""
    shifted = mean_shifted(WORLD.shown, WORLD.z)
    groups = [shifted[WORLD.z == group].reshape(-1, 64) for group in (0, 1)]
    assert np.abs(groups[0].mean(0) - groups[1].mean(0)).max() < 1e-5
    audit = audit_images(shifted, WORLD.z, before=WORLD.shown, **FAST)
    assert audit.verdict(VISIBLE).answer == "still visible"
    assert audit.finding("probes/cnn_accuracy").interval[0] > 0.75


def test_a_mark_whose_side_tells_the_group_is_found() -> None:
    """Images are mirrored while probes learn: half of them mirrored would hide this."""
    marked = (WORLD.plain + WORLD.plain[..., ::-1]) / 2  # which way it faces cannot be told
    marked[:, :, 3:5, 0] = (WORLD.z == 0)[:, None, None]
    marked[:, :, 3:5, 7] = (WORLD.z == 1)[:, None, None]
    reading = read([Read(marked, WORLD.z, (0,), "side")])[0]
    assert reading.information > 0.1


def test_a_probe_that_cannot_read_the_originals_proves_nothing() -> None:
    few = inverted(200)
    audit = audit_images(few.plain, few.z, before=few.plain, **FAST)
    assert audit.verdict(VISIBLE).answer == "inconclusive"
    assert "cannot read the originals" in audit.verdict(VISIBLE).reason


def test_without_the_originals_nothing_is_removed() -> None:
    few = inverted(200)
    audit = audit_images(few.plain, few.z, others={"even": few.even}, **FAST)
    assert audit.verdict(VISIBLE).answer == "inconclusive"
    assert "Pass before" in audit.verdict(VISIBLE).reason
    assert [verdict.question for verdict in audit.verdicts] == [VISIBLE]
    assert not any(one.name.startswith(("others/", "cost/")) for one in audit.findings)
    assert any("were not given" in sentence for sentence in audit.not_proved)


def test_a_leak_that_would_be_missed_makes_it_inconclusive() -> None:
    few = inverted(240)
    audit = audit_images(few.plain, few.z, before=few.shown, **FAST | {"limit": 1e-3})
    assert audit.verdict(VISIBLE).answer == "inconclusive"
    assert "planted leak" in audit.verdict(VISIBLE).reason
    assert (audit.finding("probes/cnn_power").value or 1) > 1e-3


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


def test_several_groups_are_audited_alike() -> None:
    rng = np.random.default_rng(0)
    z = np.array(["a", "b", "c"])[rng.integers(0, 3, 180)]
    images = inverted(180).plain / 2
    shown = images + 0.25 * (z == "b")[:, None, None, None] + 0.5 * (z == "c")[:, None, None, None]
    audit = audit_images(shown, z, before=shown, **FAST)
    assert audit.verdict(VISIBLE).answer == "still visible"
    assert audit.finding("probes/cnn_auc").value > 0.9
    assert audit.finding("cost/gaussian_bound").value > 0.02


def read(reads: list[Read]):
    return read_networks(reads, folds=3, epochs=12, device="cpu", jobs=1, progress=None)
