"""Influence: solved exactly, and exact where the loss is quadratic."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from infounlearn.errors import DivergenceError, InputError
from infounlearn.point import unlearn
from infounlearn.point.methods import Influence
from infounlearn.point.methods.base import Sizes
from infounlearn.point.methods.curvature import conjugate_gradient, rows_asked, woodbury_solve
from infounlearn.point.utility import squared_error_rows
from tests.point.methods.bench import do, flat, task_of
from tests.point.worlds import NETWORK, TRAINED, WORLD, same

PENALTY = 0.3


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)).double()


def go(method: Influence, **more: Any) -> nn.Module:
    return unlearn(TRAINED, method=method, progress=False, **{**WORLD.given(), **more}).model


@pytest.mark.parametrize(("rows", "width"), [(60, 60), (20, 60), (60, 20), (1, 5)])
@pytest.mark.parametrize("held", [7, 20, 1000])
@pytest.mark.parametrize("damping", [1.0, 0.01])
def test_the_solve_equals_a_dense_one(rows: int, width: int, held: int, damping: float) -> None:
    """The published recursion, which carries one vector along, is off by a sixth (trap 12)."""
    gradients, vector, asked = normal(rows, width), normal(width, seed=1), []

    def row(number: int) -> Tensor:
        asked.append(number)
        return gradients[number]

    found = woodbury_solve(row, rows, vector, damping=damping, held=held)
    dense = damping * torch.eye(width).double() + gradients.T @ gradients / rows
    wanted = torch.linalg.solve(dense, vector)
    assert float((found - wanted).norm() / wanted.norm()) < 1e-10
    assert len(asked) == rows_asked(rows, held)


def test_the_published_recursion_would_not_pass() -> None:
    """H_i⁻¹v from H_{i-1}⁻¹v and g_i alone, as if H_{i-1}⁻¹g_i were g_i."""
    gradients, vector = normal(1000, 60), normal(60, seed=1)
    wrong = vector.clone()
    for g in gradients:
        wrong -= g * (g @ wrong) / (1000 + g @ g)
    right = woodbury_solve(lambda i: gradients[i], 1000, vector, damping=1.0, held=1000)
    assert float((wrong - right).norm() / right.norm()) > 0.1


def test_conjugate_gradients_solve_and_refuse_a_saddle() -> None:
    half, vector = normal(30, 30), normal(30, seed=1)
    matrix = half @ half.T + torch.eye(30).double()
    found = conjugate_gradient(lambda v: matrix @ v, vector, iterations=200, tolerance=1e-12)
    assert torch.allclose(found, torch.linalg.solve(matrix, vector), atol=1e-8)
    few = conjugate_gradient(lambda v: matrix @ v, vector, iterations=3, tolerance=1e-12)
    assert float((matrix @ few - vector).norm()) > 1e-3  # a limit that acts
    with pytest.raises(DivergenceError, match="not positive definite"):
        conjugate_gradient(lambda v: -v, vector, iterations=5, tolerance=1e-12)


def per_row(model: nn.Module, inputs: Tensor, labels: Tensor) -> Tensor:
    """(n, P) gradients of single rows, by torch.func."""
    names = dict(model.named_parameters())

    def loss(state: Any, x: Tensor, y: Tensor) -> Tensor:
        shown = torch.func.functional_call(model, state, (x[None],))
        return nn.functional.cross_entropy(shown, y[None])

    parts = torch.func.vmap(torch.func.grad(loss), (None, 0, 0))(names, inputs, labels)
    return torch.cat([part.reshape(len(inputs), -1) for part in parts.values()], 1).detach()


@pytest.mark.parametrize(("strength", "damping", "held"), [(1, 1, 1000), (5, 0.1, 50)])
def test_the_step_is_that_of_a_dense_hessian(strength: float, damping: float, held: int) -> None:
    """g_r comes from D_r (one published branch takes it from D_f), H from all 192 of its rows."""
    model = copy.deepcopy(TRAINED).double()
    world = {
        part: (rows.double(), labels) for part, (rows, labels) in WORLD.given().items()
    }  # fmt: skip
    task = task_of(model, forget=world["forget"], retain=world["retain"])
    do(Influence(strength=strength, damping=damping, held=held).start(task))
    ours, rest = (per_row(model, *world[part]) for part in ("forget", "retain"))
    vector = ours.sum(0) / 228 - 36 / (228 * 192) * rest.sum(0)
    hessian = damping * torch.eye(ours.shape[1]).double() + rest.T @ rest / 192
    step = strength * torch.linalg.solve(hessian, vector)
    assert float((flat(task.model) - flat(model) - step).norm() / step.norm()) < 1e-9
    assert float(step.norm()) > 1e-4


def fitted(inputs: Tensor, targets: Tensor) -> Tensor:
    """Minimiser of the mean of (x·w - y)² + penalty |w|²."""
    rows = len(inputs)
    gram = inputs.T @ inputs / rows + PENALTY * torch.eye(inputs.shape[1]).double()
    return torch.linalg.solve(gram, inputs.T @ targets / rows)


@pytest.mark.parametrize("strength", [1.0, 0.5])
def test_on_ridge_regression_it_is_retraining(strength: float) -> None:
    """Trap 20: the penalty stands inside each row's loss; strength 1 lands, a half goes half."""
    inputs, targets = normal(300, 6), normal(300, 1, seed=1)
    targets[:40] += 3 * inputs[:40, :1]
    model = nn.Linear(6, 1, bias=False).double()
    with torch.no_grad():
        model.weight.copy_(fitted(inputs, targets).T)
    task = task_of(
        model, forget=(inputs[:40], targets[:40]), retain=(inputs[40:], targets[40:])
    )  # fmt: skip
    task.loss = lambda shown, wanted: (
        squared_error_rows(shown, wanted) + PENALTY * task.model.weight.square().sum()
    )
    do(Influence(hessian="exact", damping=0.0, strength=strength).start(task))
    retrained, start = fitted(inputs[40:], targets[40:]).flatten(), flat(model)
    assert float((retrained - start).norm()) > 0.1
    wanted = start + strength * (retrained - start)
    assert torch.allclose(flat(task.model), wanted, atol=1e-8)


def test_the_exact_hessian_of_a_network_is_refused_where_it_has_a_saddle() -> None:
    method = Influence(hessian="exact", damping=0.0)
    with pytest.raises(DivergenceError, match="raise damping"):
        unlearn(NETWORK(1), method=method, progress=False, **WORLD.given())
    assert not same(go(replace(method, damping=1.0)), TRAINED)


def test_without_strength_nothing_moves() -> None:
    assert same(go(Influence(strength=0.0)), TRAINED)


def test_settings_act_and_memory_does_not() -> None:
    plain = go(Influence())
    for changed in ({"strength": 2.0}, {"samples": 20}, {"damping": 0.1}, {"hessian": "exact"}):
        assert not same(go(replace(Influence(), **changed)), plain), changed
    assert torch.allclose(flat(go(Influence(held=13))), flat(plain), atol=1e-7)
    assert not same(go(Influence(samples=20), seed=1), go(Influence(samples=20)))


@pytest.mark.parametrize(("samples", "held"), [(1000, 1000), (50, 1000), (50, 20), (100, 99)])
def test_rows_computed_again_to_save_memory_are_paid_for(samples: int, held: int) -> None:
    task, method = task_of(), Influence(samples=samples, held=held)
    do(method.start(task))
    assert 3 * task.cost["rows_backward"] == method.cost(Sizes(36, 192))
    singles = [rows for part, rows in task.seen if part == "retain" and len(rows) == 1]
    assert len(singles) == min(samples, 192)


def test_an_exact_hessian_costs_at_most_what_it_says() -> None:
    task, method = task_of(), Influence(hessian="exact", damping=1.0, iterations=20)
    do(method.start(task))
    assert 3 * 228 < 3 * task.cost["rows_backward"] <= method.cost(Sizes(36, 192))


@pytest.mark.parametrize(
    "wrong",
    [{"strength": -1}, {"damping": 0}, {"samples": 0}, {"held": 1.5}, {"hessian": "x"}],
)
def test_wrong_settings_are_named(wrong: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=f"influence: {next(iter(wrong))} is"):
        go(replace(Influence(), **wrong))
