"""Levels: every row has one, and what lies inside a level takes the law of the reference."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from infounlearn.feature.columns import Layout, MixedTable, Variable
from infounlearn.feature.levels import CategoryLevels, NumberLevels, levels_of, name_of


def table_of(numbers: np.ndarray, codes: np.ndarray | None = None, sizes: tuple = ()) -> MixedTable:
    """Numbers (n, a) and codes (n, b) as one table; the last code is ordinal."""
    numbers = numbers.reshape(len(numbers), -1).astype(float)
    marks = np.zeros((len(numbers), 0), dtype=np.int64) if codes is None else codes
    variables = [Variable(f"x{k}", "numeric", (k,), k) for k in range(numbers.shape[1])]
    for k, size in enumerate(sizes):
        kind = "ordinal" if k and k == len(sizes) - 1 else "categorical"
        column = (len(variables),)
        variables.append(Variable(f"c{k}", kind, column, k, levels=tuple(range(size))))
    names = tuple(variable.name for variable in variables)
    return MixedTable(numbers, marks, Layout(names, tuple(variables)))


def number(x: np.ndarray, codes: np.ndarray, intervals: int = 8, reference: int = 0) -> tuple:
    table = table_of(x)
    levels = levels_of(table, codes, int(codes.max()) + 1, reference, intervals=intervals)[0]
    assert isinstance(levels, NumberLevels)
    return table, levels


def category(x: np.ndarray, codes: np.ndarray, size: int, **options: int) -> tuple:
    table = table_of(np.zeros((len(x), 0)), x[:, None], (size,))
    levels = levels_of(table, codes, 2, 0, intervals=8, **options)[0]
    assert isinstance(levels, CategoryLevels)
    return table, levels


def written(levels: object, table: MixedTable, new: np.ndarray, codes: np.ndarray) -> MixedTable:
    """Rows put at the levels ``new``."""
    out = replace(table, numeric=table.numeric.copy(), codes=table.codes.copy())
    ranks = np.random.default_rng(9).random(len(table))
    levels.write(out, levels.encode(table), new, codes, ranks)
    return out


@pytest.mark.parametrize("kind", ["continuous", "whole", "few", "atoms", "constant", "one side"])
def test_a_written_number_lies_in_its_level(kind: str) -> None:
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 3, 600)
    x = {
        "continuous": rng.normal(size=600) + codes,
        "whole": rng.poisson(30 + 5 * codes).astype(float),
        "few": rng.integers(0, 5, 600).astype(float),
        "atoms": np.where(rng.random(600) < 0.6, 0.0, rng.gamma(2.0, size=600).round(2)),
        "constant": np.full(600, 3.0),
        # The reference has no row in the lower, nor in the upper levels.
        "one side": np.where(codes == 0, rng.random(600), 4 * rng.normal(size=600)),
    }[kind]
    table, levels = number(x, codes)
    counts = np.bincount(levels.encode(table)[codes == 0], minlength=levels.size)
    assert (counts > 0).all()
    for level in range(levels.size):
        out = written(levels, table, np.full(600, level), codes)
        assert (levels.encode(out) == level).all()
        own = np.sort(x[codes == 0])
        assert own[0] <= out.numeric.min() <= out.numeric.max() <= own[-1]


def test_a_heavy_value_has_a_level_of_its_own() -> None:
    rng = np.random.default_rng(1)
    x = np.where(rng.random(1000) < 0.3, 0.5, rng.random(1000))
    table, levels = number(x, rng.integers(0, 2, 1000))
    mine = levels.encode(table)[x == 0.5]
    assert len(set(mine)) == 1
    assert (levels.encode(table) == mine[0]).sum() == (x == 0.5).sum()


def test_few_values_have_a_level_each() -> None:
    rng = np.random.default_rng(2)
    x = rng.integers(0, 16, 800).astype(float)
    table, levels = number(x, np.zeros(800, dtype=int))
    assert levels.size == 16
    assert np.array_equal(levels.encode(table), x)
    new = rng.permutation(x).astype(int)
    assert np.array_equal(written(levels, table, new, np.zeros(800, int)).numeric[:, 0], new)


@pytest.mark.parametrize("fitted", [0, 1, 3, 50])
@pytest.mark.parametrize("ties", [False, True])
def test_the_rank_of_a_fresh_row_is_uniform_however_few_rows_its_group_had(
    fitted: int, ties: bool
) -> None:
    # Released values of a fresh group have the reference's law: every row draws its own sample.
    rng = np.random.default_rng(3)
    reference, places = np.arange(1000.0), []
    for _ in range(3000 if fitted < 50 else 600):
        own = rng.normal(size=fitted + 1)
        own = np.round(own) if ties else own
        levels = NumberLevels(
            0,
            np.zeros(0),
            0,
            (reference, np.sort(own[:-1])),
            np.array([[0, 1000], [0, fitted]]),
            np.zeros(1000, bool),
            np.zeros(1000, int),
            False,
        )
        row = table_of(own[-1:])
        levels.write(row, np.zeros(1, int), np.zeros(1, int), np.ones(1, int), rng.random(1))
        places.append(row.numeric[0, 0])
    shares = np.histogram(places, bins=10, range=(0, 1000))[0] / len(places)
    assert np.abs(shares - 0.1).max() < 4.5 * np.sqrt(0.09 / len(places))


def test_values_keep_the_law_of_the_reference_within_a_level() -> None:
    from scipy.stats import ks_2samp

    rng = np.random.default_rng(4)
    codes = rng.integers(0, 2, 20_000)
    x = np.where(codes == 1, rng.gamma(3.0, size=20_000), rng.normal(size=20_000) ** 2)
    table, levels = number(x, codes)
    fresh = table_of(rng.gamma(3.0, size=20_000))
    old = levels.encode(fresh)
    out = written(levels, fresh, old, np.ones(20_000, int)).numeric[:, 0]
    for level in range(levels.size):
        target = x[(codes == 0) & (levels.encode(table) == level)]
        if (old == level).sum() > 100:
            assert ks_2samp(out[old == level], target).pvalue > 1e-4


def test_fresh_values_are_not_those_of_the_fitted_rows() -> None:
    # Values that fresh rows of the reference never repeat are not repeated by moved rows either.
    rng = np.random.default_rng(5)
    codes = rng.integers(0, 2, 4000)
    x = rng.normal(size=4000)
    _, levels = number(x, codes)
    fresh = table_of(rng.normal(size=4000))
    out = written(levels, fresh, levels.encode(fresh), np.ones(4000, int)).numeric[:, 0]
    assert np.isin(out, x).mean() < 0.02
    assert len(np.unique(out)) > 0.99 * len(out)


@pytest.mark.parametrize("decimals", [0, 2])
def test_numbers_keep_their_decimals(decimals: int) -> None:
    rng = np.random.default_rng(6)
    codes = rng.integers(0, 2, 3000)
    x = np.round(1000 * rng.gamma(2.0, size=3000), decimals)
    table, levels = number(x, codes)
    out = written(levels, table, levels.encode(table), codes).numeric[:, 0]
    assert np.array_equal(np.round(out, decimals), out)
    assert not np.isin(out, x).all()


def test_single_precision_stays_single() -> None:
    rng = np.random.default_rng(7)
    x = rng.normal(size=2000).astype(np.float32).astype(float)
    codes = rng.integers(0, 2, 2000)
    table, levels = number(x, codes)
    out = written(levels, table, levels.encode(table), codes).numeric[:, 0]
    assert np.array_equal(out.astype(np.float32), out)


def test_repeated_values_are_released_as_they_are() -> None:
    rng = np.random.default_rng(8)
    x = rng.poisson(40, 5000).astype(float) * 7.25
    codes = rng.integers(0, 2, 5000)
    table, levels = number(x, codes, intervals=4)
    out = written(levels, table, levels.encode(table), codes).numeric[:, 0]
    assert np.isin(out, x).mean() > 0.99


def test_huge_numbers_have_levels() -> None:
    x = np.linspace(-1e300, 1e300, 200)
    table, levels = number(x, np.repeat([0, 1], 100))
    out = written(levels, table, levels.encode(table), np.repeat([0, 1], 100))
    assert np.isfinite(out.numeric).all()


def test_every_common_category_is_a_level_and_rare_ones_share_one() -> None:
    rng = np.random.default_rng(0)
    x = rng.choice(6, 4000, p=[0.5, 0.3, 0.19, 0.004, 0.003, 0.003])
    codes = rng.integers(0, 2, 4000)
    table, levels = category(x, codes, 7)
    assert levels.size == 4
    mine = levels.encode(table)
    assert [len(np.unique(mine[x == code])) for code in range(6)] == [1] * 6
    assert len(np.unique(mine[x >= 3])) == 1
    for code in range(3):
        out = written(levels, table, np.full(4000, mine[x == code][0]), codes)
        assert (out.codes == code).all()
    rare = written(levels, table, np.full(4000, 3), codes).codes[:, 0]
    held = np.bincount(x[(codes == 0) & (x >= 3)], minlength=6)[3:]
    drawn = np.bincount(rare, minlength=6)[3:] / 4000
    assert drawn == pytest.approx(held / held.sum(), abs=4.5 * np.sqrt(0.25 / 4000))


def test_a_category_that_the_reference_lacks_is_never_released() -> None:
    x = np.array([0, 1] * 100 + [2] * 100)
    codes = np.repeat([0, 1], [200, 100])
    table, levels = category(x, codes, 3)
    assert levels.size == 2
    for level in range(2):
        assert (written(levels, table, np.full(300, level), codes).codes < 2).all()


@pytest.mark.parametrize("rare", [None, 3])
def test_unseen_categories_have_a_level(rare: int | None) -> None:
    x = np.repeat([0, 1, 2], [50, 40, 2])
    table, levels = category(x, np.arange(92) % 2, 4, **({} if rare is None else {"rare": rare}))
    # −1 was not known at all, 3 was known and not fitted, 9 came with a later batch of a stream.
    other = replace(table, codes=np.array([[-1], [3], [9]]), numeric=np.zeros((3, 0)))
    assert (levels.encode(other) < levels.size).all()
    if rare == 3:
        assert (levels.encode(other) == levels.encode(table)[-1]).all()


def test_small_tables_keep_their_categories() -> None:
    x = np.arange(100) % 10
    _, levels = category(x, np.arange(100) // 10 % 2, 10)
    assert levels.size == 10


def test_a_table_of_one_row_in_each_group_has_levels() -> None:
    x = np.array([3, 1])
    table, levels = category(x, np.array([0, 1]), 4)
    assert levels.size == 1
    out = written(levels, table, np.zeros(2, int), np.array([0, 1]))
    assert (out.codes == 3).all()


def test_levels_are_named_by_their_variables_and_marks_by_the_number_beside_them() -> None:
    variables = (
        Variable("wage", "numeric", (0,), 0, absent=1),
        Variable("grade", "ordinal", (1,), 0, levels=("a", "b", "c")),
    )
    rng = np.random.default_rng(0)
    codes = np.stack((rng.integers(0, 3, 90), rng.integers(0, 2, 90)), axis=1)
    table = MixedTable(rng.normal(size=(90, 1)), codes, Layout(("wage", "grade"), variables))
    found = levels_of(table, rng.integers(0, 2, 90), 2, 0, intervals=8)
    assert [name_of(levels, table) for levels in found] == ["wage", "grade", "wage"]
    assert [levels.ordered for levels in found] == [True, True, False]


@pytest.mark.parametrize("gone", [0.04, 0.3, 1.0])
def test_what_fills_a_gap_is_not_released_as_a_number(gone: float) -> None:
    rng = np.random.default_rng(0)
    variable = Variable("wage", "numeric", (0,), 0, absent=0, fill=0.123)
    codes = rng.integers(0, 2, 2000)
    absent = (rng.random(2000) < gone).astype(int)
    x = np.where(absent == 1, 0.123, rng.normal(size=2000))[:, None]
    table = MixedTable(x, absent[:, None], Layout(("wage",), (variable,)))
    levels = levels_of(table, codes, 2, 0, intervals=8)[0]
    assert isinstance(levels, NumberLevels)
    out = written(levels, table, levels.encode(table), codes)
    assert (out.numeric == 0.123).all() if gone == 1.0 else (out.numeric != 0.123).all()


def test_numbers_of_few_decimals_repeat_fitted_ones_no_more_than_fresh_rows_do() -> None:
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 2, 6000)
    x, other = (np.round(300 * rng.gamma(2.0, size=6000), 2) for _ in range(2))
    _, levels = number(x, codes, intervals=16)
    fresh = table_of(other)
    out = written(levels, fresh, levels.encode(fresh), np.ones(6000, int)).numeric[:, 0]
    fitted = x[codes == 0]
    natural = np.isin(other, fitted).mean()
    assert natural / 2 < np.isin(out, fitted).mean() < 2 * natural
    assert len(np.unique(out)) == pytest.approx(len(np.unique(other)), rel=0.02)
