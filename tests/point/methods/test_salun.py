"""SalUn: which weights are trained, and that the others are not."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from infounlearn.errors import InputError
from infounlearn.experiments.networks import Mlp
from infounlearn.point import unlearn
from infounlearn.point.methods import RandomLabel, SalUn
from infounlearn.point.methods.salun import saliency, top_share
from tests.point.methods.bench import do, flat, task_of
from tests.point.worlds import TRAINED, WORLD, Pair, same


def go(method: Any, **more: Any) -> nn.Module:
    return unlearn(TRAINED, method=method, progress=False, **{**WORLD.given(), **more}).model


def slopes(*parts: Pair) -> Tensor:
    """abs of the sum over batches of the gradient of the mean loss."""
    losses = [functional.cross_entropy(TRAINED(inputs), labels) for inputs, labels in parts]
    found = torch.autograd.grad(torch.stack(losses).sum(), [*TRAINED.parameters()])
    return torch.cat([one.reshape(-1) for one in found]).abs()


def test_the_saliency_is_the_sum_over_batches_of_the_mean_gradient() -> None:
    """Not the mean over records: a short last batch weighs as much as the others."""
    found = torch.cat([one.reshape(-1) for one in saliency(task_of(), 25)])
    inputs, labels = WORLD.forget
    wanted = slopes((inputs[:25], labels[:25]), (inputs[25:], labels[25:]))
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-7)


def test_the_saliency_is_taken_without_dropout() -> None:
    model = Mlp((8, 16, 3), dropout=0.5)(0).train()
    first, second = (saliency(task_of(model), 64) for _ in range(2))
    assert all(torch.equal(one, two) for one, two in zip(first, second, strict=True))


@pytest.mark.parametrize("share", [0.01, 0.25, 0.5, 1.0])
def test_the_mask_is_the_global_top_share(share: float) -> None:
    task = task_of()
    values = saliency(task, 1000)
    chosen = torch.cat([mask.reshape(-1) for mask in top_share(values, share)])
    count = round(share * len(flat(TRAINED)))
    assert int(chosen.sum()) == count
    wanted = slopes(WORLD.forget).topk(count).indices
    assert set(chosen.nonzero().flatten().tolist()) == set(wanted.tolist())


def test_ties_do_not_widen_the_mask_and_it_is_never_empty() -> None:
    assert int(top_share([torch.zeros(10)], 0.3)[0].sum()) == 3
    assert int(torch.cat(top_share([torch.ones(2), torch.ones(3)], 1e-9)).sum()) == 1


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "adamw"])
def test_trap_16_weights_outside_the_mask_stay_exactly(optimizer: Any) -> None:
    """SalUn before 2026-02: weight decay and momentum moved what was masked."""
    method = SalUn(epochs=3, share=0.3, optimizer=optimizer, weight_decay=0.5, lr=0.01)
    values = saliency(task_of(), method.batch_size)
    chosen = torch.cat([mask.reshape(-1) for mask in top_share(values, 0.3)])
    after, before = flat(go(method)), flat(TRAINED)
    assert torch.equal(after[~chosen], before[~chosen])
    assert not (after[chosen] == before[chosen]).any()


def test_trap_16_nor_do_they_gather_momentum() -> None:
    task = task_of()
    method = SalUn(epochs=2, share=0.3, weight_decay=0.5)
    masks = top_share(saliency(task, method.batch_size), 0.3)
    training = method.start(task)
    do(training)
    assert training.optimizer is not None
    for weight, mask in zip(task.model.parameters(), masks, strict=True):
        momentum = training.optimizer.state[weight]["momentum_buffer"]
        assert (momentum[~mask] == 0).all()
        assert (momentum[mask] != 0).any() or not mask.any()


def test_one_step_moves_the_masked_weights_alone_as_random_labels_would() -> None:
    """The first step, on forget records."""
    options: dict[str, Any] = {"epochs": 1, "batch_size": 1000, "lr": 0.1}
    ours, theirs = task_of(), task_of()
    masked, plain = SalUn(share=0.4, **options).start(ours), RandomLabel(**options).start(theirs)
    for training in (masked, plain):
        one = training.passes[0]
        assert one.loss is not None
        assert training.optimizer is not None
        one.loss(0).backward()
        (training.before_step or (lambda: None))()
        training.optimizer.step()
        (training.after_step or (lambda: None))()
    chosen = torch.cat([m.reshape(-1) for m in top_share(saliency(task_of(), 1000), 0.4)])
    gradient = torch.cat([weight.grad.reshape(-1) for weight in ours.model.parameters()])
    assert (gradient[~chosen] == 0).all()
    wanted = torch.where(chosen, flat(theirs.model), flat(TRAINED))
    assert torch.equal(flat(ours.model), wanted)


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_the_whole_network_is_random_labels(optimizer: Any) -> None:
    rest: dict[str, Any] = {"epochs": 2.5, "batch_size": 50, "optimizer": optimizer}
    assert same(go(SalUn(share=1.0, **rest)), go(RandomLabel(**rest)))


def test_all_records_are_seen_each_epoch_and_forget_records_once_more() -> None:
    """Trap 15; and the mask costs a pass over D_f."""
    task = task_of()
    do(SalUn(epochs=2, batch_size=12).start(task))
    assert task.visits("retain") == sorted(2 * [*range(192)])
    assert task.visits("forget") == sorted(3 * [*range(36)])
    assert task.cost["rows_backward"] == 2 * 192 + 3 * 36


def test_an_empty_mask_is_refused() -> None:
    with pytest.raises(InputError, match="share is 0"):
        go(SalUn(share=0))
