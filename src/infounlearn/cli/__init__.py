"""``infounlearn demo | points | compare | ...``: options in, a room's work, a code out.

Commands are modules of this room, loaded only when chosen, each with ``main(words) -> int``.
"""

from __future__ import annotations

import difflib
import os
import sys
from collections.abc import Sequence
from importlib import import_module

from infounlearn import __version__
from infounlearn.cli.overview import COMMANDS, overview
from infounlearn.errors import DivergenceError, InputError

OK, FAILED, BAD_INPUT, INTERRUPTED, BROKEN_PIPE = 0, 1, 2, 130, 141


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit code.

    0: done, and nothing speaks against it; 1: a verdict failed, or the run diverged; 2: bad input,
    nothing was written; 3: no verdict could be given; 130: interrupted, the best state so far kept
    where there was one. Errors are one message on standard error.

    Args:
        argv: words after the program's name; those of this process by default.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    try:
        code = _run(words)
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read our output (head, a pager) is gone; Python would complain once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE
    return code


def _run(words: list[str]) -> int:
    if not words:
        print(overview(), file=sys.stderr)
        return BAD_INPUT
    name, rest = words[0], words[1:]
    if name in ("-h", "--help", "help"):
        print(overview())
        return OK
    if name == "--version":
        print(f"infounlearn {__version__}")
        return OK
    if name not in COMMANDS:
        near = difflib.get_close_matches(name, COMMANDS, n=1)
        hint = f"did you mean {near[0]}?" if near else f"choose {', '.join(COMMANDS)}"
        return _refuse("infounlearn", f"unknown command {name!r}: {hint}")
    command = import_module(f"infounlearn.cli.{name}")
    try:
        return int(command.main(rest))
    except InputError as error:
        return _refuse(f"infounlearn {name}", str(error))
    except DivergenceError as error:
        print(f"infounlearn {name}: {error}", file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        print(f"infounlearn {name}: interrupted", file=sys.stderr)
        return INTERRUPTED


def _refuse(who: str, why: str) -> int:
    print(f"{who}: error: {why}", file=sys.stderr)
    return BAD_INPUT
