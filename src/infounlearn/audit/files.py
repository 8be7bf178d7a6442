"""Saved outputs: what any framework can write and this audit can read, without pickle."""

from __future__ import annotations

import json
import os
import tempfile
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from infounlearn.audit.checks import check_outputs
from infounlearn.errors import InputError, Problems
from infounlearn.interface import Outputs, OutputSet

# A bare .npy array is no context manager and has no files: it comes as one of the last two.
_NO_ARCHIVE = (zipfile.BadZipFile, zlib.error, AttributeError, TypeError)

FORMAT = 1
"""Version of the layout; files of another version are refused."""


def save_outputs(outputs: Outputs, path: str | os.PathLike[str]) -> Path:
    """Write ``outputs`` to ``path``, whole or not at all.

    Layout of ``.npz``: one array per entry, ``<set>/outputs``, ``<set>/targets`` and optionally
    ``<set>/groups``, and ``meta``, a JSON text with name, task, hashes and seconds. Layout of
    ``.parquet``: one row per record with the columns ``set``, ``outputs``, ``targets``, ``groups``,
    and the same JSON under the key ``infounlearn`` of the schema. Only the arrays are needed to
    audit outputs of another framework.

    Returns:
        The path written.

    Raises:
        InputError: unknown suffix, invalid outputs, or a folder that cannot be written.
    """
    target = Path(path)
    problems = Problems("save_outputs")
    check_outputs(outputs, problems)
    _require_suffix(target, problems)
    writable = target.parent.is_dir() and os.access(target.parent, os.W_OK)
    problems.require(
        writable, f"cannot write into the folder {target.parent}", fix="create it or pick another"
    )
    problems.raise_if_any()
    handle, name = tempfile.mkstemp(dir=target.parent, suffix=target.suffix)
    os.close(handle)
    temporary = Path(name)
    try:
        (_write_npz if target.suffix == ".npz" else _write_parquet)(outputs, temporary)
        os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)
    return target


def load_outputs(path: str | os.PathLike[str]) -> Outputs:
    """Read and check outputs written by :func:`save_outputs` or by another framework.

    Raises:
        InputError: the file is missing, truncated, of another layout, holds pickled objects, or
            its outputs cannot be audited.
    """
    source = Path(path)
    problems = Problems("load_outputs")
    _require_suffix(source, problems)
    problems.require(source.is_file(), f"there is no file {source}", fix="check the path")
    problems.raise_if_any()
    outputs = _read_npz(source) if source.suffix == ".npz" else _read_parquet(source)
    check_outputs(outputs, problems)
    problems.raise_if_any()
    return outputs


def _require_suffix(path: Path, problems: Problems) -> None:
    problems.require(
        path.suffix in (".npz", ".parquet"),
        f"unknown kind of file {path.name!r}",
        fix="use .npz or .parquet",
    )


def _meta(outputs: Outputs) -> str:
    return json.dumps(
        {
            "format": FORMAT,
            "name": outputs.name,
            "task": outputs.task,
            "hashes": dict(outputs.hashes),
            "seconds": outputs.seconds,
        }
    )


def _write_npz(outputs: Outputs, path: Path) -> None:
    arrays: dict[str, Any] = {"meta": np.array(_meta(outputs))}
    for name, part in outputs.sets.items():
        arrays[f"{name}/outputs"] = part.outputs
        arrays[f"{name}/targets"] = part.targets
        if part.groups is not None:
            arrays[f"{name}/groups"] = part.groups
    np.savez(path, **arrays)


def _read_npz(path: Path) -> Outputs:
    try:
        # A stream of our own: np.load leaves a file open that turns out to be no archive.
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as archive:
            arrays = {key: archive[key] for key in archive.files}
    except (OSError, ValueError, EOFError, KeyError, *_NO_ARCHIVE) as error:
        raise InputError(
            f"load_outputs: cannot read {path} ({error}): it is truncated, is no .npz file, or"
            " holds pickled objects, which are never loaded; write plain arrays with save_outputs"
        ) from error
    meta = _parse(str(arrays.pop("meta", "{}")), path)
    sets = {}
    for name in sorted({key.partition("/")[0] for key in arrays}):
        sets[name] = _part(
            {
                key.partition("/")[2]: value
                for key, value in arrays.items()
                if key.startswith(name + "/")
            },
            name,
            path,
        )
    return _assemble(meta, sets, path)


def _write_parquet(outputs: Outputs, path: Path) -> None:
    arrow, parquet = _pyarrow()
    names, shown, targets, groups = [], [], [], []
    grouped = all(part.groups is not None for part in outputs.sets.values())
    for name, part in outputs.sets.items():
        names += [name] * len(part)
        shown += list(part.outputs)
        targets += list(part.targets)
        if grouped and part.groups is not None:
            groups += list(part.groups)
    columns: dict[str, Any] = {"set": names, "outputs": shown, "targets": targets}
    if grouped:
        columns["groups"] = groups
    table = arrow.table(columns).replace_schema_metadata({"infounlearn": _meta(outputs)})
    parquet.write_table(table, path)


def _read_parquet(path: Path) -> Outputs:
    arrow, parquet = _pyarrow()
    try:
        table = parquet.read_table(path)
    except (OSError, arrow.ArrowException) as error:
        raise InputError(
            f"load_outputs: cannot read {path} ({error}): it is truncated or no .parquet file;"
            " write it with save_outputs"
        ) from error
    missing = {"set", "outputs", "targets"} - set(table.column_names)
    if missing:
        raise InputError(
            f"load_outputs: {path} lacks the columns {sorted(missing)}:"
            " give every record a set, its outputs (a list of numbers) and its target"
        )
    meta = _parse((table.schema.metadata or {}).get(b"infounlearn", b"{}").decode(), path)
    names = np.asarray(table["set"].to_pylist())
    sets = {}
    for name in sorted(set(names.tolist())):
        rows = table.filter(arrow.array(names == name))
        arrays = {}
        for key in ("outputs", "targets", "groups"):
            if key in table.column_names:
                arrays[key] = _stack(rows[key], key, name, path)
        sets[name] = _part(arrays, name, path)
    return _assemble(meta, sets, path)


def _stack(column: Any, key: str, name: str, path: Path) -> np.ndarray:
    try:
        return np.array(column.to_pylist())
    except ValueError as error:
        raise InputError(
            f"load_outputs: {path}: rows of {name}/{key} differ in length:"
            " give every record the same number of outputs"
        ) from error


def _part(arrays: dict[str, np.ndarray], name: str, path: Path) -> OutputSet:
    known = {"outputs", "targets"} <= arrays.keys() <= {"outputs", "targets", "groups"}
    numeric = known and all(np.issubdtype(a.dtype, np.number) for a in arrays.values())
    if not numeric:
        raise InputError(
            f"load_outputs: {path}: the set {name!r} holds {sorted(arrays)}:"
            " it needs the numeric arrays outputs and targets, and may have groups"
        )
    return OutputSet(
        arrays["outputs"].astype(np.float64, copy=False), arrays["targets"], arrays.get("groups")
    )


def _parse(text: str, path: Path) -> dict[str, Any]:
    try:
        meta = json.loads(text)
    except json.JSONDecodeError as error:
        raise InputError(
            f"load_outputs: {path}: its meta entry is no JSON: write it with save_outputs"
        ) from error
    if not isinstance(meta, dict) or meta.get("format", FORMAT) != FORMAT:
        raise InputError(
            f"load_outputs: {path}: its meta entry is not of format {FORMAT}:"
            " write it with this version of save_outputs"
        )
    return meta


def _assemble(meta: dict[str, Any], sets: dict[str, OutputSet], path: Path) -> Outputs:
    floating = any(np.issubdtype(part.targets.dtype, np.floating) for part in sets.values())
    seconds = meta.get("seconds")
    return Outputs(
        name=str(meta.get("name", path.stem)),
        task=meta.get("task", "regression" if floating else "classification"),
        sets=sets,
        hashes={str(key): str(value) for key, value in dict(meta.get("hashes", {})).items()},
        seconds=None if seconds is None else float(seconds),
    )


def _pyarrow() -> tuple[Any, Any]:
    """pyarrow and its parquet part, imported only here: it is optional and slow to load."""
    try:
        import pyarrow
        import pyarrow.parquet as parquet
    except ImportError as error:
        raise InputError(
            "reading .parquet needs pyarrow: pip install 'infounlearn[parquet]', or use .npz"
        ) from error
    return pyarrow, parquet
