"""Lengths, settings and layers: what is the same for every method."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from infounlearn.errors import InputError
from infounlearn.point import unlearn
from infounlearn.point.methods import METHODS, FineTune, RestartTeacher, WarmRestart
from infounlearn.point.methods.base import Sizes, fractions, within
from infounlearn.point.methods.restart_teacher import for_rows
from infounlearn.point.methods.task import has_statistics
from tests.point.methods.bench import task_of
from tests.point.worlds import MISLABELLED, MISTAUGHT, same

SIZES = Sizes(30, 200, 20, 20, batch_norm=True)
WITH_EPOCHS = [name for name in METHODS if hasattr(METHODS[name], "epochs")]


@pytest.mark.parametrize("name", WITH_EPOCHS)
@given(rows=st.floats(0, 20_000))
def test_a_method_cut_to_a_budget_fits_and_has_a_step(name: str, rows: float) -> None:
    short = within(METHODS[name](), rows, SIZES)
    if short is not None:
        assert short.cost(SIZES) <= rows
        assert fractions(short.epochs)


@pytest.mark.parametrize("epochs", [1e-7, 1.0, 10.0])
def test_less_than_a_step_is_no_run(epochs: float) -> None:
    batch = 3 * 64
    assert within(FineTune(epochs=epochs), batch - 1, SIZES) is None
    # Measuring batch-norm alone is none either, though it costs something.
    measured = WarmRestart(epochs=1e-7).cost(SIZES)
    assert measured == 200
    assert within(WarmRestart(epochs=epochs), measured + 1, SIZES) is None
    one = within(FineTune(), batch, SIZES)
    assert one is not None
    assert one.cost(SIZES) == batch


@pytest.mark.parametrize(
    ("name", "setting"),
    [
        ("fine-tune", "batch_size"), ("neg-grad-plus", "forget_batch_size"), ("scrub", "msteps"),
        ("ssd", "batch_size"), ("influence", "samples"),
    ],
)  # fmt: skip
def test_rows_and_steps_are_integers(name: str, setting: str) -> None:
    with pytest.raises(InputError, match=rf"{name}: {setting} is 32\.0: pass an integer"):
        unlearn(
            MISTAUGHT, method=replace(METHODS[name](), **{setting: 32.0}), **MISLABELLED.given()
        )


@pytest.mark.parametrize(
    ("layer", "counts"),
    [
        (nn.BatchNorm1d(8), True),
        (nn.SyncBatchNorm(8), True),
        (nn.BatchNorm1d(8, track_running_stats=False), False),
        (nn.InstanceNorm1d(8), False),
        (nn.InstanceNorm1d(8, track_running_stats=True), False),
        (nn.LayerNorm(8), False),
    ],
)
def test_batch_norm_is_what_has_statistics_to_measure(layer: nn.Module, counts: bool) -> None:
    model = nn.Sequential(nn.Sequential(layer), nn.Linear(8, 3))
    assert has_statistics(model) is counts
    assert task_of(model=model).sizes.batch_norm is counts


def test_cost_is_counted_right_without_running_statistics() -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = nn.Sequential(
            nn.Linear(8, 16), nn.BatchNorm1d(16, track_running_stats=False), nn.Linear(16, 3)
        )
    method = WarmRestart(epochs=1.0)
    done = unlearn(model, method=method, progress=False, **MISLABELLED.given())
    counted = done.summary.cost
    sizes = Sizes(len(MISLABELLED.forget[0]), len(MISLABELLED.retain[0]))
    assert counted["rows_forward"] + 3 * counted["rows_backward"] == method.cost(sizes)


def test_the_default_by_name_is_the_default() -> None:
    def go(**more: Any) -> nn.Module:
        return unlearn(MISTAUGHT, progress=False, **MISLABELLED.given(), **more).model

    usual, sized = go(), for_rows(RestartTeacher(), len(MISLABELLED.retain[0]))
    assert sized != RestartTeacher()
    assert same(usual, go(method="restart-teacher"))
    assert same(usual, go(method=sized))
    # With settings it is what they say, and no longer.
    assert not same(usual, go(method=RestartTeacher()))
