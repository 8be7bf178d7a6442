"""L1-sparse: how strong the penalty is, and when."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional

from infounlearn.errors import InputError
from infounlearn.point import unlearn
from infounlearn.point.methods import FineTune, L1Sparse
from tests.point.methods.bench import do, flat, task_of
from tests.point.worlds import TRAINED, WORLD, same


def go(method: Any) -> nn.Module:
    return unlearn(TRAINED, method=method, progress=False, **WORLD.given()).model


@pytest.mark.parametrize(
    ("epochs", "free", "wanted"),
    [
        (4.0, 0.0, [1.0, 0.75, 0.5, 0.25]),
        (4.0, 2.0, [1.0, 0.5, 0.0, 0.0]),
        (2.5, 0.0, [1.0, 0.6, 0.2]),
    ],
)
def test_the_penalty_falls_linearly_and_is_off_in_the_last_epochs(
    epochs: float, free: float, wanted: list[float]
) -> None:
    """Its value in the loss of each epoch, at weights that do not move."""
    method = L1Sparse(epochs=epochs, free_epochs=free, alpha=0.01, batch_size=1000)
    task = task_of()
    norm = float(flat(TRAINED).abs().sum())
    with torch.no_grad():
        plain = float(functional.cross_entropy(TRAINED(WORLD.retain[0]), WORLD.retain[1]))
    found = [float(one.loss(0).detach()) - plain for one in method.start(task).passes if one.loss]
    assert found == pytest.approx([0.01 * share * norm for share in wanted], abs=1e-5)


def test_its_gradient_is_the_sign_of_the_weights() -> None:
    one_step: dict[str, Any] = {"epochs": 1, "batch_size": 1000, "lr": 0.1}
    sparse, plain = (
        flat(go(method)) for method in (L1Sparse(**one_step, alpha=0.02), FineTune(**one_step))
    )
    torch.testing.assert_close(
        sparse - plain, -0.1 * 0.02 * flat(TRAINED).sign(), rtol=1e-3, atol=1e-6
    )


def test_without_a_penalty_it_is_fine_tuning() -> None:
    rest: dict[str, Any] = {"epochs": 2.5, "batch_size": 50}
    assert same(go(L1Sparse(alpha=0.0, **rest)), go(FineTune(**rest)))


def test_it_shrinks_the_weights() -> None:
    sizes = [float(flat(go(L1Sparse(alpha=a, epochs=5))).abs().sum()) for a in (0.0, 3e-4, 3e-2)]
    assert sizes[0] > sizes[1] > sizes[2]


def test_all_of_retain_is_seen_each_epoch() -> None:
    """Trap 15."""
    task = task_of()
    do(L1Sparse(epochs=2, batch_size=32).start(task))
    assert task.visits("retain") == sorted(2 * [*range(192)])


def test_a_penalty_that_no_epoch_has_is_refused() -> None:
    with pytest.raises(InputError, match="no epoch would have the penalty"):
        go(L1Sparse(epochs=2, free_epochs=2))
