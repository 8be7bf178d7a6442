"""A factory is a value: same seed, same network, and nobody else's random numbers are touched."""

from __future__ import annotations

import pickle

import pytest
import torch
from torch import Tensor, nn

from infounlearn.experiments.convolutions import ConvNet, ResNet
from infounlearn.experiments.networks import (
    DIGITS_MLP,
    MNIST_MLP,
    Cnn,
    Factory,
    Mlp,
    TokenClassifier,
    seeded,
)

FACTORIES: list[tuple[Factory, Tensor, int]] = [
    (DIGITS_MLP, torch.rand(5, 64), 10),
    (MNIST_MLP, torch.rand(5, 1, 28, 28), 10),
    (Mlp((2, 8, 1), dropout=0.5), torch.rand(5, 2), 1),
    (Mlp((3, 2)), torch.rand(5, 3), 2),
    (Cnn(channels=3, classes=4), torch.rand(5, 3, 8, 8), 4),
    (ConvNet(side=8), torch.rand(5, 1, 8, 8), 10),
    (ConvNet(side=28, width=4), torch.rand(5, 1, 28, 28), 10),
    (ConvNet(side=30, channels=3, classes=2), torch.rand(5, 3, 30, 30), 2),
    (ResNet(), torch.rand(5, 3, 32, 32), 10),
    (ResNet(channels=1, width=4, classes=3), torch.rand(5, 1, 20, 20), 3),
    (TokenClassifier(11, classes=3), torch.arange(10).reshape(5, 2), 3),
]


def weights(model: nn.Module) -> Tensor:
    return torch.cat([value.flatten() for value in model.parameters()]).detach()


@pytest.mark.parametrize(("factory", "inputs", "classes"), FACTORIES)
def test_factories(factory: Factory, inputs: Tensor, classes: int) -> None:
    torch.manual_seed(5)
    state = torch.get_rng_state()
    model = factory(1)
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(6)  # whatever the global state is
    assert torch.equal(weights(factory(1)), weights(model))
    assert torch.equal(weights(pickle.loads(pickle.dumps(factory))(1)), weights(model))
    assert not torch.equal(weights(factory(2)), weights(model))
    assert model.eval()(inputs).shape == (5, classes)


def test_the_published_network_has_its_size() -> None:
    assert len(weights(MNIST_MLP(0))) == 784 * 128 + 128 + 128 * 64 + 64 + 64 * 10 + 10
    assert [type(layer).__name__ for layer in MNIST_MLP(0)] == [  # type: ignore[attr-defined]
        "Flatten", "Linear", "ReLU", "Linear", "ReLU", "Linear",
    ]  # fmt: skip


def test_seeded_restores_the_state_after_an_error() -> None:
    state = torch.get_rng_state()

    def fail() -> None:
        with seeded(3):
            torch.rand(1)
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert torch.equal(torch.get_rng_state(), state)


def test_a_residual_block_adds_its_input() -> None:
    """With a body that gives zero, a block is ReLU of its (projected) input."""
    model = ResNet(width=4)(0).eval()
    kept, halved = model[3], model[4]
    for block in (kept, halved):
        block.body[-1].weight.data.zero_()
    inputs = torch.randn(2, 4, 8, 8)
    assert torch.equal(kept(inputs), inputs.relu())
    assert torch.equal(halved(inputs), halved.shortcut(inputs).relu())
    assert halved(inputs).shape == (2, 8, 4, 4)
