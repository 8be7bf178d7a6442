"""What a figure leaves behind: drawing, data and a record of how both came to be.

Everything is a function of the seed: no time, host or path enters a file, so two runs with one
seed on one machine write the same bytes.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from infounlearn import __version__, files
from infounlearn.errors import Problems

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Progress = Callable[[int, int, str], None]
"""Called with (steps done, steps in all, what happened)."""

_LIBRARIES = ("torch", "numpy", "scipy", "matplotlib")


@dataclass(frozen=True)
class FigureResult:
    """A finished figure.

    Attributes:
        files: what was written: svg, png, csv and json, in this order.
        table: rows of text, the header first: our numbers beside the published ones.
        notes: plain sentences to be read with the table.
    """

    files: tuple[Path, ...]
    table: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Story:
    """All that a figure tells besides its drawing.

    Attributes:
        name: of the figure, as in the command.
        quick: whether this is the short form, which is not the published protocol.
        seed: given by the user; all others derive from it.
        rows: the data, one mapping per line of the CSV; all with the same keys.
        table: see :class:`FigureResult`.
        notes: see :class:`FigureResult`.
        settings: every number that the result depends on.
        hashes: SHA-256 of the record sets.
        part: what is added to the name of the files, where one figure has several forms.
        options: what is added to the command, for the same reason.
    """

    name: str
    quick: bool
    seed: int
    rows: Sequence[Mapping[str, Any]]
    table: Sequence[Sequence[str]]
    notes: Sequence[str]
    settings: Mapping[str, Any]
    hashes: Mapping[str, str] = field(default_factory=dict)
    part: str = ""
    options: str = ""


def check_folder(out: Path, seed: int) -> None:
    """Create ``out`` and try to write there, before any work.

    Raises:
        InputError: the folder cannot be written or the seed is negative.
    """
    problems = Problems("figure")
    problems.require(seed >= 0, f"seed is {seed}", fix="pass 0 or more")
    files.check_folder(out, "out", problems)
    problems.raise_if_any()
    out.mkdir(parents=True, exist_ok=True)


def write(story: Story, drawing: Figure, out: Path) -> FigureResult:
    """Write drawing, data and record to ``out``; render all of them before writing any.

    A quick figure gets names of its own (``NAME-quick.svg``), so it never replaces a full one.
    """
    stem = story.name + story.part + ("-quick" if story.quick else "")
    contents = {f"{stem}.svg": _render(drawing, "svg"), f"{stem}.png": _render(drawing, "png")}
    contents[f"{stem}.csv"] = _csv(story.rows)
    record = {
        "figure": story.name,
        "command": f"infounlearn figure {story.name}{story.options}{' --quick' * story.quick} "
        f"--seed {story.seed}",
        "quick": story.quick,
        "seed": story.seed,
        "settings": dict(story.settings),
        "table": [list(row) for row in story.table],
        "notes": list(story.notes),
        "data_sha256": dict(story.hashes),
        "files_sha256": {
            name: hashlib.sha256(content).hexdigest() for name, content in contents.items()
        },
        "versions": {
            "infounlearn": __version__,
            "python": platform.python_version(),
            **{name: version(name) for name in _LIBRARIES},
        },
    }
    contents[f"{stem}.json"] = (json.dumps(record, indent=2, ensure_ascii=False) + "\n").encode()
    for name, content in contents.items():
        files.write_atomically(out / name, content)
    written = tuple(out / name for name in contents)
    return FigureResult(written, tuple(tuple(row) for row in story.table), tuple(story.notes))


def as_text(table: Sequence[Sequence[str]]) -> str:
    """A table as aligned plain text: first column left, the others right."""
    widths = [max(len(row[i]) for row in table) for i in range(len(table[0]))]
    lines = []
    for row in table:
        cells = [row[0].ljust(widths[0])]
        cells += [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def _render(drawing: Figure, kind: str) -> bytes:
    buffer = io.BytesIO()
    # Without these, matplotlib writes the date and its own version.
    metadata: dict[str, Any] = {"Date": None} if kind == "svg" else {"Software": None}
    drawing.savefig(buffer, format=kind, dpi=160, metadata=metadata)
    return buffer.getvalue()


def _csv(rows: Sequence[Mapping[str, Any]]) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    # Seven digits: what lies beyond them is rounding, which differs between processors.
    writer.writerows(
        {key: f"{value:.7g}" if isinstance(value, float) else value for key, value in row.items()}
        for row in rows
    )
    return text.getvalue().encode()
