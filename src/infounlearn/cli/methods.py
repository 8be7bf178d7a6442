"""Published methods on a command line: ``--method NAME`` and the settings of each.

Every setting of every method is an option; the help shows those of the chosen method alone, since
all of them together are longer than anybody reads.
"""

from __future__ import annotations

from dataclasses import field, make_dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from infounlearn.cli.parsing import as_words
from infounlearn.errors import Problems
from infounlearn.point.methods import METHODS


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
        "method: a published method, instead of objective, restart, stop and schedule; "
        "--method NAME --help shows its options.",
        *(
            f"{name.replace('-', '_')}: with --method {name}: {kind.paper}."
            for name, kind in METHODS.items()
        ),
    ]
    options.__doc__ = "\n    ".join(
        ["Published methods.\n\n    Attributes:", *("    " + line for line in lines)]
    )
    return options


if TYPE_CHECKING:
    MethodOptions = Any
else:
    MethodOptions = method_options()


def with_help_of(kind: Any, words: list[str]) -> Any:
    """``kind`` as the help shows it: with the settings of the method that ``words`` name."""
    named = [after for word, after in pairwise(words) if word == "--method"]
    named += [word.removeprefix("--method=") for word in words if word.startswith("--method=")]
    options = method_options(named[-1] if named else "")
    row = ("methods", Annotated[options, tyro.conf.arg(name="")], field(default_factory=options))
    told = make_dataclass(kind.__name__, [row], bases=(kind,), frozen=True)
    told.__doc__ = kind.__doc__
    return told


def chosen_method(options: Any, others: list[str]) -> Any:
    """The method that was asked for, checked; None where none was.

    Args:
        options: the dataclass of :func:`method_options`.
        others: words that set options of the default, which a published method does not have.

    Raises:
        InputError: a setting out of range, or an option of something that was not chosen.
    """
    problems = Problems("points")
    own = None if options.method is None else options.method.replace("-", "_")
    usual = type(options)()
    unread = as_words(replace(options, method=None, **({own: getattr(usual, own)} if own else {})))
    for word in (*unread, *(others if own else ())):
        if word.startswith("--"):
            name = word.removeprefix("--").split(".")[0]
            is_other = name in METHODS
            problems.require(
                False,
                f"{word} has no effect "
                + (f"with --method {options.method}" if own else "without --method"),
                fix=f"add --method {name}, or leave it out"
                if is_other and not own
                else "leave it out",
            )
    method = None if own is None else getattr(options, own)
    if method is not None:
        method.check(problems)
    problems.raise_if_any()
    return method
