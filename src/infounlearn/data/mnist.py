"""MNIST from its original idx files (LeCun, Cortes & Burges; CC BY-SA 3.0).

Sixty thousand images to train on and ten thousand that no model sees. An audit needs two kinds of
unseen rows: *holdout* rows, which the audit compares with the forgotten ones (and on which an
unlearning run may calibrate its stop), and *test* rows, on which utility alone is measured. Taking
the holdout from the training images would change the published protocol, so the ten thousand are
cut into two stratified halves; ``load_mnist`` still returns them whole.
"""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from infounlearn.data.digits import Parts
from infounlearn.data.records import Records
from infounlearn.data.sources import Source, fetch
from infounlearn.data.splits import split_records
from infounlearn.errors import Problems

# The first host answers reliably; the second is the authors' own and often refuses downloads.
_HOSTS = ("https://ossci-datasets.s3.amazonaws.com/mnist/", "https://yann.lecun.com/exdb/mnist/")
_SHA256 = {
    "train-images": "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
    "train-labels": "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
    "t10k-images": "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
    "t10k-labels": "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
}


def _source(part: str) -> Source:
    file = f"{part}-idx{3 if part.endswith('images') else 1}-ubyte.gz"
    return Source("mnist", file, _SHA256[part], tuple(host + file for host in _HOSTS))


SOURCES = {part: _source(part) for part in _SHA256}


def load_mnist(data_home: str | Path | None = None) -> tuple[Records, Records]:
    """(train, test): inputs (n, 1, 28, 28) float32 in [0, 1], labels 0..9.

    Ids are 0..59999 for the training images in file order and 60000..69999 for the test images,
    so that the two can be joined.

    Raises:
        InputError: a file is absent and cannot be downloaded, or is not the published one.
    """
    paths = {part: fetch(source, data_home) for part, source in SOURCES.items()}
    sets = []
    for prefix, rows, first in (("train", 60_000, 0), ("t10k", 10_000, 60_000)):
        images = read_idx(paths[f"{prefix}-images"], (rows, 28, 28))
        labels = read_idx(paths[f"{prefix}-labels"], (rows,))
        name = "train" if prefix == "train" else "test"
        ids = torch.arange(first, first + rows)
        sets.append(Records(images.unsqueeze(1) / 255, labels.long(), ids, name))
    return sets[0], sets[1]


def split_mnist(data_home: str | Path | None = None, seed: int = 0) -> Parts:
    """All 60,000 training images, and the 10,000 others as holdout (5,000) and test (5,000)."""
    train, unseen = load_mnist(data_home)
    holdout, test = split_records(unseen, (5_000, 5_000), seed, ("holdout", "test"))
    return Parts(train, holdout, test)


def read_idx(path: Path, shape: tuple[int, ...]) -> Tensor:
    """The uint8 array of a gzipped idx file, which must have ``shape``.

    Raises:
        InputError: not gzip, not an idx file of unsigned bytes, another shape, or cut short.
    """
    problems = Problems(f"read_idx({path.name})")
    fix = "fetch the file again from the original source"
    raw = b""
    try:
        raw = gzip.decompress(path.read_bytes())
    except (OSError, EOFError, zlib.error) as error:
        problems.add(f"the file cannot be unpacked: {error}", fix=fix)
    problems.raise_if_any()
    # idx: two zero bytes, 0x08 for unsigned bytes, the number of dimensions, big-endian sizes.
    head = bytes((0, 0, 8, len(shape))) + np.array(shape, dtype=">u4").tobytes()
    problems.require(
        raw[: len(head)] == head,
        f"the header is {raw[: len(head)].hex(' ')}, expected {head.hex(' ')}",
        why=f"an idx file of unsigned bytes of shape {shape}",
        fix=fix,
    )
    body = len(raw) - len(head)
    size = int(np.prod(shape))
    problems.require(body == size, f"it holds {body} values instead of {size}", fix=fix)
    problems.raise_if_any()
    return torch.from_numpy(np.frombuffer(raw, np.uint8, offset=len(head)).reshape(shape).copy())
