"""Which images are fitted on and which audited, and the release of all of them as PNG files."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from infounlearn.data.image_labels import LabelledImages
from infounlearn.data.splits import stratified_parts
from infounlearn.experiments.image_request import ImageRequest, released_names
from infounlearn.feature.images.neural_barycenter import NeuralBarycenter
from infounlearn.feature.sensitive import encode_sensitive

__all__ = ["Parts", "images_hash", "parts_of", "write_images"]

CHUNK = 512
"""Images that are moved at a time: what they take as floats is all that is held beside the rest."""


@dataclass(frozen=True, eq=False)
class Parts:
    """Positions of images by what is done with them.

    Attributes:
        z: (n,) or (n, k) sensitive values of all images.
        fitted: those that the maps are learned from.
        audited: held-out ones that the audit reads, ascending.
    """

    z: np.ndarray
    fitted: np.ndarray
    audited: np.ndarray


def parts_of(request: ImageRequest, labelled: LabelledImages) -> Parts:
    """Split so that every sensitive group has nearly the same share of each part."""
    z, count = labelled.groups(*request.sensitive), len(labelled)
    codes = encode_sensitive(z, where=str(request.images), min_count=1).codes
    held = round(request.holdout * count)
    audited = min(held, request.audit_images)
    sizes = (count - held, audited, held - audited)
    fitted, looked_at, _ = stratified_parts(torch.from_numpy(codes), sizes, request.seed)
    return Parts(z, fitted.numpy(), looked_at.numpy())


def images_hash(labelled: LabelledImages) -> str:
    """SHA-256 of the pixels as read and of the names."""
    digest = hashlib.sha256(labelled.pixels.contiguous().numpy().tobytes())
    digest.update("\0".join(labelled.names).encode())
    return digest.hexdigest()


def write_images(
    estimator: NeuralBarycenter,
    labelled: LabelledImages,
    parts: Parts,
    folder: Path,
    step: Callable[[int, int, str], None],
) -> tuple[np.ndarray, str]:
    """Release every image to ``folder``.

    Returns:
        (n, c, h, w) bytes of the audited images as they were written, and the SHA-256 of all
        files in their order.
    """
    from PIL import Image

    names, count = released_names(labelled.names), len(labelled)
    place = np.full(count, -1)
    place[parts.audited] = np.arange(len(parts.audited))
    audited = np.empty((len(parts.audited), *labelled.pixels.shape[1:]), np.uint8)
    digest = hashlib.sha256()
    for start in range(0, count, CHUNK):
        rows = slice(start, min(start + CHUNK, count))
        moved = estimator.transform(labelled.pixels[rows], sensitive=parts.z[rows]).numpy()
        for row, pixels in enumerate(moved, start):
            if place[row] >= 0:
                audited[place[row]] = pixels
            path = folder / names[row]
            path.parent.mkdir(parents=True, exist_ok=True)
            plain = pixels[0] if len(pixels) == 1 else pixels.transpose(1, 2, 0)
            Image.fromarray(np.ascontiguousarray(plain)).save(path, "PNG")
            digest.update(names[row].encode() + path.read_bytes())
        step(rows.stop, count, f"{rows.stop:,} images released")
    return audited, digest.hexdigest()
