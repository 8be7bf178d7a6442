"""What the table barycenter does by stated policy: odd columns, groups, strata, streams."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from infounlearn.errors import InputError
from infounlearn.feature import WassersteinBarycenter
from infounlearn.feature.policies import FeatureWarning
from tests.feature.tables import FRAME, X, Z, mixed

pytestmark = pytest.mark.usefixtures("plug")


def test_constant_columns_stay_and_more_columns_than_rows_are_served_by_other_methods() -> None:
    table = np.column_stack((X, np.full(300, 7.0)))
    moved = WassersteinBarycenter(method="gaussian").fit_transform(table, sensitive=Z)
    assert np.abs(moved[:, 3] - 7.0).max() < 1e-12
    wide = np.random.default_rng(0).normal(size=(6, 8))
    line = WassersteinBarycenter(method="line", random_state=0)
    assert line.fit_transform(wide, sensitive=np.arange(6) % 2).shape == (6, 8)


@pytest.mark.filterwarnings("ignore::infounlearn.feature.policies.FeatureWarning")
def test_a_copy_of_the_sensitive_column_becomes_a_constant() -> None:
    table = np.column_stack((X, Z))
    moved = WassersteinBarycenter(method="gaussian", numeric=[3]).fit_transform(table, sensitive=Z)
    assert np.ptp(moved[:, 3]) < 1e-12
    z = np.random.default_rng(0).normal(size=300)
    moved = WassersteinBarycenter(method="gaussian").fit_transform(z[:, None], sensitive=z)
    assert np.ptp(moved) < 1e-12


def test_discrete_columns_under_affine_maps_are_warned_of() -> None:
    table = np.column_stack((X, np.arange(300) % 3))
    with pytest.warns(FeatureWarning, match=r"columns \['x3'\] hold few distinct values"):
        WassersteinBarycenter(method="gaussian").fit(table, sensitive=Z)


def test_groups_unseen_or_absent_at_transform() -> None:
    fitted = WassersteinBarycenter(method="gaussian").fit(X, sensitive=Z)
    with pytest.raises(InputError, match=r"sensitive is absent.*mode='blind'"):
        fitted.transform(X)
    with pytest.raises(InputError, match="2 rows are in groups that were not fitted"):
        fitted.transform(X[:3], sensitive=[5, 0, 5])
    with pytest.raises(InputError, match=r"1 missing values \(None or NaN\)"):
        fitted.transform(X[:3], sensitive=[None, 0, 1])
    keep = WassersteinBarycenter(method="gaussian", unseen="keep").fit(X, sensitive=Z)
    moved = keep.transform(X[:3], sensitive=[5, 0, None])
    assert np.array_equal(moved[[0, 2]], X[[0, 2]])
    assert (moved[1] != X[1]).any()


def test_missing_groups_may_be_a_group() -> None:
    z = [None if row % 5 == 0 else bool(row % 2) for row in range(300)]
    estimator = WassersteinBarycenter(method="gaussian", missing="group").fit(X, sensitive=z)
    assert estimator.groups_ == (False, True, None)


def test_small_groups_may_be_pooled() -> None:
    z = np.array(["a"] * 150 + ["b"] * 144 + ["c"] * 3 + ["d"] * 3)
    settings: dict[str, Any] = {"method": "line", "min_group": 5, "random_state": 0}
    with pytest.raises(InputError, match=r"(?s)2 problems.*'c' has 3 rows.*'d' has 3 rows"):
        WassersteinBarycenter(**settings).fit(X, sensitive=z)
    pooled = WassersteinBarycenter(small_groups="pool", **settings).fit(X, sensitive=z)
    assert pooled.groups_ == ("a", "b", "(small groups)")
    other = np.where(np.isin(z, ["c", "d"]), "zz", z)
    expected = WassersteinBarycenter(**settings).fit_transform(X, sensitive=other)
    assert np.array_equal(pooled.transform(X, sensitive=z), expected)


def test_blind_release_needs_no_group() -> None:
    estimator = WassersteinBarycenter("sex", mode="blind", random_state=0).fit(mixed())
    whole = estimator.transform(mixed())
    assert estimator.transform(mixed().drop(columns="sex")).equals(whole)
    assert estimator.transform(mixed().assign(sex="unknown")).equals(whole)


def test_given_covariates_are_kept_and_the_rest_is_independent_within_them() -> None:
    rng = np.random.default_rng(0)
    job = rng.integers(0, 3, 1200)
    z = (rng.random(1200) < 0.2 + 0.3 * job).astype(int)
    rows = rng.normal(size=(1200, 2)) * (1 + 0.5 * z[:, None]) + z[:, None] + job[:, None]
    frame = pd.DataFrame({"u": rows[:, 0], "v": rows[:, 1], "job": job, "s": z})
    moved = WassersteinBarycenter("s", method="gaussian", given="job").fit_transform(frame)
    assert list(moved.columns) == ["u", "v", "job"]
    assert moved["job"].equals(frame["job"])
    out = moved[["u", "v"]].to_numpy()

    def gap(values: np.ndarray, rows: np.ndarray) -> float:
        parts = [
            np.vstack(
                (values[rows & (z == g)].mean(0), np.cov(values[rows & (z == g)].T, bias=True))
            )
            for g in (0, 1)
        ]
        return float(np.abs(parts[0] - parts[1]).max())

    for level in range(3):
        assert gap(rows, job == level) > 0.5
        assert gap(out, job == level) < 1e-9
    # What the covariate explains of Z is left: that is what conditioning means.
    assert gap(out, job >= 0) > 0.1


def test_given_the_target_the_release_is_independent_within_each_class() -> None:
    y = np.where(X[:, 0] + Z > 0.5, "yes", "no")
    estimator = WassersteinBarycenter(method="gaussian", given_target=True)
    moved = estimator.fit_transform(X, y, sensitive=Z)
    for level in ("yes", "no"):
        means = [moved[(y == level) & (g == Z)].mean(0) for g in (0, 1)]
        assert np.abs(means[0] - means[1]).max() < 1e-9
    with pytest.raises(InputError, match="given is absent"):
        estimator.transform(X, sensitive=Z)
    part = estimator.transform(X[:5], sensitive=Z[:5], given=y[:5])
    assert np.array_equal(part, moved[:5])


def test_strata_with_one_group_stay_and_a_group_new_to_a_stratum_is_refused() -> None:
    given = np.repeat(["p", "q"], 150)
    z = np.where(given == "q", 0, Z)
    estimator = WassersteinBarycenter(method="gaussian").fit(X, sensitive=z, given=given)
    moved = estimator.transform(X, sensitive=z, given=given)
    assert np.array_equal(moved[given == "q"], X[given == "q"])
    assert (moved[given == "p"] != X[given == "p"]).all()
    with pytest.raises(InputError, match="not fitted in their stratum"):
        estimator.transform(X[-1:], sensitive=[1], given=["q"])
    with pytest.raises(InputError, match="no stratum has rows of two groups"):
        WassersteinBarycenter(method="gaussian").fit(X, sensitive=Z, given=Z)


def test_copies_are_warned_of_unless_something_names_the_rows() -> None:
    frame = mixed(50)
    copies = pd.concat((frame, frame), ignore_index=True)
    WassersteinBarycenter("sex").fit(copies)
    for table, keys in ((copies, "content"), (pd.concat((frame, frame)), "auto")):
        with pytest.warns(FeatureWarning, match=r"50.0% of the rows are copies"):
            WassersteinBarycenter("sex", keys=keys).fit(table)


def test_several_sensitive_columns_are_crossed_and_all_leave_the_table() -> None:
    frame = FRAME.assign(r=np.arange(300) % 3)
    estimator = WassersteinBarycenter(["s", "r"], method="gaussian").fit(frame)
    assert estimator.groups_ == tuple((s, r) for s in "fm" for r in range(3))
    moved = estimator.transform(frame)
    assert list(moved.columns) == ["a", "b", "c"] == list(estimator.get_feature_names_out())
    means = moved.groupby([frame["s"], frame["r"]]).mean()
    assert np.ptp(means.to_numpy(), axis=0).max() < 1e-9
    # One by one leaves the other, and what the two tell together.
    alone = WassersteinBarycenter("s", method="gaussian").fit_transform(FRAME)
    assert np.ptp(alone.groupby(frame["r"]).mean().to_numpy(), axis=0).max() > 0.01


def test_rows_of_a_stratum_are_replaced_by_rows_of_that_stratum() -> None:
    frame = mixed()
    released = WassersteinBarycenter("sex", given="owner", random_state=0).fit_transform(frame)
    assert released["owner"].equals(frame["owner"])
    for level in (True, False):
        own = set(frame.loc[frame["owner"] == level, "age"])
        assert set(released.loc[released["owner"] == level, "age"]) <= own


def test_the_rows_kept_of_a_stream_are_a_uniform_sample() -> None:
    rows = np.arange(8000.0)[:, None]
    z = np.arange(8000) % 2
    estimator = WassersteinBarycenter(method="common-support", max_rows=500, random_state=0)
    for part in range(0, 8000, 1000):
        estimator.partial_fit(rows[part : part + 1000], sensitive=z[part : part + 1000])
    estimator.transform(rows[:2], sensitive=z[:2])
    kept = estimator._engines.bank.numeric[:, 0]
    assert (kept % 2 == 0).sum() == 500 == (kept % 2 == 1).sum()
    # 1000 draws in eight parts of a uniform law: five standard deviations.
    counts = np.histogram(kept, bins=8, range=(0, 8000))[0]
    assert np.abs(counts - 125).max() < 5 * np.sqrt(1000 / 8)
