"""Whether an audit sees that other attributes were lost."""

from __future__ import annotations

import numpy as np

from infounlearn.audit import audit_images
from infounlearn.audit.images.kept import KEPT
from tests.audit.images.worlds import FAST, inverted


def test_attributes_that_were_wiped_out_are_lost() -> None:
    few = inverted(160)
    blank = np.broadcast_to(few.plain.mean(0), few.plain.shape).copy()
    audit = audit_images(blank, few.z, before=few.plain, others={"even": few.even}, **FAST)
    assert audit.verdict(KEPT).answer == "lost"
    assert audit.finding("others/even_balanced_change").interval[1] < -0.05
    few = inverted(120)
    noise = np.random.default_rng(0).integers(0, 2, 120)
    audit = audit_images(few.plain, few.z, before=few.plain, others={"noise": noise}, **FAST)
    assert audit.verdict(KEPT).answer == "inconclusive"
    assert "cannot read noise" in audit.verdict(KEPT).reason


def test_a_rare_attribute_is_not_drowned() -> None:
    """Always saying no costs a rare attribute few points of accuracy, but half its recall."""
    rng = np.random.default_rng(1)
    rare = rng.random(400) < 0.08
    images = inverted(400).plain.copy()
    images[rare, :, :3, :3] = 1
    z = rng.integers(0, 2, 400)
    wiped = images.copy()
    wiped[:, :, :3, :3] = 0
    audit = audit_images(wiped, z, before=images, others={"rare": rare}, margin=0.1, **FAST)
    assert audit.verdict(KEPT).answer == "lost"
    assert audit.finding("others/rare_change").value > -0.1
    assert audit.finding("others/rare_balanced_change").interval[1] < -0.2
