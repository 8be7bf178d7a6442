"""``figure tabular-frontiers``: our methods and others' on public tables, on the same folds.

Adult, COMPAS and German credit are classifications: accuracy and AUROC over the demographic parity
difference at one half. Law school and communities are regressions: squared error over the
Kolmogorov distance of score laws. Three base models; methods are compared over one base model only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from infounlearn import files
from infounlearn.experiments.figures import tabular_drawing, tabular_methods
from infounlearn.experiments.figures.result import (
    FigureResult,
    Progress,
    Story,
    as_text,
    check_folder,
    write,
)
from infounlearn.experiments.figures.tabular_limit import limit_areas
from infounlearn.experiments.figures.tabular_table import (
    Panel,
    other_views,
    points,
    sentences,
    table,
    verdicts,
)
from infounlearn.experiments.rivals.base import Kind
from infounlearn.experiments.rivals.encoding import coded
from infounlearn.feature.frontiers import frontier

NAME = "tabular-frontiers"


@dataclass(frozen=True)
class Design:
    """Size of the comparison.

    Attributes:
        cases: names of tables and attributes.
        bases: base models.
        folds: of each.
        dear: most rows of a table on which ExponentiatedGradient refits boosted trees.
        leave_out: names of methods that do not run; "Adult, sex, trees: NAME" for one panel.
        settings: of each dial, from its first on.
    """

    cases: tuple[str, ...] = tuple(case.name for case in tabular_methods.CASES)
    bases: tuple[Kind, ...] = tabular_methods.BASES
    folds: int = 5
    dear: int = 10_000
    leave_out: tuple[str, ...] = ()
    settings: int = 6


FULL = Design()
QUICK = Design(cases=("German credit, sex",), bases=("linear",), folds=2, dear=0, settings=2)


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

    Finished runs are kept in ``out``/tabular-frontiers-runs, so a killed job resumes there. Beside
    the usual files, ``tabular-frontiers.md`` holds the whole table and the verdicts, and
    ``tabular-frontiers-CASE-BASE.json`` every single run.

    Args:
        quick: German credit alone with two folds and two settings; under a minute.
        out: folder of the files.
        seed: of folds, models and noise.
        progress: told once per run.
        design: another size than the two built in.
        workers: processes; default one per core.

    Raises:
        InputError: ``out`` cannot be written, or a table is neither present nor downloadable.
    """
    check_folder(out, seed)
    from joblib import cpu_count

    design = design or (QUICK if quick else FULL)
    chosen = [case for case in tabular_methods.CASES if case.name in design.cases]
    tables = {case.name: case.load() for case in chosen}
    jobs: list[tuple[str, Kind, Any, dict[str, Any]]] = []
    for case in chosen:
        rows = coded(tables[case.name], case.attribute)
        for kind in design.bases:
            named = tabular_methods.methods(
                kind, tables[case.name].task, rows.levels, dear=len(rows.y) <= design.dear
            )
            kept = {
                name: one
                for name, one in named.items()
                if not {name, f"{case.name}, {kind}: {name}"} & set(design.leave_out)
            }
            jobs.append((case.name, kind, rows, _cut(kept, design, seed)))
    total = sum(_runs(named) * design.folds for *_, named in jobs)
    panels: list[Panel] = []
    before = 0
    for name, kind, rows, named in jobs:

        def told(done: int, _: int, text: str, begun: int = before, where: str = "") -> None:
            if progress is not None:
                progress(begun + done, total, text)

        found = frontier(
            named,
            rows.X,
            rows.y,
            rows.sensitive,
            folds=design.folds,
            random_state=seed,
            jobs=workers or cpu_count(),
            folder=out / f"{NAME}-runs",
            progress=told,
        )
        before += _runs(named) * design.folds
        limit: list[float] = []
        if tables[name].task == "classification":
            base = named[tabular_methods.PLAIN]
            runs = out / f"{NAME}-runs"
            limit = limit_areas(base, rows, design.folds, seed, found.limit(), runs)
        panels.append(Panel(name, kind, found, tuple(limit)))
    return _written(panels, design, quick, out, seed, tables)


def _written(
    panels: Sequence[Panel], design: Design, quick: bool, out: Path, seed: int, tables: Any
) -> FigureResult:
    lines, found = table(panels), verdicts(panels)
    told = [*notes(design, panels), *sentences(found), *other_views(panels)]
    settings = {
        "design": asdict(design),
        "shares": tabular_methods.SHARES,
        "amounts": tabular_methods.AMOUNTS,
        "limits": {f"{p.case}, {p.base}": p.frontier.limit() for p in panels},
    }
    hashes = {name: one.sha256() for name, one in tables.items()}
    story = Story(NAME, quick, seed, points(panels), lines, told, settings, hashes)
    stem = NAME + ("-quick" if quick else "")
    with tabular_drawing.draw(panels, quick) as drawing:
        result = write(story, drawing, out)
    more = {f"{stem}.md": "```text\n" + as_text(lines) + "\n```\n\n- " + "\n- ".join(told) + "\n"}
    for panel in panels:
        place = f"{panel.case}-{panel.base}".lower().replace(", ", "-").replace(" ", "-")
        more[f"{stem}-{place}.json"] = panel.frontier.to_json()
    for name, text in more.items():
        files.write_atomically(out / name, text.encode())
    return replace(result, files=(*result.files, *(out / name for name in more)))


def _cut(named: dict[str, Any], design: Design, seed: int) -> dict[str, Any]:
    """The methods of this design, all with one seed."""
    found: dict[str, Any] = {}
    for name, method in named.items():
        dial = method if hasattr(method, "settings") else None
        estimator = method if dial is None else dial.estimator
        seeds = [key for key in estimator.get_params() if key.endswith("random_state")]
        estimator.set_params(**dict.fromkeys(seeds, seed))
        found[name] = (
            estimator if dial is None else replace(dial, values=dial.values[: design.settings])
        )
    return found


def _runs(named: dict[str, Any]) -> int:
    return sum(len(one.settings()) if hasattr(one, "settings") else 1 for one in named.values())


def notes(design: Design, panels: Sequence[Panel]) -> list[str]:
    """What must be read with the table."""
    lines = [
        "* ours. Area: mean over gaps from 0 to the plain model's of the best utility on offer "
        "with at most that gap, the constant predictor included; gap: demographic parity "
        "difference at one half, for regressions (utility: minus the squared error, in the first "
        "column) Kolmogorov distance. Mean over "
        f"{design.folds} folds stratified on target and attribute.",
        "minus: paired difference to the best method of the other side (ours against "
        "theirs and theirs against ours); s.e.: its standard error with Nadeau and Bengio's "
        "variance.",
        f"Every method has {design.settings} settings of one dial, its published default among "
        "them where the dial is published, and nothing else tuned. Post-processing methods, ours "
        "too, are given the same scores: of three models that read the attribute, each fitted "
        "on two thirds of the training rows; out of fold on training rows, their mean on new "
        "ones. Randomised deciders count by expected decisions.",
        "limit of thresholds: thresholds on these scores that were chosen on the test rows "
        "themselves; no rule that thresholds them by group is above it, and its own distance is "
        "to our best area.",
        "ParityHead, order kept, ranks rows decided alike as the plain model does: its AUROC is "
        "that of a ranking that tells the attribute, and only its decision is bounded.",
    ]
    if "trees" in design.bases:
        lines.append(
            "ExponentiatedGradient refits its base model up to a hundred times: over boosted trees "
            "it has 5 iterations for its default of 50, and tables of more than "
            f"{design.dear:,} rows go without."
        )
    errors = {(cell.method, cell.error) for p in panels for cell in p.frontier.failures}
    lines += [f"failed: {method}: {error}" for method, error in sorted(errors, key=str)[:12]]
    return lines
