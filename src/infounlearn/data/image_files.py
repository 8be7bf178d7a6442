"""Which images a folder or a zip archive holds, and the bytes of one of them at a time.

Nothing is ever extracted: an entry of an archive is unpacked in memory, one at a time, and only
where its stated size is sane. Names are paths below the folder or archive with "/" between their
parts; one that would lead out of it is refused, because a caller may write a file of that name.
"""

from __future__ import annotations

import io
import lzma
import os
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Literal

from infounlearn.errors import Problems

SUFFIXES = (".jpg", ".jpeg", ".png")
"""What counts as an image file; capital letters are the same."""
MAX_BYTES = 1 << 28
"""Largest file or unpacked entry that is read (256 MiB): a bomb is not unpacked to find out."""
SHOWN = 5
"""How many names a message lists."""


class Unreadable(Exception):
    """One image cannot be read; the text says why, without its name."""


@dataclass(frozen=True, eq=False)
class ImageStore:
    """The image files of one folder or archive.

    Attributes:
        source: path of the folder or archive.
        kind: which of the two it is.
        names: of the images, sorted.
        hidden: files and folders left out because their name begins with a dot or "__MACOSX".
        others: suffixes of files that are no images, with counts.
    """

    source: Path
    kind: Literal["folder", "zip"]
    names: tuple[str, ...]
    hidden: int
    others: Counter[str]
    archive: zipfile.ZipFile | None = None

    @contextmanager
    def open(self, name: str) -> Iterator[BinaryIO]:
        """The bytes of one image, from the beginning.

        Raises:
            Unreadable: no ordinary file, too large, or damaged in the archive.
        """
        if self.archive is None:
            path = self.source / name
            try:
                size = path.stat().st_size if path.is_file() else None
                if size is None:
                    raise Unreadable("it is no ordinary file")
                _bounded(size)
                file = path.open("rb")
            except OSError as error:
                raise Unreadable(f"it cannot be opened ({error.strerror})") from error
            with file:
                yield file
            return
        _bounded(self.archive.getinfo(name).file_size)
        try:
            content = self.archive.read(name)
        except (OSError, EOFError, zipfile.BadZipFile, zlib.error, lzma.LZMAError) as error:
            raise Unreadable(f"its entry is damaged ({error})") from error
        except NotImplementedError as error:
            raise Unreadable(f"its entry cannot be unpacked ({error})") from error
        yield io.BytesIO(content)


@contextmanager
def open_images(source: str | Path, *, recursive: bool, where: str) -> Iterator[ImageStore]:
    """The images of ``source``, open while the context lasts.

    Args:
        source: a folder, or a zip archive.
        recursive: look in folders below it too.
        where: who asks, for the message.

    Raises:
        InputError: neither folder nor archive, no image in it, encrypted entries, an entry that
            occurs twice or whose name leads out of the archive.
    """
    path = Path(source).expanduser()
    problems = Problems(where)
    if path.is_dir():
        names, hidden = _walk(path, recursive)
        store = ImageStore(path, "folder", *_images(names, hidden))
        _require_images(store, recursive, problems)
        yield store
        return
    problems.require(
        path.exists(), f"there is no {path}", fix="pass a folder or a zip archive of images"
    )
    problems.raise_if_any()
    try:
        archive = zipfile.ZipFile(path)
    except (OSError, zipfile.BadZipFile) as error:
        problems.add(
            f"{path} is neither a folder nor a zip archive ({error})",
            fix="pass a folder of JPEG or PNG files, or a zip archive of them",
        )
        problems.raise_if_any()
        raise
    with archive:
        entries = [entry for entry in archive.infolist() if not entry.is_dir()]
        shallow = [entry.filename for entry in entries if recursive or "/" not in entry.filename]
        visible = [name for name in shallow if not any(map(_hidden, PurePosixPath(name).parts))]
        found = _images(visible, len(shallow) - len(visible))
        store = ImageStore(path, "zip", *found, archive)
        _check_entries(store, entries, problems)
        _require_images(store, recursive, problems)
        yield store


def _walk(folder: Path, recursive: bool) -> tuple[list[str], int]:
    """Names of all files below ``folder``, links to folders not followed; how many are hidden."""
    names, hidden = [], 0
    for place, folders, files in os.walk(folder):
        seen = [name for name in files if not _hidden(name)]
        kept = [name for name in folders if not _hidden(name)]
        hidden += len(files) - len(seen) + len(folders) - len(kept)
        names += [(Path(place) / name).relative_to(folder).as_posix() for name in seen]
        folders[:] = kept if recursive else []
    return names, hidden


def _hidden(part: str) -> bool:
    return part == "__MACOSX" or (part.startswith(".") and part not in (".", ".."))


def _images(names: list[str], hidden: int) -> tuple[tuple[str, ...], int, Counter[str]]:
    images = [name for name in names if PurePosixPath(name).suffix.lower() in SUFFIXES]
    chosen = set(images)
    others = Counter(
        PurePosixPath(name).suffix.lower() or "no suffix" for name in names if name not in chosen
    )
    return tuple(sorted(images)), hidden, others


def _check_entries(store: ImageStore, entries: list[zipfile.ZipInfo], problems: Problems) -> None:
    names = Counter(store.names)
    twice = [name for name, count in names.items() if count > 1]
    problems.require(
        not twice,
        f"{len(twice)} entries of {store.source} occur more than once, for example {twice[:SHOWN]}",
        fix="pack the archive again",
    )
    outside = [name for name in names if _leads_out(name)]
    problems.require(
        not outside,
        f"{len(outside)} entries of {store.source} have names that lead out of it, for example "
        f"{outside[:SHOWN]}",
        fix="pack the archive again, with plain relative names",
    )
    locked = [one.filename for one in entries if one.flag_bits & 1 and one.filename in names]
    problems.require(
        not locked,
        f"{len(locked)} entries of {store.source} are encrypted, for example {locked[:SHOWN]}",
        fix="unpack the archive with its password and pass the folder",
    )


def _leads_out(name: str) -> bool:
    """Whether writing to folder/name could leave the folder, on any system."""
    return (
        name.startswith("/")
        or ".." in PurePosixPath(name).parts
        or any(mark in name for mark in ("\\", ":", "\0"))
    )


def _require_images(store: ImageStore, recursive: bool, problems: Problems) -> None:
    others = ", ".join(f"{count} of {suffix}" for suffix, count in store.others.most_common(SHOWN))
    problems.require(
        bool(store.names),
        f"{store.source} holds no JPEG or PNG file"
        + (f"; it holds {others}" if others else "")
        + (f"; {store.hidden} hidden ones were left out" if store.hidden else "")
        + ("" if recursive else "; folders below it were not read"),
        fix="pass a folder or zip archive of .jpg, .jpeg or .png files"
        + ("" if recursive else ", or recursive=True"),
    )
    problems.raise_if_any()


def _bounded(size: int) -> None:
    if size > MAX_BYTES:
        raise Unreadable(f"it has {size:,} bytes, more than the {MAX_BYTES:,} that are read")
