"""Writing and reading: everything or nothing, and never over somebody else's file."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from infounlearn.errors import InputError, Problems
from infounlearn.interface import Record
from infounlearn.report import codec

NAMES = {"record": "record.json", "html": "report.html", "card": "card.md"}
_MARKS = {
    "html": 'content="infounlearn ',
    "card": "infounlearn-card",
}
_HEAD = 4096


def write_report(
    record: Record,
    out_dir: str | os.PathLike[str],
    *,
    formats: Sequence[str] = ("record", "html", "card"),
) -> Path:
    """Write ``record.json``, ``report.html`` and ``card.md`` into ``out_dir``, all or none.

    Every file is rendered before the first one changes, and each is put in place in one step; an
    earlier report of this package is replaced, any other file of that name is left alone. The
    same record always gives the same bytes. Files of formats that are not asked for stay as they
    are.

    Args:
        record: what to write.
        out_dir: folder; made, with its parents, where it does not exist.
        formats: any of "record", "html" and "card".
    Returns:
        Path of ``report.html``, or of the first file written where "html" is not among them.
    Raises:
        InputError: the folder cannot be written, a file there is not ours, a format is unknown,
            or the record holds what JSON cannot.
    """
    return write_files(lambda: _renderers(record, codec.encode(record)), out_dir, formats=formats)


def write_files(
    prepare: Callable[[], Mapping[str, Callable[[], str]]],
    out_dir: str | os.PathLike[str],
    *,
    formats: Sequence[str],
    format_name: str = codec.FORMAT,
) -> Path:
    """Write what the renderers that ``prepare`` returns make, all or none (:func:`write_report`).

    ``prepare`` is called once the folder is known to take files; ``format_name`` is that of the
    earlier ``record.json`` that may be replaced.
    """
    folder = Path(out_dir)
    _check(folder, formats, format_name)
    with _workplace(folder) as work:
        renderers = prepare()
        for name in formats:
            _write(work / NAMES[name], renderers[name]())
        _put_in_place(work, folder, [NAMES[name] for name in formats])
    return folder / NAMES["html" if "html" in formats else formats[0]]


def check_folder(
    out_dir: str | os.PathLike[str],
    *,
    formats: Sequence[str] = ("record", "html", "card"),
    format_name: str = codec.FORMAT,
) -> None:
    """Try whether :func:`write_report` may write into ``out_dir``; leaves no trace.

    To be called before hours of work whose report goes there.

    Raises:
        InputError: as :func:`write_report` would raise.
    """
    folder = Path(out_dir)
    _check(folder, formats, format_name)
    with _workplace(folder):
        pass


def read_record(path: str | os.PathLike[str]) -> Record:
    """The record in ``path``, a ``record.json`` or the folder that holds one.

    Raises:
        InputError: no such file, not JSON, not a record, of another schema version, or changed
            after it was written.
    """
    document = read_document(path, format_name=codec.FORMAT, version=codec.SCHEMA_VERSION)
    codec.validate(document, where=f"read_record, {path}")
    codec.check_hash(document, where=f"read_record, {path}")
    return codec.decode(document)


def read_document(
    path: str | os.PathLike[str], *, format_name: str, version: int
) -> dict[str, Any]:
    """The JSON of ``path``, a ``record.json`` or its folder; of this format, not yet validated.

    Raises:
        InputError: no such file, not JSON, of another format or schema version.
    """
    file, document = load(path)
    if not isinstance(document, dict) or document.get("format") != format_name:
        raise InputError(
            f"read_record: {file} is not an {format_name.replace('-', ' ')}: pass a record.json "
            "that write_report made"
        )
    if document.get("schema_version") != version:
        raise InputError(
            f"read_record: {file} has schema version {document.get('schema_version')!r}, this "
            f"package reads {version}: read it with the version that wrote it "
            f"({document.get('written_by', 'unknown')})"
        )
    return document


def load(path: str | os.PathLike[str]) -> tuple[Path, Any]:
    """The file ``path``, or ``record.json`` in that folder, and what its JSON holds.

    Raises:
        InputError: no such file, or not JSON.
    """
    file = Path(path)
    file = file / NAMES["record"] if file.is_dir() else file
    try:
        document = json.loads(file.read_text(encoding="utf-8"), parse_constant=_refuse_constant)
    except OSError as error:
        raise InputError(
            f"read_record: cannot read {file} ({error.strerror}): check the path"
        ) from error
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise InputError(
            f"read_record: {file} is not JSON ({error}): pass a record.json that write_report made"
        ) from error
    return file, document


def _refuse_constant(name: str) -> NoReturn:
    raise InputError(
        f"read_record: the file holds {name}, which is not JSON: pass a record.json that "
        "write_report made"
    )


def _renderers(record: Record, document: dict[str, Any]) -> dict[str, Callable[[], str]]:
    # Imported here: reading a record needs neither Jinja2 nor matplotlib.
    from infounlearn.report.card import render_card
    from infounlearn.report.page import render_page

    digest = document["content_sha256"]
    return {
        "record": lambda: json.dumps(document, indent=1, allow_nan=False) + "\n",
        "html": lambda: render_page(record, digest),
        "card": lambda: render_card(record, digest),
    }


def _check(folder: Path, formats: Sequence[str], format_name: str) -> None:
    marks = {"record": f'"{format_name}"', **_MARKS}
    problems = Problems("write_report")
    problems.require(len(formats) > 0, "formats is empty", fix=f"name some of {', '.join(NAMES)}")
    for name in formats:
        known = problems.require(
            name in NAMES, f"format {name!r} is unknown", fix=f"use some of {', '.join(NAMES)}"
        )
        target = folder / NAMES[name] if known else None
        if target is not None and os.path.lexists(target) and not _ours(target, marks[name]):
            problems.add(
                f"{target} exists and is not ours",
                fix="choose another out_dir, or move that file away",
                why="only an earlier report is overwritten",
            )
    problems.raise_if_any()


def _ours(target: Path, mark: str) -> bool:
    if target.is_symlink() or not target.is_file():
        return False
    try:
        with target.open("rb") as stream:
            return mark.encode() in stream.read(_HEAD)
    except OSError:
        return False


@contextlib.contextmanager
def _workplace(folder: Path) -> Iterator[Path]:
    """A temporary folder inside ``folder``, hence on its file system; leaves no trace."""
    made = [parent for parent in (folder, *folder.parents) if not parent.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(prefix=".infounlearn-", dir=folder))
    except OSError as error:
        _remove_empty(made)
        raise InputError(
            f"write_report: cannot write to {folder} ({error.strerror}): choose a folder you may "
            "write to"
        ) from error
    try:
        yield work
    finally:
        shutil.rmtree(work, ignore_errors=True)
        _remove_empty(made)


def _remove_empty(folders: Sequence[Path]) -> None:
    for folder in folders:
        with contextlib.suppress(OSError):
            folder.rmdir()


def _write(path: Path, text: str) -> None:
    # A path from the command line may hold bytes that are not UTF-8; the page shows them as "?".
    with path.open("w", encoding="utf-8", errors="replace", newline="\n") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())


def _put_in_place(work: Path, folder: Path, names: Sequence[str]) -> None:
    """Replace each file in one step; where one step fails, bring the earlier files back."""
    kept = work / "kept"
    kept.mkdir()
    for name in names:
        if (folder / name).exists():
            shutil.copy2(folder / name, kept / name)
    done: list[str] = []
    try:
        for name in names:
            os.replace(work / name, folder / name)
            done.append(name)
    except OSError as error:
        for name in done:
            if (kept / name).exists():
                os.replace(kept / name, folder / name)
            else:
                (folder / name).unlink()
        raise InputError(
            f"write_report: cannot replace {folder / names[len(done)]} ({error.strerror}): the "
            "earlier report was kept; close the file elsewhere, or choose another folder"
        ) from error
