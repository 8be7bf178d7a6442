"""Release of whole rows: the reference's joint law for every group, row by row."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy.stats import chi2
from sklearn.base import clone
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline

import infounlearn.feature.row_release as row_release
from infounlearn.errors import InputError
from infounlearn.feature import WassersteinBarycenter
from infounlearn.feature.columns import Layout, MixedTable, Variable
from infounlearn.feature.engine import Settings
from infounlearn.feature.levels import levels_of
from infounlearn.feature.row_release import FittedRows, fit_rows
from tests.feature.tables import mixed, numbers

TINY = {"release": "rows", "networks": 1, "hidden": 8, "steps": 20}
SMALL = {"release": "rows", "networks": 2, "hidden": 48, "steps": 500, "lr": 5e-3, "dropout": 0.2}
ROWS, FITTED = 12_000, 8_000


def barycenter(**options: object) -> WassersteinBarycenter:
    """The release of rows with networks small enough for a test."""
    settings = {"engine_options": TINY, "random_state": 0, **options}
    return WassersteinBarycenter(method="common-support", **settings)


# -- with the true laws: theorems ----------------------------------------------------------------


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


def test_the_heaviest_group_is_the_cheapest_common_law() -> None:
    # For the discrete metric the cost of a common law is Σ w_z TV(μ_z, ν).
    rng = np.random.default_rng(4)
    for _ in range(200):
        laws = rng.dirichlet(np.full(5, 0.5), 3)
        weights = np.array([0.5, *(0.5 * rng.dirichlet(np.ones(2)))])

        def cost(law: np.ndarray, laws: np.ndarray = laws, w: np.ndarray = weights) -> float:
            return float(w @ np.abs(laws - law).sum(1)) / 2

        others = [*rng.dirichlet(np.ones(5), 20), *laws[1:], weights @ laws]
        assert cost(laws[0]) <= min(map(cost, others)) + 1e-12


def test_a_group_must_be_known() -> None:
    _, table, _, _, engine = with_true_laws((0.6, 0.4), 100)
    with pytest.raises(TypeError, match="blind"):
        engine.transform(table, None, uniforms(100))


# -- a row's output is its own -------------------------------------------------------------------


def test_batches_order_and_single_rows_give_the_same_release() -> None:
    frame = mixed(700)
    estimator = barycenter(sensitive="sex").fit(frame)
    whole = estimator.transform(frame)
    for size in (1, 90, 300):
        last = 12 if size == 1 else len(frame)
        parts = [estimator.transform(frame[at : at + size]) for at in range(0, last, size)]
        pd.testing.assert_frame_equal(pd.concat(parts)[:last], whole[:last])
    order = np.random.default_rng(0).permutation(len(frame))
    pd.testing.assert_frame_equal(estimator.transform(frame.iloc[order]), whole.iloc[order])
    thawed = pickle.loads(pickle.dumps(estimator))
    pd.testing.assert_frame_equal(thawed.transform(frame), whole)
    again = clone(estimator).fit(frame).transform(frame)
    pd.testing.assert_frame_equal(again, whole)
    assert not whole.equals(clone(estimator).set_params(random_state=1).fit_transform(frame))


def test_blocks_of_rows_are_as_one(monkeypatch: pytest.MonkeyPatch) -> None:
    X, z = numbers(900)
    estimator = barycenter().fit(X, sensitive=z)
    whole = estimator.transform(X, sensitive=z)
    monkeypatch.setattr(row_release, "BLOCK", 37)
    assert np.array_equal(estimator.transform(X, sensitive=z), whole)


@pytest.mark.parametrize("amount", [0.0, 0.5])
def test_the_dial_replaces_that_share_of_the_rows(amount: float) -> None:
    X, z = numbers(3000)
    full = barycenter().fit(X, sensitive=z).transform(X, sensitive=z)
    part = barycenter(amount=amount).fit(X, sensitive=z).transform(X, sensitive=z)
    moves = (full != X).any(1)
    mine = (part != X).any(1)
    assert np.array_equal(part[mine], full[mine])
    assert mine.sum() == pytest.approx(amount * moves.sum(), abs=4 * np.sqrt(0.25 * moves.sum()))


# -- with learned laws ---------------------------------------------------------------------------


def visible(X: np.ndarray, z: np.ndarray) -> float:
    """AUC of a boosted-tree probe, trained on one half of the rows and read on the other."""
    half = len(X) // 2
    probe = HistGradientBoostingClassifier(max_iter=60, random_state=0).fit(X[:half], z[:half])
    return float(roc_auc_score(z[half:], probe.predict_proba(X[half:])[:, 1]))


def test_what_only_the_joint_law_tells_is_removed() -> None:
    # Every column has one law in both groups; their product, or agreement, names the group.
    rng = np.random.default_rng(0)
    z = rng.integers(0, 2, ROWS)
    sign = 2 * z - 1
    first = rng.choice([-1, 1], ROWS)
    number = np.abs(rng.normal(size=ROWS)) * first * np.where(rng.random(ROWS) < 0.9, sign, -sign)
    frame = pd.DataFrame({"a": np.where(first > 0, "up", "down"), "x": number})
    estimator = barycenter(engine_options=SMALL).fit(frame[:FITTED], sensitive=z[:FITTED])
    fresh = estimator.transform(frame[FITTED:], sensitive=z[FITTED:])

    def read(rows: pd.DataFrame) -> float:
        return visible(np.column_stack((rows["a"] == "up", rows["x"])), z[FITTED:])

    assert read(frame[FITTED:]) > 0.85
    assert abs(read(fresh) - 0.5) < 0.05


def test_a_probe_finds_nothing_in_a_mixed_table() -> None:
    rng = np.random.default_rng(1)
    rows = ROWS
    z = (rng.random(rows) < 0.4).astype(int)
    age = np.round(rng.normal(40 + 5 * z, 10, rows))
    work = np.where(rng.random(rows) < 0.2 + 0.5 * z, "office", rng.choice(["field", "sea"], rows))
    wage = np.exp(rng.normal(size=rows)) * (1 + (work == "office")) + z
    frame = pd.DataFrame({"age": age, "work": work, "wage": wage})
    estimator = barycenter(engine_options=SMALL).fit(frame[:FITTED], sensitive=z[:FITTED])
    fresh = estimator.transform(frame[FITTED:], sensitive=z[FITTED:])

    def read(frame: pd.DataFrame) -> float:
        return visible(frame.assign(work=frame["work"].astype("category").cat.codes), z[FITTED:])

    assert read(frame[FITTED:]) > 0.75
    assert abs(read(fresh) - 0.5) < 0.05
    # What a moved row is made of does not name it: whole ages, wages of their own.
    assert (fresh["age"] % 1 == 0).all()
    assert fresh["wage"].duplicated().mean() < 0.02


@pytest.mark.parametrize("make", [pd.DataFrame, pl.DataFrame])
def test_frames_come_back_with_their_types_and_one_hot_blocks(make: Callable) -> None:
    frame = mixed(300)
    if make is pl.DataFrame:
        frame = pl.from_pandas(frame)
    released = barycenter(sensitive="sex").fit_transform(frame)
    assert list(released.columns) == [name for name in frame.columns if name != "sex"]
    assert all(released[name].dtype == frame[name].dtype for name in released.columns)
    block = released[["color_red", "color_green", "color_blue"]].to_numpy()
    assert (block.sum(1) == 1).all()
    assert set(np.unique(released["grade"].to_numpy().astype(str))) <= {"low", "mid", "top"}


def test_strata_are_released_apart() -> None:
    frame = mixed(600)
    frame["age"] += 1000.0 * (frame["work"] == "office")
    estimator = barycenter(sensitive="sex", given="work").fit(frame)
    released = estimator.transform(frame)
    assert (released["work"] == frame["work"]).all()
    assert ((released["age"] > 500) == (frame["work"] == "office")).all()


def test_in_a_pipeline_with_routed_groups() -> None:
    frame = mixed(300)
    y = (frame["age"] > 40).to_numpy().astype(int)
    numeric = frame[["age", "children", "owner", "sex"]].assign(sex=frame["sex"] == "m")
    model = make_pipeline(barycenter(sensitive="sex"), LogisticRegression(max_iter=1000))
    assert model.fit(numeric, y).predict(numeric).shape == (300,)


def test_a_stream_is_as_one_fit() -> None:
    frame = mixed(400)
    whole = barycenter(sensitive="sex").fit(frame).transform(frame)
    stream = barycenter(sensitive="sex")
    for start in (0, 200):
        stream.partial_fit(frame[start : start + 200])
    pd.testing.assert_frame_equal(stream.transform(frame), whole)


# -- tables of any shape -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rows", "columns", "groups"),
    [(20, 2, 2), (4, 3, 2), (9, 2, 4), (12, 40, 2), (200, 3, 6)],
)
def test_small_and_wide_tables(rows: int, columns: int, groups: int) -> None:
    rng = np.random.default_rng(0)
    z = np.arange(rows) % groups
    X = rng.normal(size=(rows, columns)) + z[:, None]
    estimator = barycenter().fit(X, sensitive=z)
    for batch in (X, X + 10.0, X - 10.0):
        released = estimator.transform(batch, sensitive=z)
        reference = np.bincount(z).argmax()
        assert np.array_equal(released[z == reference], batch[z == reference])
        moved = released[z != reference]
        # Others land between the least and the largest value of the reference.
        assert (moved >= X[z == reference].min(0)).all()
        assert (moved <= X[z == reference].max(0)).all()


def test_constant_and_copied_columns() -> None:
    rng = np.random.default_rng(0)
    z = rng.integers(0, 2, 200)
    X = np.column_stack((np.full(200, 7.0), rng.normal(size=200), z))
    released = barycenter().fit_transform(X, sensitive=z)
    assert (released[:, 0] == 7.0).all()
    assert np.ptp(released[:, 2]) == 0


def test_categories_not_seen_in_fit_are_released_as_others() -> None:
    frame = mixed(300)
    strange = frame.assign(work="orbit")
    estimator = barycenter(sensitive="sex").fit(frame)
    with pytest.raises(InputError, match="orbit"):
        estimator.transform(strange)
    estimator = barycenter(sensitive="sex", unseen_categories="other").fit(frame)
    released = estimator.transform(strange)
    reference = estimator.groups_[estimator._engines.parts[0].reference]
    own = (frame["sex"] == reference).to_numpy()
    assert (released["work"][own] == "orbit").all()
    assert set(released["work"][~own]) <= {"office", "field"}


def test_missing_cells_are_a_level() -> None:
    frame = mixed(400)
    frame.loc[frame.index % 3 == 0, "age"] = np.nan
    with pytest.raises(InputError, match="age"):
        barycenter(sensitive="sex").fit(frame)
    released = barycenter(sensitive="sex", missing_features="level").fit_transform(frame)
    assert 0.2 < released["age"].isna().mean() < 0.5


# -- options -------------------------------------------------------------------------------------


def test_all_wrong_options_are_named_at_once() -> None:
    X, z = numbers(50)
    wrong = {
        "interval": 3,
        "networks": 0,
        "hidden": 2.5,
        "dropout": 2,
        "intervals": 1,
        "steps": True,
        "lr": float("nan"),
        "weight_decay": -1,
        "validation": "half",
        "rare": 0,
        "patience": 0,
    }
    with pytest.raises(InputError, match="engine_options holds") as caught:
        barycenter(engine_options={"release": "rows", **wrong}).fit(X, sensitive=z)
    message = str(caught.value)
    assert message.count("\n") == len(wrong)
    assert all(name in message for name in wrong)
    assert "weight_decay', 'validation'" in message


def test_options_reach_the_networks() -> None:
    X, z = numbers(100)
    options = {**TINY, "networks": 3, "intervals": 4, "rare": None}
    estimator = barycenter(engine_options=options).fit(X, sensitive=z)
    part = estimator._engines.parts[0]
    assert len(part.ladder.likelihoods) == 3
    assert max(part.ladder.sizes) <= 4
    assert estimator.facts_["log_likelihood"] == pytest.approx(np.mean(part.ladder.likelihoods))


def test_variables_go_from_those_that_say_least_to_those_that_say_most() -> None:
    rng = np.random.default_rng(0)
    z = rng.integers(0, 2, 500)
    layout = Layout(
        ("much", "none", "some"),
        tuple(
            Variable(name, "numeric", (k,), k) for k, name in enumerate(("much", "none", "some"))
        ),
    )
    x = rng.normal(size=(500, 3)) + z[:, None] * np.array([3.0, 0.0, 1.0])
    table = MixedTable(x, np.zeros((500, 0), dtype=np.int64), layout)
    options = {key: value for key, value in TINY.items() if key != "release"}
    fitted = fit_rows(
        table, z, np.array([0.5, 0.5]), settings=replace(Settings(), options=options), seed=0
    )
    assert [levels.at for levels in fitted.levels] == [1, 2, 0]
    assert "none, some, much" in " ".join(fitted.limits)
