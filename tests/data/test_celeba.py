"""CelebA's faces: there is no download, a wrong file is named, and the subset is the published."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from infounlearn.data import load_celeba
from infounlearn.data.celeba import ATTRIBUTES, IMAGES, PAGE
from infounlearn.errors import InputError


def test_where_the_files_are_absent_the_message_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="2 problems") as caught:
        load_celeba(tmp_path)
    for part in (
        IMAGES.sha256,
        ATTRIBUTES.sha256,
        str(tmp_path / "celeba_subset" / "img_align_celeba.zip"),
        "INFOUNLEARN_DATA",
        PAGE,
        "non-commercial research",
        "read_labelled_images",
    ):
        assert part in str(caught.value)
    assert list(tmp_path.iterdir()) == []
    assert IMAGES.urls == ATTRIBUTES.urls == ()


def test_another_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "celeba_subset").mkdir()
    for source in (IMAGES, ATTRIBUTES):
        (tmp_path / source.folder / source.file).write_bytes(b"another")
    with pytest.raises(InputError, match="2 problems") as caught:
        load_celeba(tmp_path)
    assert str(caught.value).count("it is damaged or is another file") == 2


def test_settings_out_of_range(tmp_path: Path) -> None:
    for words in ({"rows": 0}, {"rows": 10_001}, {"rows": True}, {"size": 0}):
        with pytest.raises(InputError, match=f"{next(iter(words))} is"):
            load_celeba(tmp_path, **words)  # type: ignore[arg-type]


@pytest.mark.data("celeba_subset")
def test_the_first_faces() -> None:
    faces = load_celeba(rows=100)
    assert faces.pixels.shape == (100, 3, 64, 64)
    assert faces.pixels.dtype == torch.uint8
    assert faces.names[0] == "img_align_celeba/000001.jpg"
    assert faces.names[-1] == "img_align_celeba/000100.jpg"
    assert faces.attributes.names[0] == "000001.jpg"
    assert len(faces.attributes.columns) == 40
    # The first two rows of the attribute file.
    assert faces.groups("Smiling")[:2].tolist() == [1, 1]
    assert faces.groups("High_Cheekbones")[:2].tolist() == [1, 1]
    assert faces.attributes.column("Bags_Under_Eyes")[:2].tolist() == [0, 1]
    done = ("cropped", "resized", "enlarged", "grey_to_colour", "corrupt_skipped")
    assert [faces.policy[key] for key in done] == [100, 100, 0, 0, 0]
    assert faces.policy["source_size"] == [109, 89]
    small = load_celeba(rows=100, size=32)
    # Both are local means of the same squares.
    coarse = torch.nn.functional.avg_pool2d(faces.images.floats(), 2)
    assert float((coarse - small.images.floats()).abs().mean()) < 0.01
