"""Images and attributes meet by name, and every name that does not is reported or counted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from infounlearn.data import read_attributes, read_labelled_images
from infounlearn.data.image_labels import match_names
from infounlearn.errors import InputError
from tests.data.pictures import archive, encoded, folder


def flat(value: int) -> bytes:
    """A picture of one grey level, to be told from the others."""
    return encoded(np.full((2, 2), value, np.uint8))


def listed(place: Path, smiling: dict[str, int]) -> Path:
    path = place / "list_attr.txt"
    rows = "".join(f"{name} {value}\n" for name, value in smiling.items())
    path.write_text(f"{len(smiling)}\nSmiling\n{rows}", "utf-8")
    return path


FACES = {f"img/{k}.png": flat(k) for k in range(8)}
SMILES = {f"{k}.png": 1 if k % 3 == 0 else -1 for k in reversed(range(8))}


def test_each_image_gets_its_own_row_whatever_the_order(tmp_path: Path) -> None:
    images, rows = archive(tmp_path / "a.zip", FACES), listed(tmp_path, SMILES)
    found = read_labelled_images(images, rows, sensitive="Smiling")
    assert found.names == tuple(FACES)
    assert found.pixels[:, 0, 0, 0].tolist() == list(range(8))
    assert found.groups("Smiling").tolist() == [int(k % 3 == 0) for k in range(8)]
    assert found.policy["images"] == found.policy["attribute_rows"] == 8
    assert found.policy["images_without_row"] == found.policy["rows_without_image"] == 0
    again = read_labelled_images(images, read_attributes(rows))
    assert torch.equal(again.pixels, found.pixels)


def test_every_mismatch_is_reported_at_once(tmp_path: Path) -> None:
    smiles = {name: -1 for name in SMILES if name not in ("1.png", "4.png")} | {"9.png": -1}
    images, rows = folder(tmp_path / "a", FACES), listed(tmp_path, smiles)
    with pytest.raises(InputError, match="3 problems") as caught:
        read_labelled_images(images, rows, sensitive="Smiling")
    for message in (
        "2 of 8 images have no row of attributes, for example ['img/1.png', 'img/4.png']",
        "1 of 7 rows of attributes have no image, for example ['9.png']",
        "pass unmatched='drop'",
        "1 of the 2 groups of Smiling have fewer than 2 of the 6 images",
    ):
        assert message in str(caught.value)


def test_mismatches_are_dropped_under_a_policy_that_counts_them(tmp_path: Path) -> None:
    smiles = {name: value for name, value in SMILES.items() if name != "1.png"} | {"9.png": 1}
    images, rows = folder(tmp_path / "a", FACES), listed(tmp_path, smiles)
    found = read_labelled_images(images, rows, unmatched="drop")
    assert found.pixels[:, 0, 0, 0].tolist() == [0, 2, 3, 4, 5, 6, 7]
    assert found.groups("Smiling").tolist() == [1, 0, 1, 0, 0, 1, 0]
    assert (found.policy["images_without_row"], found.policy["rows_without_image"]) == (1, 1)
    assert "1 images without a row of attributes left out" in found.facts


def test_skipped_images_take_their_rows_along(tmp_path: Path) -> None:
    images = folder(tmp_path / "a", FACES | {"img/2.png": b"no image"})
    found = read_labelled_images(images, listed(tmp_path, SMILES), corrupt="skip")
    assert found.attributes.names == tuple(f"{k}.png" for k in (0, 1, 3, 4, 5, 6, 7))
    assert found.groups("Smiling").tolist() == [1, 0, 1, 0, 0, 1, 0]


def test_a_group_that_skipping_emptied_is_noticed(tmp_path: Path) -> None:
    smiling = {f"img/{k}.png": b"no image" for k in (0, 3, 6)}
    images, rows = folder(tmp_path / "a", FACES | smiling), listed(tmp_path, SMILES)
    with pytest.raises(InputError, match=r"Smiling have fewer than 2 of the 5 .*\{1: 0, 0: 5\}"):
        read_labelled_images(images, rows, sensitive="Smiling", corrupt="skip")


def test_where_nothing_fits_the_message_shows_both_spellings(tmp_path: Path) -> None:
    images = folder(tmp_path / "a", FACES)
    rows = listed(tmp_path, {f"face{k}": 1 for k in range(8)})
    with pytest.raises(InputError, match=r"compared as 'face0' and 'img/0.png'"):
        read_labelled_images(images, rows, unmatched="drop")
    suffix = listed(tmp_path, {name.replace("png", "jpg"): v for name, v in SMILES.items()})
    with pytest.raises(InputError, match="pass match='stem'"):
        read_labelled_images(images, suffix)
    found = read_labelled_images(images, suffix, match="stem")
    assert found.groups("Smiling").tolist() == [1, 0, 0, 1, 0, 0, 1, 0]


def test_an_unknown_attribute_is_found_before_any_image_is_decoded(tmp_path: Path) -> None:
    images = folder(tmp_path / "a", FACES | {"img/2.png": b"no image"})
    with pytest.raises(InputError, match="no attribute 'Smile'"):
        read_labelled_images(images, listed(tmp_path, SMILES), sensitive="Smile")
    with pytest.raises(InputError, match="unmatched is 'no'"):
        read_labelled_images(images, listed(tmp_path, SMILES), unmatched="no")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("images", "rows", "pairs", "unclear"),
    [
        (["a/1.jpg", "b/2.jpg"], ["2.jpg", "1.jpg"], [(0, 1), (1, 0)], []),
        (["1.jpg"], ["a/1.jpg"], [(0, 0)], []),
        (["x/a/1.jpg"], ["a/1.jpg"], [(0, 0)], []),
        (["b/1.jpg"], ["a/1.jpg"], [], []),
        (["ba/1.jpg"], ["a/1.jpg"], [], []),  # parts are compared, not letters
        (["a/1.jpg", "b/1.jpg"], ["1.jpg"], [], ["1.jpg"]),
        (["1.jpg", "b/1.jpg"], ["1.jpg"], [(0, 0)], []),  # its very path
        (["a/1.jpg"], ["1.jpg", "a/1.jpg"], [(0, 0)], ["a/1.jpg"]),
        (["a/1.jpg"], ["a\\1.jpg"], [(0, 0)], []),
    ],
)
def test_names(
    images: list[str], rows: list[str], pairs: list[tuple[int, int]], unclear: list[str]
) -> None:
    found = match_names(images, rows)
    assert list(zip(found.images, found.rows, strict=True)) == pairs
    assert list(found.unclear) == unclear


def test_unclear_names_are_an_error_under_any_policy(tmp_path: Path) -> None:
    images = folder(tmp_path / "a", {"a/1.png": flat(1), "b/1.png": flat(2)})
    with pytest.raises(InputError, match="1 rows fit several images"):
        read_labelled_images(images, listed(tmp_path, {"1.png": 1}), unmatched="drop")


names = st.lists(st.sampled_from([f"{f}{k}.jpg" for f in ("", "a/", "b/") for k in "123"]))


@given(names.map(lambda found: list(dict.fromkeys(found))), names)
def test_every_name_is_accounted_for_once(images: list[str], rows: list[str]) -> None:
    found = match_names(images, rows)
    assert len(found.images) + len(found.without_row) == len(images)
    assert len(found.rows) + len(found.without_image) + len(found.unclear) == len(rows)
    assert len(set(found.images)) == len(found.images)
    assert len(set(found.rows)) == len(found.rows)
    assert {images[place] for place in found.images}.isdisjoint(found.without_row)


def test_split_is_disjoint_complete_and_keeps_the_shares(tmp_path: Path) -> None:
    files = {f"{k:03d}.png": flat(k) for k in range(200)}
    smiles = {name: 1 if k % 5 == 0 else -1 for k, name in enumerate(files)}
    found = read_labelled_images(folder(tmp_path / "a", files), listed(tmp_path, smiles))
    rest, held = found.split(50, by="Smiling", seed=1)
    assert (len(rest), len(held)) == (150, 50)
    assert sorted(rest.names + held.names) == list(found.names)
    assert (rest.groups("Smiling").sum(), held.groups("Smiling").sum()) == (30, 10)
    for part in (rest, held):
        assert [f"{value:03d}.png" for value in part.pixels[:, 0, 0, 0]] == list(part.names)
    assert found.split(0.25, by=["Smiling"], seed=1)[1].names == held.names
    assert found.split(50, by="Smiling", seed=2)[1].names != held.names
    for wrong in (0, 200, 1.5, -0.1, "half", True):
        with pytest.raises(InputError, match="held_out is"):
            found.split(wrong, by="Smiling")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="no attribute 'Male'"):
        found.split(50, by="Male")
