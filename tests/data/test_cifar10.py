"""The CIFAR-10 subset: its published content, its parts, and one clear error where it is absent."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from infounlearn.data import load_cifar10_subset, split_cifar10_subset
from infounlearn.data.cifar10 import CLASSES, SOURCE, read_cifar10_subset
from infounlearn.errors import InputError


def packed(**changed: Any) -> bytes:
    """A file of the published form whose every pixel says which image it belongs to."""
    arrays: dict[str, Any] = {"classes": np.array(CLASSES)}
    for part, rows in (("train", 5000), ("test", 1000)):
        pixels = (np.arange(rows) % 256).astype(np.uint8)
        arrays[f"x_{part}"] = np.broadcast_to(pixels[:, None, None, None], (rows, 32, 32, 3)).copy()
        arrays[f"y_{part}"] = (np.arange(rows) % 10).astype(np.uint8)
    arrays["x_train"][0, 1, 2, 0] = 255  # red, second row, third column
    arrays |= changed
    buffer = io.BytesIO()
    np.savez(buffer, **{name: value for name, value in arrays.items() if value is not None})
    return buffer.getvalue()


def test_pixels_labels_and_ids_are_where_the_file_has_them() -> None:
    train, test = read_cifar10_subset(packed())
    assert train.inputs.shape == (5000, 3, 32, 32)
    assert train.inputs.dtype == torch.float32
    assert train.inputs[0].nonzero().tolist() == [[0, 1, 2]]
    assert float(train.inputs.max()) == 1.0
    assert torch.equal(test.inputs[7], torch.full((3, 32, 32), 7 / 255))
    assert test.targets[:11].tolist() == [*range(10), 0]
    assert (train.ids[-1].item(), test.ids[0].item(), test.ids[-1].item()) == (4999, 5000, 5999)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "cannot be read"),
        (b"PK\x03\x04 not an archive", "cannot be read"),
        (packed(x_train=None), "x_train is absent"),
        (packed(y_test=np.zeros(1000)), "y_test is float64"),
        (packed(x_test=np.zeros((1000, 3, 32, 32), np.uint8)), r"x_test is uint8 of \(1000, 3,"),
        (packed(classes=np.array(CLASSES[::-1])), "classes are"),
        (packed(y_train=np.array([None] * 5000)), "cannot be read"),  # a pickle is never read
    ],
)
def test_another_file_is_refused(content: bytes, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_cifar10_subset(content)


def test_where_the_file_is_absent_the_message_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no public address") as caught:
        load_cifar10_subset(tmp_path)
    for part in (SOURCE.sha256, "INFOUNLEARN_DATA", str(tmp_path / "cifar10_subset")):
        assert part in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    (tmp_path / SOURCE.folder).mkdir()
    (tmp_path / SOURCE.folder / SOURCE.file).write_bytes(packed())
    with pytest.raises(InputError, match="it is damaged or is another file"):
        load_cifar10_subset(tmp_path)


@pytest.mark.data("cifar10_subset")
def test_the_published_subset() -> None:
    train, test = load_cifar10_subset()
    parts = split_cifar10_subset()
    assert [len(part) for part in parts] == [5000, 500, 500]
    assert torch.equal(torch.cat([parts.holdout.ids, parts.test.ids]).sort().values, test.ids)
    for part, count in ((train, 500), (parts.holdout, 50), (parts.test, 50)):
        assert torch.bincount(part.targets).tolist() == [count] * 10
    means = train.inputs.mean(dim=(0, 2, 3)).numpy()
    assert np.allclose(means, [0.491, 0.481, 0.444], atol=1e-3)  # as published with the subset
    assert len({*train.record_hashes(), *test.record_hashes()}) == 6000  # no image occurs twice
