"""The small net that all in-processing methods share, plain or with a penalty."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.metaestimators import available_if

from infounlearn.experiments.rivals.base import Task
from infounlearn.experiments.rivals.encoding import Encoder

if TYPE_CHECKING:
    from torch import Tensor, nn

HIDDEN = (64, 32)
BATCH = 256
EPOCHS = 12
RATE = 2e-3

Penalty = Callable[["Tensor", "Tensor"], "Tensor"]
"""(m,) probabilities or predictions and (m,) group codes of a batch to what is to be small."""


class Net(BaseEstimator):
    """A perceptron with hidden layers of 64 and 32, Adam, and ``weight`` times a penalty.

    Args:
        task: "classification" (two classes) or "regression" (targets put in standard units).
        levels: of the columns of X, as in :class:`Base`; None where X is a matrix already, and then
            nothing is sensitive.
        weight: of the penalty of the subclass; a plain net has none.
        random_state: of weights and batches.
    """

    def __init__(
        self,
        task: Task = "classification",
        levels: tuple[int, ...] | None = None,
        weight: float = 0.0,
        random_state: int = 0,
    ) -> None:
        self.task = task
        self.levels = levels
        self.weight = weight
        self.random_state = random_state

    def penalty(self, shown: Tensor, codes: Tensor) -> Tensor:
        """What ``weight`` multiplies; none in a plain net."""
        return shown.new_zeros(())

    def fit(self, X: np.ndarray, y: np.ndarray) -> Any:
        """Train; the last column of a coded X is the attribute."""
        import torch

        self.encoder_ = None if self.levels is None else Encoder.fit(X, self.levels)
        if self.task == "classification":
            self.classes_ = np.unique(y)
            target = (y == self.classes_[1]).astype(np.float64)
            self.shift_, self.scale_ = 0.0, 1.0
        else:
            self.shift_, self.scale_ = float(y.mean()), float(y.std())
            target = (y - self.shift_) / self.scale_
        codes = X[:, -1].astype(int) if self.levels is not None else np.zeros(len(X), int)
        generator = torch.Generator().manual_seed(self.random_state)
        columns = torch.from_numpy(self._encoded(X)).float()
        self.network_ = network(columns.shape[1], generator)
        self.train(columns, torch.from_numpy(target).float(), torch.from_numpy(codes), generator)
        return self

    def train(self, x: Tensor, y: Tensor, z: Tensor, generator: Any) -> None:
        """Adam on loss plus ``weight`` times penalty."""
        import torch

        steps = EPOCHS * -(-len(x) // BATCH)
        adam = torch.optim.Adam(self.network_.parameters(), RATE)
        falling = torch.optim.lr_scheduler.LinearLR(adam, 1.0, 0.01, steps)
        for rows in batches(len(x), generator):
            out = self.network_(x[rows])[:, 0]
            loss = self.loss(out, y[rows])
            if self.weight:
                loss = loss + self.weight * self.penalty(self.shown(out), z[rows])
            adam.zero_grad()
            loss.backward()
            adam.step()
            falling.step()

    def loss(self, out: Tensor, y: Tensor) -> Tensor:
        """Cross-entropy, or half the squared error in standard units."""
        from torch.nn.functional import binary_cross_entropy_with_logits, mse_loss

        if self.task == "classification":
            return binary_cross_entropy_with_logits(out, y)
        return mse_loss(out, y) / 2

    def shown(self, out: Tensor) -> Tensor:
        """Probabilities, or predictions in standard units."""
        return out.sigmoid() if self.task == "classification" else out

    def predict(self, X: np.ndarray) -> np.ndarray:
        """(n,) classes or values."""
        out = self._out(X)
        if self.task == "regression":
            return self.shift_ + self.scale_ * out
        found: np.ndarray = self.classes_[(out >= 0).astype(int)]
        return found

    @available_if(lambda self: self.task == "classification")
    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        """(n, 2) probabilities."""
        from scipy.special import expit

        one = expit(self._out(X))
        return np.column_stack([1 - one, one])

    def _encoded(self, X: np.ndarray) -> np.ndarray:
        return X if self.encoder_ is None else self.encoder_.transform(X)

    def _out(self, X: np.ndarray) -> np.ndarray:
        import torch

        with torch.no_grad():
            out = self.network_(torch.from_numpy(self._encoded(X)).float())[:, 0]
        found: np.ndarray = out.double().numpy()
        return found


def network(
    width: int, generator: Any, hidden: tuple[int, ...] = HIDDEN, outputs: int = 1
) -> nn.Sequential:
    """Linear layers with ReLU between them, He-initialised from ``generator``."""
    from torch import nn

    layers: list[nn.Module] = []
    for wide, narrow in zip((width, *hidden), (*hidden, outputs), strict=True):
        layer = nn.Linear(wide, narrow)
        nn.init.kaiming_normal_(layer.weight, nonlinearity="relu", generator=generator)
        nn.init.zeros_(layer.bias)
        layers += [layer, nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def batches(rows: int, generator: Any, epochs: int = EPOCHS) -> Iterator[Tensor]:
    """Positions of the rows of each batch, shuffled anew in each epoch."""
    import torch

    for _ in range(epochs):
        yield from torch.randperm(rows, generator=generator).split(BATCH)
