"""Images together with their attributes, joined by file name; nothing is lost without a count.

    faces = read_labelled_images("img_align_celeba.zip", "list_attr_celeba.txt", size=64,
                                 sensitive="Smiling")
    z = faces.groups("Smiling")                     # (n,) 0 or 1
    train, held_out = faces.split(2_000, by="Smiling", seed=0)

Names are compared before any image is decoded, and everything that does not fit is reported at
once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from infounlearn.data.attributes import SHOWN, Attributes, read_attributes
from infounlearn.data.image_files import open_images
from infounlearn.data.image_policy import describe
from infounlearn.data.images import Images, Progress, read_images
from infounlearn.data.splits import stratified_parts
from infounlearn.errors import Problems, is_number

__all__ = ["LabelledImages", "NameMatch", "match_names", "read_labelled_images"]


@dataclass(frozen=True, eq=False)
class LabelledImages:
    """Images, and the attributes of each of them in the same order.

    Attributes:
        images: pixels and names.
        attributes: one row per image.
        policy: all that was done while both were read and joined, counted.
    """

    images: Images
    attributes: Attributes
    policy: Mapping[str, Any]

    def __len__(self) -> int:
        return len(self.images)

    @property
    def pixels(self) -> Tensor:
        """(n, c, h, w) uint8."""
        return self.images.pixels

    @property
    def names(self) -> tuple[str, ...]:
        """(n) names of the images."""
        return self.images.names

    @property
    def facts(self) -> list[str]:
        """``policy`` in words: what was done to how many images."""
        return describe(self.policy)

    def groups(self, *names: str, min_count: int = 2) -> np.ndarray:
        """See :meth:`Attributes.groups`."""
        return self.attributes.groups(*names, min_count=min_count)

    def subset(self, rows: Sequence[int] | Tensor | np.ndarray) -> LabelledImages:
        """The images at these positions, in this order."""
        return LabelledImages(self.images.subset(rows), self.attributes.subset(rows), self.policy)

    def split(
        self, held_out: int | float, *, by: str | Sequence[str], seed: int = 0
    ) -> tuple[LabelledImages, LabelledImages]:
        """(rest, held out), disjoint, with nearly equal shares of the groups of ``by``.

        Args:
            held_out: number of images, or their share if below 1.
            by: attribute or attributes whose crossed groups keep their shares.
            seed: of the choice.

        Raises:
            InputError: a part would be empty, or ``by`` cannot be used (see :meth:`groups`; groups
                of one image will do here).
        """
        total, problems = len(self), Problems("LabelledImages.split")
        size = 0
        if is_number(held_out, whole=True):
            size = int(held_out)
        elif is_number(held_out) and held_out < 1:
            size = round(held_out * total)
        problems.require(
            0 < size < total,
            f"held_out is {held_out!r} of {total} images",
            fix="pass a number of images or a share that leaves both parts some",
        )
        names = [by] if isinstance(by, str) else list(by)
        if self.attributes.require_known(names, problems):
            problems.require(bool(names), "by is empty", fix="pass an attribute")
        problems.raise_if_any()
        columns = [
            np.unique(self.attributes.columns[name], return_inverse=True)[1] for name in names
        ]
        codes = np.unique(np.stack(columns, axis=1), axis=0, return_inverse=True)[1]
        targets = torch.from_numpy(codes.reshape(-1).astype(np.int64))
        rest, held = stratified_parts(targets, (total - size, size), seed)
        return self.subset(rest), self.subset(held)


@dataclass(frozen=True)
class NameMatch:
    """Which row of attributes belongs to which image.

    Attributes:
        images: (k) positions of images that have a row, ascending.
        rows: (k) the row of each.
        without_row: images that no row names.
        without_image: rows that name no image.
        unclear: rows that fit several images, and images that several rows name.
    """

    images: tuple[int, ...]
    rows: tuple[int, ...]
    without_row: tuple[str, ...]
    without_image: tuple[str, ...]
    unclear: tuple[str, ...]


def match_names(
    images: Sequence[str], rows: Sequence[str], match: Literal["name", "stem"] = "name"
) -> NameMatch:
    """Join by file name: a row names an image where one of the two paths ends in the other.

    So "000001.jpg" names img/000001.jpg, and a/1.jpg does not name b/1.jpg. A row that is equal to
    the path of an image names that one alone.

    Args:
        images: paths of images.
        rows: file names, with or without folders.
        match: "stem" leaves the suffixes out: 1.jpg names 1.png.
    """
    keys = [_parts(name, match) for name in images]
    exact: dict[tuple[str, ...], list[int]] = {}
    files: dict[str, list[int]] = {}
    for place, key in enumerate(keys):
        exact.setdefault(key, []).append(place)
        files.setdefault(key[-1], []).append(place)
    taken: dict[int, int] = {}
    absent, unclear = [], []
    for row, name in enumerate(rows):
        key = _parts(name, match)
        found = exact.get(key) or [
            place for place in files.get(key[-1], ()) if _one_ends(keys[place], key)
        ]
        if not found:
            absent.append(name)
        elif len(found) > 1 or found[0] in taken:
            unclear.append(name)
        else:
            taken[found[0]] = row
    order = sorted(taken)
    left = tuple(name for place, name in enumerate(images) if place not in taken)
    matched = tuple(taken[place] for place in order)
    return NameMatch(tuple(order), matched, left, tuple(absent), tuple(unclear))


def _parts(name: str, match: str) -> tuple[str, ...]:
    path = PurePosixPath(name.strip().replace("\\", "/"))
    path = path.parent / path.stem if match == "stem" else path
    return path.parts or ("",)


def _one_ends(one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    common = min(len(one), len(other))
    return one[-common:] == other[-common:]


def read_labelled_images(
    images: str | Path,
    attributes: str | Path | Attributes,
    *,
    sensitive: str | Sequence[str] = (),
    min_count: int = 2,
    unmatched: Literal["error", "drop"] = "error",
    match: Literal["name", "stem"] = "name",
    key: str | None = None,
    size: int | tuple[int, int] | None = None,
    colour: Literal["auto", "rgb", "grey"] = "auto",
    resize: Literal["crop", "stretch"] = "crop",
    corrupt: Literal["error", "skip"] = "error",
    recursive: bool = True,
    progress: Progress | None = None,
) -> LabelledImages:
    """Images of a folder or zip archive with their attributes, in the order of the image names.

    Args:
        images: see :func:`~infounlearn.data.images.read_images`, also for ``size``, ``colour``,
            ``resize``, ``corrupt``, ``recursive`` and ``progress``.
        attributes: a file (see :func:`~infounlearn.data.attributes.read_attributes`, also for
            ``key``), or what was read from one.
        sensitive: attributes that are to be removed: their groups are checked before any image is
            decoded, and again where unreadable ones were left out.
        min_count: least number of images of each group of ``sensitive``.
        unmatched: "error" refuses images without a row and rows without an image; "drop" leaves
            both out and counts them.
        match: how names are compared, see :func:`match_names`.

    Raises:
        InputError: see both readers; names that do not fit, an unknown attribute and groups that
            are empty or too small are named at once.
    """
    where = "read_labelled_images"
    problems = Problems(where)
    problems.require(
        unmatched in ("error", "drop"), f"unmatched is {unmatched!r}", fix="'error' or 'drop'"
    )
    problems.require(match in ("name", "stem"), f"match is {match!r}", fix="'name' or 'stem'")
    problems.raise_if_any()
    table = (
        attributes if isinstance(attributes, Attributes) else read_attributes(attributes, key=key)
    )
    with open_images(images, recursive=recursive, where=where) as store:
        available = store.names
    found = match_names(available, table.names, match)
    _report(found, available, table.names, match, unmatched, problems)
    chosen = table.subset(found.rows)
    asked = (sensitive,) if isinstance(sensitive, str) else tuple(sensitive)
    if asked and found.rows:
        chosen.check_groups(asked, min_count, problems)
    problems.raise_if_any()
    pictures = read_images(
        images,
        size=size,
        colour=colour,
        resize=resize,
        corrupt=corrupt,
        names=[available[place] for place in found.images],
        recursive=recursive,
        progress=progress,
    )
    if len(pictures) < len(chosen):
        places = {available[place]: at for at, place in enumerate(found.images)}
        chosen = chosen.subset([places[name] for name in pictures.names])
        if asked:
            chosen.check_groups(asked, min_count, problems)
        problems.raise_if_any()
    policy = {
        **pictures.policy,
        **table.policy,
        "images_without_row": len(found.without_row),
        "rows_without_image": len(found.without_image),
        "match": match,
    }
    return LabelledImages(pictures, chosen, policy)


def _report(
    found: NameMatch,
    images: Sequence[str],
    rows: Sequence[str],
    match: Literal["name", "stem"],
    unmatched: str,
    problems: Problems,
) -> None:
    """Collect what does not fit, with the remedy that would help."""
    problems.require(
        not found.unclear,
        f"{len(found.unclear)} rows fit several images, or an image that has a row already, for "
        f"example {list(found.unclear[:SHOWN])}",
        fix="give the rows the paths of their images, or keep one row for each",
    )
    fix = "pass unmatched='drop' to leave them out, counted; or complete the file or the folder"
    apart = bool(found.without_row and found.without_image) and match == "name"
    if apart and len(match_names(images, rows, "stem").images) > len(found.images):
        fix = "some agree but for their suffix: pass match='stem'"
    elif not found.images:
        fix = f"names are compared as {rows[0]!r} and {images[0]!r}: make them agree"
    for names, total, what in (
        (found.without_row, len(images), "images have no row of attributes"),
        (found.without_image, len(rows), "rows of attributes have no image"),
    ):
        problems.require(
            not names or (unmatched == "drop" and bool(found.images)),
            f"{len(names)} of {total} {what}, for example {list(names[:SHOWN])}",
            fix=fix,
        )
