"""A small network trained afresh to tell the groups apart: what training looks at, not an audit."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from infounlearn.feature.images.networks import MULTIPLE, padded
from infounlearn.feature.images.seeds import own_randomness, stream_seed

BATCH, EPOCHS, LR = 32, 8, 2e-3


class ProbeNet(nn.Module):
    """Three convolutions and a linear layer; of vectors, two hidden layers."""

    def __init__(self, shape: tuple[int, ...], groups: int, width: int = 24) -> None:
        super().__init__()
        self.images = len(shape) == 3
        if not self.images:
            hidden = (nn.Linear(shape[0], 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU())
            self.layers = nn.Sequential(*hidden, nn.Linear(64, groups))
            return
        blocks = [-(-side // MULTIPLE) for side in shape[1:]]
        self.layers = nn.Sequential(
            nn.Conv2d(4 * shape[0], width, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(width, 2 * width, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.Conv2d(2 * width, 2 * width, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.Flatten(),
            nn.Dropout(0.3),
            nn.Linear(2 * width * blocks[0] * blocks[1], groups),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(n, groups) logits of standardised rows."""
        return self.layers(functional.pixel_unshuffle(padded(x), 2) if self.images else x)


def probe_groups(rows: Tensor, codes: Tensor, groups: int, seed: int) -> dict[str, float]:
    """How well a fresh network tells the groups of rows that it was not trained on: two folds.

    Args:
        rows: (n, ...) standardised rows.
        codes: (n,) groups.
        groups: number of them.
        seed: of the folds, the weights and the order of the batches.

    Returns:
        "probe_accuracy"; "probe_auc", the mean over the groups of the area under the curve of each
        against the rest; "score", the mean distance of those areas from ½.
    """
    generator = torch.Generator().manual_seed(stream_seed(seed, "folds"))
    beliefs = torch.zeros(len(rows), groups)
    fold = torch.empty(len(rows), dtype=torch.long)
    for z in range(groups):  # each fold has its share of every group
        own = torch.nonzero(codes == z)[:, 0]
        fold[own[torch.randperm(len(own), generator=generator)]] = torch.arange(len(own)) % 2
    for part in range(2):
        with own_randomness(rows.device, stream_seed(seed, "probe", part)):
            net = _trained(rows[fold != part], codes[fold != part], groups)
            with torch.no_grad():
                beliefs[fold == part] = net(rows[fold == part]).softmax(1).cpu()
    right = beliefs.argmax(1) == codes
    areas = [_area(beliefs[:, z], codes == z) for z in range(groups)]
    return {
        "probe_accuracy": float(right.double().mean()),
        "probe_auc": sum(areas) / groups,
        "score": sum(abs(area - 0.5) for area in areas) / groups,
    }


def _trained(rows: Tensor, codes: Tensor, groups: int) -> nn.Module:
    net = ProbeNet(tuple(rows.shape[1:]), groups).to(rows.device)
    optimizer = torch.optim.AdamW(net.parameters(), lr=LR, weight_decay=1e-2)
    for _ in range(EPOCHS):
        for chosen in torch.randperm(len(rows)).split(BATCH):
            loss = functional.cross_entropy(net(rows[chosen]), codes[chosen].to(rows.device))
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
    return net.eval()


def _area(scores: Tensor, positive: Tensor) -> float:
    """Area under the curve of receiver operation, ties counted half."""
    order = scores.double()
    _, inverse, counts = torch.unique(order, return_inverse=True, return_counts=True)
    ranks = (counts.cumsum(0) - (counts - 1) / 2)[inverse]
    many = int(positive.sum())
    few = len(scores) - many
    return float((ranks[positive].sum() - many * (many + 1) / 2) / (many * few))
