"""Where a job works before its result appears, and the hashes of what it read."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from infounlearn.errors import InputError

__all__ = ["sha256_file", "workplace"]


@contextmanager
def workplace(folder: Path) -> Iterator[Path]:
    """A hidden folder inside ``folder``, hence on its file system; leaves no trace.

    Raises:
        InputError: the folder cannot be written.
    """
    made = [place for place in (folder, *folder.parents) if not place.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(prefix=".infounlearn-", dir=folder))
    except OSError as error:
        raise InputError(f"out: {folder} cannot be written ({error}): choose another") from None
    try:
        yield work
    finally:
        shutil.rmtree(work, ignore_errors=True)
        for place in made:
            with suppress(OSError):
                place.rmdir()


def sha256_file(path: Path) -> str:
    """SHA-256 of a file, read block by block."""
    with open(path, "rb") as file:
        digest = hashlib.sha256()
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
