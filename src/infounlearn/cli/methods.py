"""Methods on a command line: ``--method NAME`` and the settings of each; and what a help shows.

Every setting of every method and of the information engine is an option; the help shows those of
the chosen one alone, since all of them together are longer than anybody reads.
"""

from __future__ import annotations

from dataclasses import MISSING, field, fields, make_dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from infounlearn.cli.choices import Choices, ScheduleOptions, engine_words
from infounlearn.cli.parsing import as_words, option_of
from infounlearn.errors import Problems
from infounlearn.point.methods import METHODS, RestartTeacher


def method_options(shown: str | None = None) -> Any:
    """A dataclass of ``method`` and one field per method, which holds its settings.

    Args:
        shown: leave out the settings of all other methods; "" leaves out all.
    """
    rows: list[Any] = [("method", Literal[tuple(METHODS)] | None, None)]
    for name, kind in METHODS.items():
        hidden = shown is not None and name != shown
        told = Annotated[kind, tyro.conf.Suppress] if hidden else kind
        rows.append((name.replace("-", "_"), told, field(default_factory=kind)))
    options = make_dataclass("MethodOptions", rows, frozen=True)
    lines = [
        f"method: how to unlearn; without it, and without options of the information engine, "
        f"{RestartTeacher.name}. Beside --help the settings of the method are shown.",
        *(
            f"{name.replace('-', '_')}: with --method {name}: {kind.paper}."
            for name, kind in METHODS.items()
        ),
    ]
    options.__doc__ = "\n    ".join(
        ["Methods.\n\n    Attributes:", *("    " + line for line in lines)]
    )
    return options


if TYPE_CHECKING:
    MethodOptions = Any
else:
    MethodOptions = method_options()


def with_help_of(kind: Any, words: list[str]) -> Any:
    """``kind`` as the help shows it: with the settings of what ``words`` name, and no others."""
    named = [after for word, after in pairwise(words) if word == "--method"]
    named += [word.removeprefix("--method=") for word in words if word.startswith("--method=")]
    options = method_options(named[-1] if named else "")
    rows: list[Any] = [_unnamed("methods", options)]
    if not engine_words(words):
        rows.append(_unnamed("how", _without_settings(Choices)))
        hidden = Annotated[ScheduleOptions, tyro.conf.Suppress]
        rows.append(("schedule", hidden, field(default_factory=ScheduleOptions)))
    told = make_dataclass(kind.__name__, rows, bases=(kind,), frozen=True)
    told.__doc__ = kind.__doc__
    return told


def _unnamed(name: str, kind: Any) -> Any:
    """A field whose options bear no name of its own."""
    return (name, Annotated[kind, tyro.conf.arg(name="")], field(default_factory=kind))


def _without_settings(kind: Any) -> Any:
    """``kind`` whose help leaves out the options with a dot."""
    rows: list[Any] = [
        (
            one.name,
            Annotated[one.default_factory, tyro.conf.Suppress],
            field(default_factory=one.default_factory),
        )
        for one in fields(kind)
        if one.default_factory is not MISSING
    ]
    hidden = make_dataclass(kind.__name__, rows, bases=(kind,), frozen=True)
    hidden.__doc__ = kind.__doc__
    return hidden


def chosen_method(options: Any, engine: list[str]) -> Any:
    """The method that was asked for, checked; the default where nothing was; None for the engine.

    Args:
        options: the dataclass of :func:`method_options`.
        engine: words that ask for the information engine.

    Raises:
        InputError: a setting out of range, or an option of something that was not chosen.
    """
    problems, given = Problems("points"), options.method
    name = given or (None if engine else RestartTeacher.name)
    own = None if name is None else name.replace("-", "_")
    usual = type(options)()
    unread = as_words(replace(options, method=None, **({own: getattr(usual, own)} if own else {})))
    chosen = f"with --method {given}" if given else f"with {engine[0]}" if engine else ""
    for word in (*unread, *(engine if given else ())):
        other = option_of(word)
        if other is not None:
            problems.add(
                f"{word} has no effect {chosen or 'without --method'}",
                fix="leave it out" if chosen else f"add --method {other}, or leave it out",
            )
    method = None if own is None else getattr(options, own)
    if method is not None:
        method.check(problems)
    problems.raise_if_any()
    return method
