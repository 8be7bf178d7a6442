"""Selective dampening: importances and the edit against a plain second implementation."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import nn

from infounlearn.errors import InputError
from infounlearn.experiments.networks import Cnn, Mlp
from infounlearn.point import Unlearned, unlearn
from infounlearn.point.methods import SelectiveDampening
from infounlearn.point.methods.base import Sizes
from tests.point.methods.bench import do, flat, task_of
from tests.point.worlds import TRAINED, WORLD, same, weights

LIGHT = SelectiveDampening(alpha=1.0, dampening=0.5, batch_size=228)


def go(method: SelectiveDampening, model: nn.Module = TRAINED, **more: Any) -> Unlearned:
    return unlearn(model, method=method, progress=False, **{**WORLD.given(), **more})


def slope(model: nn.Module, inputs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    loss = nn.functional.cross_entropy(model(inputs), labels)
    parts = torch.autograd.grad(loss, list(model.parameters()))
    return torch.cat([part.reshape(-1) for part in parts])


def test_one_batch_of_everything_is_the_formula() -> None:
    """I_D over both sets together: published code that leaves D_f out finds other weights."""
    task = task_of()
    do(LIGHT.start(task))
    everything = tuple(torch.cat(pair) for pair in zip(WORLD.forget, WORLD.retain, strict=True))
    mine = slope(TRAINED, *WORLD.forget) ** 2
    all_rows = slope(TRAINED, everything[0], everything[1]) ** 2
    old = flat(TRAINED)
    chosen = mine > all_rows
    wanted = torch.where(chosen, old * torch.clamp(0.5 * all_rows / mine, max=1.0), old)
    # A weight whose two importances are equal to rounding may fall on either side.
    clear = (mine / all_rows - 1).abs() > 1e-3
    assert 0.1 < float(chosen.double().mean()) < 1
    assert torch.allclose(flat(task.model)[clear], wanted[clear], rtol=1e-3, atol=1e-7)


def test_importance_is_the_mean_over_equal_batches_of_the_squared_mean_gradient() -> None:
    method = replace(LIGHT, batch_size=20)
    task = task_of()
    do(method.start(task))
    sets = {"forget": WORLD.forget, "retain": WORLD.retain}
    forget = [rows for part, rows in task.seen[:2] if part == "forget"]
    assert [len(rows) for rows in forget] == [20, 20]  # 36 rows; the last batch is filled up
    rest, batches = task.seen[2:], []
    while rest:  # a batch of the mixture comes in one or two parts
        take = 1 if len(rest[0][1]) == 20 else 2
        batches.append(rest[:take])
        rest = rest[take:]
    assert [sum(len(rows) for _, rows in batch) for batch in batches] == [20] * 12
    mine = torch.stack([slope(TRAINED, *(one[rows] for one in WORLD.forget)) for rows in forget])
    joint = [
        [torch.cat([sets[part][column][rows] for part, rows in batch]) for column in (0, 1)]
        for batch in batches
    ]
    all_rows = torch.stack([slope(TRAINED, inputs, labels) for inputs, labels in joint])
    ours, theirs, old = mine.square().mean(0), all_rows.square().mean(0), flat(TRAINED)
    wanted = torch.where(ours > theirs, old * torch.clamp(0.5 * theirs / ours, max=1.0), old)
    assert torch.allclose(flat(task.model), wanted, rtol=1e-3, atol=1e-6)
    assert int((wanted != old).sum()) > 10


@pytest.mark.parametrize("setting", [{"alpha": 1e30}, {"dampening": 1e30}])
def test_without_strength_nothing_moves(setting: dict[str, float]) -> None:
    assert same(go(replace(LIGHT, **setting)).model, TRAINED)


def test_weights_shrink_and_never_grow_or_turn() -> None:
    old, new = flat(TRAINED), flat(go(LIGHT).model)
    moved = new != old
    assert 0 < int(moved.sum()) < len(old)
    assert bool((new[moved].abs() < old[moved].abs()).all())
    assert bool((new * old >= 0).all())


def test_every_setting_acts() -> None:
    base = SelectiveDampening(alpha=2.0)
    plain = go(base).model
    for changed in ({"alpha": 1.0}, {"dampening": 0.1}, {"batch_size": 8}):
        assert not same(go(replace(base, **changed)).model, plain), changed


def test_a_larger_alpha_chooses_fewer_weights() -> None:
    counts = [
        int((flat(go(replace(LIGHT, alpha=alpha)).model) != flat(TRAINED)).sum())
        for alpha in (0.5, 2.0, 8.0)
    ]
    assert counts == sorted(counts, reverse=True)
    assert counts[0] > counts[2]


def test_one_edit_without_training() -> None:
    done = go(LIGHT)
    assert len(done.history) == 2
    assert done.history[1]["loss"] == 0.0
    assert done.summary.cost["rows_backward"] == 36 + 228
    assert LIGHT.cost(Sizes(36, 192)) == 3 * (36 + 228)


def test_gradients_are_those_without_dropout() -> None:
    """Dropout adds no weights, so the two networks hold the same ones."""
    plain, noisy = Mlp((8, 16, 3))(0), Mlp((8, 16, 3), dropout=0.5)(0)
    noisy[4].load_state_dict(plain[3].state_dict())
    assert torch.equal(flat(plain), flat(noisy))
    assert torch.equal(flat(go(LIGHT, plain).model), flat(go(LIGHT, noisy).model))


def test_frozen_weights_and_statistics_stay() -> None:
    model = Cnn(1, 4, 3)(0)
    model[0].weight.requires_grad_(False)
    pictures = {k: (pair[0].reshape(-1, 1, 2, 4), pair[1]) for k, pair in WORLD.given().items()}
    before = weights(copy.deepcopy(model))
    after = weights(go(LIGHT, model, **pictures).model)
    assert torch.equal(before["0.weight"], after["0.weight"])
    for name, _ in model.named_buffers():
        assert torch.equal(before[name], after[name])
    assert any(not torch.equal(before[name], after[name]) for name in before)


def test_a_weight_that_nothing_reads_stays() -> None:
    class Spare(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner, self.spare = copy.deepcopy(TRAINED), nn.Parameter(torch.ones(3))

        def forward(self, rows: torch.Tensor) -> torch.Tensor:
            return self.inner(rows)

    after = go(LIGHT, Spare()).model
    assert torch.equal(after.spare, torch.ones(3))
    assert torch.equal(flat(after.inner), flat(go(LIGHT).model))


@pytest.mark.parametrize("wrong", [{"alpha": -1}, {"dampening": "1"}, {"batch_size": 0.5}])
def test_wrong_settings_are_named(wrong: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=f"ssd: {next(iter(wrong))} is"):
        go(replace(LIGHT, **wrong))
