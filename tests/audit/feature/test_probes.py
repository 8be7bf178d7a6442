"""Probes recover what is there, nothing where nothing is, and never more than there is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from joblib import parallel_config
from scipy import special

from infounlearn.audit.feature.columns import Table
from infounlearn.audit.feature.inference import deviation, gain_interval, null_of
from infounlearn.audit.feature.power import channel, channel_information, plant
from infounlearn.audit.feature.probes import LOGISTIC, PROBES, TREES, Job, deal, log_prior, read_all


def job(probe: str, numeric: np.ndarray, z: np.ndarray, *, seed: int = 0, given=None) -> Job:
    return Job(probe, Table(numeric, np.zeros((len(z), 0), dtype=int)), z, given, 5, (seed,))


def read(probe: str, numeric: np.ndarray, z: np.ndarray, **options):
    return read_all([job(probe, numeric, z, **options)], PROBES, 1)[0]


def leak(n: int, nats: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """A 0/1 column that tells ``nats`` about groups of shares .4 and .6, and the groups."""
    rng = np.random.default_rng(seed)
    z = rng.permutation((np.arange(n) >= 0.4 * n).astype(int))
    show = channel(nats, np.bincount(z)[None].astype(float))
    return plant(z, show, rng)[:, None].astype(float), z


@pytest.mark.parametrize("probe", [LOGISTIC, TREES])
@pytest.mark.parametrize("nats", [0.02, 0.2])
def test_a_known_leak_is_recovered_whole(probe: str, nats: float) -> None:
    column, z = leak(8000, nats, 0)
    found = read(probe, column, z)
    low, high = gain_interval(found.gains, found.folds, 0.95)
    assert low < nats < high
    assert found.information == pytest.approx(nats, rel=0.2)


def test_the_interval_seldom_lies_above_what_there_is() -> None:
    above = 0
    for seed in range(40):
        column, z = leak(800, 0.02, seed)
        found = read(LOGISTIC, column, z, seed=seed)
        above += gain_interval(found.gains, found.folds, 0.95)[0] > 0.02
    assert above <= 3  # 1 in 40 is expected at most; 4 or more of 40 has probability .02


@pytest.mark.parametrize("probe", [LOGISTIC, TREES])
def test_where_nothing_is_a_probe_learns_to_trust_itself_little(probe: str) -> None:
    rng = np.random.default_rng(3)
    z = rng.integers(0, 2, 1500)
    found = read(probe, rng.normal(size=(1500, 40)), z)
    # Without tempering, forty columns cost the line 40/2n = .017 nats.
    assert -0.008 < found.information < 0.004


def test_trees_see_what_a_line_cannot() -> None:
    rng = np.random.default_rng(4)
    columns = rng.normal(size=(2000, 2))
    z = (columns[:, 0] * columns[:, 1] > 0).astype(int)
    assert read(LOGISTIC, columns, z).information < 0.01
    assert read(TREES, columns, z).information > 0.5 * np.log(2)


def test_information_is_that_of_the_held_out_beliefs() -> None:
    column, z = leak(500, 0.3, 1)
    found = read(LOGISTIC, column, z)
    shares = np.bincount(z) / len(z)
    assert special.logsumexp(found.log_q, axis=1) == pytest.approx(0, abs=1e-12)
    own = found.log_q[np.arange(500), z]
    assert found.information == pytest.approx(special.entr(shares).sum() + own.mean(), abs=1e-12)


def test_a_row_teaches_no_probe_that_judges_it() -> None:
    rng = np.random.default_rng(5)
    z = rng.integers(0, 2, 300)
    numeric = rng.normal(size=(300, 1))
    first = read(LOGISTIC, numeric, z)
    held = first.folds == 2
    # Other columns for the rows of a fold change no probe of theirs: same order of beliefs.
    moved = numeric.copy()
    moved[held] = rng.permutation(moved[held])
    second = read(LOGISTIC, moved, z)
    a, b = (one.log_q[held, 1] - one.log_q[held, 0] for one in (first, second))
    np.testing.assert_allclose(np.sort(a), np.sort(b), rtol=1e-6, atol=1e-9)


def test_several_groups_and_strata() -> None:
    rng = np.random.default_rng(6)
    z = rng.integers(0, 3, 3000)
    stratum = (rng.random(3000) < np.where(z == 0, 0.9, 0.3)).astype(int)
    numeric = np.column_stack([stratum, rng.normal(size=3000)]).astype(float)
    marginal = read(LOGISTIC, numeric, z)
    within = read(LOGISTIC, numeric, z, given=stratum)
    assert marginal.log_q.shape == (3000, 3)
    assert marginal.information > 0.1
    assert abs(within.information) < 0.004  # given the stratum there is nothing


def test_the_number_of_workers_changes_no_number() -> None:
    column, z = leak(400, 0.1, 2)
    jobs = [job(LOGISTIC, column, z), job(TREES, column, z, seed=9)]
    alone = read_all(jobs, PROBES, 1)
    with parallel_config(backend="threading"):  # processes do the same, but start slowly
        shared = read_all(jobs, PROBES, 2)
    for one, other in zip(alone, shared, strict=True):
        np.testing.assert_array_equal(one.gains, other.gains)


def test_a_probe_that_is_sure_and_wrong_is_not_trusted() -> None:
    class Sure:
        """Gives every row the group of its first column, with probability one."""

        classes_ = np.array([0, 1])

        def fit(self, matrix, z):
            return self

        def predict_log_proba(self, matrix):
            guess = (matrix[:, 0] > 0).astype(int)
            return np.where(np.arange(2) == guess[:, None], 0.0, -np.inf)

    rng = np.random.default_rng(7)
    z = rng.integers(0, 2, 600)
    found = read_all([job("sure", rng.normal(size=(600, 1)), z)], {"sure": lambda *_: Sure()}, 1)[0]
    assert np.isfinite(found.gains).all()
    assert found.information == pytest.approx(0, abs=0.002)


def test_folds_deal_out_every_group_evenly_and_anew_for_shuffled_groups() -> None:
    z = np.repeat([0, 1, 2], [51, 99, 350])
    one = job(LOGISTIC, np.zeros((500, 1)), z)
    folds = deal(one)
    for group in range(3):
        sizes = np.bincount(folds[z == group], minlength=5)
        assert np.ptp(sizes) <= 1
    shuffled = np.random.default_rng(0).permutation(z)
    again = deal(replace(one, z=shuffled))
    assert np.ptp(np.bincount(again[shuffled == 0], minlength=5)) <= 1


def test_the_prior_is_that_of_the_stratum() -> None:
    z, given = np.array([0, 0, 1, 1, 1, 0]), np.array([0, 0, 0, 1, 1, 1])
    every = np.ones(6, dtype=bool)
    shares = np.exp(log_prior(z, given, every, half=0.0))
    np.testing.assert_allclose(shares[0], [2 / 3, 1 / 3])
    np.testing.assert_allclose(np.exp(log_prior(z, None, every))[0], [0.5, 0.5])
    np.testing.assert_allclose(np.exp(log_prior(z, given, given == 1))[0], [0.5, 0.5])


def test_the_interval_sees_rows_and_folds() -> None:
    rng = np.random.default_rng(8)
    folds = np.arange(1000) % 5
    alike = rng.normal(size=1000)
    apart = alike + folds
    assert deviation(alike, folds, 0.95) >= 1.959 * alike.std(ddof=1) / np.sqrt(1000)
    assert deviation(apart, folds, 0.95) > 1.5  # five means 0, 1, 2, 3, 4


def test_a_null_resolves_no_more_than_its_draws() -> None:
    null = null_of(5.0, [0.0] * 18 + [1.0])
    assert null.p_value == 1 / 20
    assert null.quantile95 == 1.0
    assert null_of(0.0, [0.0, 0.0]).p_value == 1.0


def test_a_planted_column_tells_exactly_what_it_should() -> None:
    counts = np.array([[40.0, 60.0], [70.0, 30.0]])
    assert channel_information(0.0, counts) == pytest.approx(0, abs=1e-30)
    ceiling = sum(
        counts[c].sum() / counts.sum() * special.entr(counts[c] / counts[c].sum()).sum()
        for c in range(2)
    )
    assert channel_information(1.0, counts) == pytest.approx(ceiling)
    assert channel(99.0, counts) == 1.0
    assert channel_information(channel(0.05, counts), counts) == pytest.approx(0.05, abs=1e-9)
    z = np.repeat([0, 1], [20000, 30000])
    show = channel(0.05, np.array([[2.0, 3.0]]))
    told = []
    for seed in range(8):
        column = plant(z, show, np.random.default_rng(seed))
        joint = np.zeros((2, 2))
        np.add.at(joint, (z, column), 1 / len(z))
        outer = joint.sum(1, keepdims=True) * joint.sum(0)
        told.append(float((joint * np.log(joint / outer)).sum()))
    assert np.mean(told) == pytest.approx(0.05, abs=0.0015)  # three standard errors


def test_trees_read_a_column_with_hardly_a_value_by_its_gaps() -> None:
    rng = np.random.default_rng(0)
    z = rng.integers(2, size=300)
    empty = np.full((300, 1), np.nan)
    noise = rng.normal(size=(300, 1))
    assert abs(read(TREES, np.hstack((noise, empty)), z).information) < 0.05
    few = empty.copy()
    few[np.flatnonzero(z == 1)[:10]] = 1.0
    marks, _ = Table(few, np.zeros((300, 0), dtype=int)).for_trees()
    assert (marks[:, 0] == np.isnan(few[:, 0])).all()
