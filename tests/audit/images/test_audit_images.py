"""What an image audit answers where the answer is known."""

from __future__ import annotations

import numpy as np
import pytest

from infounlearn.audit import audit_images
from infounlearn.audit.feature.verdicts import VISIBLE
from infounlearn.audit.images.kept import KEPT
from infounlearn.interface import Audit
from tests.audit.images.worlds import FAST, inverted

WORLD = inverted(600)


@pytest.fixture(scope="module")
def undone() -> Audit:
    """The inversion undone: the group can no longer be told, the digit can."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("infounlearn.audit.images.probe_net.LEAST_STEPS", 120)
        return audit_images(
            WORLD.plain,
            WORLD.z,
            before=WORLD.shown,
            others={"even": WORLD.even},
            **FAST | {"limit": 0.1, "refits": 2, "epochs": 12},
        )


def test_an_inversion_that_was_undone_is_removed(undone: Audit) -> None:
    verdict = undone.verdict(VISIBLE)
    assert verdict.answer == "removed", verdict.reason
    accuracy = undone.finding("probes/cnn_accuracy")
    assert accuracy.original == 1.0
    within = undone.finding("probes/within_margin")
    assert within.title.split(": ")[1] == (
        "yes" if within.interval[1] <= 0.05 else "no" if within.interval[0] > 0.05 else "not clear"
    )
    assert within.interval[0] < 0.05
    assert "no leak" not in verdict.reason
    assert "a square that shows the group of some" in verdict.reason
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
    audit = audit_images(WORLD.shown[:150], WORLD.z[:150], before=WORLD.shown[:150], **FAST)
    assert audit.verdict(VISIBLE).answer == "still visible"
    assert audit.finding("probes/cnn_accuracy").value > 0.98
    assert audit.finding("probes/cnn_accuracy").interval[0] < 1  # even where all are right
    assert audit.finding("probes/cnn_change").value == 0
    assert audit.finding("cost/transport").value == 0
    assert "less than" in audit.verdict(VISIBLE).reason  # no independent release is that cheap


def test_a_probe_that_cannot_read_the_originals_proves_nothing() -> None:
    few = inverted(120)
    audit = audit_images(few.plain, few.z, before=few.plain, **FAST | {"refits": 2})
    assert audit.verdict(VISIBLE).answer == "inconclusive"
    assert "cannot read the originals" in audit.verdict(VISIBLE).reason


def test_without_the_originals_nothing_is_removed() -> None:
    few = inverted(120)
    audit = audit_images(few.plain, few.z, others={"even": few.even}, **FAST | {"refits": 2})
    assert audit.verdict(VISIBLE).answer == "inconclusive"
    assert "Pass before" in audit.verdict(VISIBLE).reason
    assert [verdict.question for verdict in audit.verdicts] == [VISIBLE]
    assert not any(one.name.startswith(("others/", "cost/")) for one in audit.findings)
    assert any("were not given" in sentence for sentence in audit.not_proved)


def test_a_leak_that_would_be_missed_makes_it_inconclusive() -> None:
    few = inverted(120)
    audit = audit_images(few.plain, few.z, before=few.shown, **FAST | {"limit": 0.02, "refits": 2})
    assert audit.verdict(VISIBLE).answer == "inconclusive"
    assert "planted leak" in audit.verdict(VISIBLE).reason
    assert "with 120 images leaks below" in audit.verdict(VISIBLE).reason
    assert (audit.finding("probes/cnn_power").value or 1) > 0.02


def test_several_groups_are_audited_alike() -> None:
    rng = np.random.default_rng(0)
    z = np.array(["a", "b", "c"])[rng.permutation(np.arange(120) % 3)]
    images = inverted(120).plain / 2
    shown = images + 0.25 * (z == "b")[:, None, None, None] + 0.5 * (z == "c")[:, None, None, None]
    audit = audit_images(shown, z, before=shown, **FAST)
    assert audit.verdict(VISIBLE).answer == "still visible"
    assert audit.finding("probes/cnn_auc").value > 0.9
    assert audit.finding("cost/gaussian_bound").value > 0.02
