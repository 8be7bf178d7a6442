"""Release of whole rows with the true laws: theorems about the joint law of the reference."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pytest
from scipy.stats import chi2

from infounlearn.feature.columns import Layout, MixedTable, Variable
from infounlearn.feature.engine import Settings
from infounlearn.feature.levels import levels_of
from infounlearn.feature.row_release import FittedRows, fit_rows


@dataclass(frozen=True)
class Truth:
    """In the place of a ladder: conditional laws of a known joint law (m, K1, K2, K3)."""

    joint: np.ndarray

    def walk(self, codes: np.ndarray) -> Truth._Walk:
        return self._Walk(self.joint, codes)

    class _Walk:
        def __init__(self, joint: np.ndarray, codes: np.ndarray) -> None:
            self.left = joint[codes]

        def law(self, variable: int) -> np.ndarray:
            del variable
            law = self.left.reshape(*self.left.shape[:2], -1).sum(2)
            return law / law.sum(1, keepdims=True)

        def tell(self, variable: int, levels: np.ndarray) -> None:
            del variable
            self.left = self.left[np.arange(len(levels)), levels]


def drawn(joint: np.ndarray, rows: int, seed: int, shares: tuple) -> tuple[MixedTable, np.ndarray]:
    """(table, codes): a number of few values, a category, an ordinal variable."""
    rng = np.random.default_rng(seed)
    codes = rng.choice(len(shares), rows, p=shares)
    cells = np.array([rng.choice(joint[0].size, p=joint[code].ravel()) for code in codes])
    first, second, third = np.unravel_index(cells, joint.shape[1:])
    variables = (
        Variable("x", "numeric", (0,), 0),
        Variable("c", "categorical", (1,), 0, levels=tuple("abcd")[: joint.shape[2]]),
        Variable("o", "ordinal", (2,), 1, levels=tuple(range(joint.shape[3]))),
    )
    layout = Layout(("x", "c", "o"), variables)
    table = MixedTable(first[:, None].astype(float), np.stack((second, third), axis=1), layout)
    return table, codes


def uniforms(rows: int, seed: int = 0) -> Callable[[int], np.ndarray]:
    return lambda stream: np.random.default_rng([77, seed, stream]).random(rows)


def with_true_laws(shares: tuple, rows: int = 30_000) -> tuple:
    """(joint law, rows, codes, released rows, engine)."""
    joint = np.random.default_rng(2).dirichlet(np.full(24, 0.5), len(shares)) + 1e-3
    joint = (joint / joint.sum(1, keepdims=True)).reshape(len(shares), 3, 4, 2)
    table, codes = drawn(joint, rows, 0, shares)
    reference = int(np.argmax(shares))
    levels = tuple(levels_of(table, codes, len(shares), reference, intervals=4, rare=1))
    engine = FittedRows(reference, levels, Truth(joint), {}, ())
    released = engine.transform(table, codes, uniforms(rows)).table
    assert released is not None
    return joint, table, codes, released, engine


@pytest.mark.parametrize("shares", [(0.6, 0.4), (0.2, 0.3, 0.5)])
def test_with_the_true_laws_every_group_gets_the_joint_law_of_the_reference(shares: tuple) -> None:
    joint, _, codes, released, engine = with_true_laws(shares)
    target = joint[engine.reference].ravel()
    cells = np.ravel_multi_index(
        (released.numeric[:, 0].astype(int), *released.codes.T), joint.shape[1:]
    )
    for group in range(len(shares)):
        if group == engine.reference:
            continue
        mine = np.bincount(cells[codes == group], minlength=target.size)
        before = joint[group].ravel()
        expected = target * mine.sum()
        assert chi2.sf(((mine - expected) ** 2 / expected).sum(), target.size - 1) > 1e-4
        assert chi2.sf(((before * mine.sum() - expected) ** 2 / expected).sum(), 23) < 1e-100


def test_rows_of_the_reference_stay_and_no_input_is_written_over() -> None:
    _, table, codes, released, engine = with_true_laws((0.6, 0.4), 2000)
    stay = codes == engine.reference
    assert np.array_equal(released.numeric[stay], table.numeric[stay])
    assert np.array_equal(released.codes[stay], table.codes[stay])
    numeric, marks = table.numeric.copy(), table.codes.copy()
    engine.transform(table, codes, uniforms(2000))
    assert np.array_equal(numeric, table.numeric)
    assert np.array_equal(marks, table.codes)


def test_groups_of_one_law_do_not_move() -> None:
    joint = np.random.default_rng(3).dirichlet(np.ones(24)).reshape(3, 4, 2)
    table, codes = drawn(np.stack((joint, joint)), 3000, 0, (0.6, 0.4))
    levels = tuple(levels_of(table, codes, 2, 0, intervals=4, rare=1))
    engine = FittedRows(0, levels, Truth(np.stack((joint, joint))), {}, ())
    released = engine.transform(table, codes, uniforms(3000)).table
    assert np.array_equal(released.codes, table.codes)
    assert np.array_equal(released.numeric, table.numeric)


def test_the_reference_is_the_cheapest_common_law_where_it_holds_half_of_the_rows() -> None:
    # For the discrete metric the cost of a common law is Σ w_z TV(μ_z, ν).
    rng = np.random.default_rng(4)
    brisk = replace(Settings(), options={"networks": 1, "hidden": 2, "steps": 1})
    for heaviest in range(3):
        weights = np.roll([0.5, *(0.5 * rng.dirichlet(np.ones(2)))], heaviest)
        joint = rng.dirichlet(np.full(24, 0.5), 3).reshape(3, 3, 4, 2)
        table, codes = drawn(joint, 200, heaviest, tuple(weights))
        chosen = fit_rows(table, codes, weights, settings=brisk, seed=0).reference
        laws = joint.reshape(3, 24)

        def cost(law: np.ndarray, laws: np.ndarray = laws, w: np.ndarray = weights) -> float:
            return float(w @ np.abs(laws - law).sum(1)) / 2

        others = [*rng.dirichlet(np.ones(24), 20), *laws, weights @ laws]
        assert cost(laws[chosen]) <= min(map(cost, others)) + 1e-12


def test_a_group_must_be_known() -> None:
    _, table, _, _, engine = with_true_laws((0.6, 0.4), 100)
    with pytest.raises(TypeError, match="blind"):
        engine.transform(table, None, uniforms(100))
