"""A record as plain JSON, and back, without losing anything.

JSON knows neither tuples nor infinities. Arrays are therefore read as tuples, and a non-finite
number is written as ``null``; what that would lose stands in ``restore``: the JSON pointers of
the arrays that were lists, and of the numbers that were ``inf``, ``-inf`` or ``nan``. A reader in
another language may ignore ``restore`` and still meets only standard JSON.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from infounlearn import __version__
from infounlearn.errors import InputError, Problems
from infounlearn.interface import Audit, Curve, Finding, Null, Record, RunSummary, Verdict

FORMAT = "infounlearn-record"
SCHEMA_VERSION = 1
_NONFINITE = {"inf": math.inf, "-inf": -math.inf, "nan": math.nan}
_SHOWN = 5


@cache
def schema(file: str = "record.schema.json") -> dict[str, Any]:
    """The JSON schema (draft 2020-12) of ``record.json``, as shipped in the package."""
    text = files("infounlearn.report").joinpath(file).read_text(encoding="utf-8")
    loaded: dict[str, Any] = json.loads(text)
    return loaded


def content_hash(document: Mapping[str, Any]) -> str:
    """SHA-256 of the canonical JSON of everything but ``content_sha256`` itself.

    Canonical: keys sorted, no spaces, ASCII escapes, numbers as Python's shortest repr.
    """
    rest = {key: value for key, value in document.items() if key != "content_sha256"}
    text = json.dumps(rest, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def encode(record: Record) -> dict[str, Any]:
    """``record`` as a JSON document, checked against the schema.

    Raises:
        InputError: a value has no place in JSON, a curve's coordinates do not match, or a field
            has the wrong type; every problem is listed.
    """
    problems = Problems("write_report")
    _check_curves(record, problems)
    document = seal(record, problems, format_name=FORMAT, version=SCHEMA_VERSION)
    validate(document, where="write_report")
    return document


def seal(value: Any, problems: Problems, *, format_name: str, version: int) -> dict[str, Any]:
    """The dataclass ``value`` as a JSON document with its origin and its hash, not yet validated.

    Raises:
        InputError: ``problems`` holds some, or a value has no place in JSON.
    """
    plain = _Plain(problems)
    body = {
        field.name: plain(getattr(value, field.name), "/" + field.name) for field in fields(value)
    }
    problems.raise_if_any()
    document = {
        "format": format_name,
        "schema_version": version,
        "written_by": f"infounlearn {__version__}",
        **body,
        "restore": {"lists": plain.lists, "nonfinite": plain.nonfinite},
    }
    document["content_sha256"] = content_hash(document)
    return document


def unseal(document: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    """The parts called ``names`` of a valid document, tuples and infinities restored."""
    restore = document["restore"]
    thaw = _Thaw(frozenset(restore["lists"]), restore["nonfinite"])
    return {name: thaw(document[name], "/" + name) for name in names}


def decode(document: Mapping[str, Any]) -> Record:
    """The record that a valid ``document`` (see :func:`validate`) was made of."""
    body = unseal(document, [field.name for field in fields(Record)])
    audit = body["audit"]
    return Record(
        title=body["title"],
        audit=Audit(
            **{
                **audit,
                "verdicts": tuple(Verdict(**verdict) for verdict in audit["verdicts"]),
                "findings": tuple(_finding(finding) for finding in audit["findings"]),
                "curves": tuple(Curve(**curve) for curve in audit["curves"]),
            }
        ),
        run=None if body["run"] is None else RunSummary(**body["run"]),
        provenance=body["provenance"],
    )


def validate(document: object, *, where: str, file: str = "record.schema.json") -> None:
    """Raise one ``InputError`` listing where ``document`` departs from the schema in ``file``."""
    from jsonschema import Draft202012Validator

    validator = Draft202012Validator(schema(file))
    errors = sorted(validator.iter_errors(document), key=lambda e: e.json_path)
    problems = Problems(where)
    for error in errors[:_SHOWN]:
        problems.add(f"{error.json_path}: {error.message[:200]}", fix=f"see {file}")
    if len(errors) > _SHOWN:
        problems.add(
            f"{len(errors) - _SHOWN} more of the same kind", fix="repair those above first"
        )
    problems.raise_if_any()


def check_hash(document: Mapping[str, Any], *, where: str) -> None:
    """Raise ``InputError`` where the content is not the one that was hashed."""
    if document["content_sha256"] != content_hash(document):
        raise InputError(
            f"{where}: the content does not match its content_sha256, so it was changed after it "
            "was written: use the original file, or write the record anew"
        )


def _finding(plain: dict[str, Any]) -> Finding:
    null = plain["null"]
    return Finding(**{**plain, "null": None if null is None else Null(**null)})


def _check_curves(record: Record, problems: Problems) -> None:
    for curve in record.audit.curves:
        expected = len(curve.y) + (curve.style == "histogram")
        problems.require(
            len(curve.x) == expected,
            f"curve {curve.panel!r}, {curve.label!r} has {len(curve.x)} x for {len(curve.y)} y",
            fix=f"pass {expected} x (a histogram has one edge more than heights)",
        )


def _pointer(path: str, key: object) -> str:
    return f"{path}/{str(key).replace('~', '~0').replace('/', '~1')}"


class _Plain:
    """Turns values into JSON ones; remembers what ``restore`` needs and what cannot be written."""

    def __init__(self, problems: Problems) -> None:
        self.problems = problems
        self.lists: list[str] = []
        self.nonfinite: dict[str, str] = {}

    def __call__(self, value: object, path: str) -> Any:
        if value is None or isinstance(value, (bool, str)):
            return value
        if isinstance(value, (int, float)):
            return self._number(value, path)
        if is_dataclass(value) and not isinstance(value, type):
            return {
                f.name: self(getattr(value, f.name), _pointer(path, f.name)) for f in fields(value)
            }
        if isinstance(value, Mapping):
            return self._mapping(value, path)
        if isinstance(value, (list, tuple)):
            if isinstance(value, list):
                self.lists.append(path)
            return [self(item, _pointer(path, i)) for i, item in enumerate(value)]
        if isinstance(value, os.PathLike):
            return os.fspath(value)
        # NumPy and torch scalars, met without importing either.
        if getattr(value, "ndim", None) == 0 and hasattr(value, "item"):
            return self(value.item(), path)
        self.problems.add(
            f"{path} holds a {type(value).__name__}",
            fix="put a number, text, tuple or mapping there",
            why="it has no place in JSON",
        )
        return None

    def _number(self, value: int | float, path: str) -> int | float | None:
        # Subclasses such as numpy.float64 and IntEnum become plain numbers.
        number = int(value) if isinstance(value, int) else float(value)
        if math.isfinite(number):
            return number
        self.nonfinite[path] = str(number)
        return None

    def _mapping(self, value: Mapping[Any, object], path: str) -> dict[str, Any]:
        for key in value:
            self.problems.require(
                isinstance(key, str), f"{path} has the key {key!r}", fix="make every key a text"
            )
        return {str(key): self(item, _pointer(path, key)) for key, item in value.items()}


class _Thaw:
    """The way back: arrays to tuples (or lists where noted), noted nulls to non-finite numbers."""

    def __init__(self, lists: frozenset[str], nonfinite: Mapping[str, str]) -> None:
        self.lists = lists
        self.nonfinite = nonfinite

    def __call__(self, value: Any, path: str) -> Any:
        if value is None and path in self.nonfinite:
            return _NONFINITE[self.nonfinite[path]]
        if isinstance(value, dict):
            return {key: self(item, _pointer(path, key)) for key, item in value.items()}
        if isinstance(value, list):
            items = [self(item, _pointer(path, i)) for i, item in enumerate(value)]
            return items if path in self.lists else tuple(items)
        return value
