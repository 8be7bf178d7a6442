"""Training repeats bit for bit, sees every record once an epoch, and is the textbook loop."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from torch import Tensor, nn

from infounlearn.data import Records, density_toy, load_mnist
from infounlearn.errors import DivergenceError, InputError
from infounlearn.experiments.networks import MNIST_MLP, Cnn, Factory, Mlp, TokenClassifier
from infounlearn.experiments.recipe import Recipe, epoch_batches, one_thread, train

NET = Mlp((4, 16, 3), dropout=0.3)
RECIPE = Recipe(epochs=3, batch_size=16, lr=1e-2)


def groups(rows: int = 97, width: int = 4) -> Records:
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(rows) % 3
    inputs = torch.randn(rows, width, generator=generator) + 2 * labels[:, None]
    return Records(inputs, labels, torch.arange(rows), "groups")


def weights(model: nn.Module) -> Tensor:
    return torch.cat([value.flatten() for value in model.parameters()]).detach()


def test_same_arguments_same_weights_and_the_global_state_untouched() -> None:
    torch.manual_seed(1)
    state = torch.get_rng_state()
    first = train(NET, groups(), RECIPE, seed=4)
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(2)
    again = train(NET, groups(), RECIPE, seed=4)
    assert torch.equal(weights(first.model), weights(again.model))
    for other in (
        train(NET, groups(), RECIPE, seed=5),
        train(NET, groups(96), RECIPE, seed=4),
        train(replace(NET, dropout=0.1), groups(), RECIPE, seed=4),
        train(NET, groups(), replace(RECIPE, weight_decay=0.1), seed=4),
        train(NET, groups(), replace(RECIPE, batch_size=15), seed=4),
        train(NET, groups(), replace(RECIPE, optimizer="sgd"), seed=4),
    ):
        assert not torch.equal(weights(first.model), weights(other.model))


def test_watching_changes_nothing() -> None:
    """Evaluating and drawing random numbers between epochs leaves the result bit for bit."""
    told: list[tuple[int, int]] = []
    modes: list[tuple[int, bool]] = []

    def look(epoch: int, model: nn.Module) -> None:
        modes.append((epoch, model.training))
        model(groups().inputs)
        torch.rand(100)

    watched = train(
        NET, groups(), RECIPE, seed=4, progress=lambda *at: told.append(at), on_epoch=look
    )
    assert torch.equal(weights(watched.model), weights(train(NET, groups(), RECIPE, 4).model))
    assert told == [(1, 3), (2, 3), (3, 3)]
    assert modes == [(1, False), (2, False), (3, False)]


def test_one_full_batch_of_sgd_is_the_textbook_step() -> None:
    """w - lr · (gradient of the mean cross-entropy over all records), whatever their order."""
    net, records = Mlp((4, 16, 3)), groups()
    recipe = Recipe(epochs=1, batch_size=1000, lr=0.1, optimizer="sgd")
    fresh = train(net, records, replace(recipe, epochs=0), seed=0).model
    loss = nn.functional.cross_entropy(fresh(records.inputs), records.targets)
    gradient = torch.autograd.grad(loss, list(fresh.parameters()))
    expected = weights(fresh) - 0.1 * torch.cat([part.flatten() for part in gradient])
    found = weights(train(net, records, recipe, seed=0).model)
    assert torch.allclose(found, expected, atol=1e-6)  # float32 sums in another order
    assert not torch.allclose(weights(fresh), expected, atol=1e-3)


def test_result_is_in_evaluation_mode_and_counts_its_cost() -> None:
    result = train(NET, groups(), RECIPE, seed=4)
    assert not any(module.training for module in result.model.modules())
    assert result.rows_backward == 3 * 97
    assert result.seconds > 0
    assert result.seed == 4


@given(st.integers(1, 200), st.integers(1, 64), st.integers(0, 3))
@example(33, 16, 0)
def test_batches_are_a_permutation_and_none_is_a_single_row(
    rows: int, batch_size: int, seed: int
) -> None:
    batches = list(epoch_batches(rows, batch_size, torch.Generator().manual_seed(seed)))
    assert torch.cat(batches).sort().values.tolist() == list(range(rows))
    assert (
        all(len(batch) == batch_size for batch in batches[:-1])
        or len(batches) == 1
        or (rows % batch_size == 1)
    )
    if batch_size > 1 and rows > 1:
        assert min(map(len, batches)) > 1
        assert max(map(len, batches)) <= batch_size + 1


def tokens() -> Records:
    inputs = torch.randint(0, 9, (80, 5), generator=torch.Generator().manual_seed(1))
    labels = (inputs == 0).any(dim=1).long()
    return Records(inputs, labels, torch.arange(80), "tokens")


def images() -> Records:
    records = groups(65, 64)
    return replace(records, inputs=records.inputs.reshape(65, 1, 8, 8))


@pytest.mark.parametrize(
    ("factory", "records"),
    [
        (Mlp((4, 16, 3)), groups()),
        (Cnn(classes=3), images()),  # 65 = 4 · 16 + 1 rows: batch-norm must not meet a single row
        (TokenClassifier(9), tokens()),
        (Mlp((2, 32, 1)), density_toy(20, 80)[1]),
    ],
)
def test_every_kind_of_network_learns(factory: Factory, records: Records) -> None:
    @torch.no_grad()
    def loss(model: nn.Module) -> float:
        outputs = model(records.inputs)
        if records.is_classification:
            return float(nn.functional.cross_entropy(outputs, records.targets))
        return float(nn.functional.mse_loss(outputs, records.targets))

    recipe = Recipe(epochs=40, batch_size=16, lr=1e-2, optimizer="adamw")
    fresh = train(factory, records, replace(recipe, epochs=0), seed=0).model
    assert loss(train(factory, records, recipe, seed=0).model) < 0.3 * loss(fresh)


def test_more_classes_than_records_show_is_fine_and_fewer_logits_are_not() -> None:
    train(Mlp((4, 7)), groups(), RECIPE, seed=0)
    with pytest.raises(InputError, match=r"shape \(1, 2\), labels lie in 0\.\.2"):
        train(Mlp((4, 2)), groups(), RECIPE, seed=0)
    negative = replace(groups(), targets=groups().targets - 1)
    with pytest.raises(InputError, match=r"labels lie in -1\.\.1"):
        train(Mlp((4, 3)), negative, RECIPE, seed=0)
    with pytest.raises(InputError, match=r"shape \(1, 2\), targets \(1, 1\)"):
        train(Mlp((2, 2)), density_toy(5, 5)[0], RECIPE, seed=0)


def test_nothing_to_learn_and_a_negative_seed_are_refused() -> None:
    with pytest.raises(InputError, match="2 problems"):
        train(NET, groups().subset([]), RECIPE, seed=-1)


def test_divergence_is_an_error_of_its_own() -> None:
    state = torch.get_rng_state()
    with pytest.raises(DivergenceError, match="lower lr"):
        train(Mlp((2, 32, 32, 1)), density_toy()[1], Recipe(20, 10, 1e6, optimizer="sgd"), seed=0)
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize(
    "wrong",
    [{"epochs": -1}, {"batch_size": 0}, {"lr": 0.0}, {"weight_decay": -1.0}, {"optimizer": "lion"}],
)
def test_recipe_refuses(wrong: dict[str, object]) -> None:
    with pytest.raises(InputError, match=next(iter(wrong))):
        replace(RECIPE, **wrong)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="5 problems"):
        Recipe(-1, 0, 0.0, -1.0, "lion")  # type: ignore[arg-type]


def test_one_thread_restores_the_number() -> None:
    before = torch.get_num_threads()
    with one_thread():
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == before


@pytest.mark.data("mnist")
def test_an_epoch_of_mnist_is_fast_and_learns() -> None:
    learned, unseen = load_mnist()
    result = train(MNIST_MLP, learned, Recipe(epochs=1, batch_size=128, lr=1e-3), seed=0)
    hits = result.model(unseen.inputs).argmax(dim=1) == unseen.targets
    assert float(hits.float().mean()) > 0.92
    # About half a second on one core; the allowance is for a machine that does other things too.
    assert result.seconds < 6
