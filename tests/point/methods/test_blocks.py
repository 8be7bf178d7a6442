"""What counts as a block, for networks of every make."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from infounlearn.experiments.networks import Cnn, Mlp, TokenClassifier
from infounlearn.point.methods.blocks import blocks
from tests.point.worlds import ByName


class Residual(nn.Module):
    """Two convolutions and a shortcut."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(width, width, 3, padding=1), nn.BatchNorm2d(width)
        self.conv2, self.bn2 = nn.Conv2d(width, width, 3, padding=1), nn.BatchNorm2d(width)
        self.shortcut = nn.Sequential(nn.Conv2d(width, width, 1), nn.BatchNorm2d(width))

    def forward(self, rows: Tensor) -> Tensor:
        inner = self.bn2(self.conv2(self.bn1(self.conv1(rows)).relu()))
        return (inner + self.shortcut(rows)).relu()


class Resnet(nn.Module):
    """Stages in attributes, as torchvision has them."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.bn1, self.relu = nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU()
        self.layer1 = nn.Sequential(Residual(4), Residual(4))
        self.layer2 = nn.Sequential(Residual(4))
        self.fc = nn.Linear(4, 3)

    def forward(self, rows: Tensor) -> Tensor:
        inner = self.layer2(self.layer1(self.relu(self.bn1(self.conv1(rows)))))
        return self.fc(inner.mean((2, 3)))


class Encoder(nn.Module):
    """A stack of its own, in a module of its own, with tokens that belong to no block."""

    def __init__(self) -> None:
        super().__init__()
        self.token = nn.Parameter(torch.zeros(1, 8))
        self.layer = nn.ModuleList(nn.TransformerEncoderLayer(8, 2, 16) for _ in range(2))
        self.norm = nn.LayerNorm(8)


class Transformer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embeddings, self.encoder = nn.Embedding(5, 8), Encoder()
        self.classifier = nn.Linear(8, 3)


class Squeezed(nn.Module):
    """A block that holds a list with one composite module, and so no stack."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Sequential(
            nn.Conv2d(2, 2, 1), Residual(2), nn.Sequential(nn.Conv2d(2, 2, 1))
        )


RESNET = ["conv1", "layer1.0", "layer1.1", "layer2.0", "fc"]


@pytest.mark.parametrize(
    ("model", "names"),
    [
        (Mlp((8, 16, 4, 3), dropout=0.1)(0), ["1", "4", "7"]),
        (Cnn()(0), ["0", "3", "8"]),
        (TokenClassifier(7)(0), ["0", "2"]),
        (Resnet(), RESNET),
        (ByName(Resnet()), [f"inner.{name}" for name in RESNET]),
        (ByName(ByName(nn.Linear(2, 2))), ["inner.inner"]),
        (Transformer(), ["embeddings", "encoder.layer.0", "encoder.layer.1", "classifier"]),
        (nn.Sequential(Squeezed(), Squeezed(), nn.Linear(2, 3)), ["0", "1", "2"]),
        (nn.Linear(2, 2), [""]),
        (
            nn.Sequential(nn.Sequential(nn.Linear(2, 2), nn.Tanh()), nn.Sequential(Residual(2))),
            ["0.0", "1.0"],
        ),
        (nn.Sequential(nn.ReLU()), []),
    ],
    ids=lambda value: type(value).__name__,
)
def test_blocks_of(model: nn.Module, names: list[str]) -> None:
    assert [block.name for block in blocks(model)] == names


def test_a_norm_belongs_to_the_block_before_it() -> None:
    model = Cnn()(0)
    assert blocks(model)[1].modules == (model[3], model[4])
    transformer = Transformer()
    assert blocks(transformer)[2].modules[1] is transformer.encoder.norm


def test_a_module_used_twice_is_one_block() -> None:
    shared = nn.Linear(2, 2)
    model = nn.Sequential(nn.Sequential(shared), nn.Sequential(shared), nn.Linear(2, 3))
    assert [block.name for block in blocks(model)] == ["0.0", "2"]


def test_every_weight_is_in_one_block_unless_an_opened_module_holds_it() -> None:
    for model in (Resnet(), Cnn()(0), Transformer()):
        inside = [w for b in blocks(model) for m in b.modules for w in m.parameters()]
        assert len(inside) == len({id(weight) for weight in inside})
        own = 1 if isinstance(model, Transformer) else 0
        assert len(inside) == len([*model.parameters()]) - own
