"""The data sets that cases are built from, and the networks each can be learned by."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from infounlearn.data.adult import load_adult
from infounlearn.data.cifar10 import split_cifar10_subset
from infounlearn.data.communities import load_communities
from infounlearn.data.diabetes import load_diabetes
from infounlearn.data.digits import Parts, split_digits
from infounlearn.data.mnist import split_mnist
from infounlearn.data.records import Records
from infounlearn.data.splits import split_records
from infounlearn.data.table_parts import split_table
from infounlearn.experiments.convolutions import ConvNet, ResNet
from infounlearn.experiments.networks import DIGITS_MLP, MNIST_MLP, Factory, Mlp
from infounlearn.experiments.recipe import Recipe

CaseName = Literal["digits", "mnist", "cifar10", "adult", "diabetes", "communities"]
NetworkName = Literal["mlp", "cnn", "resnet"]

QUICK_MNIST_ROWS = 12_000
QUICK_CIFAR10_ROWS = 2_000
QUICK_ADULT_ROWS = 6_000


@dataclass(frozen=True)
class Source:
    """A data set, and how it is learned.

    Attributes:
        load: (quick, data_home) to its parts.
        networks: by name, the first one usual.
        recipes: by network, (usual, quick). For the two oldest see :mod:`.cases`.
        num_classes: number of labels; None for a regression.
        picture: (channels, height, width) where inputs are pictures.
        remark: what a reader of results must know, appended to every description.
    """

    load: Callable[[bool, str | Path | None], Parts]
    networks: dict[NetworkName, Factory]
    recipes: dict[NetworkName, tuple[Recipe, Recipe]]
    num_classes: int | None
    picture: tuple[int, int, int] | None = None
    remark: str = ""

    def parts(
        self, network: NetworkName, *, quick: bool, data_home: str | Path | None = None
    ) -> Parts:
        """Records in the form that ``network`` reads: flat digits become pictures for a cnn."""
        parts = self.load(quick, data_home)
        if self.picture is None or network == "mlp":
            return parts
        return Parts(*(_as_pictures(part, self.picture) for part in parts))


def _as_pictures(part: Records, shape: tuple[int, int, int]) -> Records:
    return replace(part, inputs=part.inputs.reshape(-1, *shape))


def _first(parts: Parts, rows: int) -> Parts:
    """With ``rows`` of the training records, stratified."""
    train, _ = split_records(parts.train, (rows, len(parts.train) - rows), seed=0)
    return parts._replace(train=train)


def _digits(quick: bool, data_home: str | Path | None) -> Parts:
    return split_digits()


def _mnist(quick: bool, data_home: str | Path | None) -> Parts:
    parts = split_mnist(data_home)
    return _first(parts, QUICK_MNIST_ROWS) if quick else parts


def _cifar10(quick: bool, data_home: str | Path | None) -> Parts:
    parts = split_cifar10_subset(data_home)
    return _first(parts, QUICK_CIFAR10_ROWS) if quick else parts


def _adult(quick: bool, data_home: str | Path | None) -> Parts:
    # Of the 45,222 complete rows 37,341 are distinct.
    train = QUICK_ADULT_ROWS if quick else 25_341
    return split_table(load_adult(data_home, sensitive="sex"), train, 6_000)


def _diabetes(quick: bool, data_home: str | Path | None) -> Parts:
    return split_table(load_diabetes(), 294, 74)


def _communities(quick: bool, data_home: str | Path | None) -> Parts:
    return split_table(load_communities(data_home), 1_330, 332)


def _always(recipe: Recipe) -> tuple[Recipe, Recipe]:
    return recipe, recipe


SOURCES: dict[str, Source] = {
    "digits": Source(
        _digits,
        {"mlp": DIGITS_MLP, "cnn": ConvNet(side=8)},
        {"cnn": _always(Recipe(epochs=40, batch_size=32, lr=2e-3))},
        num_classes=10,
        picture=(1, 8, 8),
    ),
    "mnist": Source(
        _mnist,
        {"mlp": MNIST_MLP, "cnn": ConvNet(side=28)},
        {"cnn": _always(Recipe(epochs=20, batch_size=128, lr=2e-3))},
        num_classes=10,
        picture=(1, 28, 28),
    ),
    "cifar10": Source(
        _cifar10,
        {"resnet": ResNet(), "cnn": ConvNet(side=32, channels=3)},
        # At 2e-3 the loss still jumps in the last epochs, and so would the floor of a comparison.
        {
            network: _always(Recipe(epochs=30, batch_size=64, lr=1e-3))
            for network in ("resnet", "cnn")
        },
        num_classes=10,
        picture=(3, 32, 32),
        remark="lossy JPEG subset of CIFAR-10, no CIFAR-10 result",
    ),
    "adult": Source(
        _adult,
        {"mlp": Mlp((101, 128, 64, 2))},
        {
            "mlp": (
                Recipe(epochs=30, batch_size=128, lr=1e-3),
                Recipe(epochs=40, batch_size=128, lr=1e-3),
            )
        },
        num_classes=2,
        remark="distinct rows, sex left out",
    ),
    "diabetes": Source(
        _diabetes,
        {"mlp": Mlp((9, 64, 32, 1))},
        {"mlp": _always(Recipe(epochs=100, batch_size=32, lr=2e-3))},
        num_classes=None,
        remark="regression, sex left out",
    ),
    "communities": Source(
        _communities,
        {"mlp": Mlp((96, 64, 32, 1))},
        {"mlp": _always(Recipe(epochs=50, batch_size=32, lr=1e-3))},
        num_classes=None,
        remark="regression, races left out",
    ),
}
"""By ``CaseName``. Recipes are long enough to learn records by heart, so that there is
something to forget."""
