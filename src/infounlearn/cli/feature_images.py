"""``infounlearn feature images/``: a folder of images in, images without a feature out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from infounlearn.cli.parsing import as_plain, parse
from infounlearn.feature.images.settings import CHOICES

if TYPE_CHECKING:
    from rich.table import Table

    from infounlearn.experiments.image_job import ImageResult
    from infounlearn.interface import Record

    Method = str
else:
    Method = tyro.extras.literal_type_from_choices(CHOICES["method"])


@dataclass(frozen=True)
class FeatureImages:
    """Release images without what they tell of an attribute, and audit the release.

    Images of each group are moved, as little as possible, to one law that all groups share. They
    are split into a part that is fitted on and a part held out. Every image is released, as PNG of
    its old name and of the size asked for; held-out ones are audited by networks trained afresh.
    Nothing that is read is changed.

    The file of attributes has CelebA's form (a line that counts, a line of names, then a file name
    and 1 or -1 for each), or is a CSV or Parquet table whose first column names the images.

    Exit codes: 0 removed, 1 still visible, or a kept attribute lost (images are written all the
    same), 2 bad input (nothing is written), 3 nothing could be decided, 130 interrupted (nothing
    is released; the same command takes the training up again).

    Try:

        infounlearn feature images/ --attributes list_attr_celeba.txt --sensitive Smiling
        infounlearn feature a.zip --attributes a.csv --sensitive Male --keep Young Eyeglasses
        infounlearn feature images/ --attributes a.csv --sensitive style --method latent-gaussian

    Attributes:
        images: folder or zip archive of JPEG and PNG files.
        attributes: file of the images' attributes.
        sensitive: attribute whose information goes; of several the combinations.
        keep: attributes that should stay readable; fresh networks measure what they lost.
        out: folder of the folders images and maps, and of record.json, report.html and card.md.
        amount: how much goes, from 0 (nothing) to 1 (all).
        method: marginals moves single values, small patterns and moments, again and again;
            information goes on from there with critics that read the attribute; barycenter and
            pairwise train networks against potentials; latent-gaussian, pixel-gaussian and
            mean-shift are closed forms, which take seconds and remove less.
        network: small, or tiny (about half the time).
        steps: of the training of barycenter and pairwise.
        batch_size: images per step.
        rounds: of marginals, and of information before its critics.
        critics: of information, at most.
        evaluate_every: steps, or critics, between two looks at cost and probe, and two writings
            of the state; 250 steps or 8 critics by default.
        patience: steps without a better look after which training stops.
        flip: mirror training images at random.
        device: of torch, such as cpu or cuda.
        precision: bf16 is faster on a GPU.
        size: pixels of a side; images are cut to their centre and resized, counted.
        colour: auto makes grey images colour where any has colour, counted.
        corrupt: of images that cannot be read: error, or skip, counted.
        unmatched: of images without a row and rows without an image: error, or drop, counted.
        match: stem compares names without their suffix.
        key: column of file names in a table; the first by default.
        holdout: share of the images that is held out.
        audit_images: at most this many held-out images are audited.
        refits: probes trained on shuffled groups, for the null.
        folds: of the cross-validation of probes.
        epochs: longest training of a probe.
        limit: nats of a planted leak that must be found before anything counts as removed.
        margin: accuracy that kept attributes may lose.
        jobs: processes that train probes; -1 for all cores.
        seed: of split, fit and audit.
        quick: a short training of a tiny network and a small audit, which see large leaks only.
        json: print machine-readable results on standard output, everything else on standard error.
    """

    images: Annotated[Path, tyro.conf.Positional]
    attributes: Path
    sensitive: tuple[str, ...]
    keep: tuple[str, ...] = ()
    out: Path = Path("runs/feature")
    amount: float = 1.0
    method: Method = "information"
    network: Literal["small", "tiny"] = "small"
    steps: int = 2000
    batch_size: int = 64
    rounds: int = 5
    critics: int = 32
    evaluate_every: int | None = None
    patience: int | None = None
    flip: bool = False
    device: str = "cpu"
    precision: Literal["float32", "bf16"] = "float32"
    size: int = 32
    colour: Literal["auto", "rgb", "grey"] = "auto"
    corrupt: Literal["error", "skip"] = "error"
    unmatched: Literal["error", "drop"] = "error"
    match: Literal["name", "stem"] = "name"
    key: str | None = None
    holdout: float = 0.3
    audit_images: int = 3_000
    refits: int = 5
    folds: int = 5
    epochs: int = 12
    limit: float = 0.02
    margin: float = 0.05
    jobs: int = 1
    seed: int = 0
    quick: bool = False
    json: bool = False


def is_for_images(words: Sequence[str]) -> bool:
    """Whether the words of ``feature`` name images: a folder, an archive, or their attributes."""
    if any(word.split("=")[0] == "--attributes" for word in words):
        return True
    first = words[0] if words else ""
    return first.endswith(("/", ".zip")) or (
        bool(first) and not first.startswith("-") and Path(first).expanduser().is_dir()
    )


def main(words: Sequence[str]) -> int:
    """Release one folder of images and return the exit code of its verdicts."""
    options = parse(FeatureImages, words, "feature images/")
    from infounlearn.cli.show import Watcher, console
    from infounlearn.experiments.image_job import image_exit_code, release_images
    from infounlearn.experiments.image_request import ImageRequest

    names = {field.name for field in fields(ImageRequest)}
    given = {field.name: getattr(options, field.name) for field in fields(options)}
    request = ImageRequest(**{name: value for name, value in given.items() if name in names})
    plain = as_plain(options)
    del plain["json"]
    with Watcher(console(stderr=True)).live() as watch:
        done = release_images(
            request.quick() if options.quick else request,
            out=options.out,
            command=["feature", *words],
            options=plain,
            watch=watch,
        )
    code = image_exit_code(done.record.audit)
    tell(done, as_json=options.json, code=code)
    return code


def tell(done: ImageResult, *, as_json: bool, code: int) -> None:
    """Print the result: a short table, verdicts, and where things lie."""
    from infounlearn.cli.show import (
        audit_as_plain,
        console,
        print_files,
        print_json,
        print_verdicts,
    )

    screen = console(stderr=as_json)
    screen.print(image_table(done.record))
    print_verdicts(screen, done.record.audit)
    places = [("images", done.images), ("maps", done.maps), ("report", done.report)]
    print_files(screen, places)
    if not as_json:
        return
    run = done.record.run
    told: dict[str, Any] = {}
    if run is not None:
        told = {"method": run.method, "settings": dict(run.settings), "cost": dict(run.cost)}
        told |= {"stopped": run.stopped, "warnings": list(run.warnings)}
    files = {name: str(path) for name, path in places}
    files["record"] = str(done.report.with_name("record.json"))
    audit = audit_as_plain(done.record.audit)
    print_json({"command": "feature", "exit_code": code, **told, **audit, "files": files})


def image_table(record: Record) -> Table:
    """What the networks read before and after, beside what chance shows, and what it cost."""
    from rich.box import SIMPLE_HEAD
    from rich.markup import escape
    from rich.table import Table

    from infounlearn.report import numbers
    from infounlearn.report.summary import is_gap

    table = Table(title=escape(record.title), title_justify="left", box=SIMPLE_HEAD)
    table.add_column("", overflow="fold")
    for name in ("before", "after", "interval", "null 95 %"):
        table.add_column(name, justify="right", overflow="fold")
    feature = str(record.audit.settings["feature"])
    for one in record.audit.findings:
        label = _label(one.name, feature)
        if label is None:
            continue
        null = None if one.null is None else one.null.quantile95
        gap = is_gap(one)
        table.add_row(
            escape(label),
            numbers.quantity(one.original, one.unit, gap=gap),
            numbers.quantity(one.value, one.unit, gap=gap),
            numbers.interval(one.interval, one.unit, gap=gap),
            numbers.quantity(null, one.unit, gap=gap),
        )
    return table


_LABELS = {
    "probes/cnn_accuracy": "{}, accuracy of a fresh network",
    "probes/cnn_majority_gap": "{}, above the majority rate",
    "probes/wide_accuracy": "{}, accuracy of a wider one",
    "probes/wide_majority_gap": "{}, the wider one above it",
    "probes/cnn": "{}, read by a fresh network",
    "probes/wide": "{}, read by a wider one",
    "probes/linear": "{}, read by a line on features",
    "probes/places": "{}, read from single places",
    "probes/boosted-trees": "{}, read by trees from statistics",
    "probes/exact-values": "{}, read from exact values",
    "cost/transport": "mean squared change per pixel value",
    "cost/gaussian_bound": "least change that could hide it",
}


def _label(name: str, feature: str) -> str | None:
    """Short name of a finding in the short table; None for one that only the report shows."""
    room, _, what = name.partition("/")
    if room == "others" and not what.endswith(("_balanced_change", "_information")):
        other = what.removesuffix("_change")
        changed = what.endswith("_change")
        return f"{other}, {'change of it' if changed else 'accuracy of a fresh network'}"
    return _LABELS[name].format(feature) if name in _LABELS else None
