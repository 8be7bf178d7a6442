"""Files that appear whole or not at all, and folders tried before hours of work."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from pathlib import Path

from infounlearn.errors import Problems


def write_atomically(path: Path, content: bytes) -> None:
    """Replace ``path`` by a file that is complete, or leave it as it was."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        temporary.write_bytes(content)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def writable_folder(folder: str | os.PathLike[str], where: str, argument: str) -> Path:
    """Create ``folder`` and try to write there.

    Raises:
        InputError: it cannot be created or written.
    """
    problems, path = Problems(where), Path(folder)
    check_folder(path, argument, problems)
    problems.raise_if_any()
    path.mkdir(parents=True, exist_ok=True)
    return path


def check_folder(folder: str | os.PathLike[str], argument: str, problems: Problems) -> None:
    """Collect why ``folder`` cannot be created or written; leaves no trace."""
    path = Path(folder)
    made = [place for place in (path, *path.parents) if not place.exists()]
    try:
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path):
            pass
    except OSError as error:
        problems.add(
            f"{argument} {str(path)!r} cannot be written ({error})", fix="choose another folder"
        )
    finally:
        for place in made:
            with suppress(OSError):
                place.rmdir()
