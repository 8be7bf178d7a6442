"""What ``figure image-barycenter`` shows: digits of two styles, or faces, cut into two parts."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from typing import Any, Literal, get_args

import numpy as np
import torch

from infounlearn.data.celeba import load_celeba
from infounlearn.data.splits import stratified_parts
from infounlearn.data.toy_images import Kind, styled_digits
from infounlearn.errors import Problems
from infounlearn.feature.images.seeds import stream_seed

STYLES: tuple[str, ...] = get_args(Kind)
FACES = ("Eyeglasses", "Young", "Smiling", "Male")
"""Attributes of faces that should stay, as many as are asked for."""


@dataclass(frozen=True)
class Design:
    """Size of the experiment.

    Attributes:
        attribute: a style of digits, or an attribute of CelebA.
        data: "digits" or "celeba".
        rows: images in all; None for all there are.
        size: pixels of a side of a face; digits have 8.
        fitted: share of the images that maps learn from.
        audited: most held-out images that are read.
        others: number of attributes of faces that are to stay.
        dims: principal components of the closed form, of NeuralBarycenter.
        networks: further settings of the trained maps.
        critics: of method "information".
        amounts: the dial; 0 and 1 among them.
        folds, epochs, refits: of the audit.
        shown: images of each group in the panel.
        device: where everything runs.
    """

    attribute: str = "rotated"
    data: Literal["digits", "celeba"] = "digits"
    rows: int | None = None
    size: int = 32
    fitted: float = 2 / 3
    audited: int = 2_000
    others: int = 2
    dims: int | Literal["auto"] = 32
    networks: dict[str, Any] = field(default_factory=lambda: {"network": "small", "steps": 2000})
    critics: int = 32
    amounts: tuple[float, ...] = (0.0, 0.25, 0.5, 0.75, 1.0)
    folds: int = 5
    epochs: int = 12
    refits: int = 5
    shown: int = 6
    device: str = "cpu"

    def quick(self) -> Design:
        """A short form, to see that it runs."""
        networks = {**self.networks, "network": "tiny", "steps": 40, "evaluate_every": 20}
        return replace(
            self,
            rows=1_000 if self.data == "digits" else 1_200,
            size=16,
            dims=16,
            audited=333 if self.data == "digits" else 400,
            others=1,
            networks=networks,
            critics=4,
            amounts=(0.0, 0.5, 1.0),
            folds=3,
            epochs=4,
            refits=1,
            shown=4,
        )


@dataclass(frozen=True, eq=False)
class Subject:
    """Images in two parts, and what is known of them.

    Attributes:
        pixels: (n, c, h, w) bytes, and codes: (n,) group of each.
        groups: names of both groups.
        others: names and (n,) codes of attributes that are to stay.
        fitted, audited: positions.
        sha256: of pixels and codes.
    """

    pixels: torch.Tensor
    codes: np.ndarray
    groups: tuple[str, str]
    others: dict[str, np.ndarray]
    fitted: np.ndarray
    audited: np.ndarray
    sha256: str


def design_for(attribute: str | None, data: str | None, quick: bool) -> Design:
    """The built-in design: digits, unless faces or one of their attributes are asked for.

    Raises:
        InputError: an attribute that the data cannot have.
    """
    problems = Problems("image-barycenter")
    problems.require(
        data in (None, "digits", "celeba"),
        f"--data is {data!r}",
        fix="pass digits, which are embedded, or celeba, which must lie in the data folder",
    )
    digits = data == "digits" or (data is None and (attribute is None or attribute in STYLES))
    problems.require(
        not digits or attribute is None or attribute in STYLES,
        f"--attribute is {attribute!r}, and digits have none of that name",
        fix=f"pass one of {STYLES}, or --data celeba",
    )
    problems.raise_if_any()
    if digits:
        made = Design(attribute=attribute or "rotated")
    else:
        cuda = torch.cuda.is_available()
        made = Design(
            attribute=attribute or "Smiling",
            data="celeba",
            size=64 if cuda else 32,
            dims="auto",
            fitted=0.8,
            networks={"network": "small", "steps": 2000 if cuda else 400, "flip": True},
            critics=40,
            device="cuda" if cuda else "cpu",
        )
    return made.quick() if quick else made


def subject(design: Design, seed: int) -> Subject:
    """Images of the design, split at random with equal shares of both groups.

    Raises:
        InputError: CelebA is absent (the error says where it belongs), or has no such attribute.
    """
    if design.data == "digits":
        toy = styled_digits(design.attribute, seed=seed)  # type: ignore[arg-type]
        few = slice(design.rows)
        pixels = (toy.images[few] * 255).round().to(torch.uint8)
        codes, others = toy.z[few].numpy(), {"digit": toy.digits[few].numpy()}
        groups = ("plain", design.attribute)
    else:
        faces = load_celeba(size=design.size, rows=design.rows)
        codes = faces.attributes.column(design.attribute)
        names = [name for name in FACES if name != design.attribute][: design.others]
        pixels, others = faces.pixels, {name: faces.attributes.column(name) for name in names}
        groups = (f"not {design.attribute}", design.attribute)
    count = len(codes)
    fitted = round(design.fitted * count)
    audited = min(count - fitted, design.audited)
    sizes = (fitted, audited, count - fitted - audited)
    # A stream of its own: the style of each digit was drawn with the seed itself.
    parts = stratified_parts(torch.from_numpy(codes), sizes, stream_seed(seed, "figure split"))
    digest = hashlib.sha256(pixels.contiguous().numpy().tobytes())
    digest.update(codes.astype(np.int64).tobytes())
    learned, read = parts[0].numpy(), parts[1].numpy()
    return Subject(pixels, codes, groups, others, learned, read, digest.hexdigest())
