"""Images of any form the estimator takes, read once; what it gives back has the form it came in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from infounlearn.errors import InputError, Problems

WHERE = "NeuralBarycenter"


@dataclass(frozen=True, eq=False)
class Pictures:
    """Rows in one form.

    Attributes:
        pixels: (n, c, h, w) uint8, or float32 in [0, 1]; (n, d) float32 for vectors.
        form: "tensor", "array" or "images".
        source: what was passed.
    """

    pixels: Tensor
    form: str
    source: Any

    @property
    def shape(self) -> tuple[int, ...]:
        """(c, h, w), or (d,)."""
        return tuple(self.pixels.shape[1:])

    @property
    def bytes(self) -> bool:
        """Whether pixels are 0 to 255."""
        return self.pixels.dtype == torch.uint8

    def floats(self, chosen: Any = slice(None)) -> Tensor:
        """Rows as float32 in [0, 1]; vectors as they are."""
        rows = self.pixels[chosen]
        return rows.float() / 255 if self.bytes else rows

    def like(self, pixels: Tensor) -> Any:
        """Rows in the form of the source: bytes rounded to the nearest."""
        if self.bytes and pixels.dtype != torch.uint8:
            pixels = (pixels * 255).round().clamp(0, 255).to(torch.uint8)
        if self.form == "images":
            return replace(self.source, pixels=pixels)
        pixels = pixels.reshape(self.source.shape)
        if self.form == "array":
            return pixels.numpy().astype(self.source.dtype, copy=False)
        return pixels.to(self.source.device, self.source.dtype)

    def unchanged(self) -> Any:
        """A copy of the source, bit for bit."""
        if self.form == "images":
            return replace(self.source, pixels=self.source.pixels.clone())
        return self.source.copy() if self.form == "array" else self.source.clone()


def read_pictures(X: Any, problems: Problems, shape: tuple[int, ...] | None = None) -> Pictures:
    """Images of tensors (n, c, h, w) or (n, h, w), arrays, or an object with such ``pixels``.

    Vectors (n, d) are taken too, of any range. Problems are collected; where the form itself is
    unusable they are raised at once.

    Args:
        X: what was passed.
        problems: where problems go.
        shape: that of the fitted images; None while fitting.

    Raises:
        InputError: not a tensor, an array or images.
    """
    form, raw = "tensor", X
    if not isinstance(X, Tensor | np.ndarray) and isinstance(getattr(X, "pixels", None), Tensor):
        form, raw = "images", X.pixels
    elif isinstance(X, np.ndarray):
        form = "array"
    numbers = isinstance(raw, Tensor) or (isinstance(raw, np.ndarray) and raw.dtype.kind in "biuf")
    if not numbers or raw.ndim not in (2, 3, 4) or 0 in raw.shape:
        told = f"X has shape {tuple(raw.shape)}" if numbers else f"X is {type(X).__name__}"
        problems.add(
            told,
            fix="pass images (n, c, h, w) or (n, h, w), or vectors (n, d), as a tensor, an array "
            "or what read_images gives",
        )
        problems.raise_if_any()
    tensor = raw.detach().cpu() if isinstance(raw, Tensor) else torch.from_numpy(np.array(raw))
    whole = not tensor.dtype.is_floating_point
    if whole and tensor.dtype != torch.uint8:
        problems.add(f"X has type {tensor.dtype}", fix="pass bytes (uint8), or floats in [0, 1]")
    vectors = tensor.ndim == 2
    if tensor.ndim == 3:
        tensor = tensor[:, None]
    if tensor.dtype != torch.uint8 or vectors:
        tensor = tensor.float()
        bad = int((~torch.isfinite(tensor)).flatten(1).any(1).sum())
        problems.require(bad == 0, f"X has {bad} rows that are not finite", fix="drop them")
        if bad == 0 and not vectors and not whole:
            low, high = float(tensor.min()), float(tensor.max())
            problems.require(
                low >= 0.0 and high <= 1.0,
                f"X has values from {low:.4g} to {high:.4g}",
                fix="pass pixels in [0, 1], or bytes (uint8)",
            )
    if shape is not None and tuple(tensor.shape[1:]) != shape:
        problems.add(
            f"images have shape {tuple(tensor.shape[1:])}, fitted were {shape}",
            fix="pass images of the fitted size and channels",
        )
    return Pictures(tensor, form, X)


def sensitive_of(values: Any, name: Any, rows: int, problems: Problems) -> Any:
    """The sensitive values of ``rows`` images, or the column ``name`` of a table of attributes."""
    if values is None:
        problems.add("sensitive is missing", fix="pass sensitive=, one value per image")
        return None
    if name is not None and (isinstance(values, Mapping) or hasattr(values, "columns")):
        known = list(values) if isinstance(values, Mapping) else list(values.columns)
        if not problems.require(
            name in known, f"no column {name!r}", fix=f"sensitive is one of {known[:9]}"
        ):
            return None
        values = values[name]
    if not hasattr(values, "__len__"):
        raise InputError(f"{WHERE}: sensitive is {type(values).__name__}: pass a value per image")
    problems.require(
        len(values) == rows,
        f"there are {rows} images and {len(values)} sensitive values",
        fix="pass one value per image",
    )
    return values if len(values) == rows else None
