"""What survives a transform: closed forms, the identity, nothing, and what cannot be measured."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import norm
from sklearn.linear_model import LogisticRegression

from infounlearn.errors import InputError
from infounlearn.feature import WassersteinBarycenter
from infounlearn.feature.survival import survival
from tests.feature.tables import mixed

PROBE = LogisticRegression()


def two_gaussians(rows: int = 4000) -> tuple[np.ndarray, np.ndarray]:
    """N(0, 1) against N(2, 1), classes of equal size."""
    rng = np.random.default_rng(0)
    y = np.repeat(["a", "b"], rows // 2)
    return (rng.normal(size=rows) + 2 * (y == "b"))[:, None], y


def test_the_closed_forms_of_two_gaussians_are_met() -> None:
    X, y = two_gaussians()
    found = survival(X, X, y, probe=PROBE)

    def expected(value: object) -> float:
        def at(x: float) -> float:
            p, q = norm.pdf(x), norm.pdf(x - 2)
            return (p + q) / 2 * value(q / (p + q))  # type: ignore[operator]

        return float(quad(at, -9, 11)[0])

    entropy = expected(lambda eta: -eta * np.log(eta) - (1 - eta) * np.log1p(-eta))
    energy = expected(lambda eta: eta**2 + (1 - eta) ** 2)
    for name, truth in (
        ("information", np.log(2) - entropy),
        ("conditional_entropy", entropy),
        ("energy", energy),
    ):
        low, high = found[name].before_interval
        assert low < truth < high, name
        assert high - low < 0.05
    assert found["information"].before == pytest.approx(0.336831, abs=0.03)


def test_the_identity_loses_nothing_and_noise_loses_all() -> None:
    X, y = two_gaussians(2000)
    same = survival(X, X.copy(), y, probe=PROBE)
    for one in same.utilities:
        assert one.share == 1.0
        assert one.before == one.after
        assert one.share_interval == (1.0, 1.0)
    noise = np.random.default_rng(1).normal(size=X.shape)
    lost = survival(X, noise, y, probe=PROBE)
    for one in lost.utilities:
        assert abs(one.share) < 0.02
        assert one.share_interval[0] < 0.0 < one.share_interval[1] + 0.01


def test_an_invertible_map_loses_nothing_a_rich_probe_can_find() -> None:
    X, y = two_gaussians(2000)
    after = np.exp(X) * -3
    found = survival(X, after, y, shuffles=1)
    assert found["information"].share == pytest.approx(1.0, abs=0.02)


def test_information_is_the_entropy_of_the_target_less_the_conditional_one() -> None:
    X, y = two_gaussians(1000)
    found = survival(X, X + 1, y, probe=PROBE)
    conditional = found["conditional_entropy"]
    assert found["information"].before == pytest.approx(conditional.prior - conditional.before)


def test_a_shuffled_target_shows_the_floor() -> None:
    X, _ = two_gaussians(1000)
    y = np.random.default_rng(3).integers(0, 2, 1000)
    found = survival(X, X, y, shuffles=3)["information"]
    assert found.before < 0.01
    assert abs(found.before - found.floor) < 0.05
    assert found.floor <= 0.0


def test_removing_the_group_costs_what_the_group_told_of_the_target() -> None:
    frame = mixed(800)[["age", "children", "sex"]]
    rng = np.random.default_rng(0)
    y = (frame["age"] - 40 + rng.normal(0, 5, 800) > 0).astype(int)
    after = WassersteinBarycenter("sex", method="line", random_state=0).fit_transform(frame)
    found = survival(frame, after, y, shuffles=1)
    assert 0.5 < found["information"].share < 1.1
    assert found["information"].kind == "measured"
    assert "Measured on 800 rows" in str(found)
    assert "a stronger probe may find more" in str(found)


def test_a_numeric_target_is_cut_into_bins() -> None:
    X, _ = two_gaussians(1000)
    found = survival(X, X, X[:, 0], probe=PROBE, shuffles=1)
    assert len(found.classes) == 8
    assert found["information"].prior == 0.0
    assert found["conditional_entropy"].prior == pytest.approx(np.log(8), abs=1e-3)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"after": np.zeros((9, 1))}, "after has 9 rows, y has 100"),
        ({"y": ["a"] * 100}, "y has one value"),
        ({"y": ["a"] * 98 + ["b"] * 2}, "a class of y has 2 rows for 5 folds"),
        ({"y": [None] + ["a", "b"] * 49 + ["a"]}, "missing values"),
        ({"folds": 1}, "folds is 1"),
        ({"confidence": 1.0}, "confidence is 1.0"),
        ({"before": np.zeros(100)}, "survival: before: Expected 2D array"),
    ],
)
def test_bad_input_is_named(change: dict, told: str) -> None:
    X, y = two_gaussians(100)
    arguments = {"before": X, "after": X, "y": y, **change}
    with pytest.raises(InputError, match=told):
        survival(**arguments)
