"""The certified bounds cover, over tables chosen to break them; weaker bounds do not.

The law of every table is known, so is its information I. A bound errs where U < I (or lower > I);
it may do so at most with probability ALPHA. "At most" is tested at a level of one in a million, and
where the sample space is small enough the error probability is computed exactly instead.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy import stats

from infounlearn.math import lower_bounds
from infounlearn.math.certificates import certify_information
from infounlearn.math.laws import information_of_laws
from infounlearn.math.lower_bounds import information_lower_bound
from infounlearn.math.upper_bounds import default_lambda, growth_factor, information_upper_bound

ALPHA = 0.05
TRIALS = 2000
ALLOWED = stats.binom.ppf(1 - 1e-6, TRIALS, ALPHA)

Table = tuple[np.ndarray, np.ndarray, tuple[int, ...]]


def _alike(width: int) -> np.ndarray:
    return np.full((2, width), 1 / width)


def _rare(probability: float) -> np.ndarray:
    """One outcome that only group 0 ever shows."""
    return np.array([[1 - probability, probability], [1.0, 0.0]])


def _sparse(seed: int, width: int, tilt: float) -> np.ndarray:
    rng = np.random.default_rng(seed)
    base = rng.dirichlet(np.full(width, 0.3))
    laws = np.stack([base * np.exp(tilt * rng.normal(size=width)), base])
    return laws / laws.sum(1, keepdims=True)


EVEN, SKEW = np.array([0.5, 0.5]), np.array([0.05, 0.95])
TABLES: dict[str, Table] = {
    "uniform null": (_alike(10), EVEN, (50, 50)),
    "rare outcome of one group": (_rare(0.02), EVEN, (40, 40)),
    "rarer than the sample shows": (_rare(0.005), EVEN, (100, 100)),
    "rare outcome, rare group": (_rare(0.1), SKEW, (20, 400)),
    "rare outcome, common group": (_rare(0.1)[::-1], SKEW, (20, 30)),
    "disjoint": (np.eye(2), EVEN, (5, 5)),
    "nearly disjoint": (np.array([[0.97, 0.03], [0.03, 0.97]]), EVEN, (20, 20)),
    "one record per group": (np.array([[0.8, 0.2], [0.2, 0.8]]), EVEN, (1, 1)),
    "sizes against the prior": (np.array([[0.6, 0.4], [0.4, 0.6]]), EVEN, (10, 1000)),
    "1000 outcomes, alike": (_alike(1000), EVEN, (200, 200)),
    "1000 outcomes, tilted": (_sparse(0, 1000, 1.0), EVEN, (200, 200)),
    "1000 outcomes, hidden half": (
        np.kron([[1.0, 0.0], [0.5, 0.5]], np.full(500, 1 / 500)),
        EVEN,
        (60, 60),
    ),
    "skewed laws and prior": (_sparse(1, 6, 2.0), SKEW, (15, 60)),
    "four groups": (
        np.random.default_rng(2).dirichlet(np.full(5, 0.4), 4),
        np.array([0.7, 0.2, 0.06, 0.04]),
        (30, 30, 30, 30),
    ),
}


def _count_laws(table: Table, rng: np.random.Generator) -> np.ndarray:
    laws, _, sizes = table
    drawn = [rng.multinomial(n, law, TRIALS) / n for law, n in zip(laws, sizes, strict=True)]
    return np.stack(drawn, axis=1)


def _bound(estimates: np.ndarray, table: Table, num_outcomes: int | None) -> np.ndarray:
    _, prior, sizes = table
    n_eff = float((np.array(sizes) / prior).min())
    rate = default_lambda(n_eff, prior=prior, alpha=ALPHA, num_outcomes=num_outcomes)
    return information_upper_bound(estimates, n_eff=n_eff, prior=prior, alpha=ALPHA, lambda_=rate)


@pytest.mark.parametrize("name", TABLES)
def test_upper_bound_covers_label_counts(name: str) -> None:
    table = TABLES[name]
    laws, prior, _ = table
    truth = float(information_of_laws(laws, prior))
    estimates = information_of_laws(_count_laws(table, np.random.default_rng(3)), prior)
    for declared in (None, laws.shape[1]):
        missed = int(np.count_nonzero(_bound(estimates, table, declared) < truth))
        assert missed <= ALLOWED


def test_plug_in_and_the_bound_without_its_deviation_term_fail() -> None:
    """The tables have power: what is not a bound is found out on several of them."""
    caught_plain, caught_term = [], []
    for name, table in TABLES.items():
        laws, prior, _ = table
        truth = float(information_of_laws(laws, prior))
        estimates = information_of_laws(_count_laws(table, np.random.default_rng(3)), prior)
        no_term = growth_factor(0.45, 1 / prior.min()) * -np.expm1(-0.45 * estimates) / 0.45
        if np.count_nonzero(estimates < truth - 1e-9) > ALLOWED:
            caught_plain.append(name)
        if np.count_nonzero(no_term < truth - 1e-9) > ALLOWED:
            caught_term.append(name)
    assert "rare outcome of one group" in caught_plain
    assert "rarer than the sample shows" in caught_term
    assert len(caught_plain) >= 5
    assert len(caught_term) >= 3


def _exact_error(bound: Callable[[np.ndarray], np.ndarray], prior: np.ndarray, n: int) -> float:
    """Largest P(U < I) over a grid of two-outcome tables, summed over all samples."""
    share = np.arange(n + 1) / n
    t, f = np.meshgrid(share, share, indexing="ij")
    observed = np.stack([np.stack([t, 1 - t], -1), np.stack([f, 1 - f], -1)], -2)
    upper = bound(information_of_laws(observed, prior))
    worst = 0.0
    grid = np.concatenate([[0, 1e-3, 0.01, 0.03], np.linspace(0.06, 0.94, 23), [0.97, 0.99, 1]])
    masses = [stats.binom.pmf(np.arange(n + 1), n, p) for p in grid]
    for first, mass_t in zip(grid, masses, strict=True):
        for second, mass_f in zip(grid, masses, strict=True):
            laws = np.array([[first, 1 - first], [second, 1 - second]])
            truth = float(information_of_laws(laws, prior))
            worst = max(worst, float(mass_t @ (upper < truth - 1e-12) @ mass_f))
    return worst


@pytest.mark.parametrize("share", [0.5, 0.1])
@pytest.mark.parametrize("n", [6, 30])
def test_exact_error_probability_of_two_outcomes(n: int, share: float) -> None:
    prior = np.array([share, 1 - share])
    n_eff = n / float(prior.max())

    def certified(rate: float) -> Callable[[np.ndarray], np.ndarray]:
        return lambda estimate: information_upper_bound(
            estimate, n_eff=n_eff, prior=prior, alpha=ALPHA, lambda_=rate
        )

    for rate in (0.1, 0.45, 0.8):
        assert _exact_error(certified(rate), prior, n) <= ALPHA
    assert _exact_error(lambda estimate: estimate, prior, n) > 0.3


def _populations() -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Kernel rows of whole populations, (2, N, K), saturated to diffuse, and a prior."""
    rng = np.random.default_rng(4)
    saturated = rng.dirichlet(np.full(8, 0.02), (2, 90))
    diffuse = rng.dirichlet(np.full(8, 50.0), (2, 90))
    few = np.zeros((2, 90, 2))
    few[:, :, 0] = 1.0
    few[0, :4] = [0.0, 1.0]
    apart = np.stack([np.eye(8)[rng.integers(0, 4, 90)], np.eye(8)[rng.integers(2, 8, 90)]])
    mixed = 0.5 * saturated + 0.5 * diffuse
    return {
        "saturated": (saturated, EVEN),
        "diffuse": (diffuse, EVEN),
        "four records tell": (few, EVEN),
        "four records tell, rare group": (few, SKEW),
        "overlapping hard labels": (apart, EVEN),
        "mixed, skewed prior": (mixed, np.array([0.2, 0.8])),
    }


def _choose(rng: np.random.Generator, n: int, replace: bool) -> np.ndarray:
    """(TRIALS, 90) how often each record of the population is drawn."""
    if replace:
        return rng.multinomial(n, np.full(90, 1 / 90), TRIALS)
    return (rng.random((TRIALS, 90)).argsort(1) < n).astype(float)


@pytest.mark.parametrize("design", ["fresh", "without replacement", "enumerated-vs-fresh"])
@pytest.mark.parametrize("name", _populations())
def test_upper_bound_covers_kernels(name: str, design: str) -> None:
    rows, prior = _populations()[name]
    rng = np.random.default_rng(5)
    truth = float(information_of_laws(rows.mean(1), prior))
    for n in (8, 45):
        laws = np.stack(
            [_choose(rng, n, design != "without replacement") @ group / n for group in rows], 1
        )
        if design == "enumerated-vs-fresh":
            laws[:, 0] = rows[0].mean(0)
            n_eff = n / prior[1]
        else:
            n_eff = float((n / prior).min())
        estimates = information_of_laws(laws, prior)
        for rate in (0.15, 0.45):
            upper = information_upper_bound(
                estimates, n_eff=n_eff, prior=prior, alpha=ALPHA, lambda_=rate
            )
            assert np.count_nonzero(upper < truth - 1e-12) <= ALLOWED


def test_kernel_plug_in_fails() -> None:
    rows, prior = _populations()["four records tell"]
    laws = np.stack([_choose(np.random.default_rng(5), 8, True) @ group / 8 for group in rows], 1)
    truth = float(information_of_laws(rows.mean(1), prior))
    missed = np.count_nonzero(information_of_laws(laws, prior) < truth)
    assert missed > 10 * ALLOWED / 2


def _labels(law: np.ndarray, n: int, rng: np.random.Generator) -> np.ndarray:
    return np.searchsorted(law.cumsum()[:-1], rng.random(n), "right")


LOWER = {
    "alike": (_alike(4), EVEN, (60, 60)),
    "alike, sparse": (_alike(200), EVEN, (60, 60)),
    "faint": (np.array([[0.55, 0.45], [0.45, 0.55]]), EVEN, (80, 80)),
    "rare": (_rare(0.03), SKEW, (80, 80)),
    "strong": (np.array([[0.9, 0.1], [0.1, 0.9]]), EVEN, (30, 30)),
    "tilted": (_sparse(6, 30, 1.5), np.array([0.2, 0.8]), (60, 200)),
    "three groups": (
        np.random.default_rng(7).dirichlet(np.ones(4), 3),
        np.full(3, 1 / 3),
        (50,) * 3,
    ),
}


@pytest.mark.parametrize("form", ["labels", "kernels"])
@pytest.mark.parametrize("name", LOWER)
def test_lower_bound_covers(name: str, form: str) -> None:
    laws, prior, sizes = LOWER[name]
    rng = np.random.default_rng(8)
    trials = 200
    z = np.repeat(np.arange(len(sizes)), sizes)
    # Kernels: each record moves mass between two outcomes, to or fro, so that the means stay.
    tilt = np.zeros_like(laws)
    tilt[:, 0] = 0.9 * laws[:, :2].min(1)
    tilt[:, 1] = -tilt[:, 0]
    truth, missed, found = float(information_of_laws(laws, prior)), 0, 0
    for _ in range(trials):
        if form == "labels":
            outcomes = np.concatenate(
                [_labels(law, n, rng) for law, n in zip(laws, sizes, strict=True)]
            )
        else:
            outcomes = laws[z] + rng.choice([-1.0, 1.0], (len(z), 1)) * tilt[z]
        lower = information_lower_bound(
            outcomes, z, prior=prior, alpha=ALPHA, width=laws.shape[1], rng=rng
        )
        missed += lower > truth + 1e-12
        found += lower > 0
    assert missed <= stats.binom.ppf(1 - 1e-6, trials, ALPHA)
    if name == "strong":
        assert found > 0.8 * trials
    if name.startswith("alike"):
        assert found <= stats.binom.ppf(1 - 1e-6, trials, ALPHA)


def test_lower_bound_on_the_fitted_half_fails() -> None:
    """Why halves: an attack scored on the records it was chosen from finds what is not there."""
    rng = np.random.default_rng(9)
    _, prior, sizes = LOWER["alike, sparse"]
    z = np.repeat([0, 1], sizes)
    every = np.ones(len(z), dtype=bool)
    found = sum(
        lower_bounds._event(rng.integers(0, 200, len(z)), z, prior, ALPHA, 200, (), every, every)
        > 0
        for _ in range(50)
    )
    assert found > 25


def test_public_certificate_covers_two_sided_in_all_designs() -> None:
    rng = np.random.default_rng(10)
    trials, missed = 150, {"labels": 0, "kernels": 0, "enumerated-vs-fresh": 0}
    rows, prior = _populations()["overlapping hard labels"]
    truth = float(information_of_laws(rows.mean(1), prior))
    z = np.repeat([0, 1], 60)
    for _ in range(trials):
        picks = np.stack([rng.integers(0, 90, 60) for _ in range(2)])
        kernels = np.concatenate([rows[0][picks[0]], rows[1][picks[1]]])
        found = {
            "labels": certify_information(
                kernels.argmax(1), z, num_outcomes=8, two_sided=True, seed=1
            ),
            "kernels": certify_information(kernels, z, two_sided=True, seed=1),
            "enumerated-vs-fresh": certify_information(
                np.concatenate([rows[0], kernels[60:]]),
                np.repeat([0, 1], [90, 60]),
                prior=prior,
                design="enumerated-vs-fresh",
                enumerated_groups=(0,),
                two_sided=True,
            ),
        }
        for name, certificate in found.items():
            assert certificate.lower is not None
            assert certificate.upper is not None
            missed[name] += not certificate.lower <= truth <= certificate.upper
    assert max(missed.values()) <= stats.binom.ppf(1 - 1e-6, trials, ALPHA)
