"""Images arrive pixel by pixel as their files have them, and what is done to them is counted."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from infounlearn.data import read_images
from infounlearn.data.image_decode import centre_box
from tests.data.pictures import archive, colours, encoded, folder, saved


def test_folder_and_archive_give_the_same_pixels_in_the_order_of_names(tmp_path: Path) -> None:
    pixels = {f"faces/{k:02d}.png": colours(4, 6, k) for k in (3, 1, 2)}
    files = {name: encoded(array) for name, array in pixels.items()}
    one = read_images(folder(tmp_path / "folder", files))
    two = read_images(archive(tmp_path / "faces.zip", files))
    assert one.names == two.names == ("faces/01.png", "faces/02.png", "faces/03.png")
    assert one.pixels.dtype == torch.uint8
    assert torch.equal(one.pixels, two.pixels)
    for image, name in zip(one.pixels, one.names, strict=True):
        assert np.array_equal(image.permute(1, 2, 0).numpy(), pixels[name])
    assert (one.policy["source"], two.policy["source"]) == ("folder", "zip")
    assert torch.equal(one.floats([2, 0]), one.pixels[[2, 0]].float() / 255)
    assert torch.equal(one.subset([2]).pixels[0], one.pixels[2])
    assert one.subset(torch.tensor([2])).names == ("faces/03.png",)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["faces.zip", "folder"]


def test_what_is_no_image_is_left_out_and_counted(tmp_path: Path) -> None:
    png = encoded(colours(2, 2))
    files = {"a.PNG": png, "sub/b.png": png, "._a.png": b"x", "notes.txt": b"x"}
    files |= {"__MACOSX/._a.png": b"x", ".hidden/c.png": png, "sub/.thumbs/d.png": png}
    found = read_images(archive(tmp_path / "a.zip", files))
    assert found.names == ("a.PNG", "sub/b.png")
    assert (found.policy["hidden_ignored"], found.policy["other_files_ignored"]) == (4, 1)
    place = folder(tmp_path / "a", files)
    assert read_images(place).names == ("a.PNG", "sub/b.png")
    assert read_images(place).policy["hidden_ignored"] == 4  # a hidden folder counts as one
    assert read_images(place, recursive=False).names == ("a.PNG",)
    assert read_images(tmp_path / "a.zip", recursive=False).names == ("a.PNG",)


def test_chosen_names_come_in_the_order_asked_for(tmp_path: Path) -> None:
    place = folder(tmp_path, {f"{k}.png": encoded(colours(2, 2, k)) for k in range(4)})
    every = read_images(place)
    some = read_images(place, names=["3.png", "1.png"])
    assert some.names == ("3.png", "1.png")
    assert torch.equal(some.pixels, every.pixels[[3, 1]])


def test_a_tall_image_is_cut_to_its_centre_before_it_is_reduced(tmp_path: Path) -> None:
    tall = np.zeros((109, 89, 3), np.uint8)
    tall[:10], tall[99:] = 255, 255  # outside of the centred square of rows 10 to 98
    place = folder(tmp_path, {"a.png": encoded(tall)})
    cut = read_images(place, size=64)
    assert cut.pixels.shape == (1, 3, 64, 64)
    assert int(cut.pixels.max()) == 0
    whole = read_images(place, size=64, resize="stretch")
    assert int(whole.pixels[0, :, 0].min()) == 255
    done = ("cropped", "resized", "enlarged")
    assert [cut.policy[key] for key in done] == [1, 1, 0]
    assert [whole.policy[key] for key in done] == [0, 1, 0]
    assert read_images(place, size=(20, 10)).pixels.shape == (1, 3, 20, 10)


def test_the_size_it_has_leaves_every_pixel_alone(tmp_path: Path) -> None:
    array = colours(9, 7)
    place = folder(tmp_path, {"a.png": encoded(array)})
    for size in (None, (9, 7)):
        found = read_images(place, size=size)
        assert np.array_equal(found.pixels[0].permute(1, 2, 0).numpy(), array)
        assert found.policy["resized"] == found.policy["cropped"] == 0


def test_reduction_does_not_alias_and_enlargement_is_counted(tmp_path: Path) -> None:
    stripes = np.zeros((64, 64), np.uint8)
    stripes[:, ::2] = 255
    place = folder(tmp_path, {"a.png": encoded(stripes)})
    small = read_images(place, size=8).pixels[0, 0, :, 1:-1].int()
    assert (small - 127).abs().max() <= 2  # the mean of the stripes, not one of them
    assert read_images(place, size=80).policy["enlarged"] == 1


@pytest.mark.parametrize(
    ("size", "wanted", "box"),
    [
        ((89, 109), (64, 64), (0, 10, 89, 99)),
        ((109, 89), (64, 64), (10, 0, 99, 89)),
        ((10, 10), (10, 10), (0, 0, 10, 10)),
        ((3, 2), (1, 1), (0, 0, 2, 2)),
        ((100, 100), (20, 10), (0, 25, 100, 75)),
        ((1, 1000), (64, 1), (0, 499, 1, 500)),
    ],
)
def test_centre_box(
    size: tuple[int, int], wanted: tuple[int, int], box: tuple[int, int, int, int]
) -> None:
    assert centre_box(size, wanted) == box


def test_grey_among_colour_becomes_three_equal_channels_and_is_counted(tmp_path: Path) -> None:
    grey = colours(4, 4, 1)[:, :, 0]
    files = {"c.png": encoded(colours(4, 4)), "g.png": encoded(grey)}
    place = folder(tmp_path, files)
    both = read_images(place)
    assert both.pixels.shape == (2, 3, 4, 4)
    assert all(np.array_equal(channel.numpy(), grey) for channel in both.pixels[1])
    assert (both.policy["grey_to_colour"], both.policy["colour_to_grey"]) == (1, 0)
    assert "1 grey, made three equal channels" in both.facts
    flat = read_images(place, colour="grey")
    assert flat.pixels.shape == (2, 1, 4, 4)
    assert np.array_equal(flat.pixels[1, 0].numpy(), grey)
    weights = np.array([0.299, 0.587, 0.114])  # ITU-R BT.601
    assert np.abs(colours(4, 4) @ weights - flat.pixels[0, 0].numpy()).max() <= 1
    assert (flat.policy["grey_to_colour"], flat.policy["colour_to_grey"]) == (0, 1)
    (place / "c.png").unlink()
    assert read_images(place).pixels.shape == (1, 1, 4, 4)
    assert read_images(place, colour="rgb").policy["grey_to_colour"] == 1


def test_unusual_images_are_read_as_shown_and_counted(tmp_path: Path) -> None:
    deep = np.array([[0, 257 * 7, 65_535]], np.uint16)
    clear = Image.new("RGBA", (3, 1), (10, 20, 30, 255))
    clear.putpixel((0, 0), (10, 20, 30, 0))
    palette = Image.fromarray(np.array([[0, 1, 1]], np.uint8)).convert("P")
    palette.putpalette([255, 0, 0, 0, 0, 255])
    palette.info["transparency"] = 1
    files = {
        "deep.png": encoded(deep),
        "alpha.png": saved(clear),
        "palette.png": saved(palette),
        "cmyk.jpg": saved(Image.new("CMYK", (3, 1), (0, 0, 0, 255)), "jpeg"),
        "bilevel.png": saved(Image.new("1", (3, 1), 1)),
    }
    found = read_images(folder(tmp_path, files))
    pixel = dict(zip(found.names, found.pixels, strict=True))
    assert pixel["deep.png"][:, 0].tolist() == [[0, 7, 255]] * 3
    assert pixel["alpha.png"][:, 0].T.tolist() == [[255] * 3, [10, 20, 30], [10, 20, 30]]
    assert pixel["palette.png"][:, 0, 0].tolist() == [255, 0, 0]
    assert pixel["palette.png"][:, 0, 1].tolist() == [255] * 3  # the second entry is transparent
    assert int(pixel["cmyk.jpg"].max()) <= 2
    assert int(pixel["bilevel.png"].min()) == 255
    counted = {key: found.policy[key] for key in ("sixteen_bit", "transparent", "cmyk")}
    assert counted == {"sixteen_bit": 1, "transparent": 2, "cmyk": 1}
    assert found.policy["grey_to_colour"] == 2


@pytest.mark.parametrize("orientation", range(1, 9))
def test_turns_of_exif_are_those_of_pillow(tmp_path: Path, orientation: int) -> None:
    from PIL import ImageOps

    exif = Image.Exif()
    exif[0x0112] = orientation
    image = Image.fromarray(colours(2, 3))
    path = tmp_path / "a.png"
    path.write_bytes(saved(image, exif=exif))
    found = read_images(tmp_path)
    with Image.open(path) as stored:
        shown = np.asarray(ImageOps.exif_transpose(stored))
    assert np.array_equal(found.pixels[0].permute(1, 2, 0).numpy(), shown)
    assert found.policy["turned"] == (orientation > 1)


def test_progress_ends_at_the_number_of_images(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    place = folder(tmp_path, {f"{k}.png": encoded(colours(1, 1)) for k in range(70)})
    read_images(place, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(64, 70), (70, 70)]


def test_the_policy_is_plain_json(tmp_path: Path) -> None:
    found = read_images(folder(tmp_path, {"a.png": encoded(colours(2, 2))}), size=4)
    assert json.loads(json.dumps(found.policy)) == found.policy
    assert found.facts[:2] == ["1 images of 3 x 4 x 4", "all were 2 high and 2 wide"]
