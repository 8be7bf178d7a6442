"""The table barycenter is a scikit-learn transformer, by scikit-learn's own checks."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sklearn.base import BaseEstimator
from sklearn.utils.estimator_checks import parametrize_with_checks

from infounlearn.feature import WassersteinBarycenter

ESTIMATORS = [
    WassersteinBarycenter(sensitive=0, method="gaussian", jitter=1e-6, bins=2),
    WassersteinBarycenter(sensitive=0, method="line", bins=2),
    WassersteinBarycenter(
        sensitive=0, bins=2, engine_options={"networks": 1, "hidden": 8, "steps": 20}
    ),
]


# Tables of the checks hold few whole numbers, and copies of rows.
@pytest.mark.filterwarnings("ignore::infounlearn.feature.policies.FeatureWarning")
@parametrize_with_checks(ESTIMATORS)
def test_scikit_learn_checks(estimator: BaseEstimator, check: Callable) -> None:
    check(estimator)
