"""``figure image-barycenter``: images moved to the barycenter of their groups, and read afresh.

Held-out images in three rows as in the paper: X, Bary(X), T(X); beside them what an audit finds of
the networks' map. Below, over the dial ``amount``: how well a network trained afresh reads the
group, what the images changed, and whether other attributes stay; of the networks, of the
closed-form Gaussian maps in latent and in pixel space, and of the mean shift.

Faces are drawn into the folder of the run alone: their terms allow no more.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from infounlearn.experiments.figures import image_drawing
from infounlearn.experiments.figures.image_bench import OURS, PLAIN, Bench
from infounlearn.experiments.figures.image_subject import Design, design_for, subject
from infounlearn.experiments.figures.image_table import notes, table
from infounlearn.experiments.figures.result import (
    FigureResult,
    Progress,
    Story,
    check_folder,
    write,
)

NAME = "image-barycenter"


def run(
    quick: bool,
    out: Path,
    seed: int = 0,
    progress: Progress | None = None,
    *,
    attribute: str | None = None,
    data: str | None = None,
    design: Design | None = None,
    workers: int | None = None,
) -> FigureResult:
    """Make the figure; fits and readings are kept in ``out`` and taken up again.

    Args:
        quick: few images, a short training and three settings of the dial.
        out: folder of the files.
        seed: of split, networks and probes.
        progress: told once per fit and reading.
        attribute: a style of digits, or an attribute of CelebA; "rotated", or "Smiling".
        data: "digits" or "celeba"; by default digits, unless an attribute of faces is named.
        design: another size than the built-in ones.
        workers: processes that train probes; default one per core.

    Raises:
        InputError: ``out`` cannot be written, CelebA is absent, or it has no such attribute.
    """
    check_folder(out, seed)
    from joblib import cpu_count

    design = design or design_for(attribute, data, quick)
    known = subject(design, seed)
    stem = f"{NAME}-{design.data}-{design.attribute}".lower()
    bench = Bench(design, known, seed, out / f"{stem}-runs", workers or cpu_count(), progress)
    moved, facts, failed = bench.releases()
    rows = [
        {"method": name, "amount": amount, "attribute": label, "cost": bench.cost(images), **found}
        for name, by_amount in {PLAIN: {0.0: bench.before}, **moved}.items()
        for amount, images in by_amount.items()
        for label, found in bench.readings(name, amount, images).items()
    ]
    audit = bench.audit(moved[OURS][1.0]) if OURS in moved else None
    bench.finished()
    story = Story(
        NAME,
        quick,
        seed,
        rows,
        table(rows, facts, failed, design.attribute),
        notes(design, known, rows, facts, failed, audit),
        {"design": asdict(design), "facts": facts, "failed": failed},
        {design.data: known.sha256},
        part=f"-{design.data}-{design.attribute}".lower(),
        options=f" --data {design.data} --attribute {design.attribute}",
    )
    full = moved.get(OURS, {}).get(1.0)
    panel = None if full is None else image_drawing.panel(known, full, design.shown)
    with image_drawing.draw(rows, facts, known, panel, audit, design, quick) as drawing:
        return write(story, drawing, out)
