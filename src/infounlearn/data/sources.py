"""Where a public data set lives, and how it gets there unharmed.

A file is looked for in one folder only: the ``data_home`` argument, else ``$INFOUNLEARN_DATA``,
else a cache folder of the user. Where it is absent it is downloaded from its public source to a
temporary file, checked against the SHA-256 known to this package and only then given its name, so
that a broken download never looks like data. A file that is present is checked too, and never
replaced.
"""

from __future__ import annotations

import hashlib
import http.client
import os
import tempfile
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from infounlearn.errors import Problems

Progress = Callable[[int, "int | None"], None]
"""Called with (bytes so far, bytes in all or None) while a file is downloaded."""

_CHUNK = 1 << 18


@dataclass(frozen=True)
class Source:
    """One public file: ``folder``/``file`` under the data folder, its SHA-256 and its addresses."""

    folder: str
    file: str
    sha256: str
    urls: tuple[str, ...]


def data_folder(data_home: str | Path | None = None) -> Path:
    """The folder that holds data sets: ``data_home``, $INFOUNLEARN_DATA or the user's cache."""
    chosen = data_home or os.environ.get("INFOUNLEARN_DATA")
    if chosen:
        return Path(chosen).expanduser()
    system = "LOCALAPPDATA" if os.name == "nt" else "XDG_CACHE_HOME"
    cache = os.environ.get(system)
    return (Path(cache) if cache else Path.home() / ".cache") / "infounlearn"


def fetch(
    source: Source,
    data_home: str | Path | None = None,
    *,
    progress: Progress | None = None,
    timeout: float = 30.0,
) -> Path:
    """The path of ``source`` on this machine, downloaded first where it is absent.

    Args:
        source: what to fetch.
        data_home: see :func:`data_folder`.
        progress: told about each 256 KiB of a download.
        timeout: seconds to wait for an address to answer.

    Raises:
        InputError: a present file has the wrong SHA-256, or no address gave the right file; the
            message says where to put it by hand. Nothing is left behind.
    """
    path = data_folder(data_home) / source.folder / source.file
    problems = Problems(f"fetch({source.file})")
    if path.exists():
        found = sha256_of(path)
        problems.require(
            found == source.sha256,
            f"{path} has SHA-256 {found}, expected {source.sha256}",
            why="it is damaged or is another file",
            fix="move it away, and the original is downloaded; or choose another data_home",
        )
        problems.raise_if_any()
        return path
    failures = []
    for url in source.urls:
        try:
            _download(url, path, source.sha256, progress, timeout)
        except (OSError, http.client.HTTPException, _WrongFile) as error:
            failures.append(f"{url}: {error}")
        else:
            return path
    problems.add(
        f"{source.file} is not at {path} and could not be downloaded: {'; '.join(failures)}",
        fix=f"put the file (SHA-256 {source.sha256}) at {path} by hand, or point data_home or "
        f"INFOUNLEARN_DATA to the folder that holds {source.folder}/",
    )
    problems.raise_if_any()
    return path


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


class _WrongFile(Exception):
    """An address answered with bytes that are not the expected file."""


def _download(
    url: str, path: Path, expected: str, progress: Progress | None, timeout: float
) -> None:
    """Put the file at ``url`` to ``path`` if and only if its SHA-256 is ``expected``."""
    path.parent.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256()
    request = urllib.request.Request(url, headers={"User-Agent": "infounlearn"})
    # In the same folder, so that the final rename stays on one file system and is atomic.
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with (
            os.fdopen(handle, "wb") as file,
            urllib.request.urlopen(request, timeout=timeout) as reply,
        ):
            length = reply.headers.get("Content-Length")
            total = int(length) if length else None
            done = 0
            while chunk := reply.read(_CHUNK):
                file.write(chunk)
                digest.update(chunk)
                done += len(chunk)
                if progress is not None:
                    progress(done, total)
        if total is not None and done != total:
            raise _WrongFile(f"cut short after {done} of {total} bytes")
        if digest.hexdigest() != expected:
            raise _WrongFile(f"SHA-256 is {digest.hexdigest()}, expected {expected}")
        os.replace(temporary, path)
    finally:
        Path(temporary).unlink(missing_ok=True)
