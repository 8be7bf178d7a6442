"""The audit of a table answers rightly where the truth is known, over seeds."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from infounlearn.audit import audit_feature
from infounlearn.audit.feature.verdicts import FEATURE_QUESTIONS, FINGERPRINT, VISIBLE
from tests.audit.feature.worlds import (
    FEW,
    LINE,
    QUICK,
    feature,
    fingerprint,
    mean_matched,
    mixed,
    noise,
)


def test_a_feature_that_is_not_there_is_seldom_seen() -> None:
    answers = [
        audit_feature(noise(300, 3, seed), feature(300, seed), seed=seed, **QUICK)
        .verdict(VISIBLE)
        .answer
        for seed in range(3)
    ]
    answers += [
        audit_feature(noise(300, 3, seed), feature(300, seed), seed=seed, **LINE)
        .verdict(VISIBLE)
        .answer
        for seed in range(3, 15)
    ]
    assert answers.count("still visible") <= 1
    # 300 rows cannot show a leak of .02 nats, and the audit says so.
    assert answers.count("removed") <= 2


def test_a_feature_that_is_not_there_is_removed_where_rows_suffice() -> None:
    found = audit_feature(noise(6000, 2, 0), feature(6000, 0), **QUICK)
    assert found.verdict(VISIBLE).answer == "removed"
    for name in ("probes/logistic", "probes/boosted-trees"):
        finding = found.finding(name)
        assert finding.null is not None
        assert finding.null.p_value > 0.05
        assert finding.ceiling == pytest.approx(np.log(2), abs=0.05)
        power = found.finding(f"{name}_power")
        assert power.value is not None
        assert power.value <= 0.02


def test_the_limit_decides_whether_the_rows_suffice() -> None:
    table, z = noise(1500, 3, 0), feature(1500, 0)
    strict = audit_feature(table, z, limit=0.001, **QUICK)
    assert strict.verdict(VISIBLE).answer == "inconclusive"
    assert "audit more rows" in strict.verdict(VISIBLE).reason
    lax = audit_feature(table, z, limit=0.1, **QUICK)
    assert lax.verdict(VISIBLE).answer == "removed"


def test_a_line_alone_never_says_removed() -> None:
    before, after, z = fingerprint(1000, 1)
    found = audit_feature(after, z, before=before, limit=0.1, **LINE)
    assert [verdict.answer for verdict in found.verdicts] == ["inconclusive"] * 2
    assert all("boosted-trees" in verdict.reason for verdict in found.verdicts)


def test_a_known_leak_is_seen() -> None:
    seen = 0
    for seed in range(5):
        table, z = noise(4000, 4, seed), feature(4000, seed)
        table[:, 1] += 0.3 * (z == "a")
        found = audit_feature(table, z, **(LINE | {"folds": 5}))
        seen += found.verdict(VISIBLE).answer == "still visible"
    assert seen >= 4  # a shift of .3 tells .0107 nats of .673


def test_matched_means_of_two_coins_are_a_fingerprint() -> None:
    before, after, z = fingerprint(2000, 0)
    found = audit_feature(after, z, before=before, **FEW)
    line, trees = found.finding("probes/logistic"), found.finding("probes/boosted-trees")
    assert line.value == pytest.approx(0, abs=0.003)  # the means agree: nothing for a line
    assert trees.value == pytest.approx(np.log(2), rel=0.03)  # four atoms: everything
    assert trees.original == pytest.approx(0.0823, abs=0.02)  # ln 2 - h(.3)
    assert found.verdict(VISIBLE).answer == "still visible"
    assert found.verdict(FINGERPRINT).answer == "fingerprint"


def test_matched_group_means_of_a_mixed_table_are_a_fingerprint() -> None:
    before, z = mixed(2000, 0)
    found = audit_feature(mean_matched(before, z), z, before=before, **FEW)
    change = found.finding("fingerprint/boosted-trees")
    assert change.interval is not None
    assert change.interval[0] > 0.2
    assert found.verdict(FINGERPRINT).answer == "fingerprint"
    assert found.verdict(VISIBLE).answer == "still visible"
    assert [verdict.question for verdict in found.verdicts] == list(FEATURE_QUESTIONS)


def test_taking_the_feature_away_leaves_no_fingerprint() -> None:
    before, z = mixed(2000, 0)
    after = before.copy()
    after[:] = np.random.default_rng(1).permutation(before)  # rows of nobody in particular
    found = audit_feature(after, z, before=before, **FEW)
    assert found.verdict(FINGERPRINT).answer == "no fingerprint"
    change = found.finding("fingerprint/boosted-trees")
    assert change.interval is not None
    assert change.interval[1] < 0


def test_an_unchanged_table_has_no_fingerprint_at_all() -> None:
    before, z = mixed(600, 1)
    found = audit_feature(before, z, before=before, **FEW)
    assert found.finding("fingerprint/boosted-trees").value == 0
    assert found.verdict(FINGERPRINT).answer == "no fingerprint"


def test_what_is_left_within_strata() -> None:
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 2500)
    z = np.where(rng.random(2500) < 0.25 + 0.5 * y, "a", "b")
    table = np.column_stack([y + 0.5 * rng.normal(size=2500), rng.normal(size=2500)])
    assert audit_feature(table, z, **LINE).verdict(VISIBLE).answer == "still visible"
    within = audit_feature(table, z, given=y, limit=0.05, **QUICK)
    assert within.verdict(VISIBLE).answer == "removed"
    assert within.finding("probes/logistic").ceiling == pytest.approx(0.562, abs=0.02)  # h(.25)
    assert any("within strata" in sentence for sentence in within.not_proved)


def test_frames_with_words_and_gaps_are_read() -> None:
    rng = np.random.default_rng(0)
    z = rng.integers(0, 3, 900)
    frame = pd.DataFrame(
        {
            "word": np.where(rng.random(900) < 0.5, "x", np.array(["p", "q", "r"])[z]),
            "age": np.where(rng.random(900) < 0.2, np.nan, rng.normal(size=900)),
        }
    )
    found = audit_feature(frame, pd.Series(z), **FEW)
    assert found.verdict(VISIBLE).answer == "still visible"
    # Half the rows show which of three groups they are in: half of H(Z).
    trees = found.finding("probes/boosted-trees")
    assert trees.value == pytest.approx(0.5 * np.log(3), rel=0.15)


def test_the_same_seed_gives_the_same_audit_and_another_order_of_names_too() -> None:
    table, z = noise(300, 2, 0), feature(300, 0)
    first, second = (audit_feature(table, z, seed=3, **FEW) for _ in range(2))
    assert first == second
    renamed = audit_feature(table, np.where(z == "a", 10, 20), seed=3, **FEW)
    assert [f.value for f in renamed.findings] == [f.value for f in first.findings]


def test_own_classifiers_may_probe() -> None:
    from sklearn.naive_bayes import GaussianNB

    table, z = noise(600, 2, 0), feature(600, 0)
    table[:, 0] += 1.0 * (z == "a")
    found = audit_feature(table, z, probes={"bayes": GaussianNB()}, **QUICK)
    assert found.verdict(VISIBLE).answer == "still visible"
    assert found.settings["probes"] == ["bayes"]


def test_nothing_given_is_changed() -> None:
    table, z = noise(200, 2, 0), feature(200, 0)
    kept = table.copy(), z.copy()
    audit_feature(table, z, before=table, **FEW)
    np.testing.assert_array_equal(table, kept[0])
    np.testing.assert_array_equal(z, kept[1])
