"""A lossy subset of CIFAR-10 (Krizhevsky 2009): 5,000 + 1,000 images that went through JPEG.

It was made from a copy of CIFAR-10 that holds one JPEG file per image: of each class the first 500
training and 100 test images by file name, decoded to RGB. Pixels are close to the original ones,
not equal, and the order is another one, so **results on it are no CIFAR-10 results**. Nobody
publishes this file, so it is never downloaded.
"""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import torch

from infounlearn.data.digits import Parts
from infounlearn.data.records import Records
from infounlearn.data.sources import Source, data_folder, fetch
from infounlearn.data.splits import split_records
from infounlearn.errors import Problems

SOURCE = Source(
    "cifar10_subset",
    "cifar10_jpeg_subset.npz",
    "4c9c97cdfd573cc8ebd4a25f62d22f1d91e8090cc41ed3ebffbd5b2218688b86",
    (),
)
CLASSES = (
    "airplane",
    "automobile",
    "bird",
    "cat",
    "deer",
    "dog",
    "frog",
    "horse",
    "ship",
    "truck",
)
ROWS = {"train": 5_000, "test": 1_000}


def load_cifar10_subset(data_home: str | Path | None = None) -> tuple[Records, Records]:
    """(train, test): inputs (n, 3, 32, 32) float32 in [0, 1], labels 0..9 as in ``CLASSES``.

    Ids are 0..4999 for the training images in file order and 5000..5999 for the test images.

    Args:
        data_home: see :func:`~infounlearn.data.sources.data_folder`.

    Raises:
        InputError: the file is absent (there is no download), is another one, or holds arrays of
            another form.
    """
    path = data_folder(data_home) / SOURCE.folder / SOURCE.file
    problems = Problems("load_cifar10_subset")
    problems.require(
        path.exists(),
        f"there is no {path}, and no public address to download it from",
        why="the subset was cut from a JPEG copy of CIFAR-10",
        fix=f"put the file (SHA-256 {SOURCE.sha256}) there by hand, or point data_home or "
        f"INFOUNLEARN_DATA to the folder that holds {SOURCE.folder}/",
    )
    problems.raise_if_any()
    return read_cifar10_subset(fetch(SOURCE, data_home).read_bytes())


def read_cifar10_subset(content: bytes) -> tuple[Records, Records]:
    """(train, test) of the bytes of the npz file; see :func:`load_cifar10_subset`.

    Raises:
        InputError: no npz file, or arrays are absent or of another form.
    """
    problems, arrays = Problems("read_cifar10_subset"), dict[str, np.ndarray]()
    fix = "put the published file there again"
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except (ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
        problems.add(f"the file cannot be read: {error}", fix=fix)
    problems.raise_if_any()
    for part, rows in ROWS.items():
        for name, shape in ((f"x_{part}", (rows, 32, 32, 3)), (f"y_{part}", (rows,))):
            found = arrays.get(name)
            problems.require(
                found is not None and found.dtype == np.uint8 and found.shape == shape,
                f"{name} is {'absent' if found is None else f'{found.dtype} of {found.shape}'}",
                fix=f"{fix}: it is uint8 of {shape}",
            )
    named = tuple(arrays["classes"].tolist()) if "classes" in arrays else ()
    problems.require(named == CLASSES, f"classes are {named}", fix=f"{fix}: it has {CLASSES}")
    problems.raise_if_any()
    sets, first = [], 0
    for part, rows in ROWS.items():
        images = torch.from_numpy(arrays[f"x_{part}"]).permute(0, 3, 1, 2).contiguous() / 255
        labels = torch.from_numpy(arrays[f"y_{part}"]).long()
        sets.append(Records(images, labels, torch.arange(first, first + rows), part))
        first += rows
    return sets[0], sets[1]


def split_cifar10_subset(data_home: str | Path | None = None, seed: int = 0) -> Parts:
    """All 5,000 training images, and the 1,000 others as holdout (500) and test (500)."""
    train, unseen = load_cifar10_subset(data_home)
    holdout, test = split_records(unseen, (500, 500), seed, ("holdout", "test"))
    return Parts(train, holdout, test)
