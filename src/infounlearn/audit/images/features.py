"""Features of images: the caller's, or those of fixed random filters that need no weights."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from infounlearn.audit.images.case import Extractor
from infounlearn.audit.images.probe_net import alone
from infounlearn.errors import InputError

FILTERS, SIDE, CELLS = 16, 5, 2
BATCH = 256


def random_filters(channels: int, seed: int) -> Extractor:
    """Sixteen random 5 x 5 filters, rectified, averaged over the quarters: 64 features.

    Of random weights there is nothing to download, and nothing that could have seen the images.
    They know textures, edges and colours, roughly where, and no faces.
    """
    rng = np.random.default_rng([seed, 90])
    filters = rng.standard_normal((FILTERS, channels, SIDE, SIDE))
    filters -= filters.mean((2, 3), keepdims=True)
    # Colours of the whole image would be lost without their means.
    filters += 0.2 * rng.standard_normal((FILTERS, channels, 1, 1)) / SIDE
    filters /= np.sqrt((filters**2).sum((1, 2, 3), keepdims=True))
    weights = torch.from_numpy(filters.astype(np.float32))

    def apply(images: Tensor) -> Tensor:
        answers = nn.functional.conv2d(images, weights, padding=SIDE // 2).relu()
        return nn.functional.adaptive_avg_pool2d(answers, CELLS).flatten(1)

    detail = f"{FILTERS} random {SIDE} x {SIDE} filters, seed {seed}, averaged over quarters"
    return Extractor("random filters", detail, batched(apply, torch.device("cpu")), False)


def given_extractor(extractor: Callable[[Tensor], Any], name: str | None, device: str) -> Extractor:
    """The caller's module or function, with the hash of its weights; never downloaded."""
    known = getattr(extractor, "__name__", type(extractor).__name__)
    detail = "a function of the caller's"
    if isinstance(extractor, nn.Module):
        state = extractor.state_dict()
        digest = hashlib.sha256()
        for key, value in state.items():
            digest.update(key.encode())
            digest.update(value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy())
        count = sum(value.numel() for value in state.values())
        detail = f"{count} weights, SHA-256 {digest.hexdigest()[:16]}"
    target = torch.device(device)
    return Extractor(name or str(known), detail, batched(extractor, target), True)


def batched(
    extractor: Callable[[Tensor], Any], device: torch.device
) -> Callable[[np.ndarray], np.ndarray]:
    """``extractor`` on batches, without gradients, in evaluation mode, which is then put back."""

    def apply(images: np.ndarray) -> np.ndarray:
        module = extractor if isinstance(extractor, nn.Module) else None
        modes = {} if module is None else {part: part.training for part in module.modules()}
        parts = []
        try:
            if module is not None:
                module.eval()
            with alone(device, 0), torch.no_grad():
                for start in range(0, len(images), BATCH):
                    batch = torch.from_numpy(images[start : start + BATCH]).to(device)
                    parts.append(_rows(extractor(batch), len(batch)))
        finally:
            for part, mode in modes.items():
                part.training = mode
        return np.concatenate(parts)

    return apply


def _rows(found: Any, count: int) -> np.ndarray:
    """(count, d) float64 of what an extractor returned."""
    fits = isinstance(found, Tensor) and found.ndim >= 2 and len(found) == count
    if not fits:
        told = tuple(found.shape) if isinstance(found, Tensor) else type(found).__name__
        raise InputError(
            f"audit_images: extractor returned {told} for {count} images: return a tensor of "
            "(n, d) features"
        )
    rows = found.detach().double().cpu().flatten(1).numpy()
    if not np.isfinite(rows).all():
        raise InputError(
            "audit_images: extractor returned values that are not finite: check the range of "
            "images it expects; it is given float32 in [0, 1]"
        )
    return np.asarray(rows)
