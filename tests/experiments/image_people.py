"""A folder of small digits of two brightnesses with their attributes, and audits that are short."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from infounlearn.audit.feature.verdicts import VISIBLE
from infounlearn.audit.images import audit_images
from infounlearn.data.toy_images import styled_digits
from infounlearn.experiments import image_job
from infounlearn.experiments.image_request import ImageRequest
from infounlearn.interface import Audit, Verdict
from tests.data.pictures import encoded

COUNT = 420
LIST = "list.txt"
SHORT: dict[str, Any] = {"size": 8, "holdout": 0.5, "refits": 1, "folds": 3, "epochs": 2}


def hasten(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few splits for the floors of distances, few components for the bound."""
    short = partial(audit_images, splits=2, dimensions=8)
    monkeypatch.setattr(image_job, "audit_images", short)


class Heard:
    """Stands in for the audit, which is long: remembers what it was given, and finds nothing."""

    def __init__(self, answer: str = "inconclusive") -> None:
        self.images: Any = None
        self.z: Any = None
        self.options: dict[str, Any] = {}
        self.answer = answer

    def __call__(self, images: Any, z: Any, **options: Any) -> Audit:
        self.images, self.z, self.options = images, z, options
        verdict = Verdict(VISIBLE, self.answer, "nobody looked", ())
        settings = {"subject": "feature", "feature": options["feature"], "interface": "images"}
        return Audit("stub", (verdict,), (), settings=settings)


def drawn(count: int = COUNT) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(n, 8, 8) bytes, (n,) whether bright, (n,) whether the digit is five or more."""
    toy = styled_digits("brightness", seed=5)
    pixels = (toy.images[:count, 0].numpy() * 255).round().astype(np.uint8)
    return pixels, toy.z[:count].numpy(), (toy.digits[:count] >= 5).long().numpy()


def names(count: int = COUNT) -> list[str]:
    """File names as CelebA has them."""
    return [f"{row + 1:06d}.png" for row in range(count)]


def attribute_lines(
    files: list[str], columns: dict[str, np.ndarray], stated: int | None = None
) -> str:
    """A text in the form of list_attr_celeba.txt."""
    rows = zip(files, *columns.values(), strict=True)
    lines = [f"{len(files) if stated is None else stated}", " ".join(columns)]
    lines += [" ".join([name, *("1" if one else "-1" for one in marks)]) for name, *marks in rows]
    return "\n".join(lines) + "\n"


def digit_folder(place: Path, count: int = COUNT) -> Path:
    """``place``/images with PNG files, and ``place``/list.txt."""
    pixels, bright, large = drawn(count)
    folder = place / "images"
    folder.mkdir(parents=True)
    for name, image in zip(names(count), pixels, strict=True):
        (folder / name).write_bytes(encoded(image))
    text = attribute_lines(names(count), {"Bright": bright, "Large": large})
    (place / LIST).write_text(text, encoding="utf-8")
    return folder


def asked(place: Path, **changed: Any) -> ImageRequest:
    """A request that takes a second or two."""
    usual = {"method": "latent-gaussian", **SHORT}
    return ImageRequest(place / "images", place / LIST, ("Bright",), **{**usual, **changed})
