"""Marginal information of an audit: exact, invariant, and honest about what it cannot see."""

import dataclasses

import numpy as np
import pytest
import torch

from infounlearn.audit.bounds import bound_findings
from infounlearn.audit.case import Case, Settings
from infounlearn.audit.marginal import marginal_findings
from infounlearn.audit.permute import subset_sums, summarise
from infounlearn.math import information_null, marginal_ceiling, marginal_information
from tests.audit.worlds import model, retrained

SETTINGS = Settings(permutations=199, prior=(0.3, 0.7))


def by_name(case):
    return {finding.name: finding for finding in marginal_findings(case)}


@pytest.mark.parametrize("forget_classes", [None, [3], [0, 1]])
def test_values_are_those_of_the_math_room(forget_classes):
    one = model("m", "memorising", forget_classes=forget_classes)
    found = by_name(Case(one, None, (), SETTINGS))
    logits = torch.from_numpy(np.concatenate([one["forget"].outputs, one["retain"].outputs]))
    labels = torch.from_numpy(np.concatenate([one["forget"].targets, one["retain"].targets]))
    forget = torch.arange(len(logits)) < len(one["forget"])
    expected = {
        "marginal/information": marginal_information(logits, forget, prior=SETTINGS.prior),
        "marginal/conditional": marginal_information(
            logits, forget, prior=SETTINGS.prior, given=labels
        ),
        "marginal/hard_label": marginal_information(
            torch.nn.functional.one_hot(logits.argmax(1), logits.shape[1]).double().log(),
            forget,
            prior=SETTINGS.prior,
        ),
    }
    for name, value in expected.items():
        assert found[name].value == pytest.approx(float(value), rel=1e-9), name
        assert found[name].kind == "exact"
    ceiling = marginal_ceiling(len(one["forget"]) / len(logits), SETTINGS.prior)
    assert found["marginal/information"].ceiling == pytest.approx(ceiling)
    assert 0 < found["marginal/normalized"].value < 1


def test_fast_null_has_the_law_of_the_slow_one():
    one = model("m", forget_classes=[3])
    fast = by_name(Case(one, None, (), Settings(permutations=999)))["marginal/information"].null
    rows = [
        torch.softmax(torch.from_numpy(one[n].outputs), 1).numpy() for n in ("forget", "retain")
    ]
    share = len(rows[0]) / (len(rows[0]) + len(rows[1]))
    slow = information_null(
        np.concatenate(rows),
        np.repeat([1, 0], [len(rows[0]), len(rows[1])]),
        mixing=[[1 - share, share], [1, 0]],
        prior=(0.5, 0.5),
        permutations=999,
        seed=9,
    )
    assert fast.mean == pytest.approx(slow.mean, rel=0.1)
    assert fast.quantile95 == pytest.approx(slow.quantile95, rel=0.15)
    assert fast.p_value == slow.p_value == pytest.approx(1 / 1000)


@pytest.mark.parametrize("size", [1, 3, 9, 10])
def test_subset_sums_are_sums_of_subsets(size):
    rng = np.random.default_rng(0)
    rows = 2.0 ** np.arange(10)[:, None]  # a sum tells its subset
    sums = subset_sums(rows, size, 50, rng)[:, 0].astype(int)
    assert all(bin(total).count("1") == size for total in sums)
    if size == 3:
        seen = np.mean([[total >> bit & 1 for bit in range(10)] for total in sums], axis=0)
        assert seen.min() > 0, "every row takes part"


def test_p_values_count_ties_and_never_vanish():
    null = summarise(1.0, np.array([1.0 + 1e-15, 0.0, 2.0]))
    assert null.p_value == 3 / 4
    assert summarise(9.0, np.zeros(3)).p_value == 1 / 4
    assert summarise(0.1, np.array([0.9, 0.5, 0.5]), two_sided_about=0.5).p_value == 2 / 4


def test_every_model_is_invariant_under_relabelling_and_shift_of_logits():
    one = model("m", "memorising", forget_classes=[1])
    order = np.array([3, 0, 4, 1, 2])
    inverse = np.argsort(order)
    sets = {
        n: dataclasses.replace(p, outputs=p.outputs[:, order] + 7.0, targets=inverse[p.targets])
        for n, p in one.sets.items()
    }
    moved = dataclasses.replace(one, sets=sets)
    first, second = (by_name(Case(m, None, (), SETTINGS)) for m in (one, moved))
    for name in first:
        assert second[name].value == pytest.approx(first[name].value, rel=1e-9), name


@pytest.mark.parametrize("forget_classes", [None, [2]])
@pytest.mark.parametrize("kind", ["memorising", "destroyed", "retrained"])
@pytest.mark.parametrize("prior", [(0.5, 0.5), (0.2, 0.8)])
def test_no_bound_is_ever_below_the_exact_value(kind, forget_classes, prior):
    options = {"forget_classes": forget_classes}
    case = Case(
        model("m", kind, **options), None, tuple(retrained(2, **options)), Settings(prior=prior)
    )
    findings = bound_findings(case, marginal_findings(case)[0], None)
    assert {"bounds/drift", "bounds/detection", "bounds/anchor", "bounds/necessity"} <= {
        finding.name for finding in findings
    }
    assert ("bounds/forget_class" in {f.name for f in findings}) == (forget_classes is not None)
    for finding in findings:
        assert finding.value <= finding.bound * (1 + 1e-9), finding.name
