"""Ten thousand faces of CelebA with 40 attributes (Liu, Luo, Wang & Tang, ICCV 2015).

The first 10,000 aligned images, all of the official training part, which a third party had shrunk
to half their size (89 x 109) and stored as JPEG once more. **Results on them are not comparable
with results on CelebA.** There are no identities, so that two pictures of one person may fall on
both sides of a split.

Terms of CelebA: for non-commercial research only; no part may be copied further, published or
distributed, save copies inside one site of an organisation. So nothing here downloads it, and
neither an image nor a network trained on images belongs in a repository, a package or a page.
Write figures of faces to a folder of your own.
"""

from __future__ import annotations

from pathlib import Path

from infounlearn.data.attributes import read_attributes
from infounlearn.data.image_labels import LabelledImages, read_labelled_images
from infounlearn.data.images import Progress
from infounlearn.data.sources import Source, data_folder, sha256_of
from infounlearn.errors import Problems, is_number

__all__ = ["load_celeba"]

IMAGES = Source(
    "celeba_subset",
    "img_align_celeba.zip",
    "c1a0ec50d07648c0be9dfc2767048a0d28a141172d0276c5de2bfbbe07bbc7ac",
    (),
)
ATTRIBUTES = Source(
    "celeba_subset",
    "list_attr_celeba.txt",
    "2147bb82859100d956c2ecc2d77e8c6a3d493d51c0ae7519ac8c797041b100c1",
    (),
)
ROWS = 10_000
PAGE = "https://mmlab.ie.cuhk.edu.hk/projects/CelebA.html"
"""Where CelebA itself is given out under its terms."""


def load_celeba(
    data_home: str | Path | None = None,
    *,
    size: int = 64,
    rows: int | None = None,
    progress: Progress | None = None,
) -> LabelledImages:
    """The faces, cut to their centre and resized to a square, and their attributes as 0 and 1.

    In the order of the file, img_align_celeba/000001.jpg to 010000.jpg. See the module for the
    terms.

    Args:
        data_home: see :func:`~infounlearn.data.sources.data_folder`.
        size: pixels of a side, 64 as usual or 32 for less work; above 89 images are enlarged.
        rows: the first so many images only.
        progress: called with (images so far, images in all).

    Raises:
        InputError: a file is absent or is another one (both are named at once), or a setting is
            out of range.
    """
    problems, home = Problems("load_celeba"), data_folder(data_home)
    count = ROWS if rows is None else rows
    problems.require(
        is_number(count, whole=True) and 1 <= count <= ROWS,
        f"rows is {rows!r}",
        fix=f"pass a number from 1 to {ROWS}, or None for all",
    )
    problems.require(
        is_number(size, whole=True) and size >= 1,
        f"size is {size!r}",
        fix="pass a whole number of pixels, for example 64",
    )
    for source in (IMAGES, ATTRIBUTES):
        path = home / source.folder / source.file
        if not problems.require(
            path.is_file(),
            f"there is no {path}, and its terms allow no download by a package",
            why=f"CelebA is given out for non-commercial research at {PAGE}; this is a smaller "
            "copy of its first 10,000 images",
            fix=f"put the file (SHA-256 {source.sha256}) there by hand, or point data_home or "
            f"INFOUNLEARN_DATA to the folder that holds {source.folder}/; a CelebA of your own is "
            "read by read_labelled_images(images, attributes, size=64)",
        ):
            continue
        found = sha256_of(path)
        problems.require(
            found == source.sha256,
            f"{path} has SHA-256 {found}, expected {source.sha256}",
            why="it is damaged or is another file",
            fix="put the file of that SHA-256 there; a CelebA of your own is read by "
            "read_labelled_images(images, attributes, size=64)",
        )
    problems.raise_if_any()
    folder = home / IMAGES.folder
    attributes = read_attributes(folder / ATTRIBUTES.file)
    return read_labelled_images(
        folder / IMAGES.file,
        attributes if rows is None else attributes.subset(range(count)),
        unmatched="error" if rows is None else "drop",
        size=size,
        colour="rgb",
        progress=progress,
    )
