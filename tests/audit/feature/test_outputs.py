"""What models put out: information, certificates, gaps and the bounds between them."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import special

from infounlearn.audit import audit_feature
from infounlearn.audit.feature.verdicts import VISIBLE
from infounlearn.interface import Audit
from infounlearn.math import binary_information, mutual_information
from infounlearn.math.parity import demographic_parity_difference, equalized_odds_difference

QUICK = {"refits": 19, "permutations": 199, "probes": ["logistic"]}


def decisions(n: int, rates: tuple[float, float], seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    z = rng.integers(0, 2, n)
    return (rng.random(n) < np.array(rates)[z]).astype(int), z


def test_certified_bounds_of_decisions_hold() -> None:
    truth = binary_information(0.3, 0.4)
    for seed in range(20):
        shown, z = decisions(1500, (0.3, 0.4), seed)
        found = audit_feature(shown, z, seed=seed, permutations=19)
        information = found.finding("information/decision")
        assert information.kind == "certified"
        assert information.bound is not None
        assert information.bound >= truth
        gap = found.finding("parity/demographic_parity")
        assert gap.interval is not None
        assert gap.interval[0] <= 0.1 <= gap.interval[1]
        implied = found.finding("parity/bound_from_information")
        assert implied.bound is not None
        assert implied.bound >= 0.1


@pytest.mark.parametrize(
    ("rates", "answer"), [((0.4, 0.4), "removed"), ((0.3, 0.45), "still visible")]
)
def test_decisions_need_no_probe(rates: tuple[float, float], answer: str) -> None:
    shown, z = decisions(4000, rates, 0)
    found = audit_feature(shown, z, permutations=199)
    assert found.verdict(VISIBLE).answer == answer
    assert not any(finding.name.startswith("probes/") for finding in found.findings)
    assert found.finding("information/decision").bound is not None


def test_few_rows_cannot_certify() -> None:
    shown, z = decisions(300, (0.4, 0.4), 1)
    verdict = audit_feature(shown, z, permutations=199).verdict(VISIBLE)
    assert verdict.answer == "inconclusive"
    assert "certified bounds exceed the limit" in verdict.reason


def test_a_decision_is_told_given_the_target() -> None:
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 4000)
    z = (rng.random(4000) < 0.3 + 0.4 * y).astype(int)
    shown = np.where(rng.random(4000) < 0.1, 1 - y, y)  # errs alike in both groups
    found = audit_feature(shown, z, y, permutations=199)
    assert found.finding("information/decision").null.p_value < 0.01
    assert found.finding("information/decision_given_y").null.p_value > 0.05
    odds = found.finding("parity/equalized_odds")
    assert odds.value == pytest.approx(equalized_odds_difference(shown, z, y))
    assert odds.interval[0] == 0


def test_probabilities_and_logits_say_the_same_of_decisions() -> None:
    rng = np.random.default_rng(1)
    z = rng.integers(0, 2, 800)
    logits = rng.normal(size=(800, 3)) + 0.5 * np.eye(3)[z]
    rows = special.softmax(logits, axis=1)
    first = audit_feature(rows, z, **QUICK)
    second = audit_feature(logits, z, interface="logits", **QUICK)
    assert first.settings["interface"] == "probabilities"
    for name in ("information/decision", "information/sampled_decision"):
        assert first.finding(name).value == pytest.approx(second.finding(name).value, rel=1e-6)
    # The sampled decision is the package's own mutual information.
    import torch

    own = mutual_information(torch.from_numpy(logits), torch.from_numpy(z))
    assert second.finding("information/sampled_decision").value == pytest.approx(float(own))
    gap = first.finding("parity/sampled_demographic_parity").value
    assert gap == pytest.approx(demographic_parity_difference(rows, z))
    assert {"information/score_class 0", "parity/ks_class 2"} <= {f.name for f in first.findings}


def test_a_score_is_binned_on_rows_that_are_not_counted() -> None:
    rng = np.random.default_rng(2)
    z = rng.integers(0, 2, 3000)
    score = rng.normal(size=3000) + z
    found = audit_feature(score, z, **QUICK)
    information = found.finding("information/score")
    assert information.n["audited"] == 2700
    assert "set aside" in information.note
    # Sixteen soft bins keep most of the information of N(0,1) against N(1,1), .1113 nats.
    assert 0.09 < information.value < 0.125
    assert information.bound >= 0.1
    given = audit_feature(score, z, centers=np.linspace(-2, 3, 16), **QUICK)
    assert "audited" not in given.finding("information/score").n
    ks = found.finding("parity/ks")
    assert ks.interval[0] <= 2 * special.ndtr(0.5) - 1 <= ks.interval[1]


def test_a_score_is_compared_with_before_and_within_classes() -> None:
    rng = np.random.default_rng(3)
    z, y = rng.integers(0, 2, 1000), rng.integers(0, 2, 1000)
    score = rng.normal(size=1000) + z
    found = audit_feature(rng.normal(size=1000), z, y, before=score, **QUICK)
    assert found.finding("parity/ks").original > 0.3
    assert found.finding("parity/ks_given_y").original > 0.3
    assert found.finding("information/score").original > 0.08
    panels = {curve.panel for curve in found.curves}
    assert {"group_scores/before", "group_scores/after", "beliefs/before", "planted"} <= panels


def test_a_finite_release_of_a_table_is_certified() -> None:
    rng = np.random.default_rng(4)
    z = rng.integers(0, 2, 3000)
    table = rng.normal(size=(3000, 2))
    bare = audit_feature(table, z, **QUICK)
    assert any("no certificate" in sentence for sentence in bare.not_proved)
    assert not any(finding.kind == "certified" for finding in bare.findings)
    kernels = special.softmax(-((table[:, :1] - np.linspace(-2, 2, 6)) ** 2), axis=1)
    for release in (kernels, (table[:, 0] > 0).astype(int)):
        found = audit_feature(table, z, release=release, **QUICK)
        information = found.finding("information/release")
        assert information.kind == "certified"
        assert information.bound < 0.02
        assert not any("no certificate" in sentence for sentence in found.not_proved)


def test_certificates_of_several_outcomes_hold_together() -> None:
    rng = np.random.default_rng(5)
    z = rng.integers(0, 2, 1000)
    shown = rng.integers(0, 2, 1000)
    alone = audit_feature(shown, z, permutations=19)
    both = audit_feature(shown, z, release=shown, permutations=19)
    name = "information/decision"
    assert both.finding(name).bound > alone.finding(name).bound


def test_decisions_within_strata_are_removed_only_where_a_bound_says_so() -> None:
    def told(n: int, seed: int, leak: float, limit: float) -> Audit:
        rng = np.random.default_rng(seed)
        z, y = np.arange(n) % 2, rng.integers(0, 2, n)
        decided = (rng.random(n) < 0.5 + leak * (z - 0.5) + 0.2 * (y - 0.5)).astype(int)
        return audit_feature(decided, z, given=y, limit=limit, **QUICK)

    # A gap of .15 in each stratum tells .0113 nats; 100 rows seldom show it.
    answers = [told(100, seed, 0.15, 0.01).verdicts[0].answer for seed in range(20)]
    assert "removed" not in answers
    found = told(20_000, 0, 0.0, 0.01)
    assert found.verdicts[0].answer == "removed"
    finding = found.finding("information/decision")
    assert finding.kind == "certified"
    assert finding.bound is not None
    assert 0.0015 < finding.bound < 0.01  # some 15/n_eff in each stratum, at half the error
    # What holds within strata bounds no gap between whole groups.
    assert not any("bound_from_information" in one.name for one in found.findings)


def test_a_stratum_of_one_group_tells_nothing_and_is_bounded_by_nothing() -> None:
    rng = np.random.default_rng(0)
    strata = np.repeat([0, 1, 2], [4000, 4000, 40_000])
    z = np.where(strata == 2, 1, rng.integers(0, 2, 48_000))
    decided = rng.integers(0, 2, 48_000)
    bound = audit_feature(decided, z, given=strata, **QUICK).finding("information/decision").bound
    alone = audit_feature(decided[:8000], z[:8000], given=strata[:8000], **QUICK)
    assert bound == pytest.approx(alone.finding("information/decision").bound / 6)
