"""From words to a dataclass of options and back, with one message for whatever is wrong."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from contextlib import redirect_stderr
from dataclasses import fields, is_dataclass
from io import StringIO
from pathlib import Path
from typing import Any, TypeVar

from infounlearn.errors import InputError

Options = TypeVar("Options")


def parse(kind: type[Options], words: Sequence[str], command: str) -> Options:
    """Options of type ``kind`` from command line words; the last of repeated ones wins.

    Raises:
        InputError: a word that tyro does not understand.
        SystemExit: help was asked for and printed.
    """
    import tyro

    said = StringIO()
    try:
        with redirect_stderr(said):
            return tyro.cli(
                kind,
                args=list(words),
                prog=f"infounlearn {command}",
                config=(tyro.conf.FlagCreatePairsOff,),
            )
    except SystemExit as stop:
        if not stop.code:
            raise
        raise InputError(_plain(said.getvalue(), command)) from None


def as_words(options: Any, *, prefix: str = "") -> list[str]:
    """The words that give ``options`` (a dataclass with a default for every field).

    Only fields that differ from their default are named.
    """
    words: list[str] = []
    usual = type(options)()
    for field in fields(options):
        value, name = getattr(options, field.name), f"{prefix}{field.name.replace('_', '-')}"
        if is_dataclass(value) and not isinstance(value, type):
            words += as_words(value, prefix=f"{name}.")
        elif value != getattr(usual, field.name):
            words += words_of(name, value)
    return words


def words_of(name: str, value: Any) -> list[str]:
    """The words that set option ``name``; a switch is named where it is on."""
    if isinstance(value, bool):
        return [f"--{name}"] if value else []
    several = isinstance(value, tuple | list)
    return [f"--{name}", *(str(one) for one in (value if several else (value,)))]


def option_of(word: str) -> str | None:
    """What stands before the dot or the equals sign of an option; None for a value."""
    if not word.startswith("--"):
        return None
    return word.removeprefix("--").split("=")[0].split(".")[0].replace("_", "-")


def without(words: Sequence[str], names: Collection[str]) -> list[str]:
    """``words`` without the options ``names``, settings of theirs and values."""
    kept: list[str] = []
    drop = False
    for word in words:
        name = option_of(word)
        drop = drop if name is None else name in names
        if not drop:
            kept.append(word)
    return kept


def as_plain(options: Any) -> dict[str, Any]:
    """Options as JSON values, nested as they are."""
    found: dict[str, Any] = {}
    for field in fields(options):
        value = getattr(options, field.name)
        if is_dataclass(value) and not isinstance(value, type):
            found[field.name] = as_plain(value)
        elif isinstance(value, tuple):
            found[field.name] = [str(one) if isinstance(one, Path) else one for one in value]
        else:
            found[field.name] = str(value) if isinstance(value, Path) else value
    return found


def read_config(path: Path, command: str) -> list[str]:
    """The words that repeat the run whose ``run.json`` (or ``record.json``) is ``path``.

    Raises:
        InputError: no such file, no JSON, or it holds no options of this command.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"config: cannot read {path} ({error.strerror}): check the path") from None
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise InputError(
            f"config: {path} is no JSON ({error}): pass the run.json of an earlier run"
        ) from None
    if isinstance(document, dict) and "provenance" in document:
        document = document["provenance"]
    options = document.get("options") if isinstance(document, dict) else None
    if not isinstance(options, dict) or not options:
        raise InputError(
            f"config: {path} holds no options: pass the run.json that 'infounlearn {command}' wrote"
        )
    return _flat(options)


def _flat(options: Mapping[str, Any], prefix: str = "") -> list[str]:
    words: list[str] = []
    for key, value in options.items():
        name = f"{prefix}{str(key).replace('_', '-')}"
        if isinstance(value, Mapping):
            words += _flat(value, f"{name}.")
        elif value is not None and value != []:
            words += words_of(name, value)
    return words


def _plain(text: str, command: str) -> str:
    """What tyro says is wrong, without its box, its title and the help it repeats."""
    lines = [line.strip(" │╭╮╰╯─") for line in text.splitlines()]
    told, near = [line for line in lines[1:] if line], ""
    for index, line in enumerate(told):
        if line.startswith(("Argument helptext", "For full helptext", "Perhaps you meant")):
            if line.startswith("Perhaps") and index + 1 < len(told):
                near = f"; perhaps you meant {told[index + 1]}"
            told = told[:index]
            break
    message = " ".join(told) or "the options could not be read"
    return f"{message}{near}; see infounlearn {command} --help"
