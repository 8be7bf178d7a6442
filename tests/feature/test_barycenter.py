"""Theorems of the table barycenter: independence, least change, the dial, invariance."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from infounlearn.errors import InputError
from infounlearn.feature import WassersteinBarycenter
from infounlearn.feature.policies import FeatureWarning
from tests.feature.tables import mixed, numbers


def moments(rows: np.ndarray, z: np.ndarray) -> list[np.ndarray]:
    """Means and covariances of the groups, flattened."""
    return [
        np.concatenate((rows[z == g].mean(0), np.cov(rows[z == g].T, bias=True).ravel()))
        for g in np.unique(z)
    ]


@pytest.mark.parametrize("groups", [2, 3])
def test_gaussian_release_has_the_same_moments_in_every_group(groups: int) -> None:
    X, z = numbers(groups=groups)
    after = moments(WassersteinBarycenter(method="gaussian").fit_transform(X, sensitive=z), z)
    before = moments(X, z)
    assert np.ptp(before, axis=0).max() > 0.5
    assert np.ptp(after, axis=0).max() < 1e-9


def test_line_release_has_the_same_law_in_every_group() -> None:
    rng = np.random.default_rng(0)
    z = rng.choice(3, 900, p=[0.6, 0.3, 0.1])
    X = (rng.gamma(1.0 + z) * (1.0 + z))[:, None]
    released = WassersteinBarycenter(random_state=1).fit_transform(X, sensitive=z)[:, 0]
    points = np.sort(released)
    cdf = [np.searchsorted(np.sort(released[z == g]), points) / (z == g).sum() for g in range(3)]
    # Without ties every rank of a group stays in its own interval of length 1/n_z.
    sizes = np.bincount(z)
    for a, b in ((0, 1), (0, 2), (1, 2)):
        assert np.abs(cdf[a] - cdf[b]).max() <= 1 / sizes[a] + 1 / sizes[b] + 1e-12


def test_atoms_lose_the_group_by_randomised_ranks() -> None:
    z = np.repeat([0, 1], 20_000)
    X = (np.random.default_rng(0).random(40_000) < np.where(z == 1, 0.7, 0.3)).astype(float)
    estimator = WassersteinBarycenter(method="line", random_state=0)
    with pytest.warns(FeatureWarning, match="copies of another row"):
        estimator.fit(X[:, None], sensitive=z)
    keyed = estimator.transform(X[:, None], sensitive=z, keys=np.arange(40_000))[:, 0]
    for atom in np.unique(keyed):
        share = [(keyed[z == g] == atom).mean() for g in (0, 1)]
        assert abs(share[0] - share[1]) < 5 * np.sqrt(0.5 / 20_000)
    # Mid-ranks, or no key, put each atom of each group in one place, which names the group.
    unkeyed = estimator.transform(X[:, None], sensitive=z)[:, 0]
    assert len(np.unique(unkeyed[z == 0])) <= 2


@pytest.mark.parametrize("method", ["gaussian", "line"])
@pytest.mark.parametrize("amount", [0.25, 1.0])
def test_the_cost_is_the_square_of_the_dial_times_the_least_change(
    method: str, amount: float
) -> None:
    # Groups of equal size: on the line each rank interval is then one step of the barycenter.
    X, _ = numbers(400)
    z = np.repeat([0, 1], 200)
    estimator = WassersteinBarycenter(amount=amount, method=method, random_state=0)
    moved = estimator.fit_transform(X, sensitive=z)
    cost = ((moved - X) ** 2).sum(1).mean()
    assert cost == pytest.approx(amount**2 * estimator.facts_["value"], rel=1e-9)
    assert estimator.facts_["value"] > 0.01


def test_the_weighted_mean_is_kept_with_unequal_groups() -> None:
    X, _ = numbers(1000)
    z = np.arange(1000) % 10 == 0
    moved = WassersteinBarycenter(method="gaussian").fit_transform(X, sensitive=z)
    assert np.abs(moved.mean(0) - X.mean(0)).max() < 1e-12


def test_two_sensitive_columns_of_unlike_scale_leave_no_correlation() -> None:
    rng = np.random.default_rng(0)
    z = np.column_stack((rng.integers(0, 2, 500), 1000 * rng.integers(0, 3, 500)))
    X = rng.normal(size=(500, 4)) + z[:, :1] + 1e-3 * z[:, 1:]
    moved = WassersteinBarycenter(method="gaussian", bins=None).fit_transform(X, sensitive=z)
    assert np.abs(np.corrcoef(X.T, z.T)[:4, 4:]).max() > 0.3
    assert np.abs(np.corrcoef(moved.T, z.T)[:4, 4:]).max() < 1e-10


def test_a_continuous_variable_is_removed_by_the_exact_residual() -> None:
    rng = np.random.default_rng(0)
    z = rng.normal(size=(400, 2)) * [1.0, 1000.0]
    X = rng.normal(size=(400, 3)) + z @ (rng.normal(size=(2, 3)) * [[1.0], [1e-3]])
    estimator = WassersteinBarycenter(method="gaussian").fit(X, sensitive=z)
    moved = estimator.transform(X, sensitive=z)
    design = z - z.mean(0)
    expected = X - design @ np.linalg.lstsq(design, X - X.mean(0), rcond=None)[0]
    assert np.abs(moved - expected).max() < 1e-10
    assert np.abs(np.corrcoef(moved.T, z.T)[:3, 3:]).max() < 1e-12
    assert ((moved - X) ** 2).sum(1).mean() == pytest.approx(estimator.facts_["value"])


def test_a_continuous_variable_on_the_line_is_removed_by_conditional_quantiles() -> None:
    rng = np.random.default_rng(0)
    z = rng.normal(size=4000)
    X = (rng.normal(size=4000) + 2 * z)[:, None]
    moved = WassersteinBarycenter(random_state=0).fit_transform(X, sensitive=z)
    assert abs(np.corrcoef(X[:, 0], z)[0, 1]) > 0.8
    # What is left is the dependence inside the bins.
    assert abs(np.corrcoef(moved[:, 0], z)[0, 1]) < 0.1


@pytest.mark.parametrize(
    "table",
    [
        numbers()[0],
        numbers()[0].astype(np.float32),
        np.arange(900).reshape(300, 3),
        mixed(300).drop(columns="sex").to_numpy(),
        mixed(300).drop(columns="sex"),
        pl.from_pandas(mixed(300).drop(columns="sex")),
    ],
    ids=["float64", "float32", "int", "object", "pandas", "polars"],
)
@pytest.mark.usefixtures("plug")
def test_amount_0_is_the_table_bit_for_bit(table: object) -> None:
    z = numbers()[1]
    same = WassersteinBarycenter(amount=0, method="common-support").fit_transform(
        table, sensitive=z
    )
    assert type(same) is type(table)
    if isinstance(table, np.ndarray):
        assert same.dtype == table.dtype
        assert same.tobytes() == table.tobytes() or table.dtype == object
        assert (same == table).all()
    else:
        assert same.equals(table)
    assert same is not table


def test_independent_groups_leave_the_table_nearly_alone() -> None:
    X, _ = numbers(5000)
    z = np.random.default_rng(5).integers(0, 2, 5000)
    for method in ("line", "gaussian"):
        moved = WassersteinBarycenter(method=method, random_state=0).fit_transform(X, sensitive=z)
        assert np.sqrt(((moved - X) ** 2).mean() / X.var()) < 0.06


def test_other_names_of_the_groups_change_nothing() -> None:
    X, z = numbers(groups=3)
    for method in ("line", "gaussian"):
        estimator = WassersteinBarycenter(method=method, random_state=0)
        first = estimator.fit_transform(X, sensitive=z)
        second = estimator.fit_transform(X, sensitive=np.array(["q", "a", "m"])[z])
        assert np.abs(first - second).max() < 1e-10


def test_a_column_without_variance_in_one_group_is_refused_or_jittered() -> None:
    rng = np.random.default_rng(0)
    z = np.repeat([0, 1], 100)
    X = rng.normal(size=(200, 3))
    X[z == 0, 2] = 0.0
    with pytest.raises(InputError, match=r"rank 2, that of all groups 3.*jitter"):
        WassersteinBarycenter(method="gaussian").fit(X, sensitive=z)
    estimator = WassersteinBarycenter(method="gaussian", jitter=0.01, random_state=0)
    estimator.fit(X, sensitive=z)
    fresh = rng.normal(size=(500, 3))
    moved = estimator.transform(fresh, sensitive=np.repeat([0, 1], 250))
    assert np.isrealobj(moved)
    assert np.abs(moved).max() < 50


@pytest.mark.usefixtures("plug")
def test_the_mixture_dial_releases_a_share_of_the_rows() -> None:
    X, z = numbers(4000)
    kept = {}
    for amount in (0.25, 0.75, 1.0):
        estimator = WassersteinBarycenter(amount=amount, method="common-support", random_state=0)
        moved = estimator.fit_transform(X, sensitive=z)
        kept[amount] = (moved == X).all(1)
        assert kept[amount].mean() == pytest.approx(1 - amount, abs=0.03)
    # One coin per row: what is released at a small amount is released at a larger one.
    assert not (kept[0.75] & ~kept[0.25]).any()


@pytest.mark.usefixtures("plug")
def test_kernels_of_the_bank_are_probabilities() -> None:
    frame = mixed()
    estimator = WassersteinBarycenter("sex", random_state=0, given="owner").fit(frame)
    kernels = estimator.release_kernels(frame)
    assert kernels.shape == (200, 200)
    assert np.allclose(kernels.sum(1), 1)
    assert set(np.count_nonzero(kernels, axis=1)) == set(frame["owner"].value_counts())
    X, z = numbers()
    line = WassersteinBarycenter(method="line").fit(X, sensitive=z)
    assert line.release_kernels(X, sensitive=z) is None
