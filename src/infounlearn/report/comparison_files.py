"""A comparison as ``record.json``, ``report.html`` and ``card.md``, and back."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from infounlearn.errors import Problems
from infounlearn.interface import Record
from infounlearn.report import codec, files
from infounlearn.report.comparison import (
    ComparedCase,
    ComparedMethod,
    ComparedRun,
    Comparison,
    Entry,
    Yardstick,
)
from infounlearn.report.comparison_check import check

FORMAT = "infounlearn-comparison"
SCHEMA_VERSION = 1
SCHEMA = "comparison.schema.json"
_FORMATS = ("record", "html", "card")


def write_comparison(
    comparison: Comparison,
    out_dir: str | os.PathLike[str],
    *,
    formats: Sequence[str] = _FORMATS,
) -> Path:
    """Write ``record.json``, ``report.html`` and ``card.md`` of a comparison, all or none.

    As :func:`infounlearn.report.write_report` does it: everything is rendered before a file
    changes, an earlier comparison is replaced, any other file of that name left alone, and the
    same comparison gives the same bytes.

    Args:
        comparison: what to write; see :mod:`infounlearn.report.comparison`.
        out_dir: folder; made, with its parents, where it does not exist.
        formats: any of "record", "html" and "card".
    Returns:
        Path of ``report.html``, or of the first file written where "html" is not among them.
    Raises:
        InputError: the comparison is incomplete or contradicts itself, holds what JSON cannot, or
            the folder cannot be written; every problem is listed.
    """
    return files.write_files(
        lambda: _renderers(comparison), out_dir, formats=formats, format_name=FORMAT
    )


def check_comparison_folder(
    out_dir: str | os.PathLike[str], *, formats: Sequence[str] = _FORMATS
) -> None:
    """Try whether :func:`write_comparison` may write into ``out_dir``; leaves no trace.

    Raises:
        InputError: as :func:`write_comparison` would raise.
    """
    files.check_folder(out_dir, formats=formats, format_name=FORMAT)


def read_comparison(path: str | os.PathLike[str]) -> Comparison:
    """The comparison in ``path``, a ``record.json`` or the folder that holds one.

    Raises:
        InputError: no such file, not a comparison, of another schema version, or changed after it
            was written.
    """
    document = files.read_document(path, format_name=FORMAT, version=SCHEMA_VERSION)
    where = f"read_comparison, {path}"
    codec.validate(document, where=where, file=SCHEMA)
    codec.check_hash(document, where=where)
    return decode(document)


def read_any(path: str | os.PathLike[str]) -> Record | Comparison:
    """Whatever this package wrote as ``path``: a record or a comparison, or the folder of one.

    Raises:
        InputError: as :func:`read_comparison` and :func:`infounlearn.report.read_record` do.
    """
    _, document = files.load(path)
    compared = isinstance(document, dict) and document.get("format") == FORMAT
    return read_comparison(path) if compared else files.read_record(path)


def encode(comparison: Comparison) -> dict[str, Any]:
    """``comparison`` as a JSON document, checked against its contract and the schema.

    Raises:
        InputError: every problem is listed.
    """
    problems = Problems("write_comparison")
    check(comparison, problems)
    document = codec.seal(comparison, problems, format_name=FORMAT, version=SCHEMA_VERSION)
    codec.validate(document, where="write_comparison", file=SCHEMA)
    return document


def decode(document: Mapping[str, Any]) -> Comparison:
    """The comparison that a valid ``document`` was made of."""
    body = codec.unseal(document, [field.name for field in fields(Comparison)])
    cases = tuple(
        ComparedCase(**{**case, "yardsticks": tuple(Yardstick(**y) for y in case["yardsticks"])})
        for case in body["cases"]
    )
    parts = {
        "cases": cases,
        "methods": tuple(ComparedMethod(**method) for method in body["methods"]),
        "entries": tuple(Entry(**entry) for entry in body["entries"]),
        "runs": tuple(ComparedRun(**run) for run in body["runs"]),
    }
    return Comparison(**{**body, **parts})


def _renderers(comparison: Comparison) -> dict[str, Callable[[], str]]:
    # Imported here: reading a comparison needs no Jinja2.
    from infounlearn.report.comparison_page import render_card, render_page

    document = encode(comparison)
    digest = document["content_sha256"]
    return {
        "record": lambda: json.dumps(document, indent=1, allow_nan=False) + "\n",
        "html": lambda: render_page(comparison, digest),
        "card": lambda: render_card(comparison, digest),
    }
