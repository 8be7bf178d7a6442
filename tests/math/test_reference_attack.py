"""RMIA compares a record with other models and other records; non-members must be unseen."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from infounlearn.errors import InputError
from infounlearn.math.ranking import auc, auc_interval
from infounlearn.math.reference_attack import LogLikelihoods, relative_likelihood, rmia


def said(
    records: int, seed: int, *, gain: float = 0.0, models: int = 3, first: int | None = None
) -> LogLikelihoods:
    """Records of very different difficulty; the attacked model likes them better by ``gain``."""
    rng = np.random.default_rng(seed)
    hard = rng.exponential(5, records) + 3
    target = -hard + gain + 0.3 * rng.normal(size=records)
    references = -hard + 0.3 * rng.normal(size=(models, records))
    ids = None if first is None else np.arange(first, first + records)
    return LogLikelihoods(np.minimum(target, 0), np.minimum(references, 0), ids)


@pytest.mark.parametrize("a", [0.0, 0.3, 1.0])
def test_score_is_the_share_of_the_population_below(a: float) -> None:
    groups = [said(40, seed, gain=seed) for seed in range(3)]

    def rho(group: LogLikelihoods) -> np.ndarray:
        p, out = np.exp(group.target), np.exp(group.references).mean(0)
        return p / (((1 + a) * out + (1 - a)) / 2)

    members, nonmembers, population = (rho(group) for group in groups)
    found = rmia(*groups, a=a)
    scores = [
        [np.mean([x > z for z in population]) for x in group] for group in (members, nonmembers)
    ]
    assert found.members.tolist() == scores[0]
    assert found.nonmembers.tolist() == scores[1]
    assert found.auc == pytest.approx(auc(*scores))
    assert found.interval == pytest.approx(auc_interval(*scores))
    tensors = (torch.tensor(groups[0].target), torch.tensor(groups[0].references))
    assert np.exp(relative_likelihood(*tensors, a=a)) == pytest.approx(members)


def test_ties_with_the_population_do_not_count() -> None:
    same = LogLikelihoods(np.full(5, -1.0), np.full((2, 5), -1.0))
    found = rmia(same, same, same)
    assert found.members.tolist() == [0] * 5
    assert found.auc == 0.5


def test_difficulty_is_taken_out_where_references_know_it() -> None:
    members, nonmembers, population = said(300, 1, gain=1.5), said(300, 2), said(300, 3)
    by_loss = auc(members.target, nonmembers.target)
    assert by_loss < 0.65
    strong, weak = (rmia(members, nonmembers, population, a=a) for a in (1.0, 0.0))
    assert strong.auc > 0.98
    assert strong.interval[0] > 0.95
    assert strong.points[0].tpr > 0.8
    # a = 0 hardly looks at the references.
    assert abs(weak.auc - by_loss) < 0.02


def test_nothing_to_find_is_at_one_half_and_covered() -> None:
    missed = 0
    for seed in range(60):
        found = rmia(*(said(80, 3 * seed + k) for k in range(3)), a=1.0)
        missed += not found.interval[0] <= 0.5 <= found.interval[1]
    assert missed <= 10  # P(more | 5 %) is 1e-4


def test_trap_6_non_members_that_were_seen_are_refused() -> None:
    members = said(10, 0, first=0)
    clean, population = said(10, 1, first=100), said(10, 2, first=200)
    rmia(members, clean, population, trained_on=np.arange(50))
    with pytest.raises(InputError, match=r"1 of the nonmembers are also in members, such as .9"):
        rmia(members, said(10, 1, first=9), population)
    with pytest.raises(InputError, match="3 of the nonmembers are also in trained_on"):
        rmia(members, said(10, 1, first=47), population, trained_on=torch.arange(50))
    with pytest.raises(InputError, match="10 of the population are also in trained_on"):
        rmia(members, clean, said(10, 1, first=20), trained_on=np.arange(50))
    with pytest.raises(InputError, match="nonmembers have no ids"):
        rmia(members, said(10, 1), population, trained_on=np.arange(50))


def test_tiny_probabilities_are_compared_in_logarithms() -> None:
    deep = relative_likelihood([-2000.0, -1990.0], [[-2000.0, -2000.0]] * 2, a=1.0)
    assert deep == pytest.approx([0, 10], abs=1e-9)
    mixed = relative_likelihood([-2000.0], [[-3000.0]], a=0.5)
    assert mixed[0] == pytest.approx(-2000 - math.log(0.25))
    # The mean over models is of probabilities, not of logarithms.
    mean = relative_likelihood([0.0], [[0.0], [-800.0]], a=1.0)
    assert mean[0] == pytest.approx(math.log(2))


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda g: rmia(g, g, g, a=1.1), "a is 1.1"),
        (lambda g: rmia(g, g, g, rates=(1.0,)), "rates is"),
        (lambda g: rmia(g, g, g, confidence=0.0), "confidence is 0.0"),
        (lambda g: rmia(g, g, said(4, 1, models=2)), "different numbers of reference models"),
        (lambda g: rmia(g, LogLikelihoods([0.5], [[-1.0]]), g), "nonmembers.target has values"),
        (lambda g: rmia(LogLikelihoods([], [[]]), g, g), "members.target has shape"),
        (lambda g: rmia(LogLikelihoods([-1.0], [[-1.0]], [1, 2]), g, g), "members.ids do not fit"),
        (lambda g: relative_likelihood([-1.0], [[-1.0, -2.0]]), "target has shape"),
        (lambda g: relative_likelihood([-np.inf], [[-1.0]]), "no finite log-probability"),
    ],
)
def test_bad_input_is_named(call, says: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(InputError, match=says):
        call(said(4, 0))
