"""Release by atoms: one law in every group, known kernels, and what a certificate makes of them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from infounlearn.errors import InputError
from infounlearn.feature.atom_release import FittedAtoms, fit_atoms
from infounlearn.feature.barycenter import WassersteinBarycenter
from infounlearn.feature.columns import MixedTable
from infounlearn.feature.common_support import fit_common_support
from infounlearn.feature.engine import Settings
from infounlearn.feature.metric import fit_metric
from infounlearn.math import certify_information
from infounlearn.math import fit_common_support as fit_kernels
from tests.feature.tables import mixed
from tests.feature.test_target_scores import some_table

QUICK = {"folds": 2, "rounds": 1, "atoms": 24}


def shifted(rows: int = 800, seed: int = 0, groups: int = 2) -> tuple[MixedTable, np.ndarray]:
    """Rows whose first number and category tell of the group."""
    table = some_table(rows, seed)
    z = np.random.default_rng(seed + 1).choice(groups, rows)
    z[:groups] = np.arange(groups)
    table.numeric[:, 0] += 1.5 * z
    table.codes[:, 0] = np.where(z == 1, np.minimum(table.codes[:, 0], 1), table.codes[:, 0])
    return table, z


def fitted(
    table: MixedTable, z: np.ndarray, target: Any = None, mode: Any = "aware", **options: Any
) -> FittedAtoms:
    settings = Settings(mode, options={**QUICK, **options})
    return fit_atoms(table, z, np.bincount(z) / len(z), target=target, settings=settings, seed=5)


def noise_of(rows: int, seed: int = 0) -> Any:
    drawn = np.random.default_rng(seed).random(rows)
    return lambda stream: drawn


@pytest.mark.parametrize("groups", [2, 3])
@pytest.mark.parametrize("with_target", [False, True])
def test_fitted_rows_have_one_law_of_atoms(groups: int, with_target: bool) -> None:
    table, z = shifted(groups=groups)
    target = (table.numeric[:, 0] > 0).astype(int) if with_target else None
    fit = fitted(table, z, target)
    kernels = fit.kernels(table, z)
    assert kernels.shape == (800, 24)
    assert (kernels >= 0).all()
    assert np.allclose(kernels.sum(1), 1, atol=1e-12)
    laws = np.stack([kernels[z == group].mean(0) for group in range(groups)])
    assert np.abs(laws - laws[0]).max() < 1e-12
    assert fit.facts["leak"] < 1e-12


@pytest.mark.parametrize("mode", ["aware", "blind"])
def test_a_row_is_released_alike_in_any_batch(mode: Any) -> None:
    table, z = shifted()
    fit = fitted(table, z, (table.numeric[:, 1] > 0).astype(int), mode)
    codes = z if mode == "aware" else None
    kernels, noise = fit.kernels(table, codes), noise_of(800)
    rows = fit.transform(table, codes, noise).rows
    assert rows is not None
    order = np.random.default_rng(1).permutation(800)[:300]
    some = None if codes is None else codes[order]
    assert np.array_equal(fit.kernels(table.take(order), some), kernels[order])
    drawn = fit.transform(table.take(order), some, lambda stream: noise(stream)[order])
    assert drawn.rows is not None
    assert np.array_equal(drawn.rows, rows[order])
    one = None if codes is None else codes[:1]
    assert np.array_equal(fit.kernels(table.take(np.arange(1)), one), kernels[:1])


def test_atoms_are_drawn_with_the_probabilities_of_the_kernel() -> None:
    table, z = shifted(400)
    fit = fitted(table, z)
    rows = np.zeros(20_000, dtype=np.int64) + 7
    drawn = fit.transform(table.take(rows), z[rows], noise_of(20_000)).rows
    assert drawn is not None
    shares = np.bincount(drawn, minlength=24) / len(rows)
    kernel = fit.kernels(table.take(rows[:1]), z[rows[:1]])[0]
    assert np.abs(shares - kernel).max() < 4 * np.sqrt(0.25 / len(rows))


def test_fresh_rows_are_certified() -> None:
    table, z = shifted(3000)
    fresh, group = shifted(3000, seed=10)
    fit = fitted(table, z)
    certificate = certify_information(fit.kernels(fresh, group), group, kind="kernels")
    raw = certify_information(fit.kernels(fresh, np.zeros_like(group)), group, kind="kernels")
    # What fresh rows leak is the sampling of two tables: about J/2n each.
    assert certificate.estimate < 2 * 24 / 3000
    assert certificate.upper is not None
    assert certificate.upper < 0.06
    # Kernels of one group for all rows leak, and the certificate must not say less than they do.
    assert raw.upper is not None
    assert raw.upper > raw.estimate > 0.05


def test_the_certificate_covers_a_known_leak() -> None:
    # Atoms that name the group with probability .6: I = ln 2 - h(.2), the rows say nothing else.
    z = np.arange(4000) % 2
    kernels = np.stack([0.2 + 0.6 * (z == 0), 0.2 + 0.6 * (z == 1)], axis=1)
    truth = np.log(2) + 0.8 * np.log(0.8) + 0.2 * np.log(0.2)
    certificate = certify_information(kernels, z, kind="kernels")
    assert certificate.upper is not None
    assert certificate.lower is not None
    assert certificate.lower <= truth <= certificate.upper


def test_scores_of_the_target_survive() -> None:
    table, z = shifted(1500)
    chance = np.random.default_rng(3).random(1500)
    target = (table.numeric[:, 1] + 0.5 * table.numeric[:, 0] + 0.3 * chance > 0.8).astype(int)
    correlations = []
    for given in (None, target):
        fit = fitted(table, z, given)
        rows = fit.transform(table, z, noise_of(1500)).rows
        assert rows is not None
        released = fit.bank.take(rows)
        rule = released.numeric[:, 1] + 0.5 * released.numeric[:, 0]
        correlations.append(np.corrcoef(rule, target)[0, 1])
    assert correlations[1] > correlations[0] + 0.05


def test_the_target_of_a_row_is_not_in_its_release() -> None:
    # The target is a coin. If scores were those of models that saw the row, atoms would tell it.
    table, z = shifted(1500)
    coin = np.random.default_rng(4).integers(0, 2, 1500)
    fit = fitted(table, z, coin)
    kernels = fit.kernels(table, z)
    laws = np.stack([kernels[coin == value].mean(0) for value in (0, 1)])
    assert 0.5 * np.abs(laws[0] - laws[1]).sum() < 0.12


@pytest.mark.parametrize("kind", ["number", "classes"])
def test_other_targets(kind: str) -> None:
    table, z = shifted()
    target = table.numeric[:, 1] if kind == "number" else table.codes[:, 0]
    fit = fitted(table, z, target)
    assert fit.marks.shape == (24, 1 if kind == "number" else 4)
    assert fit.facts["leak"] < 1e-12


def test_blind_kernels_ignore_the_group_and_keep_their_cap() -> None:
    table, z = shifted(1500)
    fit = fitted(table, z, mode="blind", max_information=0.02)
    assert np.array_equal(fit.kernels(table, z), fit.kernels(table, None))
    assert np.array_equal(fit.kernels(table, 1 - z), fit.kernels(table, None))
    assert fit.facts["leak_by_posterior"] <= 0.02
    free = fitted(table, z, mode="blind", gamma=0.0)
    assert free.facts["leak"] > 2 * fit.facts["leak"]
    assert free.facts["value"] < fit.facts["value"]


def test_aware_kernels_need_the_group() -> None:
    table, z = shifted(200)
    with pytest.raises(TypeError, match="need the groups"):
        fitted(table, z).kernels(table, None)


def test_unseen_categories_constants_and_copies() -> None:
    table, z = shifted(300)
    table.numeric[:, 1] = 4.0
    fit = fitted(table, z, atoms=10)
    unseen = replace(table, codes=np.full_like(table.codes, -1))
    assert np.allclose(fit.kernels(unseen, z).sum(1), 1)
    same = table.take(np.zeros(300, dtype=np.int64))
    alone = fitted(same, z, atoms=10)
    assert len(alone.bank) == 1
    assert np.array_equal(alone.kernels(table, z), np.ones((300, 1)))


def test_every_variable_counts_alike() -> None:
    table = some_table(2000)
    metric = fit_metric(table)
    none = np.empty((2000, 0))
    costs = metric.costs(table, table, none, none)
    assert costs.mean() == pytest.approx(1.0, abs=1e-9)
    assert np.diag(costs).max() == 0.0
    # Heavy tails do not matter: any increasing map of a number leaves the costs alone.
    stretched = replace(table, numeric=np.exp(3 * table.numeric))
    again = fit_metric(stretched).costs(stretched, stretched, none, none)
    assert np.allclose(again, costs)
    points = metric.embedding(table)
    gaps = ((points[:50, None] - points[None, :50]) ** 2).sum(2)
    assert np.allclose(gaps, costs[:50, :50])


def test_kernels_are_those_of_the_transport() -> None:
    table, z = shifted(400)
    fit = fitted(table, z, reg=0.05)
    none = np.empty((400, 0))
    costs = fit.metric.costs(table, fit.bank, none, np.empty((24, 0)))
    plain = fit_kernels(costs, z, reg=0.05, weights=np.bincount(z) / 400, seed=5)
    assert np.allclose(plain.kernel(costs, z), fit.kernels(table, z))


def test_the_dial_is_a_mixture() -> None:
    frame = mixed(600)
    target = (frame["age"] > 40).to_numpy().astype(int)
    parts = {}
    for amount in (0.4, 1.0):
        estimator = WassersteinBarycenter(
            "sex", amount, use_target=True, random_state=0, engine_options=QUICK
        )
        parts[amount] = estimator.fit(frame, target).transform(frame)
    own = frame.drop(columns="sex")
    kept = (parts[0.4] == own).all(axis=1)
    moved = (parts[0.4] == parts[1.0]).all(axis=1)
    assert (kept | moved).all()
    assert kept.mean() == pytest.approx(0.6, abs=0.08)


@pytest.mark.parametrize(
    ("mode", "target", "options", "name"),
    [
        ("aware", True, {}, "FittedAtoms"),
        ("blind", False, {}, "FittedAtoms"),
        ("aware", False, {"release": "atoms"}, "FittedAtoms"),
    ],
)
def test_which_release_is_taken(mode: Any, target: bool, options: Any, name: str) -> None:
    table, z = shifted(200)
    wanted = (table.numeric[:, 0] > 0).astype(int) if target else None
    found = fit_common_support(
        table,
        z,
        np.bincount(z) / 200,
        target=wanted,
        settings=Settings(mode, options={**QUICK, **options}),
        seed=0,
    )
    assert type(found).__name__ == name


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"release": "cells"}, "release is 'cells'"),
        ({"release": "rows"}, "rows are written with their group"),
        ({"atom": 3}, r"engine_options holds \['atom'\]"),
        ({"atoms": 0}, "atoms is 0"),
        ({"reg": 0.0}, "reg is 0.0"),
        ({"folds": 1.5}, "folds is 1.5"),
        ({"gamma": -1.0}, "gamma is -1.0"),
        ({"gamma": 1.0, "max_information": 0.1}, "pass one of them"),
    ],
)
def test_wrong_options_are_named(options: Any, told: str) -> None:
    table, z = shifted(100)
    settings = Settings("blind", options=options)
    with pytest.raises(InputError, match=told):
        fit_common_support(table, z, np.ones(2) / 2, settings=settings, seed=0)
