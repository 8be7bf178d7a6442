"""Folders and archives of small pictures for the tests of the image readers."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image


def encoded(pixels: np.ndarray, form: str = "png", **options: Any) -> bytes:
    """An image file of (h, w) or (h, w, 3) pixels."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, form, **options)
    return buffer.getvalue()


def saved(image: Image.Image, form: str = "png", **options: Any) -> bytes:
    """An image file of any mode."""
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def colours(height: int, width: int, seed: int = 0) -> np.ndarray:
    """(h, w, 3) random pixels."""
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def folder(place: Path, files: Mapping[str, bytes]) -> Path:
    """A folder that holds ``files``."""
    for name, content in files.items():
        path = place / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return place


def archive(place: Path, files: Mapping[str, bytes]) -> Path:
    """A zip archive that holds ``files``."""
    with zipfile.ZipFile(place, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, content in files.items():
            packed.writestr(name, content)
    return place
