"""One JPEG or PNG file as 8-bit pixels, safely, with a count of everything that was done to it.

Pillow decodes. Its warning of decompression bombs is an error here, before anything is unpacked; a
truncated file is an error whatever the process has set elsewhere; and no other format is tried,
whatever the name of the file. Colour profiles are not applied.
"""

from __future__ import annotations

import struct
import warnings
import zlib
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np

from infounlearn.data.image_files import Unreadable

MAX_PIXELS = 89_478_485
"""Most pixels of an image that is unpacked: Pillow's own limit, a quarter GiB of colour."""
GREY_MODES = ("1", "L", "LA", "La", "I", "F")
"""How Pillow calls images without colour; those of 16 bits begin with "I;"."""

_FORMATS = ("JPEG", "PNG")
_ORIENTATION = 0x0112  # tag of EXIF
# What Pillow raises for damaged files, found by its documentation and by damaging files at random.
_DAMAGED = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    IndexError,
    KeyError,
    struct.error,
    zlib.error,
)


@dataclass(frozen=True)
class Header:
    """Height and width as the image is shown (EXIF turns applied), and whether it has colour."""

    size: tuple[int, int]
    colour: bool


@dataclass(frozen=True)
class Form:
    """What every image becomes.

    Attributes:
        size: (height, width), or None: as it is.
        colour: red, green and blue, or one grey channel.
        crop: cut the centre to the shape of ``size`` first; else stretch.
    """

    size: tuple[int, int] | None
    colour: bool
    crop: bool


@contextmanager
def careful_decoder() -> Iterator[None]:
    """Pillow as this module needs it; its settings are put back after."""
    from PIL import ImageFile

    tolerant = ImageFile.LOAD_TRUNCATED_IMAGES
    ImageFile.LOAD_TRUNCATED_IMAGES = False
    try:
        with warnings.catch_warnings():
            # Oddities of metadata, which no pixel depends on; and bombs, which are refused below.
            warnings.filterwarnings("ignore", module=r"PIL\.")
            yield
    finally:
        ImageFile.LOAD_TRUNCATED_IMAGES = tolerant


def read_header(file: BinaryIO) -> Header:
    """What the beginning of the file says; no pixel is unpacked.

    Raises:
        Unreadable: no JPEG or PNG, damaged, or too many pixels.
    """
    with _opened(file) as image:
        width, height = image.size
        turned = _orientation(image) >= 5
        size = (width, height) if turned else (height, width)
        return Header(size, not _is_grey(image.mode))


def read_pixels(file: BinaryIO, form: Form, counts: Counter[str]) -> np.ndarray:
    """(c, h, w) uint8 pixels in the given form.

    Args:
        file: the image, from its beginning.
        form: what it becomes.
        counts: what was done is added to it, where the image could be read.

    Raises:
        Unreadable: see :func:`read_header`; or truncated.
    """
    done: Counter[str] = Counter()
    with _opened(file) as image:
        image.load()
        image = _upright(image, done)
        image = _shaped(_coloured(image, form.colour, done), form, done)
        pixels = np.asarray(image)
    counts.update(done)
    return pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)


@contextmanager
def _opened(file: BinaryIO) -> Iterator[Any]:
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(file, formats=_FORMATS) as image:
            width, height = image.size
            if width * height > MAX_PIXELS:
                raise Unreadable(_too_large(f"{width} x {height}"))
            yield image
    except Image.DecompressionBombError as error:
        raise Unreadable(_too_large("too many")) from error
    except UnidentifiedImageError as error:
        raise Unreadable("its content is no JPEG or PNG") from error
    except _DAMAGED as error:
        raise Unreadable(f"it is damaged ({error})") from error


def _too_large(found: str) -> str:
    return f"it claims {found} pixels, more than the {MAX_PIXELS:,} that are unpacked"


def _is_grey(mode: str) -> bool:
    return mode in GREY_MODES or mode.startswith("I;")


def _orientation(image: Any) -> int:
    """1..8 as EXIF counts; 1, upright, where it says nothing that makes sense."""
    found = image.getexif().get(_ORIENTATION, 1) if "exif" in image.info else 1
    return int(found) if found in range(1, 9) else 1


def _upright(image: Any, done: Counter[str]) -> Any:
    from PIL.Image import Transpose

    turns = {
        2: Transpose.FLIP_LEFT_RIGHT,
        3: Transpose.ROTATE_180,
        4: Transpose.FLIP_TOP_BOTTOM,
        5: Transpose.TRANSPOSE,
        6: Transpose.ROTATE_270,
        7: Transpose.TRANSVERSE,
        8: Transpose.ROTATE_90,
    }
    turn = turns.get(_orientation(image))
    done["turned"] += turn is not None
    return image if turn is None else image.transpose(turn)


def _coloured(image: Any, colour: bool, done: Counter[str]) -> Any:
    """Mode L or RGB, by way of white paper where the image is transparent."""
    from PIL import Image

    done["animated"] += getattr(image, "n_frames", 1) > 1
    grey = _is_grey(image.mode)
    if image.mode.startswith("I"):
        # Pillow's own conversion clips at 255 instead of scaling.
        deep = np.clip(np.asarray(image), 0, 65_535).astype(np.int64)
        image = Image.fromarray(((deep + 128) // 257).astype(np.uint8))
        done["sixteen_bit"] += 1
    done["cmyk"] += image.mode == "CMYK"
    if "transparency" in image.info or image.mode in ("RGBA", "LA", "PA", "RGBa", "La"):
        clear = image.convert("RGBA")
        if clear.getextrema()[3][0] < 255:
            paper = Image.new("RGBA", clear.size, "white")
            clear = Image.alpha_composite(paper, clear)
            done["transparent"] += 1
        image = clear.convert("RGB")
    done["grey_to_colour"] += colour and grey
    done["colour_to_grey"] += not colour and not grey
    wanted = "RGB" if colour else "L"
    return image if image.mode == wanted else image.convert(wanted)


def _shaped(image: Any, form: Form, done: Counter[str]) -> Any:
    from PIL.Image import Resampling

    if form.size is None:
        return image
    height, width = form.size
    box = centre_box(image.size, (width, height)) if form.crop else (0, 0, *image.size)
    across, down = box[2] - box[0], box[3] - box[1]
    done["cropped"] += (across, down) != image.size
    done["resized"] += (across, down) != (width, height)
    done["enlarged"] += across < width or down < height
    # Cut first: resize(box=) would blend in pixels from beyond the box. Pillow's bilinear filter
    # widens with the reduction: it does not alias.
    return image.crop(box).resize((width, height), Resampling.BILINEAR)


def centre_box(size: tuple[int, int], wanted: tuple[int, int]) -> tuple[int, int, int, int]:
    """Left, top, right, bottom of the largest centred box of the shape of ``wanted``.

    Both sizes are (width, height); the box is of whole pixels, one nearer to the left and top
    where the middle lies between two.
    """
    (width, height), (across, down) = size, wanted
    scale = min(width / across, height / down)
    w = min(width, max(1, round(across * scale)))
    h = min(height, max(1, round(down * scale)))
    left, top = (width - w) // 2, (height - h) // 2
    return left, top, left + w, top + h
