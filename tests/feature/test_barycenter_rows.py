"""A row's release is its own: of streams, batches, order, processes, seeds and pickles."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

from infounlearn.feature import WassersteinBarycenter
from tests.feature.tables import mixed, numbers


def batches(estimator: WassersteinBarycenter, X: object, z: np.ndarray) -> WassersteinBarycenter:
    """The same estimator fitted in three batches of unlike size."""
    stream = clone(estimator)
    for part in (slice(0, 1), slice(1, 120), slice(120, None)):
        stream.partial_fit(X[part], sensitive=z[part])
    return stream


@pytest.mark.parametrize(
    ("method", "tolerance"), [("line", 0.0), ("gaussian", 1e-12), ("common-support", 0.0)]
)
@pytest.mark.usefixtures("plug")
def test_a_stream_of_batches_is_one_fit(method: str, tolerance: float) -> None:
    X, z = numbers(groups=3)
    labels = np.array(["b", "c", "a"])[z]
    estimator = WassersteinBarycenter(method=method, random_state=3, max_rows=40, numeric=[0, 1, 2])
    whole = estimator.fit(X, sensitive=labels)
    stream = batches(estimator, X, labels)
    first, second = (e.transform(X, sensitive=labels) for e in (whole, stream))
    assert np.abs(first - second).max() <= tolerance * np.abs(X).max()
    assert whole.groups_ == stream.groups_ == ("a", "b", "c")
    if method == "common-support":
        assert len(whole._engines.bank) == 120


def test_a_stream_of_a_continuous_variable_is_one_fit() -> None:
    X, _ = numbers()
    z = X[:, 0] + np.random.default_rng(1).normal(size=300)
    estimator = WassersteinBarycenter(method="gaussian")
    whole, stream = estimator.fit(X, sensitive=z), clone(estimator)
    for part in (slice(0, 50), slice(50, 51), slice(51, None)):
        stream.partial_fit(X[part], sensitive=z[part])
    gap = whole.transform(X, sensitive=z) - stream.transform(X, sensitive=z)
    assert np.abs(gap).max() < 1e-12


SETTINGS = [
    {"method": "line"},
    {"method": "gaussian"},
    {"method": "gaussian", "jitter": 0.1},
    {"method": "gaussian", "amount": 0.3},
    {"method": "common-support"},
    {"method": "common-support", "amount": 0.5},
]


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
@pytest.mark.usefixtures("plug")
def test_a_row_does_not_feel_its_batch(settings: dict) -> None:
    X, z = numbers(groups=3)
    estimator = WassersteinBarycenter(random_state=0, **settings).fit(X, sensitive=z)
    whole = estimator.transform(X, sensitive=z)
    assert (whole != X).any()
    order = np.random.default_rng(1).permutation(len(X))
    assert np.array_equal(estimator.transform(X[order], sensitive=z[order]), whole[order])
    single = [estimator.transform(X[[row]], sensitive=z[[row]])[0] for row in range(40)]
    assert np.array_equal(single, whole[:40])
    halves = [estimator.transform(X[part], sensitive=z[part]) for part in np.split(order, 2)]
    assert np.array_equal(np.concatenate(halves), whole[order])


@pytest.mark.usefixtures("plug")
def test_a_row_of_a_frame_does_not_feel_its_batch_and_draws_by_its_index() -> None:
    frame = mixed()
    copies = pd.concat((frame, frame), ignore_index=True)
    estimator = WassersteinBarycenter("sex", random_state=0).fit(copies)
    whole = estimator.transform(copies)
    assert not whole[:200].reset_index(drop=True).equals(whole[200:].reset_index(drop=True))
    part = copies.iloc[[7, 300, 5]]
    assert estimator.transform(part).equals(whole.iloc[[7, 300, 5]])


def test_the_hash_seed_of_the_process_has_no_effect() -> None:
    code = (
        "import numpy as np, hashlib\n"
        "from infounlearn.feature import WassersteinBarycenter as W\n"
        "r = np.random.default_rng(0); X = r.normal(size=(60, 2))\n"
        "z = r.choice(['red', 'green', 'blue', 'x', 'y'], 60)\n"
        "out = [W(method=m, random_state=0).fit_transform(X, sensitive=z) "
        "for m in ('line', 'gaussian')]\n"
        "print(hashlib.sha256(np.array(out).tobytes()).hexdigest())"
    )
    told = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(told) == 1


def test_a_seed_repeats_and_no_seed_does_not() -> None:
    X, z = numbers()
    line = WassersteinBarycenter(method="line", random_state=4)
    first = line.fit_transform(X, sensitive=z)
    assert np.array_equal(first, clone(line).fit_transform(X, sensitive=z))
    fresh = [WassersteinBarycenter(method="line").fit_transform(X, sensitive=z) for _ in range(2)]
    assert not np.array_equal(*fresh)


def test_a_fitted_estimator_survives_pickle() -> None:
    X, z = numbers()
    estimator = WassersteinBarycenter(method="line", random_state=0).fit(X, sensitive=z)
    copy = pickle.loads(pickle.dumps(estimator))
    assert np.array_equal(copy.transform(X, sensitive=z), estimator.transform(X, sensitive=z))
