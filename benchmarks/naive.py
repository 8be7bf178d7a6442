"""One trial of the MNIST protocol the naive way, written from its description alone.

Pictures are kept as bytes and go, one by one, through an image object and three transforms in a
``DataLoader``; each step forwards the 64 rows to keep for the task loss, the 80 rows of the pool
for one law and the 64 rows again for the other: 208 rows. The mathematics is right, only slow.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from benchmarks.trial import MEAN, SD, Pixels, Seen, Trial


class Pictures(Dataset[tuple[Tensor, int]]):
    """Pictures by number, each put through the transforms whenever it is asked for."""

    transforms: tuple[Callable[[Any], Any], ...]

    def __init__(self, pixels: Pixels) -> None:
        self._images, self._labels = pixels
        self.transforms = (to_tensor, normalise, Tensor.flatten)

    def __len__(self) -> int:
        return len(self._labels)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        picture: Any = Image.fromarray(self._images[index].numpy())
        for transform in self.transforms:
            picture = transform(picture)
        return picture, int(self._labels[index])


def to_tensor(image: Image.Image) -> Tensor:
    """(1, h, w) floats in [0, 1] of a grey picture; the general way, as if it had channels."""
    array = np.array(image, np.uint8, copy=True)
    channels_last = torch.from_numpy(array)[:, :, None]
    return channels_last.permute(2, 0, 1).contiguous().to(torch.float32).div(255)


def normalise(tensor: Tensor) -> Tensor:
    """Every channel to mean 0 and standard deviation 1 over the data set."""
    mean = torch.tensor([MEAN]).view(-1, 1, 1)
    sd = torch.tensor([SD]).view(-1, 1, 1)
    return tensor.clone().sub_(mean).div_(sd)


def run(trial: Trial, model: nn.Module) -> Seen:
    """Unlearn and look once at the end."""
    forget = Pictures(trial.forget)
    retain = Pictures(trial.retain)
    optimizer = torch.optim.Adam(model.parameters(), trial.lr)
    forget_loader = DataLoader(forget, trial.forget_batch, shuffle=True)
    retain_loader = DataLoader(retain, trial.retain_batch, shuffle=True)
    last = 0.0
    for _ in range(trial.epochs):
        model.train()
        for (f, _), (r, labels) in zip(forget_loader, retain_loader, strict=False):
            optimizer.zero_grad()
            task = nn.functional.cross_entropy(model(r), labels)
            nats = information(model(torch.cat([r, f])), model(r), trial.prior)
            (task + trial.gamma * nats).backward()
            optimizer.step()
            last = float(nats.detach())
    shares = [_accuracy(model, Pictures(part)) for part in trial.looked_at]
    return Seen(shares[0], shares[1], shares[2], last)


def information(pooled: Tensor, kept: Tensor, prior: tuple[float, float]) -> Tensor:
    """Marginal information in nats, from the logits of the pool and of the rows to keep."""
    pool, alone = torch.softmax(pooled, 1).mean(0), torch.softmax(kept, 1).mean(0)
    mixture = prior[0] * pool + prior[1] * alone
    first, second = ((law * (law / mixture).log()).sum() for law in (pool, alone))
    return prior[0] * first + prior[1] * second


def _accuracy(model: nn.Module, pictures: Pictures) -> float:
    model.eval()
    right = 0
    with torch.no_grad():
        for inputs, labels in DataLoader(pictures, 1000):
            right += int((model(inputs).argmax(1) == labels).sum())
    return right / max(1, len(pictures))
