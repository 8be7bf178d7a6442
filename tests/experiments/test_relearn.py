"""Relearn time: counted as defined, on copies, repeatable, and honest about the cap."""

from __future__ import annotations

import copy
import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from infounlearn.data import Records
from infounlearn.errors import InputError
from infounlearn.experiments.networks import Mlp, seeded
from infounlearn.experiments.recipe import Recipe, train
from infounlearn.experiments.relearn import (
    MARGIN,
    RelearnRuns,
    mean_loss,
    relearn,
    relearn_ratio,
)

NET = Mlp((4, 16, 3), dropout=0.2)
RECIPE = Recipe(epochs=30, batch_size=16, lr=1e-2)


def groups(rows: int = 80) -> Records:
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(rows) % 3
    inputs = torch.randn(rows, 4, generator=generator) + 2 * labels[:, None]
    return Records(inputs, labels, torch.arange(rows), "groups")


FORGET, RETAIN = groups().subset(range(0, 80, 3)), groups().subset([i for i in range(80) if i % 3])
"""A whole class, which retrained networks have never seen."""
ORIGINAL = train(NET, groups(), RECIPE, seed=0).model
RETRAINED = [train(NET, RETAIN, RECIPE, seed=seed).model for seed in (1, 2, 3)]


def state(model: nn.Module) -> dict[str, Tensor]:
    return copy.deepcopy(model.state_dict())


def test_the_original_is_there_already_and_retrained_models_are_not() -> None:
    assert relearn([ORIGINAL], ORIGINAL, FORGET, RECIPE).steps.tolist() == [[0, 0, 0]]
    runs = relearn(RETRAINED, ORIGINAL, FORGET, RECIPE)
    assert runs.steps.shape == (3, 3)
    assert (runs.steps > 5).all()
    assert runs.reached.all()
    assert runs.target == mean_loss(ORIGINAL, FORGET) + MARGIN
    # One step from the original is nearer than a network that never saw the class.
    half_way = copy.deepcopy(ORIGINAL)
    with torch.no_grad():
        for own, other in zip(half_way.parameters(), RETRAINED[0].parameters(), strict=True):
            own.lerp_(other, 0.1)
    found = relearn_ratio(relearn([half_way], ORIGINAL, FORGET, RECIPE), runs)
    assert found.ratio[0] == found.ratio[1] < min(low for low, _ in found.floor_per_network)


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_equals_a_plain_loop_of_full_batches(optimizer: str) -> None:
    recipe = Recipe(epochs=60, batch_size=100, lr=0.02, optimizer=optimizer)  # type: ignore[arg-type]
    plain = Mlp((4, 16, 3))
    original, start = (train(plain, groups(), recipe, seed=0).model, plain(7))
    learner = copy.deepcopy(start)
    make = torch.optim.Adam if optimizer == "adam" else torch.optim.SGD
    extra = {} if optimizer == "adam" else {"momentum": 0.9}
    stepper = make(learner.parameters(), lr=0.02, **extra)

    def loss(model: nn.Module) -> Tensor:
        return nn.functional.cross_entropy(model(FORGET.inputs), FORGET.targets)

    expected, target = 0, loss(original).item() + MARGIN
    while loss(learner).item() > target:
        stepper.zero_grad()
        loss(learner).backward()
        stepper.step()
        expected += 1
    runs = relearn([start], original, FORGET, recipe, cap=500)
    assert runs.steps.tolist() == [[expected] * 3]
    assert 0 < expected < 500


def test_no_model_changes_and_the_same_seed_repeats() -> None:
    model = copy.deepcopy(RETRAINED[0]).train()
    next(iter(model.parameters())).requires_grad_(False)
    before, source = state(model), state(ORIGINAL)
    torch.manual_seed(1)
    random = torch.get_rng_state()
    first = relearn([model], ORIGINAL, FORGET, RECIPE, seeds=(0, 1, 2, 3))
    assert torch.equal(torch.get_rng_state(), random)
    assert model.training
    assert not next(iter(model.parameters())).requires_grad
    for old, new in ((before, model), (source, ORIGINAL)):
        assert all(torch.equal(value, new.state_dict()[name]) for name, value in old.items())
    again = relearn([model], ORIGINAL, FORGET, RECIPE, seeds=(3, 2, 1, 0))
    assert torch.equal(again.steps, first.steps.flip(1))
    assert len(set(first.steps[0].tolist())) > 1
    # Weights that a method had frozen are free again.
    next(iter(model.parameters())).requires_grad_(True)
    model.eval()
    free = relearn([model], ORIGINAL, FORGET, RECIPE, seeds=(0, 1, 2, 3))
    assert torch.equal(free.steps, first.steps)


def test_a_run_that_reaches_the_cap_is_censored() -> None:
    full = relearn(RETRAINED, ORIGINAL, FORGET, RECIPE)
    needed = int(full.steps[0, 0])
    exact = relearn(RETRAINED[:1], ORIGINAL, FORGET, RECIPE, seeds=(0,), cap=needed)
    assert (exact.steps.item(), exact.reached.item()) == (needed, True)
    short = relearn(RETRAINED[:1], ORIGINAL, FORGET, RECIPE, seeds=(0,), cap=needed - 1)
    assert (short.steps.item(), short.reached.item()) == (needed - 1, False)
    none = relearn(RETRAINED, ORIGINAL, FORGET, RECIPE, cap=1)
    found = relearn_ratio(none, none)
    assert (found.ratio, found.steps) == ((0.0, math.inf), (1.0, math.inf))


def runs(steps: list[list[int]], cap: int = 100) -> RelearnRuns:
    table = torch.tensor(steps)
    return RelearnRuns(table, table < cap, 0.1, cap, tuple(range(table.shape[1])))


def test_medians_and_ratios_by_hand() -> None:
    retrained = runs([[10, 20, 30], [20, 20, 20], [40, 40, 40]])
    found = relearn_ratio(runs([[5, 10, 100]]), retrained)
    # One censored run of three leaves the median known.
    assert found.steps == (10.0, 10.0)
    assert found.retrained_steps == (20.0, 20.0)
    assert found.ratio == (0.5, 0.5)
    # Others: 20 20 20 40 40 40; 10 20 30 40 40 40; 10 20 30 20 20 20.
    assert found.floor_per_network == ((20 / 30,) * 2, (20 / 35,) * 2, (2.0, 2.0))
    assert relearn_ratio(runs([[5, 100, 100]]), retrained).ratio == (5.0, math.inf)
    unknown = runs([[100] * 3, [100] * 3])
    low, high = relearn_ratio(runs([[5, 10, 20]]), unknown).ratio
    assert (low, high) == (0.0, 0.1)
    at_once = runs([[0, 0, 0], [0, 0, 0]])
    assert relearn_ratio(at_once, at_once).ratio == (1.0, 1.0)
    assert relearn_ratio(runs([[1, 1, 1]]), at_once).ratio == (math.inf, math.inf)


def test_a_broken_model_never_arrives() -> None:
    broken = copy.deepcopy(ORIGINAL)
    with torch.no_grad():
        next(iter(broken.parameters())).fill_(math.nan)
    found = relearn([broken], ORIGINAL, FORGET, RECIPE, seeds=(0,), cap=5)
    assert (found.steps.item(), found.reached.item()) == (5, False)
    wild = replace(RECIPE, lr=1e30, optimizer="sgd")
    found = relearn(RETRAINED[:1], ORIGINAL, FORGET, wild, seeds=(0,), cap=5)
    assert not found.reached.item()


def test_batch_norm_keeps_its_statistics_so_one_record_can_be_relearned() -> None:
    """With statistics of the batch, a single row has no variance and raises."""

    def net(seed: int) -> nn.Module:
        with seeded(seed):
            parts = nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 3)
            return nn.Sequential(*parts)

    original = train(net, groups(), RECIPE, seed=0).model
    other = train(net, RETAIN, RECIPE, seed=1).model
    found = relearn([original, other], original, FORGET.subset([0]), RECIPE, seeds=(0,))
    assert found.reached.all()
    assert found.steps[0].item() == 0 < found.steps[1].item()


def test_a_regression() -> None:
    inputs = torch.randn(60, 4, generator=torch.Generator().manual_seed(0))
    records = Records(inputs, inputs.sum(1, keepdim=True), torch.arange(60))
    recipe, net = Recipe(epochs=20, batch_size=20, lr=1e-2), Mlp((4, 8, 1))
    original = train(net, records, recipe, seed=0).model
    found = relearn([original, net(5)], original, records, recipe, seeds=(0, 1), cap=300)
    residual = original(inputs).detach() - records.targets
    assert found.target == pytest.approx(float(residual.square().mean()) + MARGIN, rel=1e-5)
    assert found.steps[0].tolist() == [0, 0]
    assert (found.steps[1] > 0).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"models": []}, "no model"),
        ({"forget": FORGET.subset([])}, "is empty"),
        ({"seeds": ()}, "one or more seeds"),
        ({"seeds": (-1,)}, "none negative"),
        ({"cap": -1}, "cap is -1"),
    ],
)
def test_bad_input(change: dict, message: str) -> None:
    good = {"models": [ORIGINAL], "original": ORIGINAL, "forget": FORGET, "recipe": RECIPE}
    with pytest.raises(InputError, match=message):
        relearn(**{**good, **change})


def test_runs_that_do_not_fit_are_refused() -> None:
    with pytest.raises(InputError, match="two or more"):
        relearn_ratio(runs([[1, 2]]), runs([[1, 2]]))
    with pytest.raises(InputError, match="same original model"):
        relearn_ratio(runs([[1, 2]]), runs([[1, 2], [1, 2]], cap=50))
