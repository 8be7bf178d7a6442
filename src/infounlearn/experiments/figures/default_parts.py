"""``figure default-parts``: what each part of the default is worth.

The default is a teacher, a student that learns its answers, a rehearsal of what suffers, gradients
damped where retain rows live, and a look at held-out records. Here each is left out or exchanged
while the cost stays the same, and every result is compared with retrained networks: what gets worse
shows what the part was for. The yardstick, and the records it is read on, are those of
``compare points``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from joblib import Parallel, cpu_count, delayed

from infounlearn import __version__, files
from infounlearn.experiments.cases import case
from infounlearn.experiments.compare.gold import PARTS, Gold, build_gold, show
from infounlearn.experiments.figures import default_parts_drawing
from infounlearn.experiments.figures.default_parts_table import as_markdown, table
from infounlearn.experiments.figures.default_parts_variants import (
    VARIANTS,
    run_variant,
    share_spent,
)
from infounlearn.experiments.figures.result import (
    FigureResult,
    Progress,
    Story,
    check_folder,
    write,
)
from infounlearn.experiments.recipe import one_thread
from infounlearn.experiments.requests import comparison_cases

NAME = "default-parts"
CASES = ("75% of class 3", "whole class 3", "random 10%", "random 10%, 20% noise")


@dataclass(frozen=True)
class Design:
    """Size of the study; MNIST is the small form of 12,000 rows, digits are all rows."""

    data: tuple[str, ...] = ("digits", "mnist")
    cases: tuple[str, ...] = CASES
    budgets: tuple[float, ...] = (0.05, 0.2)
    originals: int = 3
    references: int = 8
    variants: tuple[str, ...] = tuple(VARIANTS)


FULL = Design()
QUICK = Design(
    data=("digits",), cases=("75% of class 3", "random 10%"), budgets=(0.05,),
    originals=1, references=3,
)  # fmt: skip


def run(
    quick: bool,
    out: Path,
    seed: int = 0,
    progress: Progress | None = None,
    *,
    design: Design | None = None,
    workers: int | None = None,
) -> FigureResult:
    """Make the table and its figure.

    The full form trains a hundred networks and unlearns 432 times: about half an hour on two
    cores. The networks are kept in ``out``/default-parts-networks.

    Args:
        quick: digits only, two cases, one budget, 1 original and 3 references; under a minute.
        out: folder of the files: the usual four, and the table as Markdown.
        seed: of forget sets and label noise; networks and runs take 0, 1, ... of their own.
        progress: told once per case and once per run.
        design: another size than the two built in.
        workers: processes; default one per core.

    Raises:
        InputError: ``out`` cannot be written, or MNIST is neither present nor downloadable.
    """
    check_folder(out, seed)
    design = design or (QUICK if quick else FULL)
    workers = workers or cpu_count()
    cache = str(out / "default-parts-networks")
    jobs = [
        (data, name, budget, variant, number, seed, design, cache)
        for data in design.data
        for name in design.cases
        for number in range(design.originals)
        for budget in design.budgets
        for variant in design.variants
    ]
    tell = progress or (lambda done, total, what: None)
    for data in design.data:
        for name in design.cases:
            tell(0, len(jobs), f"networks of {data}, {name}")
            _gold(data, name, seed, design, cache, workers)
    rows: list[dict[str, Any]] = []
    finished = Parallel(n_jobs=workers, return_as="generator")(delayed(one_run)(*j) for j in jobs)
    for row in finished:
        rows.append(row)
        tell(len(rows), len(jobs), f"{row['data']}, {row['case']}: {row['variant']}")
    return finish(rows, design, quick, out, seed)


def finish(
    rows: list[dict[str, Any]], design: Design, quick: bool, out: Path, seed: int
) -> FigureResult:
    """Drawing, tables and record of these runs."""
    rows = sorted(rows, key=lambda row: _place(row, design))
    settings = {"design": vars(design), "variants": VARIANTS}
    story = Story(NAME, quick, seed, rows, table(rows), notes(rows, design), settings)
    with default_parts_drawing.draw(rows) as drawing:
        found = write(story, drawing, out)
    path = out / f"{NAME}{'-quick' if quick else ''}.md"
    made = f"Made with infounlearn {__version__}, seed {seed}."
    text = as_markdown(rows, VARIANTS, [*story.notes, made])
    files.write_atomically(path, text.encode())
    return replace(found, files=(*found.files, path))


def one_run(
    data: str, name: str, budget: float, variant: str, number: int, seed: int, design: Design,
    cache: str,
) -> dict[str, Any]:  # fmt: skip
    """Unlearn once; distances to the retrained networks in units of their own spread."""
    gold = _gold(data, name, seed, design, cache)
    done = run_variant(variant, gold.case, gold.originals[number], budget, number)
    with one_thread():
        outputs = {part: show(done.model, gold.final.records[part]) for part in PARTS}
        found = {part: one.ratio for part, one in gold.final.distances(outputs).items()}
    return {
        "data": data,
        "case": name,
        "budget": budget,
        "variant": variant,
        "seed": number,
        "worst": max(found.values()),
        **found,
        "row_share": share_spent(done, gold.case),
    }


@lru_cache(maxsize=1)
def _gold(data: str, name: str, seed: int, design: Design, cache: str, workers: int = 1) -> Gold:
    arguments = comparison_cases(data, quick=data == "mnist")[name]
    with one_thread():
        return build_gold(
            case(data, **arguments, seed=seed),  # type: ignore[arg-type]
            name=name,
            seeds=design.originals,
            references=design.references,
            tuning_references=2,
            cache_dir=cache,
            workers=workers,
        )


def _place(row: dict[str, Any], design: Design) -> tuple[int, int, int, int, int]:
    return (
        design.data.index(row["data"]),
        design.cases.index(row["case"]),
        design.budgets.index(row["budget"]),
        design.variants.index(row["variant"]),
        row["seed"],
    )


def notes(rows: list[dict[str, Any]], design: Design) -> list[str]:
    """What must be read with the table."""
    counts = {
        row["data"]: len({one["seed"] for one in rows if one["data"] == row["data"]})
        for row in rows
    }
    made = ", ".join(f"{count} of {data}" for data, count in counts.items())
    return [
        "Distance: mean Jensen-Shannon divergence to the mean of "
        f"{design.references} retrained networks, over the floor, which is the mean distance of a "
        f"retrained network to the mean of the others; mean ± standard error over "
        f"originals ({made}), each unlearned with its own seed.",
        "worst: of each run, the largest of forget, retain and test; so it may lie above all three "
        "means. Times: geometric mean of worst over that of the default on the same original; "
        "above 1, the default is nearer to retraining.",
        "cost: rows of the run over those of retraining, a backward counting as two forwards.",
        "Settings of the default were chosen on digits and MNIST, those of the variants follow "
        "from it: none was tuned.",
    ]
