"""``infounlearn figure``: the paper's own experiments, and comparisons, as commands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from infounlearn.cli.parsing import parse
from infounlearn.cli.show import Watcher, console, print_files, print_json
from infounlearn.errors import InputError
from infounlearn.experiments.figures import FIGURES, figure

if TYPE_CHECKING:
    Name = str
else:
    Name = tyro.extras.literal_type_from_choices(tuple(FIGURES))


IMAGES = "image-barycenter"
"""The figure that shows one attribute of some data."""


@dataclass(frozen=True)
class Figure:
    """Repeat a figure of Xu & Strohmer (2025), arXiv:2502.05684, or compare with other methods.

    Writes drawing, data and record, and prints our numbers beside the published ones, or beside
    what other people's packages reach on the same folds (tabular-frontiers, which needs the extra
    "rivals"). The full protocols take minutes to hours; --quick is under a minute and says so in
    the drawing.

    Try:

        infounlearn figure gaussian-toy --quick
        infounlearn figure mnist-trajectories --out runs/figures
        infounlearn figure tabular-frontiers --quick
        infounlearn figure image-barycenter --attribute Smiling

    Attributes:
        name: which figure.
        attribute: of image-barycenter alone: rotated, inverted or brightness of digits, or an
            attribute of CelebA, which must lie in the data folder.
        data: of image-barycenter alone: digits, or celeba. By default what has the attribute.
        quick: a short form, not the published protocol.
        out: folder of the files.
        seed: of everything random.
        json: print machine-readable results on standard output, everything else on standard error.
    """

    name: Annotated[Name, tyro.conf.Positional]
    attribute: str | None = None
    data: Literal["digits", "celeba"] | None = None
    quick: bool = False
    out: Path = Path("runs/figures")
    seed: int = 0
    json: bool = False


def main(words: Sequence[str]) -> int:
    """Make one figure and return 0."""
    options = parse(Figure, words, "figure")
    from infounlearn.report import check_folder

    given = {"attribute": options.attribute, "data": options.data}
    more = {name: value for name, value in given.items() if value is not None}
    if more and options.name != IMAGES:
        raise InputError(
            f"figure {options.name} takes no --{' or --'.join(more)}: leave it out, or choose "
            f"{IMAGES}"
        )
    check_folder(options.out, formats=("record",))
    screen = console(stderr=True)
    with Watcher(screen).live() as watch:
        watch.stage(f"{options.name}{' (quick)' if options.quick else ''}")
        result = figure(options.name)(
            quick=options.quick, out=options.out, seed=options.seed, progress=watch.step, **more
        )
    shown = console(stderr=options.json)
    from rich.box import SIMPLE_HEAD
    from rich.markup import escape
    from rich.table import Table

    header, *rows = result.table
    table = Table(*map(escape, header), box=SIMPLE_HEAD)
    for row in rows:
        table.add_row(*map(escape, row))
    shown.print(table)
    for note in result.notes:
        shown.print(escape(note), soft_wrap=True)
    print_files(shown, [("written", path) for path in result.files])
    if options.json:
        print_json(
            {
                "figure": options.name,
                "files": [str(path) for path in result.files],
                "table": result.table,
                "notes": result.notes,
            }
        )
    return 0
