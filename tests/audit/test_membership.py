"""Forget against held-out: intervals, nulls and bounds hold what they promise."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import special

from infounlearn.audit.case import Settings
from infounlearn.audit.certified import stratified_bound
from infounlearn.audit.leakage import operating_point
from infounlearn.audit.membership import Membership, membership
from infounlearn.interface import Outputs, OutputSet
from infounlearn.math import auc, auc_interval, certify_information, permutation_null, tpr_at_fpr
from tests.audit.worlds import model

SETTINGS = Settings(permutations=199)


def one_class(forget, holdout):
    """Membership of plain score vectors in a single class, released as two hard bins."""
    bins = [np.stack([s > 0, s <= 0], axis=1).astype(float) for s in (forget, holdout)]
    return Membership(
        ((np.arange(len(forget)), np.arange(len(holdout))),),
        np.ones(1),
        1.0,
        (forget, holdout),
        {"score": (bins[0], bins[1])},
    )


@given(st.integers(0, 10**6), st.integers(2, 40), st.integers(2, 40), st.booleans())
def test_one_class_is_the_plain_attack(seed, n1, n0, ties):
    rng = np.random.default_rng(seed)
    forget, holdout = rng.normal(0.5, size=n1), rng.normal(size=n0)
    if ties:
        forget, holdout = forget.round(), holdout.round()
    member = one_class(forget, holdout)
    assert member.area() == pytest.approx(auc(forget, holdout))
    assert member.area_interval(0.9) == pytest.approx(auc_interval(forget, holdout, confidence=0.9))
    for rate in (0.01, 0.2, 0.5):
        assert operating_point(member, rate)[0] == tpr_at_fpr(forget, holdout, rate).tpr


def test_fast_null_has_the_law_of_the_slow_one():
    rng = np.random.default_rng(5)
    member = one_class(rng.normal(0.3, size=30), rng.normal(size=50))
    scores = np.concatenate(member.scores)

    def area(z):
        return auc(scores[z == 1], scores[z == 0])

    fast = member.nulls(Settings(permutations=4000))["area"]
    z = np.repeat([1, 0], [30, 50])
    slow = permutation_null(area, z, permutations=4000, seed=1)
    assert fast.mean == pytest.approx(0.5, abs=0.005)
    assert fast.quantile95 == pytest.approx(slow.quantile95, abs=0.015)
    assert fast.p_value == pytest.approx(2 * min(slow.p_value, 1 - slow.p_value), abs=0.03)


def test_class_mix_alone_leaks_nothing():
    """Forget holds other classes than held-out, easier ones: a naive attack sees members."""
    rng = np.random.default_rng(0)
    sizes = {"forget": (400, [0.9, 0.1]), "holdout": (400, [0.1, 0.9]), "retain": (500, [0.5, 0.5])}
    sets = {}
    for name, (n, mix) in sizes.items():
        y = rng.choice(2, size=n, p=mix)
        margin = rng.normal(np.where(y == 0, 4.0, 0.0))
        sets[name] = OutputSet(
            np.stack([np.where(y == 0, margin, 0), np.where(y, margin, 0)], 1), y
        )
    member = membership(Outputs("m", "classification", sets), SETTINGS)
    assert auc(*member.scores) > 0.85, "the naive comparison must fail for this test to matter"
    low, high = member.area_interval(0.99)
    assert low < 0.5 < high
    nulls = member.nulls(SETTINGS)
    assert min(null.p_value for null in nulls.values()) > 0.02
    fpr = sum(member.weights()[member.scores[1] > 2.0])
    assert fpr == pytest.approx(np.mean(member.scores[0] > 2.0), abs=0.12)


def test_permutation_p_values_are_uniform_where_nothing_is_there():
    p = {"score": [], "area": []}
    for seed in range(60):
        nulls = membership(
            model("m", records=seed, model_seed=seed), Settings(permutations=39)
        ).nulls(Settings(permutations=39, seed=seed))
        for key, values in p.items():
            values.append(nulls[key].p_value)
    for values in p.values():
        assert np.mean(np.array(values) <= 0.25) == pytest.approx(0.25, abs=0.17)
        assert np.mean(values) == pytest.approx(0.5, abs=0.13)


def test_bound_is_the_certificate_where_there_is_one_class():
    rng = np.random.default_rng(3)
    rows = rng.dirichlet(np.ones(4), size=300)
    z = np.repeat([0, 1], [120, 180])
    certificate = certify_information(
        rows, z, prior=(0.5, 0.5), design="enumerated-vs-fresh", enumerated_groups=[0]
    )
    ours = stratified_bound(certificate.estimate, np.ones(1), np.array([180]), 0.95)
    assert ours == pytest.approx(certificate.upper, rel=1e-12)


def test_bound_covers_the_truth_over_fresh_held_out_draws():
    """Forget fixed, held-out drawn anew from a known law per class, with skewed class shares."""
    rng = np.random.default_rng(8)
    laws = rng.dirichlet(np.ones(6), size=3)  # held-out law of each class
    forget = [rng.multinomial(n, laws[c]) / n for c, n in enumerate((60, 25, 15))]
    shares, sizes = np.array([0.6, 0.25, 0.15]), np.array([80, 200, 40])

    def information(held):
        total = 0.0
        for w, f, h in zip(shares, forget, held, strict=True):
            m = (f + h) / 2
            total += w * 0.5 * float((special.rel_entr(f, m) + special.rel_entr(h, m)).sum())
        return total

    truth = information(laws)
    level, misses, bounds = 0.8, 0, []
    for _ in range(400):
        drawn = [rng.multinomial(n, law) / n for n, law in zip(sizes, laws, strict=True)]
        bounds.append(stratified_bound(information(drawn), shares, sizes, level))
        misses += bounds[-1] < truth
    assert misses / 400 <= 1 - level
    assert np.mean(bounds) < np.log(2) / 2, "a bound that never says anything proves nothing"


def test_bound_knows_its_weakest_class():
    """Three held-out records carry nine tenths of the claim: in 27 % of draws all look alike."""
    rng = np.random.default_rng(4)
    shares, sizes, truth_rate = np.array([0.9, 0.1]), np.array([3, 10_000]), 0.65

    def information(rate):
        law, mean = np.array([rate, 1 - rate]), np.array([(1 + rate) / 2, (1 - rate) / 2])
        forget = np.array([1.0, 0.0])
        return (
            0.9 * 0.5 * float((special.rel_entr(forget, mean) + special.rel_entr(law, mean)).sum())
        )

    drawn = rng.binomial(3, truth_rate, size=500) / 3
    bounds = [stratified_bound(information(rate), shares, sizes, 0.8) for rate in drawn]
    assert np.mean(np.array(bounds) < information(truth_rate)) <= 0.2


def test_bins_never_see_the_compared_scores():
    """Moving held-out scores must not move the bins that release forget scores."""
    one = model("m")
    other = dataclasses.replace(
        one,
        sets={**one.sets, "holdout": OutputSet(one["holdout"].outputs * 3, one["holdout"].targets)},
    )
    tables = [membership(m, SETTINGS).tables["score"][0] for m in (one, other)]
    np.testing.assert_array_equal(*tables)
    moved = dataclasses.replace(one, sets={**one.sets, "validation": one["test"]})
    assert not np.array_equal(tables[0], membership(moved, SETTINGS).tables["score"][0])


def test_information_is_bounded_and_unchanged_by_swapping_the_sets():
    one = model("m", "memorising")
    swapped = dataclasses.replace(
        one, sets={**one.sets, "forget": one["holdout"], "holdout": one["forget"]}
    )
    a, b = membership(one, SETTINGS), membership(swapped, SETTINGS)
    equal_shares = dataclasses.replace(b, shares=a.shares)
    for level in a.tables:
        assert 0 < a.information(level) < np.log(2)
        assert equal_shares.information(level) == pytest.approx(a.information(level), rel=1e-12)
    assert equal_shares.area() == pytest.approx(1 - a.area())


def test_detectable_area_is_detected_as_often_as_promised():
    rng = np.random.default_rng(2)
    n1, n0, level = 60, 80, 0.05
    base = one_class(rng.normal(size=n1), rng.normal(size=n0))
    target = base.detectable_area(level)
    shift = 2**0.5 * float(special.ndtri(target))
    reach = 1.96 * base.null_variance() ** 0.5
    found = [
        abs(auc(rng.normal(shift, size=n1), rng.normal(size=n0)) - 0.5) > reach for _ in range(600)
    ]
    assert np.mean(found) == pytest.approx(0.8, abs=0.06)


@pytest.mark.parametrize("top", [40.0, 390.0, 740.0, 900.0])
def test_saturated_losses_are_released_as_probabilities(top):
    """Losses such as 1e-170, whose squares vanish in float64."""
    sets = {}
    for name, scale in (("forget", top), ("retain", top), ("holdout", 1.0)):
        y = np.arange(40) % 2
        sets[name] = OutputSet(np.stack([np.where(y == 0, scale, 0), np.where(y, scale, 0)], 1), y)
    sets["retain"].outputs[:] *= np.linspace(0.95, 1, 40)[:, None]
    member = membership(Outputs("m", "classification", sets), SETTINGS)
    for both in member.tables.values():
        for rows in both:
            np.testing.assert_allclose(rows.sum(axis=1), 1)
