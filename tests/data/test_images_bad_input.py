"""What cannot be read is named, all at once, or left out under a policy that counts it."""

from __future__ import annotations

import io
import struct
import warnings
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFile

from infounlearn.data import image_decode, image_files, read_images
from infounlearn.data.image_decode import careful_decoder, read_header
from infounlearn.errors import InputError
from tests.data.pictures import archive, colours, encoded, folder

PNG = encoded(colours(8, 8))
JPEG = encoded(colours(40, 40), "jpeg")


def claiming(width: int, height: int) -> bytes:
    """A PNG whose header claims that size, and that holds next to nothing."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = chunk(b"IDAT", zlib.compress(b"\0" * 100))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + body + chunk(b"IEND", b"")


def test_mixed_sizes_are_listed_with_counts_and_the_remedy(tmp_path: Path) -> None:
    files = {"a.png": PNG, "b.png": PNG, "c.png": encoded(colours(4, 6))}
    place = folder(tmp_path, files)
    with pytest.raises(InputError, match=r"2 sizes .*: 2 of 8 x 8, 1 of 4 x 6") as caught:
        read_images(place)
    assert "size=64" in str(caught.value)
    found = read_images(place, size=4)
    assert (found.policy["source_sizes"], found.policy["cropped"]) == (2, 1)
    assert "most were 8 high and 8 wide, of 2 sizes" in found.facts


BROKEN = {
    "cut.jpg": (JPEG[: len(JPEG) // 2], "truncated"),
    "cut.png": (PNG[:-60], "damaged"),
    "empty.jpg": (b"", "no JPEG or PNG"),
    "text.jpg": (b"<html>not found</html>", "no JPEG or PNG"),
    "gif.png": (encoded(colours(4, 4), "gif"), "no JPEG or PNG"),
    "bomb.png": (claiming(20_000, 20_000), "pixels, more than the 89,478,485"),
    "half.png": (claiming(10_000, 10_000), "10000 x 10000 pixels, more than"),
}


@pytest.mark.parametrize("pack", [folder, archive])
def test_all_unreadable_images_are_named_at_once_or_skipped_and_counted(
    tmp_path: Path, pack: object
) -> None:
    assert callable(pack)
    files = {name: content for name, (content, _) in BROKEN.items()} | {"good.jpg": JPEG}
    place = pack(tmp_path / "images", files)
    with pytest.raises(InputError, match="of 8 images cannot be read") as caught:
        read_images(place, size=8)
    assert "corrupt='skip'" in str(caught.value)
    found = read_images(place, size=8, corrupt="skip")
    assert found.names == ("good.jpg",)
    assert len(found.pixels) == 1
    assert found.policy["corrupt_skipped"] == len(BROKEN)
    assert found.policy["corrupt_first"] == sorted(BROKEN)[:5]
    assert f"{len(BROKEN)} unreadable and left out" in found.facts


@pytest.mark.parametrize("name", BROKEN)
def test_each_message_says_why(tmp_path: Path, name: str) -> None:
    content, message = BROKEN[name]
    place = folder(tmp_path, {name: content})
    for corrupt in ("error", "skip"):  # nothing is left to read: an error under either policy
        with pytest.raises(InputError, match=f"1 of 1 images cannot be read: {name}: .*{message}"):
            read_images(place, size=8, corrupt=corrupt)  # type: ignore[arg-type]


def test_skipped_images_leave_no_gap(tmp_path: Path) -> None:
    files = {f"{k}.png": encoded(np.full((2, 2), k, np.uint8)) for k in (0, 1, 3)}
    files["2.png"] = encoded(colours(30, 30)[:, :, 0])[:-300]
    found = read_images(folder(tmp_path, files), size=2, corrupt="skip")
    assert found.names == ("0.png", "1.png", "3.png")
    assert found.pixels.amax((1, 2, 3)).tolist() == [0, 1, 3]


def test_a_tolerant_process_and_its_settings_change_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)  # people do, to be rid of a warning
    for name in ("cut.jpg", "half.png", "bomb.png"):
        with pytest.raises(InputError, match="1 of 1 images cannot be read"):
            read_images(folder(tmp_path / name, {name: BROKEN[name][0]}), size=8)
    assert ImageFile.LOAD_TRUNCATED_IMAGES is True
    assert Image.MAX_IMAGE_PIXELS is None


def test_random_damage_raises_nothing_else() -> None:
    rng = np.random.default_rng(0)
    form = image_decode.Form((4, 4), True, True)
    outcomes = set()
    with careful_decoder():
        for content in (JPEG, PNG, encoded(colours(9, 9)[:, :, 0], "png", bits=4)):
            for _ in range(150):
                bad = np.frombuffer(content, np.uint8).copy()
                places = rng.integers(0, len(bad), rng.integers(1, 12))
                bad[places] = rng.integers(0, 256, len(places))
                try:
                    read_header(io.BytesIO(bad.tobytes()))
                    counts = image_decode.Counter[str]()
                    found = image_decode.read_pixels(io.BytesIO(bad.tobytes()), form, counts)
                    outcomes.add(found.shape)
                except image_files.Unreadable:
                    outcomes.add(())
    assert outcomes == {(), (3, 4, 4)}


def test_an_entry_that_would_unpack_to_too_much_is_not_unpacked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(image_files, "MAX_BYTES", 10_000)
    files = {"bomb.png": b"\0" * 10_001, "good.png": PNG}
    for pack in (folder, archive):
        place = pack(tmp_path / pack.__name__, files)
        with pytest.raises(InputError, match=r"bomb.png: it has 10,001 bytes, more than"):
            read_images(place)


@pytest.mark.parametrize("name", ["../a.png", "/a.png", "b/../../a.png", "C:a.png", "b\\..\\a.png"])
def test_names_that_lead_out_of_an_archive_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="lead out of it"):
        read_images(archive(tmp_path / "a.zip", {name: PNG}))


def test_an_entry_that_occurs_twice_is_refused(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of zipfile, which writes it all the same
        with zipfile.ZipFile(tmp_path / "a.zip", "w") as packed:
            packed.writestr("a.png", PNG)
            packed.writestr("a.png", PNG)
    with pytest.raises(InputError, match=r"occur more than once, for example \['a.png'\]"):
        read_images(tmp_path / "a.zip")


def test_damage_in_an_archive_is_found_by_its_checksum(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as packed:
        packed.writestr("a.jpg", JPEG)
        packed.writestr("b.jpg", JPEG)
    content = bytearray(path.read_bytes())
    content[len(JPEG) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(
        InputError, match=r"1 of 2 images cannot be read: a.jpg: its entry is damag"
    ):
        read_images(path)


def test_encrypted_entries_are_refused(tmp_path: Path) -> None:
    path = archive(tmp_path / "a.zip", {"a.png": PNG})
    content = bytearray(path.read_bytes())
    content[6] |= 1  # flags of the entry
    content[content.index(b"PK\x01\x02") + 8] |= 1  # and of the directory
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"1 entries .* are encrypted.*password"):
        read_images(path)


def test_sources_without_images(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no"):
        read_images(tmp_path / "absent")
    (tmp_path / "a.png").write_bytes(PNG)
    with pytest.raises(InputError, match="neither a folder nor a zip archive"):
        read_images(tmp_path / "a.png")
    other = folder(tmp_path / "other", {"a.bmp": b"", "b.bmp": b"", "c.txt": b"", "sub/d.png": PNG})
    with pytest.raises(InputError, match=r"it holds 2 of .bmp, 1 of .txt; .*recursive=True"):
        read_images(other, recursive=False)


def test_settings_out_of_range_are_named_together(tmp_path: Path) -> None:
    place = folder(tmp_path, {"a.png": PNG})
    with pytest.raises(InputError) as caught:
        read_images(place, size=0, colour="blue", resize="no", corrupt="x")  # type: ignore[arg-type]
    for part in ("size is 0", "colour is 'blue'", "resize is 'no'", "corrupt is 'x'"):
        assert part in str(caught.value)
    with pytest.raises(InputError, match=r"1 of 2 names are not in .*\['b.png'\]"):
        read_images(place, names=["a.png", "b.png"])
    with pytest.raises(InputError, match="names repeat"):
        read_images(place, names=["a.png", "a.png"])
    with pytest.raises(InputError, match="names is empty"):
        read_images(place, names=[])
    with pytest.raises(InputError, match="GiB, which cannot be had"):
        read_images(place, size=(10**8, 10**8))
