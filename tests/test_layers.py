"""Which room may import which, read from the source: no import is executed."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import infounlearn

PACKAGE = Path(infounlearn.__file__).parent
ROOT = {"interface", "errors", "files", "provenance"}

MAY_IMPORT = {
    "interface": set(),
    "errors": set(),
    "files": {"errors"},
    "__main__": {"cli"},
    "provenance": {"errors"},
    "math": {"interface", "errors"},
    "data": {"interface", "errors"},
    # Both read record sets of any form, in one way: data/reading.py.
    "point": {"interface", "errors", "files", "math", "data"},
    "feature": {"interface", "errors", "files", "math", "data"},
    "audit": {"interface", "errors", "math", "data"},
    "report": {"interface", "errors"},
    "experiments": {*ROOT, "math", "point", "feature", "audit", "data", "report"},
    "cli": {*ROOT, "math", "point", "feature", "audit", "data", "report", "experiments"},
}
"""Rooms of ours that each room may import, beside itself and the bare package (for its version)."""

FORBIDDEN = {
    "interface": {"torch", "numpy", "scipy", "sklearn"},
    "errors": {"torch", "numpy", "scipy", "sklearn"},
    "provenance": {"torch", "numpy", "scipy", "sklearn"},
    "report": {"torch", "sklearn"},
    "math": {"logging", "pathlib", "os", "rich", "safetensors", "random"},
    "data": {"rich", "tyro"},
    "audit": {"rich", "tyro"},
    "point": {"tyro", "sklearn"},
    # Tables come in any library's frames and go back in them: through narwhals alone.
    "feature": {"tyro", "pandas", "polars"},
}
"""Modules of others that a room may not import, unless for typing only."""


def room_of(path: Path) -> str:
    """math/laws.py is in the room math, errors.py in the room errors."""
    parts = path.relative_to(PACKAGE).parts
    return parts[0] if len(parts) > 1 else path.stem


SOURCES = sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")


def imports(tree: ast.AST, *, typing_only: bool = True) -> Iterator[str]:
    """Dotted names of everything imported, inside functions too; relative ones keep their dots."""
    skipped: set[ast.AST] = set()
    for node in ast.walk(tree):
        if not typing_only and isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            skipped |= {inner for statement in node.body for inner in ast.walk(statement)}
        if node in skipped:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            home = "." * node.level + (node.module or "")
            yield from (f"{home}.{alias.name}" for alias in node.names)


def violations(source: str, room: str) -> list[str]:
    """Imports of ``source`` that ``room`` may not make."""
    tree = ast.parse(source)
    found = []
    for name in imports(tree):
        parts = name.split(".")
        ours = parts[0] == "infounlearn" and len(parts) > 1 and parts[1] in MAY_IMPORT
        if (ours and parts[1] not in MAY_IMPORT[room] | {room}) or name.startswith("."):
            found.append(name)
    found += [
        name
        for name in imports(tree, typing_only=False)
        if name.split(".")[0] in FORBIDDEN.get(room, set())
    ]
    return found


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_room_imports_only_what_it_may(path: Path) -> None:
    assert violations(path.read_text(encoding="utf-8"), room_of(path)) == []


def test_every_room_has_its_rule() -> None:
    assert {room_of(path) for path in SOURCES} <= set(MAY_IMPORT)


@pytest.mark.parametrize(
    ("room", "source"),
    [
        ("audit", "from infounlearn.point import unlearn"),
        ("audit", "def f():\n    import infounlearn.point.engine"),
        ("math", "from infounlearn import audit"),
        ("math", "import logging"),
        ("data", "from infounlearn.math import mutual_information"),
        ("report", "import torch.nn"),
        ("report", "from infounlearn.experiments import case"),
        ("interface", "import numpy as np"),
        ("experiments", "from infounlearn.cli import main"),
        ("point", "from . import engine"),
    ],
)
def test_the_rule_sees_a_violation(room: str, source: str) -> None:
    assert len(violations(source, room)) == 1


@pytest.mark.parametrize(
    ("room", "source"),
    [
        ("interface", "if TYPE_CHECKING:\n    import numpy as np"),
        ("report", "from infounlearn import __version__"),
        ("audit", "from infounlearn.math import score_information"),
    ],
)
def test_the_rule_lets_pass_what_is_allowed(room: str, source: str) -> None:
    assert violations(source, room) == []


@pytest.mark.parametrize(
    "path",
    [path for path in SOURCES if room_of(path) == "math"],
    ids=lambda path: path.name,
)
def test_mathematics_defines_no_module_and_opens_no_file(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            assert not any("Module" in ast.dump(base) for base in node.bases), node.name
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id not in {"open", "print"}, f"line {node.lineno}"
        if isinstance(node, ast.Attribute) and node.attr in {"manual_seed", "set_rng_state"}:
            pytest.fail(f"line {node.lineno}: a global generator is touched")
