"""The report of a feature audit: complete, escaped, and without a word of retrained models."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from infounlearn.audit import audit_feature
from infounlearn.interface import Record
from infounlearn.report import read_record, write_report
from infounlearn.report.page import TONES

HOSTILE = "<script>alert('x')</script> | `sex`"


@pytest.fixture(scope="module")
def record() -> Record:
    rng = np.random.default_rng(0)
    z = np.where(rng.random(400) < 0.5, "<b>f</b>", "m & m")
    score = rng.normal(size=400)
    found = audit_feature(
        score,
        z,
        rng.integers(0, 2, 400),
        before=score + (z == "m & m"),
        feature=HOSTILE,
        name=HOSTILE,
        refits=19,
        permutations=99,
        probes=["logistic"],
    )
    return Record(title=HOSTILE, audit=found, provenance={"seed": 0})


def test_the_record_comes_back_as_it_was(record: Record, tmp_path) -> None:
    page = write_report(record, tmp_path)
    assert read_record(page.parent) == record


def test_every_number_is_there_and_nothing_is_trusted(record: Record, tmp_path) -> None:
    page = write_report(record, tmp_path).read_text(encoding="utf-8")
    assert "<script" not in page
    assert "<b>" not in page
    assert "m &amp; m" in page
    for finding in record.audit.findings:
        assert finding.name in page
    assert "Null, 95 %" in page
    assert "etrained" not in page.split("</style>")[1]
    assert "Noise floor" not in page
    for title in ("strongest probe", "same scores", "leak would have been seen"):
        assert title in page
    assert "asked to forget" not in page


def test_the_card_tells_the_same(record: Record, tmp_path) -> None:
    write_report(record, tmp_path)
    card = (tmp_path / "card.md").read_text(encoding="utf-8")
    assert "<script" not in card
    assert "etrained" not in card
    assert "| Quantity | Before | After | Interval | Null, 95 % (p) | Kind |" in card
    for line in card.splitlines():
        if line.startswith("| Information"):
            assert line.replace("\\|", "").count("|") == 7


@pytest.mark.parametrize("answer", ["removed", "still visible", "no fingerprint", "fingerprint"])
def test_every_answer_has_its_tone(record: Record, answer, tmp_path) -> None:
    assert answer in TONES
    verdict = replace(record.audit.verdicts[0], answer=answer)
    changed = replace(record, audit=replace(record.audit, verdicts=(verdict,)))
    page = write_report(changed, tmp_path).read_text(encoding="utf-8")
    assert f'class="verdict {TONES[answer][0]}"' in page
