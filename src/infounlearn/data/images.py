"""Images of a folder or a zip archive as one tensor, with a count of all that was done to them.

    faces = read_images("img_align_celeba.zip", size=64)
    faces.pixels                    # (n, 3, 64, 64) uint8
    print("; ".join(faces.facts))   # 10,000 images; 10,000 cut to the centre; ...

Images are decoded one at a time into a tensor made before, so that no more than the result and one
image are held. Every header is read first: what cannot be read at all, sizes that differ where
none was asked for, and whether there is any colour are known before the first pixel.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from infounlearn.data.image_decode import (
    Form,
    Header,
    careful_decoder,
    read_header,
    read_pixels,
)
from infounlearn.data.image_files import SHOWN, ImageStore, Unreadable, open_images
from infounlearn.data.image_policy import DONE, describe
from infounlearn.errors import Problems, is_number

__all__ = ["Images", "read_images"]

Progress = Callable[[int, int], None]
"""Called with (images so far, images in all) while images are decoded."""

_STEP = 64  # images between two calls of a progress function


@dataclass(frozen=True, eq=False)
class Images:
    """Images in memory, by name.

    Attributes:
        pixels: (n, c, h, w) uint8; c is 3 (red, green, blue) or 1.
        names: (n) path of each below its folder or archive, "/" between the parts.
        policy: what was done while they were read, counted; plain values that JSON can hold.
    """

    pixels: Tensor
    names: tuple[str, ...]
    policy: Mapping[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.names)

    @property
    def facts(self) -> list[str]:
        """``policy`` in words: what was done to how many images."""
        return describe(self.policy)

    def floats(self, rows: Any = slice(None)) -> Tensor:
        """(k, c, h, w) float32 in [0, 1] of the chosen rows: a slice or positions."""
        return self.pixels[rows].float() / 255

    def subset(self, rows: Sequence[int] | Tensor | np.ndarray) -> Images:
        """The images at these positions, in this order; ``policy`` stays that of the reading."""
        index = torch.as_tensor(np.asarray(rows), dtype=torch.long)
        return Images(
            self.pixels[index], tuple(self.names[row] for row in index.tolist()), self.policy
        )


def read_images(
    source: str | Path,
    *,
    size: int | tuple[int, int] | None = None,
    colour: Literal["auto", "rgb", "grey"] = "auto",
    resize: Literal["crop", "stretch"] = "crop",
    corrupt: Literal["error", "skip"] = "error",
    names: Sequence[str] | None = None,
    recursive: bool = True,
    progress: Progress | None = None,
) -> Images:
    """All JPEG and PNG images of a folder or a zip archive, in the order of their names.

    Turns that EXIF asks for are applied; transparent parts are laid on white paper; images of 16
    bits are scaled to 8; of animations the first picture is taken. Each is counted in ``policy``.

    Args:
        source: the folder or archive. Hidden files and files of other suffixes are left out and
            counted. Nothing is extracted to disk.
        size: side of a square, or (height, width). None: all must have one size, which they keep.
        colour: "rgb" makes grey images three equal channels, "grey" makes colour images one
            (ITU-R 601 luma); both are counted. "auto" is "rgb" where any image has colour.
        resize: "crop" cuts the largest centred part that has the shape of ``size``, "stretch" takes
            the whole; then both reduce or enlarge it by an antialiased bilinear filter.
        corrupt: "error" names images that cannot be read (damaged, truncated, no image, more
            pixels than is safe); "skip" leaves them out and counts them.
        names: read these only, in this order: names as :attr:`Images.names` has them.
        recursive: read folders below ``source`` too.
        progress: called with (images so far, images in all).

    Raises:
        InputError: nothing to read, settings out of range, unknown ``names``, sizes that differ
            where ``size`` is None, images that cannot be read, or more than memory holds. All that
            the headers tell is named at once.
    """
    where = "read_images"
    problems = Problems(where)
    _check(size, colour, resize, corrupt, problems)
    problems.raise_if_any()
    with open_images(source, recursive=recursive, where=where) as store, careful_decoder():
        chosen = store.names if names is None else _known(names, store, problems)
        return _read(store, chosen, size, colour, resize, corrupt, progress, problems)


def _read(
    store: ImageStore,
    chosen: Sequence[str],
    size: int | tuple[int, int] | None,
    colour: str,
    resize: str,
    corrupt: str,
    progress: Progress | None,
    problems: Problems,
) -> Images:
    headers, broken = _survey(store, chosen)
    _blame(broken, len(chosen), corrupt, problems)
    sizes = Counter(header.size for header in headers.values())
    target = (size, size) if isinstance(size, int) else size
    _require_one_size(sizes, target, problems)
    problems.raise_if_any()
    coloured = any(header.colour for header in headers.values())
    form = Form(target, colour == "rgb" or (colour == "auto" and coloured), resize == "crop")
    pixels = _room(len(headers), form, target or next(iter(sizes)), problems)
    counts: Counter[str] = Counter()
    kept: list[str] = []
    for done, name in enumerate(headers, 1):
        try:
            with store.open(name) as file:
                pixels[len(kept)] = read_pixels(file, form, counts)
            kept.append(name)
        except Unreadable as error:
            broken[name] = str(error)
        if progress is not None and (done % _STEP == 0 or done == len(headers)):
            progress(done, len(headers))
    _blame(broken, len(chosen), corrupt, problems)
    problems.raise_if_any()
    policy = {
        "images": len(kept),
        "source": store.kind,
        "channels": int(pixels.shape[1]),
        "height": int(pixels.shape[2]),
        "width": int(pixels.shape[3]),
        "source_sizes": len(sizes),
        "source_size": list(sizes.most_common(1)[0][0]),
        "resize": "none" if target is None else resize,
        **{key: counts[key] for key in DONE},
        "corrupt_skipped": len(broken),
        "corrupt_first": sorted(broken)[:SHOWN],
        "hidden_ignored": store.hidden,
        "other_files_ignored": sum(store.others.values()),
    }
    return Images(torch.from_numpy(pixels[: len(kept)]), tuple(kept), policy)


def _survey(store: ImageStore, names: Sequence[str]) -> tuple[dict[str, Header], dict[str, str]]:
    """The header of each image, or why it has none."""
    headers, broken = {}, {}
    for name in names:
        try:
            with store.open(name) as file:
                headers[name] = read_header(file)
        except Unreadable as error:
            broken[name] = str(error)
    return headers, broken


def _check(size: Any, colour: str, resize: str, corrupt: str, problems: Problems) -> None:
    sides = size if isinstance(size, tuple | list) else (size, size)
    problems.require(
        size is None
        or (len(sides) == 2 and all(is_number(side, whole=True) and side >= 1 for side in sides)),
        f"size is {size!r}",
        fix="pass a whole number of pixels, (height, width), or None to keep the size",
    )
    for value, known, name in (
        (colour, ("auto", "rgb", "grey"), "colour"),
        (resize, ("crop", "stretch"), "resize"),
        (corrupt, ("error", "skip"), "corrupt"),
    ):
        problems.require(value in known, f"{name} is {value!r}", fix=f"pass one of {known}")


def _known(names: Sequence[str], store: ImageStore, problems: Problems) -> list[str]:
    wanted = list(names)
    unknown = sorted(set(wanted) - set(store.names))
    problems.require(
        not unknown,
        f"{len(unknown)} of {len(wanted)} names are not in {store.source}, for example "
        f"{unknown[:SHOWN]}",
        fix=f"pass names as they are there, for example {list(store.names[:2])}",
    )
    problems.require(
        0 < len(set(wanted)) == len(wanted),
        "names repeat themselves" if wanted else "names is empty",
        fix="pass every name once, and one at least",
    )
    problems.raise_if_any()
    return wanted


def _blame(broken: Mapping[str, str], total: int, corrupt: str, problems: Problems) -> None:
    """Name what cannot be read: all of it, unless it may be skipped and something is left."""
    shown = "; ".join(f"{name}: {broken[name]}" for name in sorted(broken)[:SHOWN])
    more = f"; and {len(broken) - SHOWN} more" if len(broken) > SHOWN else ""
    skipped = corrupt == "skip" and len(broken) < total
    problems.require(
        not broken or skipped,
        f"{len(broken)} of {total} images cannot be read: {shown}{more}",
        fix="replace or remove these files"
        + ("" if corrupt == "skip" else ", or pass corrupt='skip' to leave them out, counted"),
    )


def _require_one_size(
    sizes: Counter[tuple[int, int]], target: tuple[int, int] | None, problems: Problems
) -> None:
    shown = ", ".join(
        f"{count} of {height} x {width}" for (height, width), count in sizes.most_common(SHOWN)
    )
    problems.require(
        target is not None or len(sizes) <= 1,
        f"the images have {len(sizes)} sizes (height x width): {shown}",
        fix="pass size=, for example size=64: each is cut to its centre and resized, counted",
    )


def _room(count: int, form: Form, size: tuple[int, int], problems: Problems) -> np.ndarray:
    """The array that takes the pixels."""
    shape = (count, 3 if form.colour else 1, *size)
    try:
        return np.empty(shape, np.uint8)
    except (MemoryError, ValueError):
        gib = np.prod([float(side) for side in shape]) / 2**30
        problems.add(
            f"{count} images of {size[0]} x {size[1]} need {gib:,.1f} GiB, which cannot be had",
            fix="pass a smaller size, or fewer names",
        )
        problems.raise_if_any()
        raise
