"""Gradient ascent and NegGrad+: which way a step goes."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from infounlearn.point import unlearn
from infounlearn.point.methods import FineTune, GradientAscent, NegGradPlus
from tests.point.methods.bench import do, flat, task_of
from tests.point.worlds import TRAINED, WORLD, Pair, same

ALL = 1000
"""A batch of all rows, whatever their order."""


def slope(pair: Pair) -> Tensor:
    """Gradient of the mean loss at the trained weights, in one vector."""
    loss = functional.cross_entropy(TRAINED(pair[0]), pair[1])
    return torch.cat([g.reshape(-1) for g in torch.autograd.grad(loss, [*TRAINED.parameters()])])


def go(method: Any, **more: Any) -> nn.Module:
    return unlearn(TRAINED, method=method, progress=False, **{**WORLD.given(), **more}).model


def test_ascent_is_one_step_up_the_forget_loss() -> None:
    moved = flat(go(GradientAscent(epochs=1, lr=0.3, batch_size=ALL))) - flat(TRAINED)
    torch.testing.assert_close(moved, 0.3 * slope(WORLD.forget), rtol=1e-3, atol=1e-6)


def test_ascent_raises_the_forget_loss_and_sees_every_record_each_epoch() -> None:
    task = task_of()
    before = functional.cross_entropy(task.model(WORLD.forget[0]), WORLD.forget[1])
    do(GradientAscent(epochs=2, lr=0.01, batch_size=12).start(task))
    after = functional.cross_entropy(task.model.eval()(WORLD.forget[0]), WORLD.forget[1])
    assert after > before
    assert task.visits("forget") == sorted(2 * [*range(36)])
    assert task.visits("retain") == []


@pytest.mark.parametrize("alpha", [0.0, 0.3, 0.95])
def test_neg_grad_plus_is_one_step_down_retain_and_up_forget(alpha: float) -> None:
    method = NegGradPlus(epochs=1, lr=0.1, alpha=alpha, batch_size=ALL, forget_batch_size=ALL)
    gradient = alpha * slope(WORLD.retain) - (1 - alpha) * slope(WORLD.forget)
    moved = flat(go(method)) - flat(TRAINED)
    torch.testing.assert_close(moved, -0.1 * gradient, rtol=1e-3, atol=1e-6)


def test_neg_grad_plus_with_alpha_1_is_fine_tuning_on_the_same_batches() -> None:
    ours = NegGradPlus(epochs=2.5, alpha=1.0, batch_size=50)
    assert same(go(ours), go(FineTune(epochs=2.5, batch_size=50)))


def test_neg_grad_plus_sees_all_of_retain_each_epoch_and_cycles_forget() -> None:
    """Trap 15: the paper's ``zip`` stopped with the shorter set, after a third of D_r."""
    task = task_of()
    do(NegGradPlus(epochs=1, batch_size=32, forget_batch_size=12).start(task))
    assert task.visits("retain") == [*range(192)]
    # 6 steps of 12 are two passes over 36 forget records.
    assert task.visits("forget") == sorted(2 * [*range(36)])
